#!/usr/bin/env bash
# Real client programs against the real binary, from a copy of the checks:
# checks.sh DIR. Those that know no vendor run against a standard issuer (one API
# that signs ES256, one RS256) and against the dialects of Okta, Auth0 and
# Curity; those of a vendor against its dialect. Each must fail when a secret,
# token or key that it uses is wrong, and must leave nothing out.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
source=$1
symbolon=$here/symbolon
generic=(openid-client simple-oauth2 go-oauth2-oidc haproxy-jwt nginx-auth-request)
vendors=(seed0-okta-node-api seed0-okta-modern seed1-okta-dpop seed2-auth0-m2m seed2-auth0-management
  seed3-simple-token-server seed4-curity-express)

work=$(mktemp -d)
. "$here/scripts/checks/serve.sh"
trap finish EXIT
for check in "${generic[@]}" prometheus "${vendors[@]}"; do
  [ -x "$source/$check/run.sh" ] || die "$source has no check $check"
done
cp -R "$source" "$work/checks"
# The packages come first: where none is cached yet, they take longer than a check may.
for check in "${generic[@]}" "${vendors[@]}"; do
  [ -f "$work/checks/$check/package.json" ] || continue
  (cd "$work/checks/$check" && timeout 300 npm install --no-audit --no-fund --silent --ignore-scripts --legacy-peer-deps --prefer-offline >/dev/null) ||
    die "npm install failed for $check"
done
certificates
export CHECK_SECRET API_SECRET MGMT_SECRET OKTA_TOKEN
CHECK_SECRET=$(openssl rand -hex 24) API_SECRET=$(openssl rand -hex 24) MGMT_SECRET=$(openssl rand -hex 24) OKTA_TOKEN=$(openssl rand -hex 24)
serve
guards

# variables PLACE: all that the checks read, as it is there.
variables() {
  local scope=api.read token=${issuer[$1]:-}/token domain=${url[auth0]}
  case $1 in
    okta) token=${issuer[okta]}/v1/token ;;
    auth0) scope=list:users token=${url[auth0]}/oauth/token ;;
    suffixed) domain=${url[suffixed]} ;;
    curity) token=${url[curity]}/oauth/v2/oauth-token ;;
  esac
  printf '%s\n' CA_FILE="$work/ca.crt" STRICT_SCOPE=1 DPOP_ALGS=ES256,RS256 \
    ISSUER="${issuer[$1]:-}" TOKEN_URL="$token" SCOPE="$scope" AUDIENCE="${audience[$1]:-}" AUTH_CHECK_URL="${guard[$1]:-}/forward-auth" \
    CLIENT_ID="check-$1" CLIENT_SECRET="$CHECK_SECRET" PK_CLIENT_ID="key-$1" DPOP_CLIENT_ID="dpop-$1" PRIVATE_KEY_FILE="$work/right.pem" \
    INTROSPECT_CLIENT_ID=api INTROSPECT_CLIENT_SECRET="$API_SECRET" \
    BASE_URL="${url[okta]}" ORG_URL="${url[okta]}" ADMIN_TOKEN="$OKTA_TOKEN" \
    AUTH0_DOMAIN="${domain#https://}" AUTH0_AUDIENCE="${audience[auth0]}" AUTH0_SCOPE=list:users \
    MGMT_CLIENT_ID=manager MGMT_CLIENT_SECRET="$MGMT_SECRET" \
    CURITY_ISSUER="${issuer[curity]}" CURITY_AUDIENCE="${audience[curity]}" CURITY_TOKEN_URL="${url[curity]}/oauth/v2/oauth-token" \
    TOKEN_SERVER_URL="${url[simple]}"
  case $1 in
    rs256) printf '%s\n' AUDIENCE_PARAM=1 ;;
    auth0) printf '%s\n' AUDIENCE_PARAM=1 JSON_BODY=1 ;;
    suffixed) printf '%s\n' AUTH0_SUB_SUFFIX=@clients ;;
  esac
}

