// Package logtest keeps what a program logs, for tests.
package logtest

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
)

// Buffer takes what several goroutines write while the test reads it. The zero
// value is ready.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String is all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Count is how often what stands in it.
func (b *Buffer) Count(what string) int { return strings.Count(b.String(), what) }

// Logger writes into it from slog.LevelInfo on.
func (b *Buffer) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }
