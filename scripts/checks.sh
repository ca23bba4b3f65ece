#!/usr/bin/env bash
# Real client programs against the real binary on loopback, from a copy of the
# checks: checks.sh DIR. Each runs against an API that signs ES256 and one that
# signs RS256, and must fail when its secret is wrong; openid-client, which also
# authenticates with a key and binds tokens to it, when its key is, and when the
# client that introspects has a wrong secret. nginx asks a guard of each API.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
source=$1
checks=(openid-client simple-oauth2 go-oauth2-oidc haproxy-jwt nginx-auth-request prometheus)

work=$(mktemp -d)
started=()
finish() {
  if [ ${#started[@]} -gt 0 ]; then kill "${started[@]}" 2>/dev/null || true; wait "${started[@]}" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT
die() { echo "checks: $*" >&2; exit 1; }

for check in "${checks[@]}"; do
  [ -x "$source/$check/run.sh" ] || die "$source has no check $check"
done
cp -R "$source" "$work/checks"

# Free ports: the issuer's URL has to be known before the server starts.
read -r port es256 rs256 < <(node -e '
  const all = [0, 1, 2].map(() => require("net").createServer().listen(0, "127.0.0.1"));
  setTimeout(() => { console.log(all.map(s => s.address().port).join(" ")); all.forEach(s => s.close()) }, 100)')
declare -A guard=([es256]=$es256 [rs256]=$rs256)
export CHECK_SECRET API_SECRET; CHECK_SECRET=$(openssl rand -hex 24) API_SECRET=$(openssl rand -hex 24)
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
  - {id: api, secrets: [{id: s1, value_from: {env: API_SECRET}}]}
resource_servers: [{api: es256, client: api}, {api: rs256, client: api}]
YAML
cat >"$work/symbolon.yaml" <<YAML
url: http://127.0.0.1:$port
listen: ["127.0.0.1:$port"]
data_dir: $work/data
apply: $work/state.yaml
YAML
# start WHAT URL ARGUMENT…: runs the binary until it is ready
start() {
  "$here/symbolon" "${@:3}" >"$work/$1.log" 2>&1 &
  local pid=$!
  started+=("$pid")
  for _ in $(seq 200); do
    if curl -fs "$2/readyz" >/dev/null; then return; fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  cat "$work/$1.log" >&2
  die "$1 did not start"
}
start server "http://127.0.0.1:$port" serve --config "$work/symbolon.yaml"
for algorithm in es256 rs256; do
  cat >"$work/$algorithm.yaml" <<YAML
issuer: http://127.0.0.1:$port
audience: https://$algorithm.example.com
forward_auth: {listen: "127.0.0.1:${guard[$algorithm]}", headers: nginx, trusted: [127.0.0.1]}
routes: [{match: GET /api/, scopes: []}]
YAML
  start "guard-$algorithm" "http://127.0.0.1:${guard[$algorithm]}" guard --config "$work/$algorithm.yaml"
done

# Variables of the caller would mix two servers: each check gets these alone.
run() { # run CHECK ALGORITHM SECRET KEY API_SECRET [the API whose guard nginx asks]
  env -i PATH="$PATH:/usr/sbin" HOME="$HOME" TMPDIR="$work" GOFLAGS="${GOFLAGS:-}" GOPROXY="$(go env GOPROXY)" \
    ISSUER="http://127.0.0.1:$port" TOKEN_URL="http://127.0.0.1:$port/token" \
    CLIENT_ID="check-$2" CLIENT_SECRET="$3" SCOPE=api.read AUDIENCE="https://$2.example.com" STRICT_SCOPE=1 \
    PK_CLIENT_ID="key-$2" DPOP_CLIENT_ID="dpop-$2" DPOP_ALGS=ES256,RS256 PRIVATE_KEY_FILE="$work/$4.pem" \
    INTROSPECT_CLIENT_ID=api INTROSPECT_CLIENT_SECRET="$5" AUTH_CHECK_URL="http://127.0.0.1:${guard[${6:-$2}]}/forward-auth" \
    timeout "${CHECK_TIMEOUT:-180}" "$work/checks/$1/run.sh"
}

passed=0 failed=0
ok() { echo "ok   $*"; passed=$((passed + 1)); }
bad() { echo "FAIL $*"; failed=$((failed + 1)); }
refuses() { # refuses WHAT CHECK ALGORITHM…, as run takes them
  if output=$(run "${@:2}" 2>&1); then
    bad "$3 $2: it passed with a wrong $1: $output"
  else
    ok "$3 $2 refuses a wrong $1"
  fi
}
for algorithm in es256 rs256; do
  for check in "${checks[@]}"; do
    output=$(run "$check" "$algorithm" "$CHECK_SECRET" right "$API_SECRET" 2>&1) && status=0 || status=$?
    # A note tells of a part that was left out: there is nothing to leave out.
    if [ "$status" = 0 ] && ! grep -qE '^note:|unset' <<<"$output"; then
      ok "$algorithm $check"
    else
      bad "$algorithm $check (exit $status): $output"
    fi
    refuses secret "$check" "$algorithm" "wrong-$CHECK_SECRET" right "$API_SECRET"
  done
  refuses key openid-client "$algorithm" "$CHECK_SECRET" wrong "$API_SECRET"
  refuses "secret of the API" openid-client "$algorithm" "$CHECK_SECRET" right "wrong-$API_SECRET"
  [ "$algorithm" = es256 ] && other=rs256 || other=es256
  refuses guard nginx-auth-request "$algorithm" "$CHECK_SECRET" right "$API_SECRET" "$other"
done
[ "$failed" = 0 ] || tail -n 50 "$work"/*.log >&2
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
