# symbolon: `make test` is everything that has to hold; `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export GOFLAGS ?=

STATICCHECK_VERSION := v0.8.2
GOBIN := $(shell go env GOPATH)/bin
NESTED := tests/interop tests/configs tests/okta
# The detector watches our code and the driver of SQLite, but not SQLite itself, which
# is C put into Go: to check each of its accesses to memory is half of the tests' time.
RACE := -race -gcflags=modernc.org/...=-race=false -gcflags=modernc.org/sqlite=

.PHONY: help build test lint unit interop checks fuzz soak bench bench-revocation deps tools fmt

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

build: ## the binary, ./symbolon
	CGO_ENABLED=0 go build -trimpath -o symbolon ./cmd/symbolon

test: tools lint unit interop ## all tests; installs first what is missing, and says what
	@echo "make test: all passed"

tools: ## what the tests need and this machine lacks
	@scripts/deps.sh missing $(STATICCHECK_VERSION)

deps: ## the full list of Debian packages and tools, whether there or not
	@scripts/deps.sh all $(STATICCHECK_VERSION)

fmt: ## gofmt everything
	gofmt -w $$(git ls-files '*.go')

lint: tools ## gofmt, go vet, staticcheck, go mod tidy -diff
	@bad=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); if [ -n "$$bad" ]; then echo "not gofmt'd:"; echo "$$bad"; exit 1; fi
	go vet ./...
	$(GOBIN)/staticcheck ./...
	go mod tidy -diff
	for m in $(NESTED); do (cd $$m && go vet ./... && go mod tidy -diff); done

unit: tools ## the tests of the module, with the race detector, on SQLite and PostgreSQL
	scripts/unit.sh $(RACE) -timeout 15m ./...

interop: tools ## JOSE against Wycheproof and three other libraries; configurations of others by their own rules; Okta's library for Go
	for m in $(NESTED); do (cd $$m && go test ./...); done

checks: build ## real client programs against the real binary: make checks CHECKS_DIR=…
	scripts/checks.sh "$${CHECKS_DIR:?name the folder of the checks: make checks CHECKS_DIR=…}"

fuzz: ## every fuzz target for FUZZTIME (10s)
	scripts/fuzz.sh "$${FUZZTIME:-10s}"

soak: ## the fault stories with their full numbers; minutes to hours
	SYMBOLON_SOAK=1 go test -timeout 4h -run 'Kill|Fault|Tamper|Corrupt|SoMany' ./internal/... ./cmd/...

bench: ## the figures of docs/performance.md
	go run ./bench

bench-revocation: ## how long a denied client is let in, at 50 validators
	go run ./bench -only revocation
