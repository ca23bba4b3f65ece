package dpop

import "sync"

// quota counts the live entries of each owner and of all. An owner is named once and known
// by a number: an entry has room for no more.
type quota struct {
	mu       sync.Mutex
	perOwner int
	max      int
	total    int
	numbers  map[string]uint32
	accounts []account
	free     []uint32 // numbers of accounts that nobody has
}

type account struct {
	owner string
	count int
}

// take counts one more entry of owner and returns the owner's number; ok is false when that
// would be too many. Unlimited ones are counted all the same.
func (q *quota) take(owner string, unlimited bool) (number uint32, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	number, known := q.numbers[owner]
	if !unlimited {
		if q.total >= q.max || known && q.accounts[number].count >= q.perOwner {
			return 0, false
		}
	}
	if !known {
		number = q.open(owner)
	}
	q.accounts[number].count++
	q.total++
	return number, true
}

// room reports whether take would find room for all entries.
func (q *quota) room(entries []Entry) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.total+len(entries) > q.max {
		return false
	}
	for i := range entries {
		count := 1
		for j := range i {
			if entries[j].Owner == entries[i].Owner {
				count++
			}
		}
		if number, known := q.numbers[entries[i].Owner]; known {
			count += q.accounts[number].count
		}
		if count > q.perOwner {
			return false
		}
	}
	return true
}

// open gives owner an account.
func (q *quota) open(owner string) uint32 {
	var number uint32
	if n := len(q.free); n > 0 {
		number, q.free = q.free[n-1], q.free[:n-1]
	} else {
		number = uint32(len(q.accounts))
		q.accounts = append(q.accounts, account{})
	}
	q.accounts[number].owner = owner
	q.numbers[owner] = number
	return number
}

// give counts one entry less of the owner with this number.
func (q *quota) give(number uint32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := &q.accounts[number]
	a.count--
	q.total--
	if a.count == 0 {
		delete(q.numbers, a.owner)
		*a = account{}
		q.free = append(q.free, number)
	}
}

// size is how many entries are counted.
func (q *quota) size() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.total
}
