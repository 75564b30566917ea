#!/bin/sh
# Curves of cost over the number of devices (DEVICES) and of objects (OBJECTS): what a request costs must not grow with the fleet. Writes
# OUT.svg and the numbers that are in it, OUT.dat. Part of no other run: a million of each takes some minutes.
case "${1:-}" in
--help | -h | '')
	echo "usage: BENCH=FOLDER-OF-THE-BENCH-PROGRAMS curves.sh OUT    writes OUT.svg and OUT.dat"
	exit 0
	;;
esac
# shellcheck source=tests/bench/lib.sh disable=SC2119,SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

out=$(realpath -m "$1")
DEVICES=${DEVICES-100 1000 10000 100000 1000000}
OBJECTS=${OBJECTS-1000 10000 100000 1000000}
SAMPLE=${SAMPLE:-80}
settings "spool_quiet_seconds = 1"
start_signd && start_watcher || exit 1

# sample DEVICES: "ID SERIAL" of some devices of the fleet (tests/bench/fleet.c), spread over all, none with an assignment
sample() {
	perl -e '
		my ($count, $sample) = @ARGV;
		my @numbers = grep { $_ % 100 } map { $_ * 2654435761 % 2 ** 32 } map { int($_ * $count / $sample) } 0 .. $sample - 1;
		printf "veh-%08x %016X\n", $_, $_ for @numbers' "$1" "$SAMPLE"
}
# reads PATHS: opens, reads and closes each; microseconds of this reader for one. Perl's buffers would ask each file whether it is a terminal,
# which the kernel passes on to otafs; no web server does.
reads() {
	perl -e '
		open my $list, "<", $ARGV[0] or die;
		chomp(my @paths = <$list>);
		my ($user, $system) = times;
		my $data;
		for my $round (1 .. $ARGV[1]) {
			for (@paths) { open my $f, "<:unix", $_ or die "$_: $!"; defined(sysread $f, $data, 65536) or die "$_: $!" }
		}
		my ($user2, $system2) = times;
		printf "%.2f\n", 1e6 * ($user2 + $system2 - $user - $system) / $ARGV[1] / @paths' "$1" "${2:-1}"
}
# cost COUNT NAMES COMMAND...: microseconds of processor time of NAMES while COMMAND runs, a COUNTth
cost() {
	cost_count=$1 cost_of=$2
	shift 2
	# shellcheck disable=SC2086 # names
	cost_before=$(cpu_us $cost_of)
	"$@" >/dev/null || exit 1
	# shellcheck disable=SC2086
	echo "$cost_before $(cpu_us $cost_of) $cost_count" | awk '{ printf "%.2f\n", ($2 - $1) / $3 }'
}
# shellcheck disable=SC2317 # by cost
stats() {
	xargs stat -c %F <"$1"
}

# devices N: a line of data
devices() {
	# The signer remembers what it has signed for devices, and this is another fleet. Nothing is removed before the end: that would slow
	# the next one down.
	stop watcher
	stop signd
	mkdir "$T/before-$1"
	for folder in state keys repository spool; do [ ! -e "$T/$folder" ] || mv "$T/$folder" "$T/before-$1/"; done
	start_signd && start_watcher || exit 1
	mkdir "$T/state"
	"$BENCH/fleet" "$T/state/otafs.db" "$1" || exit 1
	chown -R 64102 "$T/state"
	start_otafs
	start_us=$(cpu_us otafs)
	# What is done once after a start is no part of a request.
	sleep 3
	sample "$1" >"$T/sample"
	sed "s|\(.*\) \(.*\)|$T/web/www/devices/\1/\2/director/targets.json|" "$T/sample" >"$T/documents"
	sed "s|\(.*\) .*|$T/mount/devices/\1|" "$T/sample" >"$T/folders"
	n=$(wc -l <"$T/sample")
	first=$(cost "$n" "otafs signd" reads "$T/documents")
	again=$(reads "$T/documents" 50)
	asked=$(cost $((n * 50)) "otafs signd" reads "$T/documents" 50)
	folder=$(cost "$n" otafs stats "$T/folders")
	[ -n "$first" ] && [ -n "$again" ] && [ -n "$folder" ] || exit 1
	echo "devices $1 $start_us $(resident_kb otafs) $first $again $asked $folder"
	stop otafs
}

