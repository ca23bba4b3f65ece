package admin

import "encoding/json"

// wireApply is an ApplyRequest as it crosses the socket: with the plain values
// of its secrets, which are hashed on the other side, where it is known whether
// they are the ones that are stored.
type wireApply struct {
	ApplyRequest
	Values      map[string]map[string]string `json:"values,omitempty"`       // client id → credential id → value
	TokenValues map[string]string            `json:"token_values,omitempty"` // operator token id → value
}

// EncodeApply writes a request for the server. The result holds secrets: it
// goes over the local socket or TLS, and nowhere else.
func EncodeApply(req ApplyRequest) ([]byte, error) {
	w := wireApply{ApplyRequest: req, Values: make(map[string]map[string]string), TokenValues: make(map[string]string)}
	for id, value := range req.Objects.TokenValues {
		w.TokenValues[id] = value.Reveal()
	}
	for client, secrets := range req.Objects.Values {
		w.Values[client] = make(map[string]string)
		for id, value := range secrets {
			w.Values[client][id] = value.Reveal()
		}
	}
	return json.Marshal(w)
}

// DecodeApply reads what EncodeApply wrote. Unknown members are refused: a
// newer program may have sent what this one would leave out.
func DecodeApply(doc []byte) (ApplyRequest, error) {
	var w wireApply
	if err := readOne(doc, &w); err != nil {
		return ApplyRequest{}, err
	}
	req := w.ApplyRequest
	req.Objects.Values = make(SecretValues)
	for client, secrets := range w.Values {
		req.Objects.Values[client] = make(map[string]Secret)
		for id, value := range secrets {
			req.Objects.Values[client][id] = NewSecret(value)
		}
	}
	for id, value := range w.TokenValues {
		if req.Objects.TokenValues == nil {
			req.Objects.TokenValues = make(map[string]Secret)
		}
		req.Objects.TokenValues[id] = NewSecret(value)
	}
	return req, nil
}
