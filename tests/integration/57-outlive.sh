#!/bin/sh
# A killed otafs is not noticed, and neither is a new program that takes its place: KILLS times kill -9 of the process that serves, and
# UPGRADES times SIGHUP, while readers and writers hammer and devices report, through each of SERVERS. No answer fails, is torn or
# is older than what was acknowledged, and nothing that was acknowledged is lost.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

OLD_KERNEL=${OLD_KERNEL:-$OTA_BIN/../tests/old-kernel.so}

SERVERS=${SERVERS:-lighttpd}
KILLS=${KILLS:-5}
UPGRADES=${UPGRADES:-2}
for WEB in $SERVERS; do break; done

settings "spool_quiet_seconds = 0"
start_all
m=$T/mount
"$OTA_LOAD" -n 8 -t 8 "$m" register >/dev/null && "$OTA_LOAD" -n 8 -t 8 "$m" certify >/dev/null &&
	"$OTA_LOAD" -n 8 -t 8 "$m" manifests >/dev/null
echo one >"$T/spool/incoming/one"
echo '{"name":"one","version":"1.0","hardwareIds":["load"]}' >"$T/spool/incoming/one.push.json"
needs 20 test -e "$m/packages/one/1.0/hash"
enroll car1 >/dev/null
enroll car2 >/dev/null

worker() {
	pgrep -P "$(cat "$T/otafs.pid")"
}
# serves RUN: the process of that number does
serves() {
	grep -q "otafs ready .* run=$1\$" "$T/otafs.log"
}
run=1
# next: waits for the process after the last one
next() {
	run=$((run + 1))
	wait_for 20 serves "$run"
}
# hammer_on PORT: until there is a file $T/stop
hammer_on() {
	while ! [ -e "$T/stop" ]; do
		"$OTA_HAMMER" -r 2000 "$m" "$T/pki" "$1" one 1.0 2>&1 || { echo "hammer failed" && break; }
	done >"$T/hammer.out"
}
# report_on ID: events, each with an id of its own
report_on() {
	while ! [ -e "$T/stop" ]; do
		reported=$((reported + 1))
		status=$(curl -s -o /dev/null -w '%{http_code}' --max-time 20 --cert "$T/$1/client.pem" --key "$T/$1/pkey.pem" \
			--cacert "$T/$1/root.crt" -X POST -d "[{\"id\":\"$1-$WEB-$reported\",\"eventType\":{\"id\":\"E\",\"version\":0}}]" "$url/events")
		echo "$1-$WEB-$reported $status"
	done >>"$T/$1.reports"
}
# read_on: what is of the image repository and of the roots, and what is not there
read_on() {
	while ! [ -e "$T/stop" ]; do
		for path in /repo/timestamp.json /repo/snapshot.json /repo/targets.json /director/1.root.json /repo/2.root.json; do
			echo "$path $(curl -s -o /dev/null -w '%{http_code}' --max-time 20 --cert "$T/car1/client.pem" --key "$T/car1/pkey.pem" \
				--cacert "$T/car1/root.crt" "$url$path")"
		done
	done >>"$T/reads"
}
# begin: all of them, through $WEB
begin() {
	rm -f "$T/stop"
	loads=
	for load in "hammer_on ${url##*:}" "report_on car1" "report_on car2" read_on; do
		$load &
		loads="$loads $!"
	done
	cleanup "touch $T/stop"
	sleep 0.5
}
end() {
	touch "$T/stop"
	# shellcheck disable=SC2086 # one word each
	wait $loads
	sed "s/^/# $WEB: /" "$T/hammer.out"
}
kill_often() {
	for i in $(seq "$KILLS"); do
		victim=$(worker) && kill -KILL "$victim" && next || return 1
		sleep "0.$((i * 37 % 90))"
		# So many are borne for as long as one likes.
		[ "$KILLS" -lt 10 ] || sleep 1
	done
}
upgrade_often() {
	for _ in $(seq "$UPGRADES"); do
		kill -HUP "$(cat "$T/otafs.pid")"
		next || return 1
		sleep 0.3
	done
}
hammered() {
	! grep -q -e failed\$ -e '[1-9][0-9]* torn' -e '[1-9][0-9]* stale' -e '[1-9][0-9]* failed' "$T/hammer.out" && grep -q 'hammer: ' "$T/hammer.out"
}
# only STATUS FILE: no other in its last column
only() {
	[ -s "$2" ] && ! grep -m 3 -v " $1\$" "$2"
}
is_kept() {
	for id in car1 car2; do
		sed -n 's/ 200$//p' "$T/$id.reports" | sort >"$T/acknowledged"
		grep -o "\"$id-[a-z]*-[0-9]*\"" "$m/devices/$id/events" | tr -d '"' | sort >"$T/kept"
		is "$(uniq -d "$T/kept")" "" && is "$(comm -23 "$T/acknowledged" "$T/kept")" "" || return 1
	done
}
# missing roots are 404
read_well() {
	! grep -m 3 -v -e ' 200$' -e '^/repo/2.root.json 404$' "$T/reads"
}

