package web

import "net/http"

// Health answers a probe in one line of plain text, which no cache keeps. What is
// not asked with GET or HEAD is refused as CheckMethod does.
func Health(w http.ResponseWriter, r *http.Request, status int, text string) error {
	if err := CheckMethod(w, r, http.MethodGet); err != nil {
		return err
	}
	h := w.Header()
	NoStore(h)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, err := w.Write([]byte(text + "\n"))
	return err
}
