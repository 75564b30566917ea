#!/bin/sh
# Each durable step, with a program that dies, a disk that is full or fails, and a power cut at each call in turn that changes the disk, and
# with memory refused at each that asks for some: what was acknowledged is there, nothing is half-done, versions never go back, and the step
# can be done again. EACH=1 takes every call (make soak), EACH=N each Nth; otherwise there is a sample.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

EACH=${EACH:-0}
STEPS=${STEPS:-start manifest assign publish binary retire rotate gc}
WAYS=${WAYS:-kill tear power names full failing memory}

# The programs see a disk of their own: tests/disk/fault.h.
case $(ldd "$OTA_BIN/otafs") in *libasan*) export ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" ;; esac
faults=$(cd "$OTA_BIN/../tests" && pwd)/disk-faults.so
shadow=$T/shadow
disk="$T/state $T/keys $T/repository $T/spool $T/fleet"
mkdir "$T/bin"
for program in "$OTA_BIN"/*; do
	cat >"$T/bin/${program##*/}" <<-WRAPPER
		#!/bin/sh
		export LD_PRELOAD=$faults FAULT_CONTROL=$T/control FAULT_SHADOW=$shadow FAULT_UNDER=$(echo "$disk" | tr ' ' :)
		exec $program "\$@"
	WRAPPER
