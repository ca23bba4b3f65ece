package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/config"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/node"
)

// maxConfigFile is more than any symbolon.yaml needs.
const maxConfigFile = 1 << 20

func newServeCmd(a *app) *cobra.Command {
	var file, url, store, dataDir, apply, level string
	var listen []string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `serve runs the server until it is told to stop (SIGTERM, SIGINT); requests in
flight finish. Each option but --config and --log may stand in the file
(symbolon.yaml), in the environment as SYMBOLON_ and its name (SYMBOLON_DATA_DIR),
or here; the later wins. So may the other members of the file that are no lists of
mappings: SYMBOLON_ and the path (SYMBOLON_AUDIT_ON_FULL). A variable that begins so
and is none is refused.`,
		Example: "  symbolon serve --config symbolon.yaml\n  symbolon serve --url http://localhost:8080 --data-dir ./data",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var cfg node.Config
			if err := a.readConfig(file, &cfg); err != nil {
				return err
			}
			for member, set := range map[string]func(){
				"url":      func() { cfg.URL = url },
				"store":    func() { cfg.Store = store },
				"data_dir": func() { cfg.DataDir = dataDir },
				"apply":    func() { cfg.Apply = apply },
				"listen":   func() { cfg.Listen = listeners(listen) },
			} {
				if flag := strings.ReplaceAll(member, "_", "-"); cmd.Flags().Changed(flag) {
					set()
					cfg.Origins.Set(member, "--"+flag)
				}
			}
			return a.serve(cmd, cfg, level)
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "config", "", "configuration file (symbolon.yaml)")
	f.StringVar(&url, "url", "", "the default issuer's URL: https, or http on a loopback name")
	f.StringSliceVar(&listen, "listen", nil, "addresses to serve on (default 127.0.0.1:8080)")
	f.StringVar(&store, "store", "", `"sqlite", "sqlite:PATH" or a postgres:// URL without a password (default sqlite)`)
	f.StringVar(&dataDir, "data-dir", "", "directory of this server (default ./data)")
	f.StringVar(&apply, "apply", "", "declarative file that is applied at start, once per content")
	f.StringVar(&level, "log", "info", "log level on stderr: debug (with an access log), info, warn or error")
	return cmd
}

func listeners(addrs []string) []node.Listener {
	out := make([]node.Listener, len(addrs))
	for i, addr := range addrs {
		out[i].Addr = addr
	}
	return out
}

// readConfig reads the file, if there is one, and what the environment says
// over it.
func (a *app) readConfig(file string, cfg *node.Config) error {
	cfg.Origins = new(config.Origins)
	if file != "" {
		data, err := readLimited(file, maxConfigFile)
		if err != nil {
			return err
		}
		if err := cfg.Origins.Decode(file, data, cfg); err != nil {
			return err
		}
	}
	if err := a.checkEnvironment(); err != nil {
		return err
	}
	return cfg.Origins.Override(cfg, envPrefix, a.env)
}

// missingFile is a name on the command line, or in the environment, of no file.
type missingFile string

func (m missingFile) Error() string {
	return printable(string(m)) + ": there is no such file; check the path"
}
func (m missingFile) Is(target error) bool { return target == fs.ErrNotExist }

func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, missingFile(path)
	case err != nil:
		return nil, unreadable(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d octets; is it the right file?", path, limit)
	} else if err != nil {
		err = unreadable(path, err)
	}
	return data, err
}

// unreadable tells of a file that is there.
func unreadable(path string, err error) error {
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err // its text repeats the path
	}
	return fmt.Errorf("%s: cannot be read: %w; check the path and its permissions", printable(path), err)
}

func (a *app) serve(cmd *cobra.Command, cfg node.Config, level string) error {
	logger, err := a.leveled(level)
	if err != nil {
		return err
	}
	cfg.Version, cfg.Now, cfg.Getenv, cfg.Logger = version(), a.now, a.env, logger
	cfg.MasterKey, _ = a.env(keys.EnvName)
	ctx, cancel := context.WithCancel(cmd.Context())
	defer a.paceGarbage(ctx)()
	defer cancel()
	n, err := node.Open(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	for _, addr := range n.Addrs() {
		fmt.Fprintf(a.stdout, "symbolon %s: listening on %s\n", cfg.Version, addr)
	}
	return n.Run(cmd.Context())
}

// leveled is a logger of that level.
func (a *app) leveled(level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usagef("--log %s is not a level; write debug, info, warn or error", level)
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: l})), nil
}

// logger tells what went wrong, and no more.
func (a *app) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
