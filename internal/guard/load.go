package guard

import (
	"errors"
	"strings"

	"github.com/symbolon/symbolon/internal/config"
)

// Load reads the file (where its name is not empty), what the environment says
// over it (NAME=value each, as os.Environ gives it) and what change does to that,
// and checks the whole. change tells from of each member that it sets and of the
// flag by whose name. Errors are told where the value came from. A variable that
// begins with EnvPrefix and is none is refused: a guard that passed over it would do
// something else than it was told.
func Load(file string, environ []string, change func(c *Config, from func(path, flag string))) (Config, error) {
	var cfg Config
	var origins config.Origins
	if file != "" {
		data, err := config.ReadFile(file)
		if err != nil {
			return cfg, err
		}
		if err := origins.Decode(file, data, &cfg); err != nil {
			return cfg, err
		}
	}
	if err := origins.Override(&cfg, EnvPrefix, lookup(environ)); err != nil {
		return cfg, err
	}
	if change != nil {
		change(&cfg, origins.Set)
	}
	errs := []error{config.Unknown(&cfg, EnvPrefix, environ)}
	for _, p := range cfg.problems() {
		errs = append(errs, origins.Missing(p.path, p))
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
