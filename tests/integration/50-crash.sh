#!/bin/sh
# kill -9 of each program in the middle of a push, of all at once, and while devices report: nothing is lost, nothing is
# half-published, and versions only grow.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 1"
start_all
enroll car7 >/dev/null
device car7 poll >/dev/null 2>&1
repo=$T/repository/published

# Whether what is published belongs together: the hash of the targets is in the snapshot, that one's in the timestamp.
is_whole() {
	set_dir=$repo/$(readlink "$repo/current")
	for pair in "snapshot targets" "timestamp snapshot"; do
		upper=${pair% *} lower=${pair#* }
		is "$(jq -r ".signed.meta[\"$lower.json\"].hashes.sha256" "$set_dir/$upper.json")" \
			"$(sha256sum <"$set_dir/$lower.json" | cut -c1-64)" || return 1
	done
}
version_of() { jq .signed.version "$repo/current/$1.json"; }
restart() { # restart NAME
	case $1 in
	signd) start_signd ;;
	watcher) start_watcher ;;
	otafs) start_otafs ;;
	gate)
		start gate "$OTA_BIN/ota-gate" -c "$conf"
		wait_for 10 test -S "$T/gate.sock"
		;;
	web) start_web_server ;;
	esac
}
# killed NAME DELAY N: a drop of 300 files, and kill -9 after a while
killed() {
	before=$(version_of timestamp)
	: >"$T/$1.log"
	drop "big$3" 1
	sleep "$2"
	stop "$1" KILL
	is_whole || return 1
	# The child of a privileged parent ends with it.
	sleep 0.3
	restart "$1"
	published "big$3" 1 40 || {
		cat "$T/spool/status" "$T"/spool/failed/*.txt
		return 1
	}
	is_whole || return 1
	[ "$(version_of timestamp)" -gt "$before" ] || return 1
	is "$(jq -r ".signed.targets[\"big$3-1\"].hashes.sha256" "$repo/current/targets.json")" "$(cat "$T/commit$3")" || return 1
	is "$(find "$T/spool/done" -name "big$3-1*.receipt.json" | wc -l)" 1
}

n=0
for program in watcher signd otafs gate web; do
	for delay in 0.05 0.15 0.3; do
		n=$((n + 1))
		commit_of "big$n" 1 300 >"$T/commit$n"
		ok "kill -9 of $program $delay s into push $n loses nothing" killed "$program" "$delay" "$n"
	done
done
ok "the repository is sound" ostree --repo="$T/repository/ostree" fsck
ok "no drop is left" is "$(ls "$T/spool/incoming" "$T/spool/work")" "$(printf '%s:\n\n%s:' "$T/spool/incoming" "$T/spool/work")"

# ---- all at once, with an open assignment
echo 'big1 1' >"$T/mount/devices/car7/assign"
bytes=$(cat "$T/mount/devices/car7/director/targets.json")
for program in web gate otafs watcher signd; do stop "$program" KILL; done
sleep 0.3
for program in signd watcher otafs gate web; do restart "$program"; done
ok "an acknowledged assignment survives kill -9 of everything" has "$T/mount/devices/car7/assign" "big1-1 to ECU car7-ecu"
ok "and so does every byte of the document" is "$(cat "$T/mount/devices/car7/director/targets.json")" "$bytes"
ok "the device updates" says "installed big1-1" device car7 poll
ok "and the server knows" has "$T/mount/devices/car7/status" ": UpToDate: car7-ecu runs big1-1"

# ---- a signer that hangs is not one that is dead: it must not hold up what does not need it
kill -STOP "$(cat "$T/signd.pid")"
ok "a document is an error while the signer hangs" refuses "temporarily unavailable" timeout 20 \
	cat "$T/mount/devices/car7/director/targets.json"
ok "after which others need not wait for it" refuses "temporarily unavailable" timeout 3 \
	cat "$T/mount/devices/car7/director/targets.json"
ok "the device gets a 503, never a 404" is "$(fetch car7 /director/snapshot.json)" 503
ok "and its report is taken" is "$(fetch car7 /events -X POST -d '[]')" 200
kill -CONT "$(cat "$T/signd.pid")"
ok "all is well when it goes on" wait_for 15 cat "$T/mount/devices/car7/director/targets.json"

# ---- reports under fire: an answer of 200 means that the history has it
fire() {
	for i in $(seq 40); do
		status=$(fetch car7 /events -X POST -d "[{\"id\":\"fire-$i\",\"eventType\":{\"id\":\"Fire\",\"version\":0}}]")
		case $status in
		200) echo "fire-$i" >>"$T/acknowledged" ;;
		404 | 4*) echo "$i: $status" >>"$T/wrong" ;;
		esac
	done
}
: >"$T/acknowledged"
fire &
shooter=$!
for _ in 1 2 3; do
	sleep 0.4
	stop otafs KILL
	sleep 0.1
	restart otafs
done
wait "$shooter"
ok "some reports were acknowledged between three kills" test "$(wc -l <"$T/acknowledged")" -gt 5
ok "every one of them is there" sh -c "while read -r id; do grep -q \"\\\"\$id\\\"\" $T/mount/devices/car7/events || exit 1; done <$T/acknowledged"
ok "none was answered with a 4xx, which would make a device throw it away" not test -e "$T/wrong"
finish