done
chmod 755 "$T"/bin/*
sign=$OTA_BIN/ota-sign
OTA_BIN=$T/bin

# arm HOW CALLS [LIES [MEMORY]]
arm() {
	rm -rf "$shadow"
	mkdir -m 777 "$shadow" "$shadow/data" "$shadow/names" "$shadow/saved"
	perl -e 'open my $f, "+>", $ARGV[0] or die; print $f pack("l5", @ARGV[1, 2], 0, @ARGV[3, 4])' \
		"$T/control.new" "$1" "$2" "${3:-0}" "${4:-0}"
	dd if="$T/control.new" of="$T/control" conv=notrunc status=none
}
# fired: the call was reached
fired() { perl -e 'open my $f, "<", $ARGV[0] or die; read $f, my $c, 20; exit((unpack "l5", $c)[1] > 0)' "$T/control"; }
is_up() { [ -e "$T/$1.pid" ] && kill -0 "$(cat "$T/$1.pid")" 2>/dev/null; }
# again NAME: started, unless it is up
again() {
	is_up "$1" && return
	: >"$T/$1.log"
	"start_$1"
}
all_again() { for program in signd watcher otafs; do again "$program"; done; }
# workers: who does the work, which is somebody else when one has died and was started again
workers() { for program in signd watcher otafs; do pgrep -P "$(cat "$T/$program.pid")" || cat "$T/$program.pid"; done; }
all_killed() { for program in watcher otafs signd; do stop "$program" KILL; done; }

# ---- what holds at all times
current=$T/repository/published/current
hash_in() { jq -r ".signed.meta[\"$2.json\"].hashes.sha256" "$current/$1.json"; }
hash_of() { sha256sum <"$current/$1.json" | cut -c1-64; }
served_commits() {
	jq -r '.signed.targets[] | select(.custom.targetFormat == "OSTREE").hashes.sha256' "$current/targets.json" | sed 's|^..|&/|'
}
# versions: of all that is published, and of the director's documents
versions() {
	for role in timestamp snapshot targets root; do jq .signed.version "$current/$role.json"; done
	for role in timestamp targets; do jq .signed.version "$T/mount/devices/load-0/director/$role.json"; done
}
no_lower() { # no_lower VERSIONS VERSIONS
	is "$(paste -d' ' "$1" "$2" | awk 'NF != 2 || $2 < $1')" ""
}
sound() {
	is "$(hash_in snapshot targets)" "$(hash_of targets)" && is "$(hash_in timestamp snapshot)" "$(hash_of snapshot)" || return 1
	for commit in $(served_commits); do
		ostree --repo="$T/repository/ostree" fsck -q "$(echo "$commit" | tr -d /)" >/dev/null || return 1
	done
	"$sign" log verify -c "$conf" && wait_for 5 sh -c "cat $T/mount/devices/load-0/director/targets.json" || return 1
	# Where there is sqlite3(1).
	! command -v sqlite3 >/dev/null || is "$(sqlite3 "$T/state/otafs.db" 'PRAGMA quick_check')" ok || return 1
	versions >"$T/versions.now"
	no_lower "$T/versions" "$T/versions.now" && mv "$T/versions.now" "$T/versions"
}

# ---- the steps: do_STEP N acknowledges by 0; has_STEP N: it is done; prepare_STEP N comes before, and undisturbed
load() { "$OTA_LOAD" -n 1 -t 1 "$@"; }
await() { # await COMMAND...: until it passes, or a program is dead or refuses for a while
	tries=0
	until "$@" 2>/dev/null; do
		tries=$((tries + 1))
		if fired; then limit=15; else limit=200; fi
		[ "$tries" -lt "$limit" ] || return 1
		sleep 0.1
	done
}
prepare_start() { all_killed; }
do_start() {
	start_signd >/dev/null && is_up signd || return 1
	start watcher "$OTA_BIN/ota-watcher" -c "$conf"
	start otafs "$OTA_BIN/otafs" -c "$conf"
	await test -e "$T/web/www/alive"
}
has_start() { :; }
prepare_manifest() { :; }
do_manifest() {
	rm -f "$T/acks"
	load -r "$1" -a "$T/acks" "$T/mount" manifests
}
has_manifest() { load -a "$T/acks" "$T/mount" verify; }
assigned() { grep -q 'app-1 to ECU' "$T/mount/devices/load-0/assign"; }
do_assign() { echo 'app 1' >"$T/mount/devices/load-0/assign"; }
has_assign() { assigned; }
prepare_assign() { if assigned; then echo 'cancel!' >"$T/mount/devices/load-0/assign"; fi; }
prepare_publish() { commit_of "part$1" 1 3 >/dev/null; }
do_publish() {
	drop "part$1" 1
	await test -e "$T/spool/done/part$1-1.receipt.json"
}
has_publish() { published "part$1" 1 20; }
prepare_binary() { :; }
binary() { # binary NAME: hands it in
	echo "firmware $1" >"$T/$1"
	echo "{\"name\":\"$1\",\"version\":\"1\",\"hardwareIds\":[\"load\"]}" >"$T/spool/incoming/$1.push.json"
	mv "$T/$1" "$T/spool/incoming/$1"
}
do_binary() {
	binary "bin$1"
	await test -e "$T/spool/done/bin$1.receipt.json"
}
has_binary() {
	wait_for 20 test -e "$T/spool/done/bin$1.receipt.json" || return 1
	hash=$(jq -r ".signed.targets[\"bin$1-1\"].hashes.sha256" "$current/targets.json")
	is "$(sha256sum <"$T/repository/binaries/$(echo "$hash" | sed 's|^..|&/|')" | cut -c1-64)" "$hash"
}
is_offered() { jq -e ".signed.targets[\"$1\"]" "$current/targets.json" >/dev/null; }
is_retired() { ! is_offered "$1"; }
prepare_retire() {
	binary "old$1"
	wait_for 20 test -d "$T/mount/packages/old$1/1"
}
do_retire() { rmdir "$T/mount/packages/old$1/1" && await is_retired "old$1-1"; }
has_retire() { wait_for 10 is_retired "old$1-1"; }
newest_root() { find "$T/keys/image" -name '*.root.json' | sed 's|.*/||; s/\..*//' | sort -n | tail -n 1; }
prepare_rotate() { newest_root >"$T/root.before"; }
do_rotate() { timeout 20 "$sign" rotate image targets snapshot --yes -c "$conf"; }
follows_root() { is "$(jq .signed.version "$current/root.json")" "$(newest_root)"; }
has_rotate() { test "$(newest_root)" -gt "$(cat "$T/root.before")" && wait_for 15 follows_root; }
# Its calls begin with the start of the watcher.
prepare_gc() {
	stop watcher
	commit_of "junk$1" 1 5 >/dev/null
	rm -rf "$T/junk$1-1.drop/refs/heads/qemux86-64"
	chmod -R a+rX "$T/junk$1-1.drop"
	(cd "$T/junk$1-1.drop" && setpriv --reuid=64103 --regid=64103 --clear-groups cp -rn objects "$T/repository/ostree/")
	sed -i 's/^gc_seconds.*/gc_seconds = 1/; s/^gc_grace_seconds.*/gc_grace_seconds = 0/' "$conf"
}
junk() { find "$T/junk$1-1.drop/objects" -type f -name '*.commit' | sed "s|.*/objects|$T/repository/ostree/objects|"; }
is_collected() { ! [ -e "$(junk "$1")" ] && grep -q 'objects, ' "$T/repository/report/gc"; }
do_gc() {
	start watcher "$OTA_BIN/ota-watcher" -c "$conf"
	await is_collected "$1"
}
has_gc() { wait_for 20 is_collected "$1"; }

