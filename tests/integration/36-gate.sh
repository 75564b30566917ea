#!/bin/sh
# ota-gate without a web server: who is slow, cuts off, sends too much or nonsense hurts nobody else, memory has a bound, and
# a restart loses nothing that was acknowledged.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "gate_memory_mb = 8" "device_connections = 4000"
{ grep -v gate_socket "$conf" && echo "gate_socket = $T/slow.sock" && echo "client_seconds = 5"; } >"$T/slow.conf"
prlimit --nofile=16384:16384 --pid $$
start_signd && start_watcher && start_otafs || exit 1
start gate "$OTA_BIN/ota-gate" -c "$conf"
start slow "$OTA_BIN/ota-gate" -c "$T/slow.conf"
needs 10 test -S "$T/gate.sock"
needs 10 test -S "$T/slow.sock"
devices=$T/mount/devices
for n in $(seq 0 39); do
	mkdir "$devices/car$n" "$devices/car$n/certificates/0A" || exit 1
done
gate() { perl "$(dirname "$0")/gate.pl" "$T/gate.sock" "$@"; }
slow() { perl "$(dirname "$0")/gate.pl" "$T/slow.sock" slow "$@"; }
# events CAR PATTERN: how many of its events have such an id
events() { grep -c "\"id\":\"$2\"" "$devices/$1/events"; }
running() { [ "$(cat "$T/gate.pid")" = "$gate_pid" ] && kill -0 "$gate_pid"; }
# resident WHAT: its memory now (VmRSS) or at its largest (VmHWM), in MiB
resident() { echo $(($(sed -n "s/^$1:\t *\([0-9]*\) kB/\1/p" "/proc/$gate_pid/status") / 1024)); }
below() { [ "$1" -lt "$2" ] || { echo "$1, and not below $2"; false; }; }
# memory NAME COMMAND...: ok, but of a program that is watched by a sanitizer, whose memory says nothing
memory() { grep -q __asan_init "$OTA_BIN/ota-gate" || ok "$@"; }
gate_pid=$(cat "$T/gate.pid")

# ---- one request
slow 50 >"$T/slow" & # takes its time, and others do not mind
slow=$!
ok "hands in" says "^Status: 200" gate ask 0 one
ok "what the tree then has" is "$(events car0 one)" 1
ok "a body that ends early is refused wherever it ends" is "$(gate truncated 0 cut)" "400:15"
ok "and not handed in" is "$(events car0 cut)" 0
ok "what comes behind a body is left" says "^Status: 200" gate pipelined 0 first second
ok "and no request" is "$(events car0 first) $(events car0 second)" "1 0"
ok "a body without a length is refused in words" says "does not start with a CONTENT_LENGTH" gate chunked 0 none
ok "a byte too many is refused in words" says "/events: the body has 1048577 bytes, at most 1048576 are allowed" \
	gate oversized 0 1048577
ok "and so is far too much" says "^Status: 413" gate oversized 0 30000000
ok "hostile heads are 400" says "^400:[0-9]+$" gate hostile
ok "whatever byte is wrong" has "$T/says.out" "all answered"
ok "and it lives" running

# ---- many, and slow ones
ok "200 that stop somewhere keep nobody waiting" is "$(gate stuck 200 meanwhile)" "200 at once"
wait $slow
ok "what does not come to its end is refused after client_seconds" is "$(tr '\n' ' ' <"$T/slow")" "408:50 in time "
before=$(resident VmRSS)
gate crowd 3000 40 1500 >"$T/crowd" &
crowd=$!
needs 20 file_with "$T/crowd" "all open"
wait $crowd
ok "takes 3000 at once" is "$(sed -n 2p "$T/crowd")" "200:3000"
ok "and loses none" is "$(cat "$devices"/car*/events | grep -c '"id":"crowd')" 3000
memory "in little memory" below $(($(resident VmHWM) - before)) 12
ok "large ones wait for room" is "$(gate large 10 4000000)" "200:10"
memory "and the memory has its bound" below "$(resident VmHWM)" 28
memory "and goes back" below "$(resident VmRSS)" 16

