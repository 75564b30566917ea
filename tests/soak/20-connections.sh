#!/bin/sh
# Ten thousand connections that say nothing, and as many that stop in the middle of a request, at each web server: a device gets its answer
# when they are left, client_seconds later at the latest, and all programs live, and in bounds.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/../integration/lib.sh"

count=${SOAK_CONNECTIONS:-10000}
prlimit --pid $$ --nofile=16384:16384 || {
	echo "1..0 # SKIP so many descriptors are not allowed here"
	exit 0
}
# crowd FILE [WORD]: connects to the web server, says WORD on each, and holds them until FILE.over is there; FILE has how many were taken
crowd() {
	perl -MIO::Socket::INET -e '
		my ($port, $count, $file, $word, @held) = @ARGV;
		$SIG{PIPE} = "IGNORE";
		for (1 .. $count) {
			# Who finds the queue full goes on trying, as a client does.
			push @held, IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port, Blocking => 0) // next;
		}
		select undef, undef, undef, 1;
		my @taken = grep { getpeername $_ } @held;
		if ($word) { syswrite $_, $word for @taken }
		open my $out, ">", $file or die; print $out scalar @taken, " of $count\n"; close $out;
		for (1 .. 600) { last if -e "$file.over"; select undef, undef, undef, 0.1 }
	' "$port" "$count" "$@"
}
rss_mb() { # of all that the listener runs
	ps -o rss= --pid "$(cat "$T/web.pid")" --ppid "$(cat "$T/web.pid")" | awk '{ s += $1 } END { print int(s / 1024) }'
}
answered() { [ "$(fetch car7 /director/root.json)" = 200 ]; }
# holds NAME WORD
holds() {
	crowd "$T/$1" "$2" &
	wait_for 60 test -s "$T/$1" || return 1
	began=$(date +%s)
	wait_for $((seconds + 20)) answered || return 1
	took=$(($(date +%s) - began))
	echo "# $WEB, $1: $(cat "$T/$1") connections taken, a device answered after $took s, $(rss_mb) MiB" >>"$T/figures"
	touch "$T/$1.over"
	test "$(cut -d' ' -f1 "$T/$1")" -ge $((count / 4))
}

seconds=5
settings "client_seconds = $seconds"
start_signd
start_watcher
start_otafs
: >"$T/figures"
for WEB in lighttpd nginx apache; do
	rm -rf "$T/gateway"
	sed -i '/^device_port/d' "$conf"
	stop gate
	start_web
	[ -e "$T/car7" ] || enroll car7 >/dev/null
	ok "$WEB: a device is answered" answered
	ok "$WEB: $count that say nothing" holds "$WEB.silent" ""
	ok "$WEB: $count that begin and stop" holds "$WEB.begun" "$(printf '\026\003\001')"
	ok "$WEB: and then as ever" answered
	stop web
done
cat "$T/figures"
finish
