package registry

// Encode writes the document of obj.
func Encode(obj any, previous []byte) ([]byte, error) { panic("not yet") }
