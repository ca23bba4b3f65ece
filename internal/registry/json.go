package registry

import "encoding/json"

// OneOrMore is a list that may be given in JSON as a single string.
type OneOrMore []string

// UnmarshalJSON reads a string or a list of strings.
func (o *OneOrMore) UnmarshalJSON(text []byte) error {
	if len(text) == 0 || text[0] != '"' {
		return json.Unmarshal(text, (*[]string)(o))
	}
	var one string
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	*o = OneOrMore{one}
	return nil
}

// UnmarshalJSON reads a description or {"description": …, "default": …}.
func (s *Scope) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*s = Scope{}
		return json.Unmarshal(text, &s.Description)
	}
	type plain Scope
	return json.Unmarshal(text, (*plain)(s))
}
