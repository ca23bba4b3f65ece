package audit

import (
	"bytes"
	"errors"
	"io"
	"math"
)

const (
	maxLine   = 64 << 10  // octets of a line that every reader takes: a later version may write longer ones than MaxRecord
	readChunk = 256 << 10 // octets that are read at once besides
)

// errPartial: what stands here is not a whole line. At the end of the newest
// segment it is one being written, or torn by a kill.
var errPartial = errors.New("audit: not a whole line")

func isEOF(err error) bool { return errors.Is(err, io.EOF) }

// lines reads the lines of one segment in a bounded buffer.
type lines struct {
	f      io.ReaderAt
	off    int64 // of the next line
	limit  int64 // nothing from here on is read; 0: the end of the file
	buf    []byte
	unread []byte // part of buf, from off on
}

// next returns a line without its line break, valid until the next call. It
// returns io.EOF where NUL octets, the limit or the end of the file begin, and
// errPartial for text without a line break; off stays before it, and what is
// there then is read anew at the next call.
func (l *lines) next() ([]byte, error) {
	for {
		if i := bytes.IndexByte(l.unread, '\n'); i >= 0 && bytes.IndexByte(l.unread[:i], 0) < 0 {
			line := l.unread[:i]
			l.unread = l.unread[i+1:]
			l.off += int64(i) + 1
			return line, nil
		}
		if bytes.IndexByte(l.unread, 0) >= 0 {
			return nil, l.end()
		}
		if err := l.fill(); err != nil {
			if isEOF(err) {
				return nil, l.end()
			}
			return nil, err
		}
	}
}

// end tells a clean end from a part of a line, and forgets what was read.
func (l *lines) end() error {
	clean := len(l.unread) == 0 || l.unread[0] == 0
	l.unread = nil
	if clean {
		return io.EOF
	}
	return errPartial
}

// fill reads on after what is unread.
func (l *lines) fill() error {
	// What fills the buffer without a line break is no line: nothing is read then.
	if l.buf == nil {
		l.buf = make([]byte, maxLine+readChunk)
	}
	have := copy(l.buf, l.unread)
	limit := l.limit
	if limit == 0 {
		limit = math.MaxInt64
	}
	room := min(int64(len(l.buf)-have), limit-l.off-int64(have))
	if room <= 0 {
		l.unread = l.buf[:have]
		return io.EOF
	}
	n, err := l.f.ReadAt(l.buf[have:have+int(room)], l.off+int64(have))
	l.unread = l.buf[:have+n]
	if n > 0 {
		return nil
	}
	return err
}

// skip goes over what is no line: up to a line break, or up to where text begins
// again behind NUL octets. It returns io.EOF when there is no more text. Readers
// that met a damage take up the chain there.
func (l *lines) skip() error {
	for len(l.unread) == 0 || l.unread[0] != 0 {
		i := bytes.IndexAny(l.unread, "\n\x00")
		if i >= 0 && l.unread[i] == '\n' {
			l.drop(i + 1)
			return nil
		}
		if i > 0 {
			l.drop(i)
			break
		}
		if err := l.refill(); err != nil {
			return err
		}
	}
	for {
		l.drop(len(l.unread) - len(trimZeros(l.unread)))
		if len(l.unread) > 0 {
			return nil
		}
		if err := l.fill(); err != nil {
			return err
		}
	}
}

func (l *lines) drop(n int) {
	l.unread = l.unread[n:]
	l.off += int64(n)
}

// refill drops what is unread and reads on.
func (l *lines) refill() error {
	l.drop(len(l.unread))
	return l.fill()
}

// rest reports whether anything but NUL octets comes after off.
func (l *lines) rest() (bool, error) {
	off := l.off
	defer func() { l.off, l.unread = off, nil }()
	l.unread = nil
	for {
		switch err := l.fill(); {
		case isEOF(err):
			return false, nil
		case err != nil:
			return false, err
		}
		if len(trimZeros(l.unread)) > 0 {
			return true, nil
		}
		l.drop(len(l.unread))
	}
}
