#!/bin/sh
# A commit of 10,000 objects by the way of the spool, beside `ostree pull-local` of the same one: both write durably into a new
# repository, in turns. FILES and ROUNDS may be set.
# pull-local links what it can, and with --untrusted it verifies what it links. Ours are always verified copies, so that nobody who
# may write into a drop changes what is served. So there is a row with the drop on a filesystem of its own, /dev/shm, where all copy.
# About 70 s.
# shellcheck source=tests/bench/lib.sh disable=SC2154,SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

FILES=${FILES:-9000}
ROUNDS=${ROUNDS:-3}
elsewhere=$(mktemp -d "${SHM:-/dev/shm}/otafs-bench.XXXXXX")
cleanup "rm -rf $elsewhere"
round=0

# An image's files: most are small, a few are large, half of a file compresses well. One folder for ten files.
mkdir "$T/tree"
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
	}' "$T/tree" "$FILES"
ostree --repo="$T/drop" init --mode=archive
ostree --repo="$T/drop" commit -b app --owner-uid=0 --owner-gid=0 "$T/tree" >/dev/null || exit 1
cp -r "$T/drop" "$elsewhere/drop"

# ours DROP: seconds; leaves the number of objects and the peak of memory in $T/objects and $T/peak. Nothing is removed before the end:
# ext4 makes files many times slower for minutes where files were removed.
ours() {
	round=$((round + 1))
	mkdir "$T/ours-$round"
	sync
	"$BENCH/ingest" "$T/ours-$round" "$1" >"$T/ours.out" || exit 1
	cut -d ' ' -f 2 "$T/ours.out" >"$T/objects"
	cut -d ' ' -f 3 "$T/ours.out" >>"$T/peak"
	cut -d ' ' -f 1 "$T/ours.out"
}
# theirs DROP [OPTION]: seconds of pull-local
theirs() {
	round=$((round + 1))
	ostree --repo="$T/theirs-$round" init --mode=archive
	sync
	from=$(now_us)
	# shellcheck disable=SC2086 # none or one
	ostree --repo="$T/theirs-$round" pull-local ${2:-} "$1" app >/dev/null || exit 1
	echo "$from $(now_us)" | awk '{ printf "%.2f\n", ($2 - $1) / 1e6 }'
}
compare() {
	rounds "$ROUNDS" "ours $2" "theirs $2 ${3:-}"
	row "publish: a commit of $(cat "$T/objects") objects, $1" "$4" "$figure" "$reference" s "${5:-}"
}
compare "beside pull-local --untrusted" "$T/drop" --untrusted "<= 1.2" "which verifies and links"
compare "from another filesystem, beside pull-local --untrusted" "$elsewhere/drop" --untrusted "<= 1.2" "which verifies and copies"
compare "beside pull-local" "$T/drop" "" "<= 1.2" "which reads nothing, and links"
ok "and libostree finds it whole" ostree --repo="$T/ours-1/ostree" fsck -q
row "publish: memory of an import" "<= 64" "$(sort -n "$T/peak" | tail -n 1 | awk '{ printf "%.1f", $1 / 1024 }')" "" "MiB at most"
finish
