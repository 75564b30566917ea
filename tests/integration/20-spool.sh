#!/bin/sh
# Drops that are fine: every way of copying, every mode, slow copies, pushes while the watcher is away.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

in=$T/spool/incoming
current=$T/repository/published/current
served=$T/repository/ostree

# commit REPO REF VERSION [OPTION...]: a commit of $T/tree; prints its id
commit() {
	repo=$1 ref=$2 version=$3
	shift 3
	[ -e "$repo/config" ] || ostree --repo="$repo" init --mode=archive
	echo "$ref $version" >"$T/tree/etc/version"
	ostree --repo="$repo" commit -b "$ref" --owner-uid=0 --owner-gid=0 --canonical-permissions \
		--add-metadata-string=version="$version" "$@" "$T/tree"
}
target() { jq -r ".signed.targets[\"$1\"]$2" "$current/targets.json"; }
receipt() { wait_for 15 test -e "$T/spool/done/$1.receipt.json"; }
# in_receipt NAME JQ EXPECTED
in_receipt() { is "$(jq -r "$2" "$T/spool/done/$1.receipt.json")" "$3"; }
# complete REF COMMIT: served, whole, and no inode of a builder's
complete() {
	is "$(ostree --repo="$served" rev-parse "$1")" "$2" &&
		ostree --repo="$served" fsck -q &&
		is "$(find "$served/objects" -type f -links +1)" ""
}
# the published set hangs together: hashes, lengths, versions
set_is_whole() {
	is "$(jq -r '.signed.meta["targets.json"] | .hashes.sha256, .length' "$current/snapshot.json")" \
		"$(sha256sum <"$current/targets.json" | cut -d' ' -f1)
$(stat -c %s "$current/targets.json")" &&
		is "$(jq -r '.signed.meta["snapshot.json"].hashes.sha256' "$current/timestamp.json")" \
			"$(sha256sum <"$current/snapshot.json" | cut -d' ' -f1)" &&
		is "$(jq .signed.version "$current/targets.json")" \
			"$(jq '.signed.meta["targets.json"].version' "$current/snapshot.json")"
}

mkdir -p "$T/tree/etc"
i=0
while [ $i -lt 150 ]; do
	echo "file $i" >"$T/tree/etc/$i"
	i=$((i + 1))
done
ln -s etc/1 "$T/tree/link"

settings "spool_quiet_seconds = 1" "spool_incomplete_seconds = 8"
start_signd || exit 1
ok "an empty set is published at the first start" start_watcher
[ "$failed" = 0 ] || exit 1
ok "it has no targets" is "$(jq -c .signed.targets "$current/targets.json")" "{}"
ok "ota-watcher runs as two processes, of which only the parent is root" \
	is "$(ps -o uid= --ppid "$(cat "$T/watcher.pid")" | tr -d ' ')" 64103

# -- ways of copying --
c1=$(commit "$T/r1" app 1.0)
cp -r "$T/r1" "$in/by-cp"
ok "cp -r: published" receipt by-cp
ok "cp -r: the commit is served whole" complete app "$c1"
ok "cp -r: the target names the commit" is "$(target app-1.0 .hashes.sha256)" "$c1"
ok "cp -r: hardware ids come from the ref" is "$(target app-1.0 '.custom.hardwareIds[0]')" app
ok "the receipt counts" in_receipt by-cp '.objects == .imported and .bytes > 1000 and .seconds > 0' true
ok "the receipt says what to do next" in_receipt by-cp .next "assign with: echo 'app 1.0' > devices/ID/assign"
ok "the set hangs together" set_is_whole
ok "status says what was published" wait_for 3 file_with "$T/spool/status" '^idle; last: app 1.0 published 20'
ok "status is for everybody" is "$(stat -c %a "$T/spool/status")" 644
ok "served files are for the group of otafs" \
	setpriv --reuid=64102 --regid=64102 --clear-groups cat "$current/targets.json" "$served/refs/heads/app"
ok "and for nobody else" \
	not setpriv --reuid=64105 --regid=64105 --clear-groups cat "$current/targets.json"

cp -r "$T/r1" "$in/by-cp"
ok "the same again: nothing new is published" wait_for 15 test -e "$T/spool/done/by-cp~1.receipt.json"
ok "and the newest receipt has the plain name" wait_for 3 in_receipt by-cp .result "already published"
ok "and the targets stay" is "$(jq .signed.version "$current/targets.json")" 2

c2=$(commit "$T/r2" board/app 2.0)
echo '{"name":"app","version":"2.0","hardwareIds":["board-a","board-b"],"comment":"by mv"}' >"$T/r2/push.json"
mv "$T/r2" "$in/by-mv"
ok "mv with push.json in it: published" receipt by-mv
ok "mv: push.json says name and hardware" is "$(target app-2.0 '.custom.hardwareIds|join(",")')" board-a,board-b
ok "mv: push.json's comment is kept" is "$(target app-2.0 .custom.comment)" "by mv"
ok "mv: whole" complete board/app "$c2"

c3=$(commit "$T/r3" tool 3.0)
echo '{"name":"tool","hardwareIds":["board-a"]}' >"$in/by-rsync.push.json"
ok "a push.json alone waits for its drop" wait_for 5 file_with "$T/spool/status" 'by-rsync.push.json: waits for its drop'
rsync -a "$T/r3/" "$in/by-rsync/"
ok "rsync with push.json beside: published" receipt by-rsync
ok "rsync: whole" complete tool "$c3"
ok "rsync: push.json went along" test -e "$T/spool/done/by-rsync.push.json"
ok "rsync: when it was done is told" in_receipt by-rsync '.finished|test("^20..-..-..T..:..:..Z$")' true

