package dpop

import (
	"context"
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"time"
)

// Defaults of a [MemoryConfig].
const (
	DefaultMax         = 1_000_000
	DefaultMaxPerOwner = 100_000
)

// MemoryConfig configures a [Memory]; its zero value is usable.
type MemoryConfig struct {
	MaxPerOwner int              // live entries of one owner; 0: DefaultMaxPerOwner
	Max         int              // live entries in all; 0: DefaultMax
	Now         func() time.Time // nil: time.Now
}

// shards is how many tables a memory is divided into: so many claims can run at once, and
// growing or sweeping one table takes the time of one part in so many.
const shards = 256

// Memory is a [Replay] inside one process. It is divided by key, so that claims hardly wait
// for each other, and remembers in whole seconds, rounded up. Live entries are never evicted;
// expired ones leave a few at a time as claims come in. A million live entries take less
// than 100 MB. It is safe for concurrent use.
//
// Nothing survives the process: who needs that keeps a journal and loads it at the start.
type Memory struct {
	now    func() time.Time
	seed   maphash.Seed
	quota  quota
	tables [shards]table

	sweeping sync.Mutex
	swept    uint32 // the second in which all tables were swept last
}

// NewMemory returns an empty memory.
func NewMemory(cfg MemoryConfig) *Memory {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Max <= 0 {
		cfg.Max = DefaultMax
	}
	if cfg.MaxPerOwner <= 0 {
		cfg.MaxPerOwner = DefaultMaxPerOwner
	}
	m := &Memory{
		now: cfg.Now, seed: maphash.MakeSeed(),
		quota: quota{perOwner: cfg.MaxPerOwner, max: cfg.Max, numbers: map[string]uint32{}},
	}
	for i := range m.tables {
		m.tables[i].number = uint8(i)
	}
	return m
}

// Claim takes all entries or none. The error is [ErrReplayed] when one was taken before, is
// named twice or has expired: an expired one may have been here and gone. So may one that
// expires before another that has gone, when the clock was set back: [ErrForgotten]. It is
// [ErrQuota] when an owner or the whole memory has no room. Nothing waits: ctx is not looked at.
func (m *Memory) Claim(_ context.Context, entries ...Entry) error {
	now := second(m.now())
	err := m.claim(entries, now, false)
	if err == ErrQuota {
		// That there is no room is said only after everything expired was counted out.
		m.sweep(now)
		err = m.claim(entries, now, false)
	}
	return err
}

// Take is Claim for who has just claimed the entries of a memory that others share: they are
// consumed there, so neither a quota nor what was forgotten here refuses them. The error is
// [ErrReplayed] or nil. Check says before whether there is room.
func (m *Memory) Take(entries ...Entry) error {
	return m.claim(entries, second(m.now()), true)
}

// Check returns the error that Claim would, and takes nothing: who has to ask others
// too asks them nothing in vain.
func (m *Memory) Check(entries ...Entry) error {
	now := second(m.now())
	err := m.check(entries, now)
	if err == ErrQuota {
		m.sweep(now)
		err = m.check(entries, now)
	}
	return err
}

func (m *Memory) check(entries []Entry, now uint32) error {
	var space [4]*table
	tables := m.tablesOf(space[:0], entries)
	var order [4]*table
	locked := lock(order[:0], tables)
	defer unlock(locked)
	if replayed(m.seed, tables, entries, now) {
		return ErrReplayed
	}
	if forgot(tables, entries) {
		return ErrForgotten
	}
	if !m.quota.room(entries) {
		return ErrQuota
	}
	return nil
}

// claim tries once. consumed: another memory has taken them.
func (m *Memory) claim(entries []Entry, now uint32, consumed bool) error {
	var space [4]*table
	tables := m.tablesOf(space[:0], entries)
	var order [4]*table
	locked := lock(order[:0], tables)
	defer unlock(locked)
	if replayed(m.seed, tables, entries, now) {
		return ErrReplayed
	}
	if !consumed && forgot(tables, entries) {
		return ErrForgotten
	}
	var numbers [4]uint32
	taken := numbers[:0]
	for i := range entries {
		number, ok := m.quota.take(entries[i].Owner, consumed)
		if !ok {
			for _, n := range taken {
				m.quota.give(n)
			}
			return ErrQuota
		}
		taken = append(taken, number)
	}
	for i := range entries {
		m.insert(tables[i], &entries[i], taken[i], now)
	}
	return nil
}