# run CHECK PLACE [NAME=VALUE…]: with nothing of the caller's environment, which
# would mix servers; the values named last are not those of the place.
run() {
  local set
  mapfile -t set < <(variables "$2")
  env -i PATH="$PATH:/usr/sbin" HOME="$HOME" TMPDIR="$work" GOFLAGS="${GOFLAGS:-}" GOPROXY="$(go env GOPROXY)" \
    "${set[@]}" "${@:3}" timeout "${CHECK_TIMEOUT:-180}" "$work/checks/$1/run.sh" 2>&1
}

ok() { echo "ok   $*"; }
bad() { echo "FAIL $1"; sed 's/^/     /' <<<"$2"; } # bad WHAT OUTPUT

passes() { # passes CHECK PLACE
  local output status=0
  output=$(run "$@") || status=$?
  # A note tells of a part that was left out: there is nothing to leave out.
  if [ "$status" = 0 ] && grep -q "^PASS $1" <<<"$output" && ! grep -qE '^note:|unset|not exercised' <<<"$output"; then
    ok "$2 $1"
  else
    bad "$2 $1 (exit $status)" "$output"
  fi
}

refuses() { # refuses WHAT CHECK PLACE NAME=VALUE…: and says that it was refused
  local output
  if output=$(run "${@:2}"); then
    bad "$3 $2: it passed with a wrong $1" "$output"
  elif ! grep -qE '\b40[13]\b|invalid_(client|token)|"success":false' <<<"$output"; then
    bad "$3 $2: with a wrong $1 it failed for another reason" "$output"
  else
    ok "$3 $2 refuses a wrong $1"
  fi
}
wrong_secret=CLIENT_SECRET=wrong-$CHECK_SECRET
wrong_key=PRIVATE_KEY_FILE=$work/wrong.pem
wrong_token=ADMIN_TOKEN=wrong-$OKTA_TOKEN

both() { # both CHECK PLACE: it passes, and refuses a wrong secret
  passes "$1" "$2"
  refuses secret "$1" "$2" "$wrong_secret"
}

at_every_issuer() {
  local place check other
  for place in es256 rs256 okta auth0 curity; do
    for check in "${generic[@]}"; do both "$check" "$place"; done
    refuses key openid-client "$place" "$wrong_key"
    refuses "secret of the API" openid-client "$place" "INTROSPECT_CLIENT_SECRET=wrong-$API_SECRET"
    [ "$place" = es256 ] && other=rs256 || other=es256
    refuses guard nginx-auth-request "$place" "AUTH_CHECK_URL=${guard[$other]}/forward-auth"
  done
}

of_vendors() {
  both seed0-okta-node-api okta
  refuses "SSWS token" seed0-okta-node-api okta "$wrong_token"
  both seed0-okta-modern okta
  refuses "SSWS token" seed0-okta-modern okta "$wrong_token"
  refuses key seed0-okta-modern okta "$wrong_key"
  passes seed1-okta-dpop okta
  refuses key seed1-okta-dpop okta "$wrong_key"
  both seed2-auth0-m2m auth0
  both seed2-auth0-m2m suffixed
  passes seed2-auth0-management auth0
  refuses "management secret" seed2-auth0-management auth0 "MGMT_CLIENT_SECRET=wrong-$MGMT_SECRET"
  both seed3-simple-token-server simple
  both seed4-curity-express curity
}

# Prometheus mostly waits for its next scrape: it need not hold up the others.
for place in es256 rs256 okta auth0 curity; do both prometheus "$place"; done >"$work/prometheus.out" 2>&1 &
{ at_every_issuer; of_vendors; } | tee "$work/results"
wait $!
tee -a "$work/results" <"$work/prometheus.out"

passed=$(grep -c '^ok ' "$work/results") || true
failed=$(grep -c '^FAIL ' "$work/results") || true
[ "$failed" = 0 ] || tail -n 50 "$work"/*.log >&2
echo "$passed passed, $failed failed, in $SECONDS s"
[ "$failed" = 0 ]
