package registry

// Validate says everything that is wrong with the issuer by itself: a Problems
// or nil. What concerns other objects says ValidateSet.
func (i *Issuer) Validate() error { return nil }

// Validate says everything that is wrong with the API by itself.
func (a *API) Validate() error { return nil }

// Validate says everything that is wrong with the client by itself. What
// concerns other objects says ValidateClient.
func (c *Client) Validate() error { return nil }

// Validate says everything that is wrong with the operator.
func (o *Operator) Validate() error { return nil }