// replayed reports whether one of the entries cannot be taken; their tables are locked.
func replayed(seed maphash.Seed, tables []*table, entries []Entry, now uint32) bool {
	for i := range entries {
		e := &entries[i]
		if lastSecond(e.Expires) < now || tables[i].live(seed, &e.Key, now) {
			return true
		}
		for j := range i {
			if entries[j].Key == e.Key {
				return true
			}
		}
	}
	return false
}

// forgot reports whether one of the entries may have been here and gone: something left its
// table that lived as long, when the clock was ahead of what it says now. Their tables are
// locked, and none of them has expired.
func forgot(tables []*table, entries []Entry) bool {
	for i := range entries {
		if lastSecond(entries[i].Expires) <= tables[i].forgotten {
			return true
		}
	}
	return false
}

// Holds reports whether the key was taken and has not expired: of several entries that a
// Claim refused, which one it was.
func (m *Memory) Holds(key [32]byte) bool {
	t := m.table(&key)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.live(m.seed, &key, second(m.now()))
}

// insert writes an entry that is not live; its table is locked.
func (m *Memory) insert(t *table, e *Entry, number, now uint32) {
	if t.due++; t.due >= sweepClaims {
		t.expire(m.seed, t.due*sweepSlots, now, m.quota.give)
		t.due = 0
	}
	// Its predecessor of the same key may have expired and be there still.
	if old := t.put(m.seed, slot{key: e.Key, expires: lastSecond(e.Expires), owner: number}); old.expires != 0 {
		m.quota.give(old.owner)
	}
}

// Load takes entries that were claimed in an earlier life, as from a journal, without asking
// for room: they were given it then. Expired ones are left out; of two with the same key the
// one that lives longer counts.
func (m *Memory) Load(entries []Entry) {
	now := second(m.now())
	for i := range entries {
		m.load(&entries[i], now)
	}
}

func (m *Memory) load(e *Entry, now uint32) {
	last := lastSecond(e.Expires)
	t := m.table(&e.Key)
	t.mu.Lock()
	defer t.mu.Unlock()
	if last < now {
		t.forgotten = max(t.forgotten, last)
		return
	}
	if t.live(m.seed, &e.Key, now) {
		known := &t.slots[t.find(m.seed, &e.Key)]
		known.expires = max(known.expires, last)
		return
	}
	number, _ := m.quota.take(e.Owner, true)
	m.insert(t, e, number, now)
}

// Len is how many entries are held, among them expired ones that have not left yet.
func (m *Memory) Len() int { return m.quota.size() }

// sweep removes everything that has expired, one table after the other. It does
// nothing when it was done in this second already, since then there is nothing to find.
func (m *Memory) sweep(now uint32) {
	m.sweeping.Lock()
	defer m.sweeping.Unlock()
	if m.swept == now {
		return
	}
	for i := range m.tables {
		t := &m.tables[i]
		t.mu.Lock()
		t.expire(m.seed, len(t.slots), now, m.quota.give)
		t.mu.Unlock()
	}
	m.swept = now
}

// shard is the number of the table where key belongs: by the hash too, since keys with a
// chosen first byte are quickly found.
func (m *Memory) shard(key *[32]byte) uint8 { return uint8(maphash.Bytes(m.seed, key[:]) >> 56) }

func (m *Memory) table(key *[32]byte) *table { return &m.tables[m.shard(key)] }

// tablesOf appends the table of each entry. It is looked for once, since that takes a hash.
func (m *Memory) tablesOf(tables []*table, entries []Entry) []*table {
	for i := range entries {
		tables = append(tables, m.table(&entries[i].Key))
	}
	return tables
}

// lock locks the tables, each once and in ascending order, so that no two claims wait for each
// other, and appends those that it locked.
func lock(locked, tables []*table) []*table {
	locked = append(locked, tables...)
	if len(locked) > 1 {
		slices.SortFunc(locked, func(a, b *table) int { return int(a.number) - int(b.number) })
		locked = slices.Compact(locked)
	}
	for _, t := range locked {
		t.mu.Lock()
	}
	return locked
}

func unlock(locked []*table) {
	for _, t := range locked {
		t.mu.Unlock()
	}
}

// second is the second of t, at least 1 and at most the last one that a slot can name.
func second(t time.Time) uint32 {
	return uint32(min(max(t.Unix(), 1), math.MaxUint32))
}

// lastSecond is the last second in which something that expires at t is live: t's own, or
// the one that has begun by then. Rounding goes up: an entry stays longer rather than shorter.
// Times before 1970 give 0, which no second is.
func lastSecond(t time.Time) uint32 {
	s := t.Unix()
	if t.Nanosecond() > 0 && s < math.MaxUint32 {
		s++
	}
	return uint32(min(max(s, 0), math.MaxUint32))
}
