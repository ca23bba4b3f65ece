#!/usr/bin/env bash
# Real client programs against the real binary on loopback, from a copy of the
# checks: checks.sh DIR. Each runs against an API that signs ES256 and one that
# signs RS256, and must fail when its secret is wrong; openid-client, which also
# authenticates with a key and binds tokens to it, when its key is.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
source=$1
checks=(openid-client simple-oauth2 go-oauth2-oidc haproxy-jwt prometheus)

work=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT
die() { echo "checks: $*" >&2; exit 1; }

for check in "${checks[@]}"; do
  [ -x "$source/$check/run.sh" ] || die "$source has no check $check"
done
cp -R "$source" "$work/checks"

# A free port: the issuer's URL has to be known before the server starts.
port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
export CHECK_SECRET; CHECK_SECRET=$(openssl rand -hex 24)
for key in right wrong; do
  openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/$key.pem"
done
openssl pkey -in "$work/right.pem" -pubout -out "$work/right.pub"
cat >"$work/state.yaml" <<YAML
set: checks
apis:
  - {id: es256, issuer: default, identifier: "https://es256.example.com", scopes: {"api.read": Read}, token: {lifetime: 10m, algorithm: ES256}}
  - {id: rs256, issuer: default, identifier: "https://rs256.example.com", scopes: {"api.read": Read}, token: {lifetime: 10m, algorithm: RS256}}
clients:
  - {id: check-es256, secrets: [{id: s1, value_from: {env: CHECK_SECRET}}], access: {es256: [api.read]}}
  - {id: check-rs256, secrets: [{id: s1, value_from: {env: CHECK_SECRET}}], access: {rs256: [api.read]}}
  - {id: key-es256, keys: [{id: k1, pem_file: right.pub}], access: {es256: [api.read]}}
  - {id: key-rs256, keys: [{id: k1, pem_file: right.pub}], access: {rs256: [api.read]}}
  - {id: dpop-es256, keys: [{id: k1, pem_file: right.pub}], access: {es256: [api.read]}, bound: dpop}
  - {id: dpop-rs256, keys: [{id: k1, pem_file: right.pub}], access: {rs256: [api.read]}, bound: dpop}
YAML
cat >"$work/symbolon.yaml" <<YAML
url: http://127.0.0.1:$port
listen: ["127.0.0.1:$port"]
data_dir: $work/data
apply: $work/state.yaml
YAML
"$here/symbolon" serve --config "$work/symbolon.yaml" >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 100); do
  if curl -fs "http://127.0.0.1:$port/readyz" >/dev/null; then break; fi
  kill -0 "$server" 2>/dev/null || { cat "$work/server.log" >&2; die "the server did not start"; }
  sleep 0.1
done

# Variables of the caller would mix two servers: each check gets these alone.
run() { # run CHECK ALGORITHM SECRET KEY
  env -i PATH="$PATH:/usr/sbin" HOME="$HOME" TMPDIR="$work" GOFLAGS="${GOFLAGS:-}" GOPROXY="$(go env GOPROXY)" \
    ISSUER="http://127.0.0.1:$port" TOKEN_URL="http://127.0.0.1:$port/token" \
    CLIENT_ID="check-$2" CLIENT_SECRET="$3" SCOPE=api.read AUDIENCE="https://$2.example.com" STRICT_SCOPE=1 \
    PK_CLIENT_ID="key-$2" DPOP_CLIENT_ID="dpop-$2" DPOP_ALGS=ES256,RS256 PRIVATE_KEY_FILE="$work/$4.pem" \
    timeout "${CHECK_TIMEOUT:-180}" "$work/checks/$1/run.sh"
}

passed=0 failed=0
ok() { echo "ok   $*"; passed=$((passed + 1)); }
bad() { echo "FAIL $*"; failed=$((failed + 1)); }
refuses() { # refuses CHECK ALGORITHM SECRET KEY WHAT
  if output=$(run "$1" "$2" "$3" "$4" 2>&1); then
    bad "$2 $1: it passed with a wrong $5: $output"
  else
    ok "$2 $1 refuses a wrong $5"
  fi
}
for algorithm in es256 rs256; do
  for check in "${checks[@]}"; do
    output=$(run "$check" "$algorithm" "$CHECK_SECRET" right 2>&1) && status=0 || status=$?
    # The part that a note may leave out here: introspection does not exist yet.
    # Any other note is a part that was missed.
    if [ "$status" = 0 ] && ! grep -v '^note: no introspection_endpoint$' <<<"$output" | grep -qE '^note:|unset'; then
      ok "$algorithm $check"
    else
      bad "$algorithm $check (exit $status): $output"
    fi
    refuses "$check" "$algorithm" "wrong-$CHECK_SECRET" right secret
  done
  refuses openid-client "$algorithm" "$CHECK_SECRET" wrong key
done
[ "$failed" = 0 ] || tail -n 50 "$work/server.log" >&2
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
