#!/bin/sh
# Somebody's code runs in each of the programs (tests/hostile/hostile.c), and as each of the users: what it gets to.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"
HOSTILE=${HOSTILE:-$OTA_BIN/../tests/hostile.so}

settings "spool_quiet_seconds = 1"
# Each file in a folder with its like, as in /etc and /srv: a rule is about a folder.
mkdir -p "$T/m/mount" "$T/etc"
sed -i -e "s|^mount = .*|mount = $T/m/mount|" -e "s#= $T/\(build\.\|admin\.h\|build-\)#= $T/etc/\1#" \
	-e "s#= $T/etc/build\.sock#= $T/build.sock#" "$conf"
m=$T/m/mount
users="64101 64102 64103 64104 64108" # of ota-signd, otafs, ota-watcher, ota-gate, ota-admin-gate

# Another instance with the same users, and what all may read on this machine.
for uid in $users; do
	mkdir -p "$T/other/$uid"
	echo secret >"$T/other/$uid/secret"
	chown -R "$uid:$uid" "$T/other/$uid"
	chmod -R go= "$T/other/$uid"
done
mkdir -m 1777 "$T/open"
echo public >"$T/open/public"
reads=$T/open/public:/etc/shadow:/proc/1/environ:/proc/self/mem
for uid in $users; do reads=$reads:$T/other/$uid/secret; done
writes=$T/open:/tmp:/dev/shm:/etc:/run

# hostile PROGRAM NAME: starts it with that code in it
hostile() {
	start "$2" env LD_PRELOAD="$HOSTILE" HOSTILE_READ="$reads" HOSTILE_WRITE="$writes" "$OTA_BIN/$1" -c "$conf"
}
start_hostile() {
	hostile ota-signd signd
	needs 10 file_with "$T/signd.log" ready
	"$OTA_BIN/ota-sign" init --online -c "$conf" >>"$T/init.log" 2>&1
	hostile ota-watcher watcher
	needs 20 test -e "$T/repository/published/current/timestamp.json"
	hostile otafs otafs
	needs 10 test -e "$T/web/www/alive"
	hostile ota-gate gate
	needs 10 test -S "$T/gate.sock"
	hostile ota-admin-gate admin
	needs 10 file_with "$T/admin.log" ready
}
# done_by UID: what its code got to
done_by() { sed -n "s/^hostile $1 \(.*\) DONE$/\1/p" "$T"/*.log | sort | paste -s -d ' '; }

# As in the Makefile: SANDBOX_OFF.
if grep -qE '__(asan|tsan|gcov)_' "$OTA_BIN/otafs"; then
	echo "1..0 # SKIP built without a sandbox"
	exit 0
fi
start_hostile
for uid in $users; do ok "code of user $uid was run" grep -q "^hostile $uid end" "$T"/*.log; done
ok "code in ota-signd gets to nothing" is "$(done_by 64101)" ""
ok "nor in otafs" is "$(done_by 64102)" ""
ok "... where another thread than the first was tried too" grep -q "^hostile 64102 thread:read refused" "$T/otafs.log"
ok "in ota-watcher it starts programs of the system, for deltas" is "$(done_by 64103)" "code:mapped code:written fork run"
ok "code in ota-gate gets to nothing" is "$(done_by 64104)" ""
ok "nor in ota-admin-gate" is "$(done_by 64108)" ""
ok "none of them can write a core file" sh -c "for p in signd otafs watcher gate admin; do
	grep -q '^Max core file size  *0  *0 ' /proc/\$(pgrep -P \$(cat $T/\$p.pid) || cat $T/\$p.pid)/limits || exit 1; done"
ok "the watcher's parent, which stays root, has a filter too" grep -q "^Seccomp:.2" "/proc/$(cat "$T/watcher.pid")/status"

# worker NAME: the process that serves, which has a parent in two of them
worker() {
	pgrep -P "$(cat "$T/$1.pid")" || cat "$T/$1.pid"
}
# is_filtered NAME: each of its threads has a filter, and gains nothing by a program
is_filtered() {
	for thread in "/proc/$(worker "$1")/task"/*; do
		is "$(grep -cE '^(Seccomp:.2|NoNewPrivs:.1)$' "$thread/status")" 2 || return
	done
}
for p in signd otafs watcher gate admin; do ok "each thread of $p has a filter" is_filtered $p; done

# ---- without: what is above fails
for p in admin gate otafs watcher signd; do stop $p; done
rm -f "$T"/*.log
echo "sandbox = 0" >>"$conf"
start_hostile
ok "and a thread of otafs reads" grep -q "^hostile 64102 thread:read DONE" "$T/otafs.log"
for uid in $users; do
	ok "without a sandbox user $uid has another instance's files" says " read:$T/other/$uid/secret " echo " $(done_by "$uid") "
	ok "but not those of others, and no root" not says "read:/etc/shadow|read:$T/other/(${users% *}).*read:$T/other|setuid|write:/etc" echo " $(done_by "$uid") "
done
for p in admin gate otafs watcher signd; do stop $p; done
sed -i '/^sandbox/d' "$conf"

# ---- as each of the users, with whatever program: the tree, the keys, the history, the signer
start_all >/dev/null
"$top/scripts/ota-device-cert" -c "$conf" --ca-dir "$T/pki" car1 "$T/car1" >/dev/null
as() { # as UID COMMAND...: with the groups that systemd gives it
	as_uid=$1
	shift
	setpriv --reuid="$as_uid" --regid="$as_uid" --clear-groups "$@"
}
key=$(find "$T/keys" -type f -path '*director*' | head -n 1)
ok "there is a key to steal" test -s "$key"
for uid in 64102 64103 64104 64105 64107 64108 64109; do
	ok "user $uid cannot read keys" refuses "denied" as "$uid" cat "$key"
	ok "nor have a root signed" refuses "is for root of this machine|Broken pipe|reset by peer" as "$uid" "$OTA_BIN/ota-sign" rotate -c "$conf" director targets
done
for uid in 64101 64103 64104 64105 64107 64108 64109; do
	ok "user $uid cannot read or change history" sh -c "! setpriv --reuid=$uid --regid=$uid --clear-groups sh -c '
		cat $T/state/otafs.db || : >>$T/state/otafs.db || cat $m/events/all || echo x >>$m/devices/car1/history' 2>/dev/null"
done
for uid in 64101 64102 64104 64105 64107 64108 64109; do
	ok "user $uid cannot publish" sh -c "! setpriv --reuid=$uid --regid=$uid --clear-groups sh -c '
		touch $T/spool/incoming/x || touch $T/repository/published/x || touch $T/repository/ostree/objects/x' 2>/dev/null"
done
for uid in 64101 64103 64104 64105 64107 64109; do
	ok "user $uid cannot assign" sh -c "! setpriv --reuid=$uid --regid=$uid --clear-groups sh -c 'echo cancel >$m/devices/car1/assign' 2>/dev/null"
done
finish