reported=0
for WEB in $SERVERS; do
	[ "$WEB" = "${SERVERS%% *}" ] || {
		stop web
		rm -r "$T/gateway"
		render
		start_web_server
	}
	begin
	ok "$WEB: a killed process is followed by another, $KILLS times" kill_often
	ok "$WEB: and another program takes over, $UPGRADES times" upgrade_often
	end
	ok "$WEB: no answer under a writer was torn, stale or failed" hammered
	ok "$WEB: each report was taken" only 200 "$T/car1.reports"
	ok "$WEB: of each device" only 200 "$T/car2.reports"
	ok "$WEB: all else could be read" read_well
done
ok "every report that was acknowledged is there, once" is_kept
echo "# $(cat "$T"/car?.reports | wc -l) reports, $(wc -l <"$T/reads") other requests, $run processes"

# ---- what cannot go on
ok "the one who came last is the same program" test "$(readlink "/proc/$(worker)/exe")" = "$(readlink -f "$OTA_BIN/otafs")"
cp "$conf" "$T/good.conf"
echo "nonsense = 1" >>"$conf"
kill -HUP "$(cat "$T/otafs.pid")"
ok "a program that does not take its settings is not taken" wait_for 5 file_with "$T/otafs.log" 'not followed by another program.* -n fails'
cp "$T/good.conf" "$conf"
ok "and the one before goes on" cat "$m/README"
many_kills() {
	pid=$(cat "$T/otafs.pid")
	for _ in $(seq 100); do
		kill -0 "$pid" 2>/dev/null || break
		victim=$(worker) && kill -KILL "$victim"
		sleep 0.05
	done
	wait "$pid"
	is $? 1
}
ok "one that is killed again and again is given up" many_kills
ok "with dead mounts, which are errors" says "not connected" cat "$m/README"
rm -f "$T/otafs.pid"
ok "otafs starts again" start_otafs

# ---- a kernel that cannot send a request again
stop otafs
: >"$T/otafs.log"
start otafs env LD_PRELOAD="$OLD_KERNEL" "$OTA_BIN/otafs" -c "$conf"
needs 10 test -e "$T/web/www/alive"
kill -HUP "$(cat "$T/otafs.pid")"
ok "before Linux 6.9 no other program takes over" wait_for 5 file_with "$T/otafs.log" 'not followed by another program.*Linux 6.9'
ok "and the same one goes on" cat "$m/README"
ends_with_its_child() {
	kill -KILL "$(worker)"
	wait "$(cat "$T/otafs.pid")"
	is $? 1
}
ok "there a killed process ends its parent" ends_with_its_child
ok "and nobody waits for an answer" says "not connected" timeout 5 cat "$m/README"
ok "the next start replaces the dead mounts" start_otafs
finish
