#!/usr/bin/env bash
# Installs what the tests need on Debian: deps.sh all|missing STATICCHECK_VERSION
# Go and Node.js are expected to be there.
set -euo pipefail
mode=$1 staticcheck_version=$2

# program (or file) → Debian package
declare -A package=(
  [curl]=curl [openssl]=openssl [python3]=python3 [jq]=jq
  [haproxy]=haproxy [prometheus]=prometheus [nginx]=nginx-light [apache2]=apache2-bin [caddy]=caddy
  [postgres]=postgresql [psql]=postgresql-client [sqlite3]=sqlite3
  [setpriv]=util-linux [git]=git
  [gcc]=gcc [stdio.h]=libc6-dev # for go test -race
)
die() { echo "deps: $*" >&2; exit 1; }
command -v go >/dev/null || die "Go is not installed; it needs Go 1.26.6 or later from go.dev/dl"
command -v node >/dev/null || die "Node.js is not installed; the checks with npm programs need version 20 or later"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || die "Node.js $(node --version) is too old; version 20 or later is needed"
printf '1.26.6\n%s\n' "$(go env GOVERSION | sed 's/^go//')" | sort -CV || die "$(go env GOVERSION) is too old; Go 1.26.6 or later is needed"

has() {
  case $1 in
    stdio.h) [ -e /usr/include/stdio.h ] ;;
    postgres) compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null ;;
    *) PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$1" >/dev/null ;;
  esac
}
want=()
for program in "${!package[@]}"; do
  if [ "$mode" = all ] || ! has "$program"; then want+=("${package[$program]}"); fi
done
if [ ${#want[@]} -gt 0 ]; then
  mapfile -t want < <(printf '%s\n' "${want[@]}" | sort -u)
  command -v apt-get >/dev/null || die "these programs are missing and there is no apt-get to install them: ${want[*]}"
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  echo "deps: installing Debian packages: ${want[*]}"
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${want[@]}" >/dev/null
fi
staticcheck="$(go env GOPATH)/bin/staticcheck"
if [ "$mode" = all ] || [ ! -x "$staticcheck" ] || ! "$staticcheck" -version 2>/dev/null | grep -q "${staticcheck_version#v}"; then
  echo "deps: installing staticcheck $staticcheck_version"
  go install "honnef.co/go/tools/cmd/staticcheck@$staticcheck_version"
fi
