package symbolon

import (
	"encoding/json"
	"fmt"
)

// TypIntrospection is the typ of an introspection answer that is signed
// (RFC 9701 §5). It is never an access token.
const TypIntrospection = "token-introspection+jwt"

// MediaIntrospection is the media type of such an answer (RFC 9701 §4).
const MediaIntrospection = "application/" + TypIntrospection

// IntrospectionAnswer is what a server says of a token (RFC 7662 §2.2): that it
// is not active, and nothing else, or its claims and type.
type IntrospectionAnswer struct {
	Active    bool
	TokenType string // TokenTypeBearer or TokenTypeDPoP
	Claims    Claims
}

// AppendJSON appends the answer as one JSON object and gives the extended slice.
func (a *IntrospectionAnswer) AppendJSON(b []byte) []byte {
	if !a.Active {
		return append(b, `{"active":false}`...)
	}
	b = append(b, `{"active":true,"token_type":`...)
	b = append(appendString(b, a.TokenType), ',')
	start := len(b)
	b = a.Claims.AppendJSON(b)
	// The object of the claims goes on in that of the answer.
	return append(b[:start], b[start+1:]...)
}

// ParseIntrospection reads an answer. Claims are refused as by [ParseClaims];
// duplicate members are the caller's to refuse before. An answer that is not
// active has no claims, whatever else it holds.
func ParseIntrospection(body []byte) (*IntrospectionAnswer, error) {
	claims, err := ParseClaims(body)
	if err != nil {
		return nil, err
	}
	a := new(IntrospectionAnswer)
	if err := json.Unmarshal(claims.Extra["active"], &a.Active); err != nil {
		return nil, fmt.Errorf("%w: active: want true or false", errClaims)
	}
	if !a.Active {
		return a, nil
	}
	if t, ok := claims.Extra["token_type"]; ok {
		if err := json.Unmarshal(t, &a.TokenType); err != nil {
			return nil, fmt.Errorf("%w: token_type: %w", errClaims, errWantString)
		}
	}
	delete(claims.Extra, "active")
	delete(claims.Extra, "token_type")
	if len(claims.Extra) == 0 {
		claims.Extra = nil
	}
	a.Claims = *claims
	return a, nil
}
