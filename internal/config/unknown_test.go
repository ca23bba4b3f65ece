package config

import (
	"strings"
	"testing"
)

// TestUnknown: what Override passes over is named, with what was meant.
func TestUnknown(t *testing.T) {
	for variable, want := range map[string]string{
		"APP_NAME=x":             "",
		"APP_INNER_WHEN=x":       "",
		"APP_LISTEN=x":           "",
		"APP_SMALL=":             "",
		"APP_NAEM=":              "", // as a compose file leaves it behind
		"OTHER_NAEM=x":           "",
		"APP":                    "",
		"APP_NAEM=hunter2":       "APP_NAEM: no such variable; write APP_NAME, or unset it",
		"APP_name=x":             "APP_name: no such variable; write APP_NAME, or unset it",
		"APP_DATADIR=x":          "APP_DATADIR: no such variable; write APP_DATA_DIR, or unset it",
		"APP_INNER_KEYS=x":       "APP_INNER_KEYS: no such variable; write APP_INNER_KEY, or unset it",
		"APP_WHEN=x":             "APP_WHEN: no such variable; the nearest are APP_INNER_WHEN, APP_PLAIN_WHEN, ",
		"APP_SOMETHING_ELSE=x":   "APP_SOMETHING_ELSE: no such variable; the nearest are ",
		"APP_=x":                 "APP_: no such variable; the nearest are ",
		"APP_UNTAGED=x":          "APP_UNTAGED: no such variable; the nearest are ",
		"APP_SKIPPED=x":          "APP_SKIPPED: no such variable; the nearest are ",
		"APP_INNER=x":            "APP_INNER: no such variable; the nearest are APP_INNER_IP, APP_INNER_KEY, APP_INNER_WHEN",
		"APP_ENTRIES=x":          "APP_ENTRIES: no variable can set this; write it into the file",
		"APP_SOURCES=x":          "APP_SOURCES: no variable can set this; write it into the file",
		"APP_NA\x1bEM=x":         `"APP_NA\x1bEM": no such variable; write APP_NAME, or unset it`,
		"APP_PORT=tcp://[::1]:1": "APP_PORT: no such variable; ",
	} {
		err := Unknown(new(file), "APP_", []string{variable})
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%q: %v, want %s", variable, err, want)
		}
	}
	err := Unknown(new(file), "APP_", []string{"APP_NAEM=1", "APP_NAME=1", "APP_LIZT=1"})
	if err == nil || err.Error() != "APP_LIZT: no such variable; write APP_LIST, or unset it\nAPP_NAEM: no such variable; write APP_NAME, or unset it" {
		t.Errorf("%v", err)
	}
}

// TestUnknownKnowsServices: a service that is called as the program makes
// variables that are not the program's, and that nobody mistyped.
func TestUnknownKnowsServices(t *testing.T) {
	service := []string{
		"APP_ORDERS_SERVICE_HOST=10.0.0.1", "APP_ORDERS_SERVICE_PORT=80", "APP_ORDERS_SERVICE_PORT_HTTP=80", "APP_ORDERS_PORT=tcp://10.0.0.1:80",
		"APP_ORDERS_PORT_80_TCP=tcp://10.0.0.1:80", "APP_ORDERS_PORT_80_TCP_PROTO=tcp", "APP_ORDERS_PORT_80_TCP_PORT=80", "APP_ORDERS_PORT_80_TCP_ADDR=10.0.0.1",
	}
	for _, all := range [][]string{service, {"APP_SERVICE_HOST=10.0.0.1", "APP_SERVICE_PORT=80", "APP_PORT=tcp://10.0.0.1:80"}} {
		if err := Unknown(new(file), "APP_", all); err != nil {
			t.Error(err)
		}
	}
	own := []string{"APP_SERVICE_HOST=fd00::1", "APP_SERVICE_PORT=8080", "APP_SERVICE_PORT_HTTP_2=8080", "APP_PORT_8080_TCP=tcp://[fd00::1]:8080", "APP_PORT=udp://[fd00::1]:8080"}
	if err := Unknown(new(file), "APP_", own); err != nil {
		t.Error(err)
	}
	for _, other := range []string{
		"APP_PORT=80", "APP_ORDERS_PORTS=80", "APP_ORDERS_DATA_DIR=a", "APP_OTHER_SERVICE_PORT=80", "APP_ORDERS_PORT_HTTP=80", "APP_ORDERS_PORT_80=tcp://10.0.0.1:80",
		"APP_ORDERS_PORT_80_TCP_HOST=a", "APP_ORDERS_SERVICE_HOSTS=a", "APP_ORDERS_SERVICE_NAME=a", "APP_OTHER_SERVICE_HOST=auth.example.com",
	} {
		if err := Unknown(new(file), "APP_", append(service, other)); err == nil {
			t.Errorf("%s is taken", other)
		}
	}
	two := []string{"APP_SERVICE_HOST=10.0.0.1", "APP_SERVICE_PORT=8080", "APP_SERVICE_SERVICE_HOST=10.0.0.2", "APP_SERVICE_SERVICE_PORT=80"}
	for range 50 { // in whichever order they are looked at
		if err := Unknown(new(file), "APP_", two); err != nil {
			t.Fatal(err)
		}
	}
	for _, all := range [][]string{append(own, "APP_PORT=8080"), append(own, "APP_PORTS=8080"), own[1:]} {
		if err := Unknown(new(file), "APP_", all); err == nil || strings.Contains(err.Error(), "8080:") || strings.Contains(err.Error(), "fd00") {
			t.Errorf("%s: %v", all, err)
		}
	}
}

// TestUnknownKnowsTheOthers: what the rest of the program reads is not mistyped,
// and may be what was meant.
func TestUnknownKnowsTheOthers(t *testing.T) {
	for variable, want := range map[string]string{
		"APP_MASTER_KEY=x":    "",
		"APP_GUARD_LISTEN=x":  "",
		"APP_GUARD_NAEM=x":    "", // the guard refuses it
		"APP_MASTERKEY=x":     "APP_MASTERKEY: no such variable; write APP_MASTER_KEY, or unset it",
		"APP_MASTER_KEY_ID=x": "APP_MASTER_KEY_ID: no such variable; ",
		"APP_GUARDLISTEN=x":   "APP_GUARDLISTEN: no such variable; ",
		"APP_GUARD=x":         "APP_GUARD: no such variable; ",
		"APP_NAEM=x":          "APP_NAEM: no such variable; write APP_NAME, or unset it",
	} {
		err := Unknown(new(file), "APP_", []string{variable}, "APP_MASTER_KEY", "APP_GUARD_")
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%q: %v, want %s", variable, err, want)
		}
	}
}
