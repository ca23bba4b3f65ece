package guard

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/config"
)

// Load reads the file (where its name is not empty), what the environment says
// over it (NAME=value each, as os.Environ gives it) and what change does to that,
// and checks the whole. Its errors name the place in the file where that is to
// blame. A variable that begins with EnvPrefix and is none is refused: a guard that
// passed over it would do something else than it was told.
func Load(file string, environ []string, change func(*Config)) (Config, error) {
	var cfg Config
	var doc *config.Document
	if file != "" {
		data, err := config.ReadFile(file)
		if err != nil {
			return cfg, err
		}
		if doc, err = config.Parse(file, data); err != nil {
			return cfg, err
		}
		if err := doc.Decode(&cfg); err != nil {
			return cfg, err
		}
	}
	inFile := cfg.problems()
	if err := config.Override(&cfg, EnvPrefix, lookup(environ)); err != nil {
		return cfg, err
	}
	if change != nil {
		change(&cfg)
	}
	errs := []error{config.Unknown(&cfg, EnvPrefix, environ)}
	for _, p := range cfg.problems() {
		// What only the whole has wrong, the file is not to blame for.
		if doc != nil && slices.ContainsFunc(inFile, func(q problem) bool { return reflect.DeepEqual(p, q) }) {
			errs = append(errs, doc.Root().At(p.path, p.path+": "+p.message, p.fix))
		} else {
			errs = append(errs, p)
		}
	}
	return cfg, errors.Join(errs...)
}

// lookup is os.LookupEnv in environ.
func lookup(environ []string) func(string) (string, bool) {
	all := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			all[name] = value
		}
	}
	return func(name string) (string, bool) { v, ok := all[name]; return v, ok }
}
