package registry

import "maps"

// mostFresh is how many entries are copied for one more, at most.
const mostFresh = 1024

// layered is a map that is never changed: edit makes another one. The two share
// base, so that one more entry does not copy a hundred thousand; what came since
// base was made stands in fresh. Once in mostFresh changes both become a new base.
//
// The zero value of V stands for an entry that is not there.
type layered[K, V comparable] struct {
	base, fresh map[K]V
	room        int     // what base has memory for
	to          map[K]V // where set writes; nil: this one is finished
}

func (m *layered[K, V]) get(key K) V {
	if len(m.fresh) > 0 {
		if v, there := m.fresh[key]; there {
			return v
		}
	}
	return m.base[key]
}

// each calls f for every entry, in no order.
func (m *layered[K, V]) each(f func(K, V) bool) {
	var none V
	for k, v := range m.fresh {
		if v != none && !f(k, v) {
			return
		}
	}
	for k, v := range m.base {
		if _, newer := m.fresh[k]; !newer && !f(k, v) {
			return
		}
	}
}

// edit gives a copy for so many calls of set, to be ended by finish. Without any
// it is m itself.
func (m layered[K, V]) edit(changes int) layered[K, V] {
	switch {
	case changes == 0:
		return m
	case len(m.fresh)+changes <= mostFresh:
		fresh := make(map[K]V, len(m.fresh)+changes)
		maps.Copy(fresh, m.fresh)
		m.fresh, m.to = fresh, fresh
		return m
	}
	old := m
	if need := len(m.base) + len(m.fresh) + changes; m.room <= 4*need && len(m.base) > len(m.fresh)+changes {
		// Much quicker than adding them one by one.
		m.base, m.room = maps.Clone(m.base), max(m.room, need)
	} else {
		m.base, m.room = make(map[K]V, need), need
		maps.Copy(m.base, old.base)
	}
	m.fresh, m.to = nil, m.base
	for k, v := range old.fresh {
		m.set(k, v)
	}
	return m
}

// set writes an entry, or with the zero value removes it. It panics outside edit
// and finish: what is shared cannot be written to.
func (m *layered[K, V]) set(key K, v V) {
	var none V
	if v == none {
		if _, under := m.base[key]; !under || m.fresh == nil {
			delete(m.to, key)
			return
		}
	}
	m.to[key] = v
}

func (m *layered[K, V]) finish() { m.to = nil }
