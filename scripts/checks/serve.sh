# shellcheck shell=bash
# Sourced by checks.sh: the real binary on https with a test CA, every vendor's
# issuer on a port of its own, and a guard of each API for nginx. It leaves
# $work (the copy of the checks, ca.crt, right.pem, wrong.pem), the secrets and
# url, issuer and guard, by the place that a check speaks to.
declare -A url issuer audience guard
started=()

die() { echo "checks: $*" >&2; exit 1; }

finish() {
  if [ ${#started[@]} -gt 0 ]; then kill "${started[@]}" 2>/dev/null || true; wait "${started[@]}" 2>/dev/null || true; fi
  rm -rf "$work"
}

# ports N: free ones. The URLs have to be known before the server starts.
ports() {
  node -e '
    const all = Array.from({length: process.argv[1]}, () => require("net").createServer().listen(0, "127.0.0.1"));
    setTimeout(() => { console.log(all.map(s => s.address().port).join("\n")); all.forEach(s => s.close()) }, 100)' "$1"
}

# certificates: a CA that nothing on this machine trusts, and localhost by it.
certificates() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout "$work/ca.key" -out "$work/ca.crt" -days 2 -subj "/CN=checks CA" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout "$work/server.key" -subj /CN=localhost 2>/dev/null |
    openssl x509 -req -CA "$work/ca.crt" -CAkey "$work/ca.key" -days 2 -out "$work/server.crt" 2>/dev/null \
      -extfile <(printf '%s\n' subjectAltName=DNS:localhost extendedKeyUsage=serverAuth)
  for key in right wrong; do
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/$key.pem"
  done
  openssl pkey -in "$work/right.pem" -pubout -out "$work/right.pub"
}

# start WHAT URL ARGUMENT…: runs the binary until it is ready.
start() {
  SSL_CERT_FILE="$work/ca.crt" "$symbolon" "${@:3}" >"$work/$1.log" 2>&1 &
  local pid=$!
  started+=("$pid")
  for _ in $(seq 200); do
    if curl -fs --cacert "$work/ca.crt" "$2/readyz" >/dev/null; then return; fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  cat "$work/$1.log" >&2
  die "$1 did not start"
}

serve() {
  local listen=() place port state=()
  for place in default okta auth0 suffixed curity simple; do
    read -r port
    url[$place]=https://localhost:$port
    listen+=("\"127.0.0.1:$port\"")
    state+=(-e "s|@$place@|${url[$place]}|g")
  done < <(ports 6)
  sed "${state[@]}" "$here/scripts/checks/state.yaml" >"$work/state.yaml"
  cat >"$work/symbolon.yaml" <<YAML
url: ${url[default]}
listen: [$(IFS=,; echo "${listen[*]}")]
tls: {cert: $work/server.crt, key: $work/server.key}
data_dir: $work/data
apply: $work/state.yaml
YAML
  issuer=([es256]=${url[default]} [rs256]=${url[default]} [okta]=${url[okta]}/oauth2/default
    [auth0]=${url[auth0]}/ [curity]=${url[curity]}/oauth/v2/oauth-anonymous)
  audience=([es256]=https://es256.example.com [rs256]=https://rs256.example.com [okta]=api://default
    [auth0]=https://api.example.test [curity]=https://api.example.com)
  start server "${url[default]}" serve --config "$work/symbolon.yaml"
}

guards() {
  local place port
  for place in "${!issuer[@]}"; do
    read -r port
    guard[$place]=http://127.0.0.1:$port
    cat >"$work/guard-$place.yaml" <<YAML
issuer: ${issuer[$place]}
audience: ${audience[$place]}
public_url: https://api.example.com
forward_auth: {listen: "127.0.0.1:$port", headers: nginx, trusted: [127.0.0.1]}
routes: [{match: GET /api/, scopes: []}]
YAML
    start "guard-$place" "${guard[$place]}" guard --config "$work/guard-$place.yaml"
  done < <(ports ${#issuer[@]})
}
