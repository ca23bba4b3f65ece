package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// secretInput is where a secret comes from: never an argument, which other
// users of the machine can read in the list of processes.
type secretInput struct {
	*app
	env, file, hash string
}

func (a *app) secretFlags(cmd *cobra.Command) *secretInput {
	s := &secretInput{app: a}
	cmd.Flags().StringVar(&s.env, "secret-env", "", "take the secret from this environment variable instead of making one")
	cmd.Flags().StringVar(&s.file, "secret-file", "", "take the secret from this file; a final line break is not part of it")
	cmd.Flags().StringVar(&s.hash, "hash", "", `store this hash of a secret ("sha256:…") instead of making one`)
	return s
}

// maxSecretFile is more than any secret.
const maxSecretFile = 4 << 10

// value reads the secret; "" when none was named.
func (s *secretInput) value() (string, error) {
	var text string
	switch {
	case s.env != "" && s.file != "", s.hash != "" && s.env+s.file != "":
		return "", usagef("give one of --secret-env, --secret-file and --hash")
	case s.env != "":
		var ok bool
		if text, ok = s.app.env(s.env); !ok {
			return "", fmt.Errorf("the environment variable %s of --secret-env is not set; set it, or leave the option out and the server makes a secret", s.env)
		}
	case s.file != "":
		data, err := readLimited(s.file, maxSecretFile)
		if err != nil {
			return "", fmt.Errorf("--secret-file: %w; check its name and who may read it", err)
		}
		text = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	default:
		return "", nil
	}
	if text == "" {
		return "", fmt.Errorf("the secret is empty; name the variable or file that holds it, or leave the option out and the server makes one")
	}
	return text, nil
}