# Objects are files of a name and some bytes here: nobody but ota-fsck and garbage collection would look into them.
made=0
add_objects() {
	perl -e '
		my ($top, $from, $to) = @ARGV;
		for (0 .. 255) { my $folder = sprintf "%s/%02x", $top, $_; mkdir $folder, 0755; chmod 0755, $folder; chown 64103, 64102, $folder }
		srand 1;
		for my $i ($from .. $to - 1) {
			my $name = sprintf "%02x/%054x%08x.filez", $i * 2654435761 % 256, 0, $i;
			open my $f, ">", "$top/$name" or die "$name: $!";
			print $f "object $i\n" x 100;
			chmod 0644, $f;
		}' "$T/repository/ostree/objects" "$made" "$1"
	made=$1
	sync
}
# sample_objects N: paths of some, in the www view
sample_objects() {
	perl -e '
		my ($top, $count, $sample) = @ARGV;
		for (map { int($_ * $count / $sample) } 0 .. $sample - 1) { printf "%s/%02x/%054x%08x.filez\n", $top, $_ * 2654435761 % 256, 0, $_ }' \
		"$T/web/www/treehub/objects" "$1" "$SAMPLE"
}
# objects N: a line of data
objects() {
	add_objects "$1"
	start_otafs
	start_us=$(cpu_us otafs)
	sleep 2
	sample_objects "$1" >"$T/objects"
	first=$(cost "$SAMPLE" otafs reads "$T/objects")
	again=$(reads "$T/objects" 50)
	commit_of "app" "$1" 1000 >/dev/null
	# A report of what would go looks at all objects, once a minute at most: the one after a start is waited for.
	stop watcher
	rm -f "$T/repository/report/gc"
	start_watcher
	needs 120 test -e "$T/repository/report/gc"
	before=$(cpu_us watcher signd)
	drop "app" "$1"
	needs 120 test -e "$T/spool/done/app-$1.receipt.json"
	publish=$(echo "$before $(cpu_us watcher signd)" "$(jq .imported "$T/spool/done/app-$1.receipt.json")" | awk '{ printf "%.2f", ($2 - $1) / $3 }')
	echo "objects $1 $start_us $(resident_kb otafs) $first $again $publish"
	stop otafs
}

mkdir -p "$(dirname "$out")"
{
	echo "# $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, $(date -u +%F). Processor time in microseconds, memory in KiB."
	echo "# devices N start resident first-GET(otafs,signer) unchanged-GET(reader) unchanged-GET(otafs) stat-of-devices/ID(otafs)"
	for count in $DEVICES; do devices "$count" || exit 1; done
	mv "$T/state" "$T/state-of-devices"
	echo "# objects N start resident first-GET(otafs) GET-again(reader) publish-of-one-object-more(watcher,signer)"
	for count in $OBJECTS; do objects "$count" || exit 1; done
} | tee "$out.dat"
# What costs nothing has no place on such an axis: it is drawn at its foot.
gnuplot <<GNUPLOT || exit 1
set terminal svg size 1100,800 font "sans,13" background rgb "white"
set output "$out.svg"
set logscale xy
set format x "10^{%L}"
set grid
set key left top reverse Left
set style data linespoints
set multiplot layout 2,2 title "What a fleet costs otafs ($(sed -n 's/^# \(.*\)\. Processor.*/\1/p' "$out.dat"))"
only(kind, column) = strcol(1) eq kind ? (column < 0.1 ? 0.1 : column) : 1/0
set xlabel "devices"
set ylabel "microseconds of one processor"
set yrange [0.1:10000]
plot "$out.dat" using 2:(only("devices", \$5)) title "first GET of targets.json after a change: otafs, ota-signd", \
	"" using 2:(only("devices", \$6)) title "GET of it unchanged: who reads", \
	"" using 2:(only("devices", \$7)) title "GET of it unchanged: otafs, ota-signd", \
	"" using 2:(only("devices", \$8)) title "ls -d devices/ID: otafs"
set ylabel "ms of one processor; MiB"
plot "$out.dat" using 2:(only("devices", \$3 / 1000)) title "start of otafs, ms", \
	"" using 2:(only("devices", \$4 / 1024)) title "memory of otafs, MiB"
set xlabel "objects in the repository"
set ylabel "microseconds of one processor"
plot "$out.dat" using 2:(only("objects", \$5)) title "first GET of an object: otafs", \
	"" using 2:(only("objects", \$6)) title "GET of it again: who reads", \
	"" using 2:(only("objects", \$7)) title "publish, each of 1,000 new objects: ota-watcher"
set ylabel "ms of one processor; MiB"
plot "$out.dat" using 2:(only("objects", \$3 / 1000)) title "start of otafs, ms", \
	"" using 2:(only("objects", \$4 / 1024)) title "memory of otafs, MiB"
unset multiplot
GNUPLOT
echo "curves: $out.svg"
exit 0
