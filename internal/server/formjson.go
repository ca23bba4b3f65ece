package server

import (
	"errors"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

const jsonType = "application/json"

var (
	errJSONForm = symbolon.NewError(symbolon.InvalidRequest,
		"the request body is not one JSON object whose members are strings, each once")
	errFormOrJSON = symbolon.NewError(symbolon.InvalidRequest,
		"the Content-Type must be application/x-www-form-urlencoded or application/json, without a Content-Encoding")
)

// parseJSON reads the parameters from one JSON object. Every value is a string,
// whether its name means something here or not: an object such as {"$ne":null}
// in the place of a secret reaches nothing that could make a question of it. The
// bounds are the form's, and so is what a value may hold.
func (f *form) parseJSON(body []byte) error {
	n := 0
	err := jose.VisitObject(body, func(name, value []byte) error {
		if n++; n > symbolon.MaxParameters {
			return errTooMany
		}
		text, err := jose.Text(value)
		if err != nil {
			return errJSONForm
		}
		if text == "" { // RFC 6749 §3.2: without a value is as if omitted
			return nil
		}
		return f.set(string(name), text)
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jose.ErrDuplicateMember):
		return errRepeated
	case errors.As(err, new(*symbolon.Error)):
		return err
	}
	return errJSONForm
}
