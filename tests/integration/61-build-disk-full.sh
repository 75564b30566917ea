#!/bin/sh
# A disk that is full: a push is refused with words before anything is half-written, and goes on when there is room.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

mkdir -p "$T/tree" "$T/repository"
mount -t tmpfs -o size=2m,mode=755 otafs-test "$T/repository" || {
	echo "1..0 # SKIP no tmpfs can be mounted here"
	exit 0
}
cleanup "umount $T/repository"
head -c 900000 /dev/urandom >"$T/tree/large"
ostree --repo="$T/repo" init --mode=archive
ostree --repo="$T/repo" commit -b app --owner-uid=0 --owner-gid=0 "$T/tree" >/dev/null
file=$(cd "$T/repo/objects" && find . -name '*.filez' | sed 's|^\./||')

settings "disk_reserve_mb = 0"
start_signd
start_watcher
start_build
gives() { # gives STATUS COMMAND...
	status=$1
	shift
	is "$("$@")" "$status" || {
		cat "$T/body"
		return 1
	}
}
post() { push "/api/v3/objects/$file" -X POST -T "$T/repo/objects/$file"; }
head -c 1500000 /dev/zero >"$T/repository/filler"
ok "a full disk: 507" gives 507 post
ok "... with words" has "$T/body" '"code":"object_not_stored","description":".*(space|disk|room)'
ok "nothing is half-written" is "$(find "$T/repository/upload" "$T/repository/ostree/objects" -type f)" ""
ok "what is there is still read" gives 200 push /api/v3/config
rm "$T/repository/filler"
ok "with room again: stored" gives 204 post
ok "... as it was sent" cmp "$T/repository/ostree/objects/$file" "$T/repo/objects/$file"
finish
