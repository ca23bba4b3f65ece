package resource

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"sync"
	"time"
)

// tokenCache remembers verified tokens by a digest of their whole text. The
// text itself is not kept.
//
// The digest is GMAC with a key of this process and a fixed nonce, of which
// nothing ever leaves: a universal hash. Who does not know the key finds two
// texts with the same digest with a chance of 2⁻¹¹⁷ a try (the longest token
// has 2¹⁰ blocks, the digest 128 bits), and each try costs a request. SHA-256
// would do as well; it takes longer than everything else here together.
type tokenCache struct {
	mac     cipher.AEAD
	nonce   []byte
	scratch sync.Pool
	shards  [shardCount]shard
}

const shardCount = 16

type shard struct {
	mu   sync.RWMutex
	most int
	held map[digest]*verified
}

type digest [16]byte

// work is a look-up's memory: the AEAD is behind an interface, which would
// make it escape.
type work struct{ text, sum []byte }

// newTokenCache fails where GCM with a given nonce is not allowed (GODEBUG
// fips140=only).
func newTokenCache(most int) (*tokenCache, error) {
	key := make([]byte, 32)
	rand.Read(key) // never fails: the process ends instead
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	mac, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	c := &tokenCache{mac: mac, nonce: make([]byte, mac.NonceSize())}
	c.scratch.New = func() any { return &work{make([]byte, 0, 2048), make([]byte, 0, len(digest{}))} }
	for i := range c.shards {
		c.shards[i] = shard{most: max(1, most/shardCount), held: make(map[digest]*verified)}
	}
	return c, nil
}

func (c *tokenCache) digest(token string) digest {
	w := c.scratch.Get().(*work)
	w.text = append(w.text[:0], token...)
	w.sum = c.mac.Seal(w.sum[:0], c.nonce, nil, w.text)
	d := digest(w.sum)
	clear(w.text)
	c.scratch.Put(w)
	return d
}

// get gives what is remembered of the token, and its digest for put.
func (c *tokenCache) get(token string) (digest, *verified) {
	d := c.digest(token)
	s := &c.shards[d[0]%shardCount]
	s.mu.RLock()
	v := s.held[d]
	s.mu.RUnlock()
	return d, v
}

func (c *tokenCache) drop(d digest) {
	s := &c.shards[d[0]%shardCount]
	s.mu.Lock()
	delete(s.held, d)
	s.mu.Unlock()
}

// put remembers a token that was verified just now. When there is no room, it
// takes that of one that expired, or of any: only tokens that the issuer signed
// come here, so nobody can push the others out at will.
func (c *tokenCache) put(d digest, v *verified, now time.Time) {
	s := &c.shards[d[0]%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.held[d]; !there && len(s.held) >= s.most {
		s.evict(now.Unix())
	}
	s.held[d] = v
}

// evict looks at a few, in the random order of maps.
func (s *shard) evict(now int64) {
	const look = 8
	var victim digest
	n := 0
	for d, v := range s.held {
		if n == 0 || v.caller.Claims.Expiry <= now {
			victim = d
		}
		if n++; n == look || v.caller.Claims.Expiry <= now {
			break
		}
	}
	delete(s.held, victim)
}
