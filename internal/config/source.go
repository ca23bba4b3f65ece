package config

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxValue is how large a value from the environment or a file may be, in
// octets.
const MaxValue = 64 << 10

// Source is a value that stands elsewhere, so that a secret need not stand in
// the file: {env: NAME} or {file: PATH}.
type Source struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"` // relative to the file that names it
}

// Read fetches the value. dir is where relative paths begin, env reads the
// environment. One line break at the end is dropped; other control characters
// are refused, because they get lost on the way and nobody sees it. Errors name
// the variable or the file, never the value. What is not there at all is
// fs.ErrNotExist; so is an empty variable, as compose files leave it behind.
func (s Source) Read(dir string, env func(string) (string, bool)) (string, error) {
	switch {
	case s.Env != "" && s.File != "" || s.Env == "" && s.File == "":
		return "", fmt.Errorf("want one of env and file; write {env: NAME} or {file: PATH}")
	case s.Env != "":
		value, ok := env(s.Env)
		switch {
		case !ok:
			return "", absentError("the environment variable " + name(s.Env) + " is not set; set it where the program starts")
		case value == "":
			return "", absentError("the environment variable " + name(s.Env) + " is empty; write the value into it")
		}
		return checkValue("the environment variable "+name(s.Env), value)
	}
	path := s.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	value, err := readValue(path)
	if err != nil {
		return "", err
	}
	return checkValue("the file "+name(path), value)
}

// absentError is about a value that is not there.
type absentError string

func (e absentError) Error() string        { return string(e) }
func (e absentError) Is(target error) bool { return target == fs.ErrNotExist }

func readValue(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fileError(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxValue+2)) // the line break does not count
	if err != nil {
		return "", fileError(path, err)
	}
	return string(data), nil
}

func checkValue(where, value string) (string, error) {
	value = strings.TrimSuffix(strings.TrimSuffix(value, "\n"), "\r")
	switch {
	case value == "":
		return "", fmt.Errorf("%s is empty; write the value into it", where)
	case len(value) > MaxValue:
		return "", fmt.Errorf("%s holds more than %d KiB; check whether it is the right one", where, MaxValue>>10)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return "", fmt.Errorf("%s holds more than one line, control characters or something that is not UTF-8; write the value alone on one line", where)
	}
	return value, nil
}
