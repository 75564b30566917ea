#!/bin/sh
# A commit of many objects by the way of the spool, against `ostree pull-local` of the same one with full verification.
# Both write durably into a new repository, in turns; the fastest of each counts. FILES and ROUNDS may be set.
# pull-local hardlinks what it can; ours are always copies, so that nobody who may write into a drop changes what is served. So
# there is a second row with the drop on a filesystem of its own, /dev/shm, where both copy.
set -eu
case "${1:-}" in
--help | -h)
	echo "usage: BENCH=FOLDER-OF-THE-BENCH-PROGRAMS 10-ingest.sh"
	exit 0
	;;
esac
FILES=${FILES:-46000}
ROUNDS=${ROUNDS:-3}
T=$(mktemp -d "${TMPDIR:-/tmp}/otafs-bench.XXXXXX")
elsewhere=$(mktemp -d "${SHM:-/dev/shm}/otafs-bench.XXXXXX")
trap 'rm -rf "$T" "$elsewhere"' EXIT
trap 'exit 130' INT TERM

# An image's files: most are small, a few are large, half of a file compresses well. One folder for ten files.
perl -e '
	my ($top, $files) = @ARGV;
	srand(1);
	for my $i (0 .. $files - 1) {
		my $folder = sprintf("%s/%d", $top, $i / 10);
		mkdir $folder;
		my $bytes = int(200 * exp(rand(5)) + ($i % 1000 ? 0 : 2_000_000));
		my $noise = join("", map { pack("L", rand(2 ** 32)) } 1 .. $bytes / 8);
		open(my $file, ">", "$folder/$i") or die;
		print $file "file $i\n", $noise, substr("all work and no play " x ($bytes / 40 + 1), 0, $bytes / 2);
	}' "$(mkdir "$T/tree" && echo "$T/tree")" "$FILES"
ostree --repo="$T/drop" init --mode=archive
ostree --repo="$T/drop" commit -b app --owner-uid=0 --owner-gid=0 "$T/tree" >/dev/null
# Nothing is removed before the end: ext4 makes files many times slower for minutes where files were removed.
sync

now() { date +%s.%N; }
lower() { awk -v a="$1" -v b="$2" 'BEGIN { print (a == "" || b < a) ? b : a }'; }

# compare DROP HOW
compare() {
	drop=$1
	ours=
	theirs=
	peak=0
	for round in $(seq "$ROUNDS"); do
		mkdir "$T/repository-$2-$round"
		ostree --repo="$T/pulled-$2-$round" init --mode=archive
		sync
		# shellcheck disable=SC2046 # three words
		set -- "$1" "$2" $("$BENCH/ingest" "$T/repository-$2-$round" "$drop")
		ours=$(lower "$ours" "$3")
		objects=$4
		[ "$5" -lt "$peak" ] || peak=$5
		sync
		start=$(now)
		ostree --repo="$T/pulled-$2-$round" pull-local --untrusted "$drop" app >/dev/null
		took=$(echo "$(now) $start" | awk '{ printf "%.2f", $1 - $2 }')
		theirs=$(lower "$theirs" "$took")
		echo "# $2, round $round: ingest $3 s, ostree pull-local $took s"
	done
	ostree --repo="$T/repository-$2-$round/ostree" fsck -q >/dev/null
	echo "$ours $theirs $objects $peak $(du -sm "$drop" | cut -f 1) $2" | awk '{
		printf "ingest of %d objects, %d MiB, %s: %.2f s; ostree pull-local --untrusted: %.2f s; ratio %.2f (goal <= 1.2)\n",
		    $3, $5, $6, $1, $2, $1 / $2
		printf "peak memory of the ingest: %.1f MiB (goal <= 64)\n", $4 / 1024
	}'
}
compare "$T/drop" same-filesystem
cp -r "$T/drop" "$elsewhere/drop"
compare "$elsewhere/drop" other-filesystem
