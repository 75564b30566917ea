#!/bin/sh
# Everything at once: four builders push by TreeHub's protocol, one by the spool, versions are retired, garbage is collected
# every second with a grace of a few, a device reads, and the watcher is killed once. Nothing acknowledged is lost.
# SOAK_ROUNDS: how often each builder pushes; `make soak` sets more.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2016
. "$(dirname "$0")/lib.sh"

rounds=${SOAK_ROUNDS:-6}
grace=6
served=$T/repository/ostree
report=$T/repository/report/gc

settings "disk_reserve_mb = 0" "spool_quiet_seconds = 1" "gc_seconds = 1" "gc_grace_seconds = $grace"
for n in 1 2 3 4; do echo "soak/p$n	p$n	qemux86-64"; done >"$T/build-refs"
start_all
start_build
enroll car1
device car1 poll >/dev/null 2>&1

# builder T URL N ROUNDS GRACE: what garage-push does. HEAD from the commit down, where what is there is not looked into; POST
# what is missing, children first, 30 at a time; then the ref. Each answer that is not the protocol's is a line in pN.odd with
# its time, and the push is repeated. The folders of a push are those of an abandoned push that is older than the grace, those
# that all builders share, and its own. A line in acked for each ref.
cat >"$T/builder" <<'EOF2'
use strict; use warnings; use Time::HiRes qw(sleep time); use File::Path qw(make_path remove_tree); use IO::Handle;
my ($t, $url, $n, $rounds, $grace) = @ARGV;
my $repo = "$t/p$n.repo";
my $tree = "$t/p$n.tree";
open my $odd, ">>", "$t/p$n.odd" or die; $odd->autoflush(1);
open my $acked, ">>", "$t/acked" or die; $acked->autoflush(1);

