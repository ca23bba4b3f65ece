#!/usr/bin/env bash
# go test, with the right to mount: unit.sh -race ./...
# The tests of a full disk fill a small file system of their own. An ordinary
# user may mount one in namespaces of its own, and keeps its uid there, because
# PostgreSQL refuses to run as root; of root's rights it gets that one alone.
set -euo pipefail
# A program that the race detector watches sleeps for a second before it ends.
export GORACE="${GORACE:+$GORACE }atexit_sleep_ms=0"
if [ "$(id -u)" = 0 ]; then exec go test "$@"; fi
own=(unshare --user --map-current-user --mount --keep-caps
  setpriv --inh-caps=-all,+sys_admin --ambient-caps=-all,+sys_admin --)
if ! why=$("${own[@]}" true 2>&1); then
  echo "make test: the tests of a full disk mount a tmpfs, which this user may not: run it as root, or allow user namespaces" \
    "(sysctl kernel.unprivileged_userns_clone=1; on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0); $why" >&2
  exit 1
fi
exec "${own[@]}" go test "$@"
