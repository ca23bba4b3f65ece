package guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/resource"
)

// maxIntrospectionCache is resource's bound.
const maxIntrospectionCache = Duration(time.Second)

// members are the names of resource.Config's fields in the file.
var members = map[string]string{
	"Issuer": "issuer", "Audience": "audience", "PublicURL": "public_url", "Bound": "bound", "NonceKey": "nonce_key_file",
	"PreviousNonceKeys[0]": "previous_nonce_key_files", "TokenCache": "token_cache",
	"Introspection.ID": "introspection.client_id", "Introspection.Auth": "introspection", "Introspection.Cache": "introspection.cache",
	"Revocations.MaxAge": "revocations.max_age", "Revocations.MaxStale": "revocations.max_stale",
}

// newAPI makes what decides about tokens.
func newAPI(c *Config) (*resource.API, error) {
	cfg := resource.Config{
		Issuer: c.Issuer, Audience: c.Audience, PublicURL: c.PublicURL, Bound: c.Bound, DataDir: c.DataDir,
		TokenCache: *c.TokenCache, HTTP: c.HTTP, Now: c.Now, Logger: c.Logger,
		Introspection: c.Introspection.config(),
		Revocations: resource.Revocations{
			MaxAge: time.Duration(c.Revocations.MaxAge), MaxStale: time.Duration(c.Revocations.MaxStale), OnStale: c.Revocations.OnStale,
		},
	}
	for _, r := range c.Routes {
		cfg.Scopes = append(cfg.Scopes, r.Scopes...)
	}
	var err error
	if c.NonceKeyFile != "" {
		if cfg.NonceKey, err = readNonceKey(c.NonceKeyFile); err != nil {
			return nil, fmt.Errorf("nonce_key_file: %w", err)
		}
	}
	for _, file := range c.PreviousNonceKeyFiles {
		key, err := readNonceKey(file)
		if err != nil {
			return nil, fmt.Errorf("previous_nonce_key_files: %w", err)
		}
		cfg.PreviousNonceKeys = append(cfg.PreviousNonceKeys, key)
	}
	api, err := resource.New(cfg)
	var wrong *symbolon.ConfigError
	if errors.As(err, &wrong) && members[wrong.Field] != "" {
		return nil, fmt.Errorf("%s: %w", members[wrong.Field], wrong.Err)
	}
	return api, err
}

// nonceKeySize is what resource.NonceKey has.
const nonceKeySize = 32

// readNonceKey reads the octets of a key, which stand in the file as they are.
func readNonceKey(path string) (resource.NonceKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w; make one with: openssl rand -out %s 32", err, path)
	}
	defer f.Close()
	key, err := io.ReadAll(io.LimitReader(f, nonceKeySize+1))
	if err != nil {
		return nil, err
	}
	if len(key) != nonceKeySize || bytes.IndexByte(key, 0) >= 0 && len(bytes.Trim(key, "\x00")) == 0 {
		// Not path: it may be another key, named by mistake, which the line would overwrite.
		return nil, fmt.Errorf("%s does not hold 32 random octets; name the file that does, or make a new one with: openssl rand -out nonce.key 32", path)
	}
	return key, nil
}

// config is what the file says; nil: nothing.
func (i *Introspection) config() *resource.Introspection {
	if i == nil {
		return nil
	}
	cfg := &resource.Introspection{ID: i.ClientID, Always: i.Always}
	switch {
	case i.SecretFile != "":
		cfg.Auth = client.SecretFile(i.SecretFile)
	case i.CertFile != "":
		cfg.Auth = client.CertificateFiles(i.CertFile, i.KeyFile)
	default:
		cfg.Auth = client.PrivateKeyFile(i.KeyFile, i.KID)
	}
	if i.Cache != nil {
		cfg.Cache = time.Duration(*i.Cache)
		if cfg.Cache == 0 {
			cfg.Cache = -1 // zero is its default
		}
	}
	return cfg
}
