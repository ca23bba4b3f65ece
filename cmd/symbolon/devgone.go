package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// gone says which of the printed lines cannot work, since in a kept data directory
// somebody has disabled or deleted what they need: the file is applied once per
// content, and undoes nothing of that. It names the command that brings each back.
func (s *standIn) gone(ctx context.Context, ops *admin.Admin) (string, error) {
	actor := admin.Local(uint32(os.Getuid()), "")
	clients := []sample{{s.Dialect + "-demo", s.Secret, "client.secret"}}
	if s.Management != "" {
		clients = append(clients, sample{s.Dialect + "-demo-management", s.Management, "management.secret"})
	}
	var out strings.Builder
	for _, client := range clients {
		note, err := s.goneClient(ctx, ops, actor, client)
		if err != nil {
			return "", err
		}
		out.WriteString(note)
	}
	if s.Token == "" {
		return out.String(), nil
	}
	id := s.Dialect + "-demo"
	_, err := ops.OperatorToken(ctx, actor, id)
	if admin.CodeOf(err) == admin.NotFound {
		fmt.Fprintf(&out, "\nThe operator token %s was deleted; lines with SSWS work again after\n  %s\n", id,
			s.command("operator-token create "+id+" --role operator --issuer "+s.Dialect+" --ssws --value-file "+s.path("operator.token")))
		err = nil
	}
	return out.String(), err
}

// sample is a client of the stand-in, and the file in which its secret is.
type sample struct{ id, secret, file string }

func (s *standIn) goneClient(ctx context.Context, ops *admin.Admin, actor admin.Actor, of sample) (string, error) {
	id := of.id
	c, err := ops.Client(ctx, actor, id)
	if admin.CodeOf(err) == admin.NotFound {
		return fmt.Sprintf("\nThe client %s was deleted, and no file brings it back: choose another --data-dir, or remove this one.\n", id), nil
	}
	if err != nil {
		return "", err
	}
	var out strings.Builder
	if c.State == registry.StateDisabled {
		fmt.Fprintf(&out, "\nThe client %s is disabled; it gets tokens again after\n  %s\n", id, s.command("client enable "+id))
	}
	known, err := ops.HasSecret(ctx, actor, id, admin.NewSecret(of.secret))
	if err == nil && !known {
		fmt.Fprintf(&out, "\nThe client %s has lost its secret; it has it again after\n  %s\n", id,
			s.command("client secret add "+id+" --secret-file "+s.path(of.file)))
	}
	return out.String(), err
}

// command is one of this program's, as it is typed while the stand-in runs.
func (s *standIn) command(words string) string {
	return s.Name + " " + words + " --data-dir " + quoted(s.Dir)
}

func (s *standIn) path(name string) string { return quoted(filepath.Join(s.Dir, name)) }
