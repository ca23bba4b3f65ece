package jose

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCheckObjectAccepts(t *testing.T) {
	for _, text := range []string{
		`{}`, ` { } `, "\t\r\n {\"a\":1}\n", `{"":""}`, `{"a":1,"b":2}`, `{"a":{"a":{"a":1}}}`,
		`{"a":[{"a":1},{"a":2}]}`, `{"a":null,"b":true,"c":false,"d":[],"e":{}}`,
		`{"n":[0,-0,1,-1,10,0.5,-0.25,1e5,1E+5,1e-5,0e0,123456789012345678901234567890]}`,
		`{"s":"\"\\\/\b\f\n\r\t\u0000\u00e9\ud83d\ude00"}`, `{"é":"😀","e":"\u2028"}`,
		`{"a":1,"A":2}`, `{"a":1,"a ":2}`, "{\"a\":\"\u007f\ufeff\"}",
		`{"aa":1,"aA":2,"\u0061b":3}`, strings.Repeat(`{"a":`, 15) + "[1]" + strings.Repeat("}", 15),
		strings.Repeat(`{"a":`, 16) + "1" + strings.Repeat("}", 16),
	} {
		if err := CheckObject([]byte(text)); err != nil {
			t.Errorf("%.80q: %v", text, err)
		}
	}
}

func TestCheckObjectRefuses(t *testing.T) {
	for _, c := range []struct {
		want  error
		texts []string
	}{
		{ErrJSON, []string{
			``, ` `, `null`, `[]`, `"a"`, `1`, `{`, `}`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`,
			`{"a":}`, `{"a"1}`, `{a:1}`, `{'a':1}`, `{1:1}`, `{"a":1}}`, `{"a":1}{}`, `{"a":1} x`, "{}\x00", `{} {}`,
			`{"a":1;"b":2}`, `{"a":1 "b":2}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":[}`, `{"a":[1}`,
			`{"a":01}`, `{"a":-}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`, `{"a":1e+}`, `{"a":0x1}`, `{"a":-01}`,
			`{"a":NaN}`, `{"a":Infinity}`, `{"a":tru}`, `{"a":True}`, `{"a":nul}`, `{"a":nulll}`, `{"a":undefined}`,
			`{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u123g"}`, `{"a":"\`, `{"a":"b`, `{"a":"\"}`, "{\"a\":\"\n\"}", "{\"a\":\"\t\"}", "{\"a\":\"\x00\"}",
			"{\"a\":\"\x1f\"}", `{"a":1/**/}`, "{\"a\":1}//", "\ufeff{}", "{\u00a0}", "{\v}", `{"a":"\ud800"}`, `{"a":"\udc00"}`,
			`{"a":"\ud800\u0041"}`, `{"a":"\udc00\ud800"}`, `{"a":"\ud800x"}`, `{"\ud800":1}`, "{\"a\":\"\xff\"}", "{\"\xc3\":1}",
			"{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xc0\x80\"}", "\xef\xbb\xbf{}", "{\"a\":1}\xff",
		}},
		{ErrDuplicateMember, []string{
			`{"a":1,"a":1}`, `{"a":1,"b":2,"a":3}`, `{"a":1,"\u0061":2}`, `{"\u0061":1,"a":2}`, `{"\u0061":1,"\u0061":2}`,
			`{"":1,"":2}`, `{"b":{"a":1,"a":2}}`, `{"b":[[{"a":1,"a":2}]]}`, `{"a":{},"a":{}}`, `{"é":1,"\u00e9":2}`,
			`{"😀":1,"\ud83d\ude00":2}`, `{"a/b":1,"a\/b":2}`, `{"a\nb":1,"a\u000ab":2}`, `{"\"":1,"\u0022":2}`,
			`{"x":{"a":1},"b":{"c":{"d":1,"e":2,"d":3}}}`,
		}},
		{ErrTooDeep, []string{
			strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17),
			strings.Repeat(`{"a":`, 16) + "[]" + strings.Repeat("}", 16),
			`{"a":` + strings.Repeat("[", 100000),
			strings.Repeat(`{"a":`, 100000),
		}},
	} {
		for _, text := range c.texts {
			if err := CheckObject([]byte(text)); !errors.Is(err, c.want) {
				t.Errorf("%.80q: %v, want %v", text, err, c.want)
			}
		}
	}
}

// TestCheckObjectDuplicateAmongMany puts the duplicate beyond the members that are compared
// in pairs, at each place, and with many objects open at once.
func TestCheckObjectDuplicateAmongMany(t *testing.T) {
	for n := 2; n < 3*pairwise; n++ {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"m%d":%d,`, i, i)
		}
		members := b.String()
		if err := CheckObject([]byte("{" + members + `"last":0}`)); err != nil {
			t.Fatalf("%d members: %v", n, err)
		}
		for _, again := range []int{0, 1, n / 2, n - 1} {
			text := fmt.Sprintf(`{%s"m%d":0}`, members, again)
			if err := CheckObject([]byte(text)); !errors.Is(err, ErrDuplicateMember) {
				t.Fatalf("%d members, m%d twice: %v", n, again, err)
			}
			// The same inside an object that has as many open names itself.
			if err := CheckObject([]byte("{" + members + `"in":` + text + "}")); !errors.Is(err, ErrDuplicateMember) {
				t.Fatalf("%d members, m%d twice inside: %v", n, again, err)
			}
		}
	}
}

// TestCheckObjectSiblingsAreSeparate: names are forgotten with their object.
func TestCheckObjectSiblingsAreSeparate(t *testing.T) {
	inner := `{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}`
	text := `{"a":` + inner + `,"b":` + inner + `,"list":[` + strings.Repeat(inner+",", 50) + inner + `]}`
	if err := CheckObject([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := CheckObject([]byte(text[:len(text)-1] + `,"b":0}`)); !errors.Is(err, ErrDuplicateMember) {
		t.Errorf("after siblings: %v", err)
	}
}

// TestCheckObjectLinear would not end if names were compared in pairs without bound.
func TestCheckObjectLinear(t *testing.T) {
	var b strings.Builder
	b.WriteByte('{')
	for i := range 400_000 {
		fmt.Fprintf(&b, `"%x":0,`, i)
	}
	text := b.String()
	if err := CheckObject([]byte(text + `"x":0}`)); err != nil {
		t.Error(err)
	}
	if err := CheckObject([]byte(text + `"0":0}`)); !errors.Is(err, ErrDuplicateMember) {
		t.Errorf("%v, want ErrDuplicateMember", err)
	}
}

// TestCheckObjectAllocatesNothing holds for what tokens really carry.
func TestCheckObjectAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if err := CheckObject(benchPayload); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
