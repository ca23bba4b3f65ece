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
	word            string // what the options call it: "secret", or "value" of a token
	env, file, hash string
}

func (a *app) secretFlags(cmd *cobra.Command) *secretInput { return a.inputFlags(cmd, "secret") }

// valueFlags are those of an operator token.
func (a *app) valueFlags(cmd *cobra.Command) *secretInput { return a.inputFlags(cmd, "value") }

func (a *app) inputFlags(cmd *cobra.Command, word string) *secretInput {
	s := &secretInput{app: a, word: word}
	cmd.Flags().StringVar(&s.env, word+"-env", "", "take the "+word+" from this environment variable instead of making one")
	cmd.Flags().StringVar(&s.file, word+"-file", "", "take the "+word+" from this file; a final line break is not part of it")
	cmd.Flags().StringVar(&s.hash, "hash", "", `store this hash of a `+word+` ("sha256:…") instead of making one`)
	return s
}

// maxSecretFile is more than any secret.
const maxSecretFile = 4 << 10

// value reads the secret; "" when none was named.
func (s *secretInput) value() (string, error) {
	var text string
	switch {
	case s.env != "" && s.file != "", s.hash != "" && s.env+s.file != "":
		return "", usagef("give one of --%[1]s-env, --%[1]s-file and --hash", s.word)
	case s.env != "":
		var ok bool
		if text, ok = s.app.env(s.env); !ok {
			return "", fmt.Errorf("the environment variable %s of --%s-env is not set; set it, or leave the option out and the server makes one", s.env, s.word)
		}
	case s.file != "":
		data, err := readLimited(s.file, maxSecretFile)
		if err != nil {
			return "", fmt.Errorf("--%s-file: %w; check its name and who may read it", s.word, err)
		}
		text = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	default:
		return "", nil
	}
	if text == "" {
		return "", fmt.Errorf("the %s is empty; name the variable or file that holds it, or leave the option out and the server makes one", s.word)
	}
	return text, nil
}
