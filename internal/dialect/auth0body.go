package dialect

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/symbolon/symbolon/internal/admin"
)

// auth0Body is the payload of a request: a JSON object whose members are taken one
// by one. What is wrong with it first is its err; what nobody took is refused by
// end, so that no setting is ever ignored without being listed as one that may be.
type auth0Body struct {
	auth0Check
	members map[string]json.RawMessage
}

// payload reads that of the request.
func (c *auth0Call) payload() (*auth0Body, error) {
	text, err := c.body()
	switch {
	case err == errNotJSON:
		return nil, errAuth0Type
	case err != nil:
		return nil, err
	}
	members, err := admin.ReadStrict[map[string]json.RawMessage](text)
	if err != nil || members == nil {
		return nil, errAuth0JSON.because(err)
	}
	return &auth0Body{auth0Check{of: "Payload", code: auth0InvalidBody}, members}, nil
}

// take decodes a member into what into points to; what is called for is of the
// sort that kind tells. given: it is there; removed: it is null.
func (b *auth0Body) take(name, kind string, into any) (given, removed bool) {
	value, given := b.members[name]
	delete(b.members, name)
	switch {
	case !given:
		return false, false
	case string(value) == "null":
		return true, true
	}
	switch err := admin.ReadKnown(value, into); {
	case errors.Is(err, admin.ErrOtherCase):
		b.refuse(name, "Additional properties not allowed: names are written as in the documentation")
	case err != nil:
		b.refuse(name, "Expected type %s", kind)
	}
	return true, false
}

// text takes a text of at most so many characters.
func (b *auth0Body) text(name string, longest int) (text string, given bool) {
	given, _ = b.take(name, "string", &text)
	if utf8.RuneCountInString(text) > longest {
		b.refuse(name, "String is longer than %d characters", longest)
	}
	return text, given
}

// needText takes a text that has to be there and not empty.
func (b *auth0Body) needText(name string, longest int) string {
	text, given := b.text(name, longest)
	if !given {
		b.missing(name)
	} else if text == "" {
		b.refuse(name, "String is empty")
	}
	return text
}

// name takes the name of an object. Auth0 takes none with the signs of markup.
func (b *auth0Body) name(needed bool) (text string, given bool) {
	const member, longest = "name", 256
	if text, given = b.text(member, longest); !given && !needed {
		return "", false
	}
	switch {
	case !given:
		b.missing(member)
	case text == "":
		b.refuse(member, "String is empty")
	case strings.ContainsAny(text, "<>"):
		b.refuse(member, "String does not match pattern ^[^<>]+$")
	}
	return text, given
}

// only takes a member that has one value here. why says what the others would need.
func (b *auth0Body) only(name, value, why string) {
	text := value
	if _, removed := b.take(name, "string", &text); !removed && text != value {
		b.refuse(name, "This server knows %s alone: %s", value, why)
	}
}

// never takes a flag that cannot be set here. why says what it would need.
func (b *auth0Body) never(name, why string) {
	var flag bool
	if b.take(name, "boolean", &flag); flag {
		b.refuse(name, "This cannot be true here: %s", why)
	}
}

// ignore drops members that have no effect here.
func (b *auth0Body) ignore(names []string) {
	for _, name := range names {
		delete(b.members, name)
	}
}

func (b *auth0Body) missing(name string) {
	b.refuseAll("Missing required property: " + name)
}

// end gives what is wrong with the payload. A member that was not taken is named
// where it is a plain name; null says that it shall not be there, as it is not.
func (b *auth0Body) end() error {
	for _, name := range slices.Sorted(maps.Keys(b.members)) {
		if string(b.members[name]) != "null" {
			b.additional(name, " (this server has no such setting)")
		}
	}
	return b.found()
}

// auth0Check keeps what is wrong first with a payload or a query.
type auth0Check struct {
	of   string // "Payload" or "Query"
	code string
	err  *auth0Problem // nil: nothing yet
}

// refuse notes what is wrong with a member or parameter, whose name is one of this
// API's.
func (c *auth0Check) refuse(name, format string, args ...any) {
	c.note(fmt.Sprintf("'%s' on property %s.", fmt.Sprintf(format, args...), name))
}

// refuseAll notes what is wrong with all of it.
func (c *auth0Check) refuseAll(what string) { c.note("'" + what + "'.") }

// additional notes something that nobody took, which is named where it is a plain
// name, with what is to be said of it.
func (c *auth0Check) additional(name, remark string) {
	if plainName(name) {
		c.refuseAll("Additional properties not allowed: " + name + remark)
	} else {
		c.refuseAll("Additional properties not allowed")
	}
}

func (c *auth0Check) note(what string) {
	if c.err == nil {
		c.err = newAuth0Problem(http.StatusBadRequest, c.code, c.of+" validation error: "+what)
	}
}

// found gives what is wrong; nil: nothing is.
func (c *auth0Check) found() error {
	if c.err != nil {
		return c.err
	}
	return nil
}

// plainName reports whether a text of the request looks like the name of a member.
func plainName(text string) bool {
	return text != "" && len(text) <= 64 && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	})
}
