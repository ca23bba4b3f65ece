package state

import (
	"errors"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// Placed gives the problems of an apply the places in the file where they
// stand: one error a line, "state.yaml:12:5: client "billing": …". Any other
// error is returned as it is.
func Placed(err error, req *admin.ApplyRequest) error {
	var problems registry.Problems
	if !errors.As(err, &problems) || req.Where == nil {
		return err
	}
	var out []error
	for _, p := range problems {
		text := p.String()
		if at := req.Where(p); at != "" {
			text = at + ": " + text
		}
		out = append(out, errors.New(text))
	}
	return errors.Join(out...)
}