c4=$(commit "$T/r4" tar-app 4.0 --add-metadata-string=ota.hardware-ids=from-commit)
tar -C "$T" -c r4 | tar -C "$in" -x
ok "tar: published" receipt r4
ok "tar: hardware ids come from the commit" is "$(target tar-app-4.0 '.custom.hardwareIds[0]')" from-commit
ok "tar: whole" complete tar-app "$c4"

# -- other owners and modes --
c5=$(commit "$T/r5" other 5.0)
chown -R 64110:64110 "$T/r5"
mv "$T/r5" "$in/other-owner"
ok "a drop of another user's, 0755: published" receipt other-owner
ok "and whole" complete other "$c5"

for mode in bare bare-user bare-user-only; do
	ostree --repo="$T/$mode" init --mode=$mode
	c=$(commit "$T/$mode" "$mode/app-$mode" 1)
	cp -a "$T/$mode" "$in/$mode"
	ok "$mode: published" receipt $mode
	ok "$mode: whole" complete "$mode/app-$mode" "$c"
done

# -- two refs in one drop --
commit "$T/r6" left 1 >/dev/null
commit "$T/r6" right 1 >/dev/null
before=$(jq .signed.version "$current/targets.json")
cp -r "$T/r6" "$in/two"
ok "two refs: published" receipt two
ok "two refs: both, in one set" in_receipt two "[.published[].target, .targetsVersion] == [\"left-1\",\"right-1\",$((before + 1))]" true

# -- slow, and stalled --
c7=$(commit "$T/r7" slow 1)
mkdir "$in/slow"
(
	cd "$T/r7" || exit
	cp -r refs config "$in/slow/"
	sleep 1.5
	mkdir "$in/slow/objects"
	for d in objects/[0-7]?; do cp -r "$d" "$in/slow/objects/"; done
	sleep 2.5
	for d in objects/[89a-f]?; do
		cp -r "$d" "$in/slow/objects/"
		sleep 0.02
	done
) &
copier=$!
ok "a slow copy: status says what is missing" wait_for 5 file_with "$T/spool/status" \
	'^slow: waiting, incomplete: .*(is missing|no folder "objects")'
ok "a slow copy: not published before it is complete" is "$(target slow-1 '')" null
ok "a slow copy: published when complete" receipt slow
ok "a slow copy: whole" complete slow "$c7"
ok "a slow copy: the copier saw no error" wait "$copier"

# -- while the watcher is away --
stop watcher
c8=$(commit "$T/r8" away 1)
cp -r "$T/r8" "$in/away"
start_watcher
ok "dropped while the watcher was away: published" receipt away
ok "and whole" complete away "$c8"

# -- a signer that is away --
stop signd
commit "$T/r9" nosigner 1 >/dev/null
cp -r "$T/r9" "$in/nosigner"
ok "without signer: status says why it waits" wait_for 10 file_with "$T/spool/status" '^nosigner: taken over, tried again'
ok "without signer: neither done nor failed" is "$(find "$T/spool/done" "$T/spool/failed" -name 'nosigner*')" ""
start_signd
ok "with the signer back: published" receipt nosigner

# -- without root --
stop watcher
# The socket has to be in a folder of its own user then.
install -d -o 64103 "$T/build" && sed -i "s|^build_socket = .*|build_socket = $T/build/build.sock|" "$conf"
start watcher setpriv --reuid=64103 --regid=64103 --clear-groups "$OTA_BIN/ota-watcher" -c "$conf"
c10=$(commit "$T/r10" rootless 1)
cp -r "$T/r10" "$T/r11"
chown -R 64103 "$T/r10"
mv "$T/r10" "$in/own"
mv "$T/r11" "$in/roots"
ok "without root: a drop of the watcher's own is published" receipt own
ok "without root: of one that it cannot take, status says what to do" wait_for 10 file_with "$T/spool/status" \
	'^roots: waiting: take it over \(as root ota-watcher may take any folder\): Permission denied'
stop watcher
start_watcher
ok "with root again: that one is taken" receipt roots
ok "and whole" complete rootless "$c10"
ok "the set hangs together" set_is_whole
ok "nothing failed in all this" is "$(find "$T/spool/failed" "$T/spool/work" "$in" -mindepth 1)" ""

# -- renewal: with a longer lifetime in the settings, less than half of it is left of what is published --
targets=$(jq -cS .signed.targets "$current/targets.json")
version=$(jq .signed.version "$current/timestamp.json")
stop watcher
stop signd
echo "timestamp_days = 30" >>"$conf"
start_signd
start_watcher
ok "metadata is renewed before half of its lifetime is gone" wait_for 10 sh -c \
	"[ \$(jq .signed.version '$current/timestamp.json') -gt $version ]"
ok "with the same targets" is "$(jq -cS .signed.targets "$current/targets.json")" "$targets"
ok "and hangs together" set_is_whole
ok "the sets of the last ten minutes are kept" test "$(find "$T/repository/published" -mindepth 1 -maxdepth 1 -type d | wc -l)" -gt 3
ok "a second watcher on the same spool is refused" refuses "another ota-watcher works on it" \
	"$OTA_BIN/ota-watcher" -c "$conf"
ok "nothing is left in staging" is "$(ls -A "$T/repository/staging")" ""
finish