# ---- a step, with its call number $3 done the way $2
once() { # once STEP WAY CALL
	number=$((number + 1))
	case $2 in
	kill) how=-1 ;;
	tear) how=-2 ;;
	power | names) how=-3 ;; # whoever is started by another dies too
	full) how=1028 ;; # from then on
	failing) how=5 ;;
	memory) how=12 ;;
	esac
	"prepare_$1" "$number" >"$T/step.log" 2>&1 || return 1
	before=$(workers 2>/dev/null)
	arm "$how" "$3" "${4:-0}" "$([ "$2" != memory ] || echo 1)"
	acknowledged=
	"do_$1" "$number" >>"$T/step.log" 2>&1 && acknowledged=1
	reached=
	fired && reached=1
	[ "$how" -gt 0 ] || goes_out "$2"
	arm 0 0
	case "$1 $2" in
	start* | gc*) ;; # began in it, or not
	*memory) is "$(workers)" "$before" || return 1 ;;
	esac
	all_again >>"$T/step.log" 2>&1 || return 1
	recovers "$1" || return 1
	echo "$1 $2 call $3:${reached:+ reached}${acknowledged:+ acknowledged}" >>"$T/told"
}
# goes_out WAY: what is left running goes as well when the power does
# shellcheck disable=SC2086 # several folders
goes_out() {
	case $1 in
	power) all_killed && "$top/tests/disk/power-cut" "$shadow" $disk >>"$T/step.log" ;;
	names) all_killed && "$top/tests/disk/power-cut" --names "$shadow" $disk >>"$T/step.log" ;;
	esac
	sleep 0.2 # children go with their parents
}
# recovers STEP: what was acknowledged is there, and the step can be done, if it was not
recovers() {
	if [ -z "$acknowledged" ]; then
		"has_$1" "$number" || "do_$1" "$number" || return 1
	fi
	"has_$1" "$number" && sound
}
told() { # told STEP WAY CALL [LIES]: once, and what there is to say if it fails
	once "$@" && return
	echo "$1, $2, call $3:${reached:+ reached}${acknowledged:+ acknowledged}"
	cat "$T/step.log"
	ls -l "$T/state" "$T/keys"
	return 1
}
# each STEP WAY: with call 1, 2, ... until it is done before the call
each() {
	call=1
	reached=1
	while [ -n "$reached" ]; do
		told "$1" "$2" "$call" || return 1
		call=$((call + EACH))
	done
	echo "# $1, $2: up to call $((call - EACH))" >>"$T/counts"
}
never=99999 # no step has so many calls
sample() {
	while read -r step way call; do
		ok "$step, $way at call $call" told "$step" "$way" "$call"
	done <<-SAMPLE
		manifest failing 2
		manifest names $never
		assign kill 9
		publish names 40
		publish names $never
		retire tear 5
		rotate power 20
		gc kill 25
	SAMPLE
}

# shellcheck disable=SC2034 # of settings(): what is preloaded has paths and calls of its own
unconfined=1
settings "spool_quiet_seconds = 0" "spool_incomplete_seconds = 1" "keep_versions = 3" "gc_seconds = 0" "gc_grace_seconds = 0" \
	"deltas_mb = 0"
perl -e 'print "\0" x 20' >"$T/control"
arm 0 0
number=0
start_signd
start_watcher
start_otafs
binary app
needs 20 test -d "$T/mount/packages/app/1"
load "$T/mount" register >/dev/null
load "$T/mount" certify >/dev/null
: >"$T/versions"
versions >"$T/versions"
if [ "$EACH" = 0 ]; then
	sample
else
	for step in $STEPS; do
		for way in $WAYS; do
			ok "$step, $way: nothing acknowledged is lost, nothing is half-done" each "$step" "$way"
		done
	done
	cat "$T/counts"
fi
# Is it the disk that keeps what was acknowledged? With one that says so and does not, all of this has to fail.
ok "a disk that only says that it has synced loses what was acknowledged, which is noticed" not once manifest names $never 1
ok "(it was acknowledged)" test -n "$acknowledged"
finish
