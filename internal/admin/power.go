package admin

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/symbolon/symbolon/internal/registry"
)

// mayHandOn refuses what gives power over this server, to whoever does not hold
// the power to give it: access to administration, operators, operator tokens. A
// client that has such access is power itself: a credential more would be a way to
// use it. So it is left alone, except that it can be stopped.
func (c *change) mayHandOn(s *staged) error {
	may := c.actor.May(GrantsAdmin)
	if may == nil {
		return nil
	}
	switch s.kind {
	case registry.KindOperator, registry.KindOperatorToken:
		return may
	case registry.KindClient:
		before, _ := s.before.(*registry.Client)
		after, _ := s.after.(*registry.Client)
		return c.clientPower(before, after)
	}
	return nil
}

func (c *change) clientPower(before, after *registry.Client) error {
	if after == nil {
		return nil
	}
	for _, api := range gained(before, after) {
		if registry.Administrative(api) {
			return &Error{Code: Forbidden, Message: fmt.Sprintf("%s may not give access to %s: it lacks the permission %s", c.actor.name(), api, GrantsAdmin),
				Fix: "ask an operator with the role admin of the whole server", cause: ErrPower}
		}
	}
	if before == nil || !before.Administers() && !after.Administers() {
		return nil
	}
	stopped, err := onlyStopped(before, after)
	if err == nil && !stopped {
		err = handsOff(before)
	}
	return err
}

// handsOff refuses to change a client that administers.
func handsOff(client *registry.Client) error {
	return &Error{Code: Forbidden, Message: fmt.Sprintf("client %s may administer this server: without the permission %s it can be disabled or deleted, and not changed", client.ID, GrantsAdmin),
		Fix: "ask an operator with the role admin of the whole server", cause: ErrPrivileged}
}

// onlyStopped reports whether nothing differs but that the client is disabled.
func onlyStopped(before, after *registry.Client) (bool, error) {
	same := *after
	same.Meta = before.Meta // but for the set, the store's own
	same.ManagedBy = after.ManagedBy
	if after.State == registry.StateDisabled {
		same.State, same.StateBy = before.State, before.StateBy
	}
	was, err := json.Marshal(before)
	if err != nil {
		return false, err
	}
	is, err := json.Marshal(&same)
	return bytes.Equal(was, is), err
}
