#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time each: fuzz.sh 10s
set -euo pipefail
for file in $(git ls-files '*_test.go' | xargs grep -lE '^func Fuzz' || true); do
  for target in $(grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed 's/func //'); do
    echo "== $(dirname "$file") $target"
    (cd "$(dirname "$file")" && go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" .)
  done
done
