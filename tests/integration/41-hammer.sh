#!/bin/sh
# A device that read timestamp N gets the snapshot, the targets and the delegations of N, and each of them whole, however fast
# sets are published: four clients poll in aktualizr's order, through each web server in turn, while a publisher switches all
# the time.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2016
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 1"
WEB=lighttpd
start_all
for id in car1 car2 car3 car4; do enroll $id; done
stop watcher # the sets are made here: more of them than it would sign

# publisher FOLDER STOP: until there is a file STOP, a new set every few milliseconds, each in its folder and then switched by one rename; the
# last 64 stay. Not signed: what fits together is in hashes, lengths and versions.
cat >"$T/publisher" <<'EOF2'
use strict; use warnings; use Digest::SHA "sha256_hex"; use Time::HiRes qw(sleep time);
my ($dir, $stop) = @ARGV;
chdir $dir or die "$dir: $!";
my $first = my $n = readlink "current";
sub put { open my $f, ">", $_[0] or die "$_[0]: $!"; print $f $_[1]; close $f or die $! }
sub meta { sprintf '{"hashes":{"sha256":"%s"},"length":%d,"version":%d}', sha256_hex($_[0]), length $_[0], $n }
my $end = time + 60;
while (time < $end && ! -e $stop) {
	$n++;
	mkdir "$n.new" or die $!;
	mkdir "$n.new/delegations" or die $!;
	for my $root (glob "$first/*root.json") { my ($name) = $root =~ m{([^/]+)$}; link $root, "$n.new/$name" or die $! }
	my $more = "x" x (500 + $n * 7919 % 30000);
	my $targets = qq({"signatures":[],"signed":{"_type":"Targets","custom":"$more","targets":{},"version":$n}});
	my $lent = qq({"signatures":[],"signed":{"_type":"Targets","targets":{},"version":$n}});
	my $snapshot = '{"signatures":[],"signed":{"_type":"Snapshot","meta":{"targets.json":' . meta($targets) .
		',"delegations/d.json":' . meta($lent) . qq(},"version":$n}});
	put "$n.new/targets.json", $targets;
	put "$n.new/delegations/d.json", $lent;
	put "$n.new/snapshot.json", $snapshot;
	put "$n.new/timestamp.json", '{"signatures":[],"signed":{"_type":"Timestamp","meta":{"snapshot.json":' .
		meta($snapshot) . sprintf('},"custom":"%s","version":%d}}', "x" x ($n * 97 % 1000), $n);
	rename "$n.new", $n or die $!;
	symlink $n, "current.new" or die $!;
	rename "current.new", "current" or die $!;
	my $old = $n - 64;
	if ($old > $first) { unlink glob "$old/delegations/*"; rmdir "$old/delegations"; unlink glob "$old/*"; rmdir $old }
	sleep 0.008;
}
print $n - $first, "\n";
EOF2

