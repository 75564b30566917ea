#!/bin/sh
# The repository's summary, as flatpak and `ostree remote` use it: what it says is what the refs say, whoever changes them.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 0" "gc_seconds = 0"
start_all
enroll car >/dev/null
c1=$(commit_of app 1)
c2=$(commit_of tool 2)
drop app 1
drop tool 2
published app 1 && published tool 2

ostree --repo="$T/client" init --mode=bare-user
ostree --repo="$T/client" remote add --no-gpg-verify --set=tls-client-cert-path="$T/car/client.pem" \
	--set=tls-client-key-path="$T/car/pkey.pem" --set=tls-ca-path="$T/car/root.crt" ota "$url/treehub"
refs() { ostree --repo="$T/client" remote refs ota | sort | tr '\n' ' '; }
# each commit stands below its ref in the listing
names() { ostree --repo="$T/client" remote summary ota | grep -A4 -F "* $1" | grep -Fq "$2"; }

ok "lists the refs" is "$(refs)" "ota:qemux86-64/app ota:qemux86-64/tool "
ok "and the commit of one" names qemux86-64/app "$c1"
ok "and of the other" names qemux86-64/tool "$c2"
ok "deltas are told by their indexes" says "ostree.summary.indexed-deltas.*true" ostree --repo="$T/client" remote summary ota
ok "a client mirrors by it" ostree --repo="$T/client" pull ota qemux86-64/app
ok "whole" ostree --repo="$T/client" fsck -q
rmdir "$T/mount/packages/tool/2"
ok "what is retired is in it no more" wait_for 15 sh -c \
	"[ \"\$(ostree --repo='$T/client' remote refs ota)\" = ota:qemux86-64/app ]"
stop watcher KILL
rm "$T/repository/ostree/summary"
start_watcher
ok "a summary that a crash left behind is made at the next start" wait_for 5 is "$(refs)" "ota:qemux86-64/app "
ok "it is for the users of the two mounts to read" has "$T/mount/treehub/summary" app
finish
