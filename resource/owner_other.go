//go:build !unix

package resource

import "io/fs"

// checkOwner: these systems tell neither mode nor owner in this form.
func checkOwner(fs.FileInfo, int) error { return nil }