# ---- what it costs
# asked: how many lookups, opens, writes and reads, and how many exchanges, the kernel has asked of the tree so far
asked() {
	awk -F'[" ]' '$2 == "full" && $4 ~ /^(lookup|open|write|read|ioctl)$/ { n[$4] = $NF } END { print n["lookup"] + n["open"] + n["write"] + n["read"], n["ioctl"] }' \
		"$T/mount/status/metrics"
}
# of_that ONE TWO THREE: how many they are more than before, without what asking takes
of_that() {
	echo "$(($5 - 2 * $3 + $1)) $(($6 - 2 * $4 + $2))"
}
one=$(asked)
two=$(asked)
for n in 1 2 3 4 5 6 7 8 9 10; do gate ask 1 "count$n"; done >"$T/counted"
three=$(asked)
# shellcheck disable=SC2086 # one word each
ok "a request is one exchange with the tree: no lookup, no open, no write, no read" is "$(of_that $one $two $three)" "0 10"
ok "and handed in" is "$(events car1 'count[0-9]*')" 10
# shellcheck disable=SC2016 # is Perl
ok "a name that the tree does not have is not handed in" says "No such file" perl -e '
	open my $f, "+<", $ARGV[0] or die "$!\n";
	for my $line ("car0/0B/events", "car0/0A/nothing", ".series/1", "car0", "", "../README") {
		syswrite $f, "$line\n[]"; sysseek $f, 0, 0;
		defined sysread $f, my $answer, 4096 and die "$line: $answer\n";
		$!{ENOENT} or die "$line: $!\n"; sysseek $f, 0, 0;
		my $text = "$line\n[]"; # lib/exchange.h
		ioctl $f, 3 << 30 | length($text) << 16 | ord("o") << 8 | 1, $text and die "$line: $text\n";
		$!{ENOENT} or die "$line: $!\n";
	}
	-t $f || !$!{ENOTTY} and die "$!\n";
	print "No such file\n"' "$T/mount/gate/.series/test"
ok "what is not handed in is not there" is "$(events car0 count)" 0
stop otafs
start_otafs
ok "it goes on with a tree that was mounted anew" says "^Status: 200" gate ask 0 anew
ok "in which that is" is "$(events car0 anew)" 1

# ---- its end
mkfifo "$T/rest"
gate halves 0 half <"$T/rest" >"$T/halves" &
halves=$!
exec 9>"$T/rest"
needs 5 file_with "$T/halves" half
kill -TERM "$gate_pid"
ok "at its end it takes no more" wait_for 5 says "Connection refused" gate connect
echo >&9
wait $halves
ok "but ends what has begun" has "$T/halves" "^Status: 200"
ok "by itself" wait_for 5 not kill -0 "$gate_pid"
ok "and that is in the tree" is "$(events car0 half)" 1
rm -f "$T/gate.pid"

# ---- a socket that is handed on, as by systemd
acked_are_there() {
	sed -n 's/^200 //p' "$T/acks" | sort >"$T/acked"
	cat "$devices"/car[0-3]/events | sed -n 's/.*"id":"\(side[0-9]*-[0-9]*\)".*/\1/p' | sort >"$T/there"
	is "$(comm -23 "$T/acked" "$T/there")" ""
}
ok "restarts under load end well" is "$(gate restarts "$T/acks" TERM,TERM,TERM "$OTA_BIN/ota-gate" -c "$conf" 2>"$T/gate.log")" \
	"ended well"
ok "on the socket of somebody else" has "$T/gate.log" "ready socket=.* inherited=1"
ok "and nobody notices" is "$(grep -vc '^200 ' "$T/acks")" 0
ok "of many" below 50 "$(wc -l <"$T/acks")"
ok "what was acknowledged is there" acked_are_there
rm "$T/acks"
ok "when it is killed, requests fail" says "ended well" gate restarts "$T/acks" KILL,KILL,KILL "$OTA_BIN/ota-gate" -c "$conf"
ok "but nothing that was acknowledged" acked_are_there
finish
