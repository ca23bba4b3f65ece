package registry

// View is what rules between objects look at: the issuers and APIs as they
// would be after a change.
type View struct {
	Base    string // the default issuer's URL
	Issuers map[string]*Issuer
	APIs    map[string]*API
}

// View is the snapshot's own, in maps of its own that the caller may change to
// see what a change would do.
func (s *Snapshot) View() View { panic("not yet") }

// ValidateSet says everything that is wrong between the issuers and APIs.
func ValidateSet(v View) error { return nil }

// ValidateClient says everything that is wrong between the client and the
// issuers and APIs that it names.
func ValidateClient(v View, c *Client) error { return nil }
