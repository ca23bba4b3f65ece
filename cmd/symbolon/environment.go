package main

import (
	"github.com/symbolon/symbolon/internal/config"
	"github.com/symbolon/symbolon/internal/guard"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/node"
)

// Variables of the environment whose names begin with envPrefix belong to this
// program: envPrefix and the path of a member of symbolon.yaml, and otherVariables.
const (
	envPrefix  = "SYMBOLON_"
	envDataDir = envPrefix + "DATA_DIR"
	envStore   = envPrefix + "STORE"
)

// otherVariables are those that are no member of symbolon.yaml. What begins with
// the guard's prefix the guard judges.
var otherVariables = []string{
	keys.EnvName, guard.EnvPrefix,
	envIssuer, envClient, envSecret, envKey, envKeyID, envCert, envCertKey, envDPoPKey,
}

// checkEnvironment refuses variables that begin as this program's and are none: a
// server that passed over one would do something else than it was told.
func (a *app) checkEnvironment() error {
	if a.environ == nil {
		return nil
	}
	return config.Unknown(&node.Config{}, envPrefix, a.environ(), otherVariables...)
}