sub run { my $out = qx(@_); die "@_: $?" if $?; chomp $out; return $out }
sub put { open my $f, ">", $_[0] or die "$_[0]: $!"; print $f $_[1]; close $f or die }
# a folder four deep, with two files on each level, and more on the first one
sub folder {
	my ($path, $what, $more) = @_;
	for my $deep ("", "/a", "/a/b", "/a/b/c") {
		make_path("$path$deep");
		put("$path$deep/f$_", "$what$deep $_ " . ("x" x 2000)) for 1 .. 2 + ($deep ? 0 : $more);
	}
}
# commit ROUND PARTS...: returns the commit
sub commit {
	my ($version, %parts) = @_;
	remove_tree($tree);
	folder("$tree/usr/$_", $parts{$_}, $_ eq "round" ? 30 : 0) for sort keys %parts;
	return run("ostree --repo=$repo commit -b soak/p$n --tree=dir=$tree --owner-uid=0 --owner-gid=0 --add-metadata-string=version=$version");
}
# graph COMMIT: object => [objects that it leads to]
sub graph {
	my ($commit) = @_;
	my (%graph, %at);
	for (split /\n/, run("ostree --repo=$repo ls -R -C $commit /")) {
		my ($kind, $rest) = /^(.).*?((?: [0-9a-f]{64})+ .*)$/ or die $_;
		my @words = split " ", $rest, $kind eq "d" ? 3 : 2;
		my $path = pop @words;
		my $up = $path =~ m{^(.*)/[^/]+$} ? ($1 eq "" ? "/" : $1) : "";
		my @objects = $kind eq "d" ? ("$words[0].dirtree", "$words[1].dirmeta") : ("$words[0].filez");
		$at{$path} = $objects[0];
		push @{ $graph{$path eq "/" ? "$commit.commit" : $at{$up}} }, @objects;
	}
	return \%graph;
}
sub path { my ($id) = @_; substr($id, 0, 2) . "/" . substr($id, 2) }
# ask METHOD OBJECTS...: object => status, 30 at a time
sub ask {
	my ($method, @objects) = @_;
	return {} unless @objects;
	my $auth = qq(cacert = "$t/pki/server-ca.pem"\nuser = "ci:secret"\nmax-time = 30\nsilent\noutput = "/dev/null"\n);
	open my $config, ">", "$t/p$n.curl" or die;
	print $config "parallel\nparallel-immediate\nparallel-max = 30\n";
	print $config join "next\n", map {
		"url = \"$url/api/v3/objects/" . path($_) . "\"\n$auth" . "write-out = \"$_ %{http_code}\\n\"\n" .
		($method eq "HEAD" ? "head\n" : "data-binary = \"\@$repo/objects/" . path($_) . "\"\n" .
			"header = \"Content-Type: application/octet-stream\"\nheader = \"x-ats-ostree-force: true\"\n")
	} @objects;
	close $config;
	my %status = map { split " " } split /\n/, qx(curl -K $t/p$n.curl 2>$t/p$n.err);
	for (@objects) {
		my $status = $status{$_} // "none";
		next if $method eq "HEAD" ? $status =~ /^(200|404)$/ : $status =~ /^(204|409)$/;
		printf $odd "%.2f %s %s %s\n", time, $status, $method, $_;
		die "again\n";
	}
	return \%status;
}
# What the server lacks, by how deep it lies; what is there is not looked into.
sub missing {
	my ($graph, $commit) = @_;
	my (@levels, %seen);
	for (my @now = ("$commit.commit"); @now;) {
		my $status = ask("HEAD", @now);
		my @lack = grep { $status->{$_} eq "404" } @now;
		push @levels, \@lack;
		@now = grep { !$seen{$_}++ } map { @{ $graph->{$_} // [] } } @lack;
	}
	return @levels;
}
sub push_objects {
	my ($graph, $commit) = @_;
	ask("POST", @$_) for reverse missing($graph, $commit);
}
sub push_ref {
	my ($commit) = @_;
	my $status = qx(curl -s -o $t/p$n.body -w '%{http_code}' --max-time 30 --cacert $t/pki/server-ca.pem -u ci:secret -X POST -d $commit -H 'x-ats-ostree-force: true' $url/api/v3/refs/heads/soak/p$n);
	return if $status eq "200";
	my $body = do { open my $f, "<", "$t/p$n.body"; local $/; $f ? <$f> : undef } // "";
	printf $odd "%.2f %s REF %s %s\n", time, $status, $commit, $body =~ tr/\n/ /r;
	die "again\n";
}
sub try {
	my ($what) = @_;
	for (1 .. 200) {
		return 1 if eval { $what->(); 1 };
		die $@ unless $@ eq "again\n";
		sleep 0.2;
	}
	die "given up";
}
run("ostree --repo=$repo init --mode=archive");
my $longest = 0;
for my $k (1 .. $rounds) {
	my $start = time;
	# Abandoned: all objects, no ref. Three rounds later it is older than the grace, or nearly, and a part of a push.
	my $junk = commit("0", junk => "junk $k", "only$n" => "only $n $k");
	my $graph = graph($junk);
	try(sub { push_objects($graph, $junk) });
	my $commit = commit($k, shared => "shared", round => "round $k", "own$n" => "own $n $k",
		$k > 3 ? (junk => "junk " . ($k - 3)) : ());
	$graph = graph($commit);
	my $push = time;
	try(sub { $push = time; push_objects($graph, $commit); push_ref($commit) });
	$longest = time - $push if time - $push > $longest;
	print $acked "p$n $k $commit\n";
	my $left = 2 - (time - $start);
	sleep $left if $left > 0;
}
printf "# p%d: %d pushes, the longest took %.1f s\n", $n, $rounds, $longest;
EOF2

# reader T URL: the device's chain from timestamp.json to targets.json, until there is a file "stop"
cat >"$T/reader" <<'EOF2'
use strict; use warnings; use Digest::SHA "sha256_hex"; use JSON::PP;
my ($t, $url) = @ARGV;
my ($polls, $failed, $last) = (0, 0, 0);
my @names = ("timestamp.json", "snapshot.json", "targets.json");
sub poll {
	my @body;
	for my $name (@names) {
		my $text = qx(curl -sf --max-time 10 --cert $t/car1/client.pem --key $t/car1/pkey.pem --cacert $t/car1/root.crt $url/repo/$name);
		return "no $name: $?" if $?;
		push @body, $text;
	}
	my @json = map { eval { decode_json($_) } // return "torn" } @body;
	for my $i (1, 2) {
		my $meta = $json[$i - 1]{signed}{meta}{$names[$i]} // return "$names[$i] is not described";
		return "$names[$i] of another set" if $meta->{version} != $json[$i]{signed}{version} ||
			($meta->{hashes} && $meta->{hashes}{sha256} ne sha256_hex($body[$i]));
	}
	my $version = $json[0]{signed}{version};
	return "went back to $version from $last" if $version < $last;
	$last = $version;
	return "";
}
until (-e "$t/stop") {
	select undef, undef, undef, 0.2;
	my $wrong = poll();
	$polls++;
	if ($wrong) { $failed++; print "$wrong\n" }
}
print "# device: $polls polls up to version $last, failed $failed\n";
exit($failed > 0);
EOF2

# Versions that are three older than the newest of their builder; each third one is assigned to a device and forced out.
retires() {
	count=0
	while [ ! -e "$T/stop" ]; do
		sleep 0.3
		for package in p1 p2 p3 p4 sp; do
			newest=$(grep "^$package " "$T/acked" | tail -1 | cut -d' ' -f2)
			version=$(($(grep -c "^$package " "$T/retired") + 1))
			[ "$((version + 3))" -le "${newest:-0}" ] || continue
			folder=$T/mount/packages/$package/$version
			wait_for 5 test -e "$folder/hash" || echo "$folder never came"
			count=$((count + 1))
			if [ $((count % 3)) = 0 ] && echo "$package $version" >"$T/mount/devices/car1/assign"; then
				echo force >"$folder/retire" || echo "$folder is not forced out"
				# Refused when the publication without it came first, which ended the update.
				echo cancel 2>/dev/null >"$T/mount/devices/car1/assign" ||
					has "$T/mount/devices/car1/why" "nothing is open" || echo "$folder is not cancelled"
			else
				rmdir "$folder" || echo "$folder is not retired"
			fi
			echo "$package $version" >>"$T/retired"
		done
	done
}
drops() {
	for k in $(seq $((rounds / 2))); do
		commit=$(commit_of sp "$k" 20)
		drop sp "$k"
		wait_for 60 test -e "$T/spool/done/sp-$k.receipt.json" || return 1
		echo "sp $k $commit" >>"$T/acked"
		rm -rf "$T/sp-$k.drop" "$T/tree-sp-$k"
	done
}
acked() { [ "$(grep -c '^p' "$T/acked")" -ge "$1" ]; }
ready() { [ "$(grep -c ready "$T/watcher.log")" -ge "$1" ] && [ "$(push /api/v3/config)" = 200 ]; }

: >"$T/acked"
: >"$T/retired"
perl "$T/reader" "$T" "$url" >"$T/reader.out" 2>&1 &
reader=$!
retires >"$T/retires.out" 2>&1 &
retirer=$!
pushers=
for n in 1 2 3 4; do
	perl "$T/builder" "$T" "$build_url" $n "$rounds" $grace >"$T/p$n.out" 2>&1 &
	pushers="$pushers $!"
done
drops >"$T/drops.out" 2>&1 &
dropper=$!

wait_for $((rounds * 30)) acked $((rounds * 2 - 1))
killed=$(date +%s.%N)
stop watcher KILL
start_watcher
ok "killed in the middle, the watcher starts again" wait_for 20 ready 2
back=$(date +%s.%N)

for pusher in $pushers; do ok "a builder has pushed all" wait "$pusher"; done
ok "so has the spool's" wait $dropper
sleep $((grace + 2)) # what the last ones abandoned
touch "$T/stop"
ok "the device never read a mix, or nothing" wait $reader
wait $retirer
cat "$T"/p?.out "$T/reader.out" "$T/drops.out" | grep '^#'
ok "no builder complains" is "$(cat "$T"/p?.out | grep -v '^#')" ""
ok "what was to be retired was" is "$(cat "$T/retires.out")" ""
ok "answers that are not the protocol's came while the watcher was away alone" sh -c "
	! cat '$T'/p?.odd | awk -v from=$killed -v to=$back '\$1 < from || \$1 > to + 1 || \$2 !~ /^(000|50[0-4])\$/' | grep ."
ok "the watcher never stopped by itself" is "$(grep -c ' ready' "$T/watcher.log")" 2
ok "no drop was refused, nor a push" is "$(ls "$T/spool/failed")" ""

# ---- what is there at the end

ok "each request to retire is answered" wait_for 10 sh -c "[ -z \"\$(ls '$T/fleet/requests')\" ]"
jq -r '.signed.targets | to_entries[] | .value | "\(.custom.name) \(.custom.version) \(.hashes.sha256)"' \
	"$T/repository/published/current/targets.json" | sort >"$T/offered"
awk 'NR == FNR { gone[$1 " " $2] = 1; next } !(($1 " " $2) in gone)' "$T/retired" "$T/acked" | sort >"$T/kept"
ok "versions were retired all along" test "$(wc -l <"$T/retired")" -ge "$rounds"
ok "what was acknowledged and not retired is offered, and nothing else" diff "$T/kept" "$T/offered"
newest() { for n in 1 2 3 4; do grep "^p$n " "$T/acked" | tail -1 | cut -d' ' -f3; done; }
refs() { for n in 1 2 3 4; do cat "$served/refs/heads/soak/p$n"; done; }
ok "each ref is the newest that was acknowledged" is "$(refs)" "$(newest)"

ostree --repo="$T/pulled" init --mode=archive
ostree --repo="$T/pulled" remote add --set=gpg-verify=false --set=tls-client-cert-path="$T/car1/client.pem" \
	--set=tls-client-key-path="$T/car1/pkey.pem" --set=tls-ca-path="$T/car1/root.crt" server "$url/treehub"
# shellcheck disable=SC2046 # words
ok "a device pulls each release" ostree --repo="$T/pulled" pull --disable-static-deltas server $(cut -d' ' -f3 "$T/kept")
# shellcheck disable=SC2046
ok "and each ref" ostree --repo="$T/pulled" pull server $(cd "$served/refs/heads" && find . -type f | sed 's|^\./||')
ok "all of what it pulled is sound" ostree --repo="$T/pulled" fsck -q
ok "what is served is sound" ostree --repo="$served" fsck -q
ok "ota-fsck says so too" "$OTA_BIN/ota-fsck" -c "$conf"

gone=$(grep -o 'garbage collection objects=[0-9]*' "$T/watcher.log" | cut -d= -f2 | awk '{ n += $1 } END { print n + 0 }')
longest=$(grep -ho 'longest_slice_ms=[0-9.]*' "$T/watcher.log" | cut -d= -f2 | sort -n | tail -1)
echo "# $(grep -c 'garbage collection objects' "$T/watcher.log") collections took $gone objects; the longest slice had $longest ms"
ok "garbage was collected" test "$gone" -ge 100
ok "and the report tells of it" has "$report" '^last run: 2.*gone: .*longest hold of publishing [0-9.]+ ms'
ok "publishing was never held up for 50 ms" awk "BEGIN { exit !($longest < 50) }"
ok "each collection was done" not grep -E 'garbage collection.* (failed|held=)' "$T/watcher.log"
finish
