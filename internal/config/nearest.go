package config

import "strings"

// suggest is the way out for an unknown key: the nearest one that is known, or
// all of them.
func (fs fields) suggest(key string) string {
	best, distance := "", min(4, len(key)/3+2)
	var names []string
	for _, f := range fs {
		if f.typ == laterType {
			continue
		}
		names = append(names, f.name)
		if n := edits(plain(key), plain(f.name)); n < distance {
			best, distance = f.name, n
		}
	}
	switch {
	case best != "":
		return "write " + best
	case len(names) == 0:
		return "remove it"
	}
	return "the keys here are " + strings.Join(names, ", ")
}

// plain drops what people spell in different ways.
func plain(key string) string {
	if len(key) > 64 {
		key = key[:64]
	}
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(key))
}

// edits is how many octets have to be put in, dropped or changed to make b of
// a.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
