package resource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/fetch"
	"github.com/symbolon/symbolon/internal/jose"
)

// setKeysPause is the least time between two looks at the keys of the sets.
const setKeysPause = 30 * time.Second

// poll asks once and takes what comes. It gives how long the issuer wants to be
// left alone.
func (f *follower) poll() (again time.Duration, err error) {
	f.mu.Lock()
	at := f.at
	f.mu.Unlock()
	held := f.current.Load()
	set, again, err := f.hear(at, held)
	if err != nil {
		return again, err
	}
	now := f.cfg.Now()
	next, err := held.take(set, now.Unix())
	if errors.Is(err, errSetGap) && held != nil {
		// What is held cannot be gone on from: the next answer is to be whole.
		if set, again, err = f.hear(at, nil); err != nil {
			return again, err
		}
		next, err = held.take(set, now.Unix())
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", at.set, err)
	}
	f.current.Store(next)
	f.heard.Store(now.UnixNano())
	if len(set.Entries) > 0 || len(set.Pending)+len(set.Merged) > 0 || set.Since == 0 || now.Sub(f.stored).Abs() >= storeAgain {
		f.stored = now
		if f.cfg.DataDir != "" {
			f.copies.keep(next, at, now)
		}
	}
	return 0, nil
}

// hear gives what came after held, or the whole set, as the issuer signed it.
func (f *follower) hear(at places, held *heldSet) (set *symbolon.RevocationSet, again time.Duration, err error) {
	text, again, err := f.ask(at.set, held)
	if err != nil {
		return nil, again, err
	}
	if set, err = f.open(text, at.keys); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", at.set, err)
	}
	return set, 0, nil
}

// ask asks for what came after held, or for the whole set, and reads the answer.
func (f *follower) ask(at string, held *heldSet) (text string, again time.Duration, err error) {
	query, limit := "", setTime
	long := held != nil && !f.impatient
	if held != nil {
		query = "since=" + strconv.FormatInt(held.seq, 10) + "&epoch=" + strconv.FormatInt(held.epoch, 10)
		if long {
			query += "&wait=" + strconv.Itoa(int(setWait/time.Second)) + "&journal=" + url.QueryEscape(held.journal)
			limit = setWait + setGrace
		}
	}
	f.impatient = false
	ctx, cancel := context.WithTimeout(f.ctx, limit)
	defer cancel()
	if f.waits(cancel, long) {
		return "", 0, errInHurry
	}
	defer f.waits(nil, false)
	if query != "" {
		if strings.Contains(at, "?") {
			at += "&" + query
		} else {
			at += "?" + query
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Accept", symbolon.MediaRevocations)
	// The program's own time limit is for answers that come at once.
	hc := fetch.WithoutRedirects(f.cfg.HTTP)
	hc.Timeout = 0
	resp, err := hc.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		f.impatient = resp.StatusCode == http.StatusServiceUnavailable
		again, _ := fetch.RetryAfter(resp.Header, f.cfg.Now)
		return "", min(max(again, 0), mostWait), &statusError{at, resp.StatusCode, " where a revocation set was expected"}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, symbolon.MaxRevocationSet+1))
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("%s broke off: %w", at, err)
	case len(body) > symbolon.MaxRevocationSet:
		return "", 0, &statusError{at, resp.StatusCode, fmt.Sprintf(" with more than %d bytes, which no validator takes: its operator has to deny clients instead of single tokens, or give tokens shorter lifetimes", symbolon.MaxRevocationSet)}
	}
	return string(body), 0, nil
}

var errInHurry = errors.New("the issuer is to be asked without waiting")

// waits notes what ends the request that begins, nil when none is under way. It
// reports whether a request that may wait must not begin: somebody is in a hurry.
func (f *follower) waits(end context.CancelFunc, long bool) (hurry bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = nil
	if long {
		f.waiting = end
	}
	return long && f.round != nil
}

// open verifies a set and reads it.
func (f *follower) open(text, keysAt string) (*symbolon.RevocationSet, error) {
	token, err := jose.ParseDocument(text, symbolon.MaxRevocationSet)
	if err != nil {
		return nil, err
	}
	// RFC 8725 §3.11: nothing else that the issuer signs is a set.
	if !token.Header.MatchType(symbolon.TypRevocations) {
		return nil, fmt.Errorf("its typ is %s", quoted(token.Header.Type))
	}
	key, err := f.key(token.Header.KeyID, keysAt)
	if err != nil {
		return nil, err
	}
	if err := token.Verify(key); err != nil {
		return nil, err
	}
	if err := jose.CheckObject(token.Payload); err != nil {
		return nil, err
	}
	set, err := symbolon.ParseRevocationSet(token.Payload)
	if err != nil {
		return nil, err
	}
	now := f.cfg.Now().Unix()
	switch {
	case set.Issuer != f.issuer:
		return nil, errSetIssuer
	case set.Expires <= now-setSkew:
		return nil, errSetExpiry
	}
	set.AsOf = min(set.AsOf, now) // a node whose clock is ahead makes it no younger
	return set, nil
}

// key gives the key of that id among those that sign sets: never one of those
// that sign tokens.
func (f *follower) key(id, from string) (*jose.Key, error) {
	unknown := fmt.Errorf("the set is signed with the key %s, which %s does not have", quoted(id), from)
	if id == "" {
		return nil, unknown
	}
	if f.keys != nil {
		if key := f.keys.Lookup(id); key != nil {
			return key, nil
		}
		if time.Since(f.keysAt) < setKeysPause {
			return nil, unknown
		}
	}
	text, _, err := document(f.ctx, f.cfg.HTTP, from)
	if err != nil {
		return nil, err
	}
	keys, err := jose.ParseKeySet(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	f.keys, f.keysAt = keys, time.Now()
	if key := keys.Lookup(id); key != nil {
		return key, nil
	}
	return nil, unknown
}