# client T URL ID POLLS: so many polls, or as many as 3 seconds give; says how often, how often over a new set, and what was wrong
cat >"$T/client" <<'EOF2'
use strict; use warnings; use Digest::SHA "sha256_hex"; use JSON::PP; use Time::HiRes "time";
my ($t, $url, $id, $most) = @ARGV;
my ($polls, $failed, $last, $moved) = (0, 0, 0, 0);
my @names = ("timestamp.json", "snapshot.json", "targets.json", "delegations/d.json");
sub read_all { my ($name) = @_; open my $f, "<", $name or return undef; local $/; <$f> }
sub poll {
	my @ask = map { ("$url/repo/$names[$_]", "-o", "$t/$id.$_") } 0 .. $#names;
	unlink map { "$t/$id.$_" } 0 .. $#names;
	# One request after the other, each over a connection of its own as aktualizr makes them.
	system("curl", "-sf", "--no-keepalive", "-H", "Connection: close", "--max-time", "10", "--cert", "$t/$id/client.pem",
		"--key", "$t/$id/pkey.pem", "--cacert", "$t/$id/root.crt", @ask) == 0 or return "no answer: $?";
	my @body = map { read_all("$t/$id.$_") // return "no $names[$_]" } 0 .. $#names;
	my @json = map { eval { decode_json($_) } // return "torn" } @body;
	my %meta = (%{$json[0]{signed}{meta}}, %{$json[1]{signed}{meta}});
	for my $i (1 .. $#names) {
		my $m = $meta{$names[$i]} // return "$names[$i] is not described";
		return "timestamp of $json[0]{signed}{version}, $names[$i] of $json[$i]{signed}{version}"
			if $m->{hashes}{sha256} ne sha256_hex($body[$i]) || $m->{length} != length $body[$i] ||
			$m->{version} != $json[$i]{signed}{version};
	}
	my $version = $json[0]{signed}{version};
	return "went back to $version from $last" if $version < $last;
	$moved++ if $version > $last;
	$last = $version;
	return "";
}
my $end = time + 3;
while ($polls < $most && time < $end) {
	my $wrong = poll();
	$polls++;
	if ($wrong) { $failed++; print "$id: $wrong\n" if $failed <= 3 }
}
print "$id polls $polls over $moved sets, failed $failed\n";
exit($failed > 0);
EOF2

setpriv --reuid=64103 --regid=64102 --clear-groups perl "$T/publisher" "$T/repository/published" "$T/stop" >"$T/publisher.log" 2>&1 &
publisher=$!
wait_for 5 test -e "$T/repository/published/current/delegations/d.json"
sum() { sed -n "s/.*$1 \([0-9]*\).*/\1/p" "$T"/car?.polls | awk '{ n += $1 } END { print n + 0 }'; }
# hammer: all clients at once, through the server $WEB
hammer() {
	clients="" failed_clients=0
	for id in car1 car2 car3 car4; do
		perl "$T/client" "$T" "$url" $id 30 >"$T/$id.polls" 2>&1 &
		clients="$clients $!"
	done
	for client in $clients; do wait "$client" || failed_clients=$((failed_clients + 1)); done
	sed "s/^/# $WEB: /" "$T"/car?.polls
	ok "$WEB: the clients polled many times" test "$(sum polls)" -ge 12
	ok "$WEB: nearly each over a new set" test "$(sum over)" -ge $(($(sum polls) / 2))
	ok "$WEB: and none of them failed" is "$failed_clients $(sum failed)" "0 0"
}
# whole: one document, of another length in each set, as fast as two connections can
whole() {
	requests=""
	for id in car1 car2; do
		mkdir -p "$T/many/$id"
		curl -sf --max-time 20 --cert "$T/$id/client.pem" --key "$T/$id/pkey.pem" --cacert "$T/$id/root.crt" \
			-o "$T/many/$id/#1" "$url/repo/timestamp.json?[1-700]" &
		requests="$requests $!"
	done
	for request in $requests; do wait "$request" || return 1; done
	cat "$T"/many/car?/* | jq -r .signed.version >"$T/versions"
	rm -r "$T/many"
	echo "# $WEB: $(wc -l <"$T/versions") answers of $(sort -u "$T/versions" | wc -l) sets"
	ok "$WEB: no answer is torn" is "$(wc -l <"$T/versions")" 1400
	ok "$WEB: they were of many sets" test "$(sort -u "$T/versions" | wc -l)" -ge 20
}
hammer
whole
for WEB in nginx apache; do
	stop web
	rm -r "$T/gateway"
	render
	start_web_server
	hammer
	whole
done
touch "$T/stop"
wait $publisher
echo "# sets published: $(cat "$T/publisher.log")"
ok "hundreds of sets were published" test "$(cat "$T/publisher.log")" -ge 200
last_is_served() { # without another publication
	fetch car1 /repo/timestamp.json >/dev/null && cmp "$T/body" "$T/repository/published/current/timestamp.json"
}
ok "the last of several that came together is there at once" wait_for 2 last_is_served
ok "otafs keeps no more sets open than the last 64" test \
	"$(find "/proc/$(pgrep -P "$(cat "$T/otafs.pid")")/fd" -lname '*/published/*' | wc -l)" -le 64
finish
