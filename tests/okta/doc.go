// Package okta runs Okta's own library for Go, github.com/okta/okta-sdk-golang,
// unmodified against a whole node with an organisation of the dialect okta. It is
// a module of its own: nothing of what that library needs is part of the product.
package okta
