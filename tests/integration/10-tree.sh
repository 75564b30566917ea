#!/bin/sh
# The tree as administrators, the gate and web servers meet it: real mounts, a real signer, a real watcher.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2016,SC2086,SC2012
. "$(dirname "$0")/lib.sh"

m=$T/mount
w=$T/web/www
car=$m/devices/car7
serial=0A1B2C
docs=$w/devices/car7/$serial/director

worker() { pgrep -P "$(cat "$T/otafs.pid")"; }
# as UID COMMAND...: a user of no group but its own
as() {
	uid=$1
	shift
	setpriv --reuid="$uid" --regid="$uid" --clear-groups "$@"
}
admin() { setpriv --reuid=64120 --regid=64120 --groups=64106 "$@"; }
# push NAME VERSION: a commit for hardware raspberrypi4 goes through the spool
push() {
	[ -e "$T/repo/config" ] || ostree --repo="$T/repo" init --mode=archive
	mkdir -p "$T/tree"
	echo "$1 $2" >"$T/tree/version"
	ostree --repo="$T/repo" commit -b "$1" --owner-uid=0 --owner-gid=0 "$T/tree" >/dev/null
	echo "{\"name\":\"$1\",\"version\":\"$2\",\"hardwareIds\":[\"raspberrypi4\"],\"ref\":\"$1\"}" >"$T/repo/push.json"
	cp -r "$T/repo" "$T/spool/incoming/$1-$2"
	wait_for 15 test -e "$T/spool/done/$1-$2.receipt.json" && wait_for 5 test -e "$m/packages/$1/$2/hash"
}
# transact FILE BODY-FILE: writes the body, reads the answer from offset 0
transact() {
	perl -e 'open F, "+<", $ARGV[0] or die "open: $!\n"; open B, "<", $ARGV[1] or die; local $/; $b = <B>;
		for ($at = 0; $at < length $b; $at += $n) { $n = syswrite(F, $b, 1 << 17, $at) or die "write: $!\n" }
		sysseek F, 0, 0; defined sysread(F, $r, 1 << 20) or die "read: $!\n"; print $r' "$1" "$2"
}
version() { jq .signed.version "$1"; }
mode() { stat -c '%A %u %g' "$1"; }

settings "spool_quiet_seconds = 0"
start_signd
start_watcher

# -- start --
ok "-n accepts the settings" "$OTA_BIN/otafs" -n -c "$conf"
ok "-n leaves nothing mounted" not mountpoint -q "$m"
{ cat "$conf" && echo "colour = red"; } >"$T/bad.conf"
ok "an unknown setting is named with file and line" \
	refuses "bad.conf, line $(wc -l <"$T/bad.conf"): \"colour\" is no setting" "$OTA_BIN/otafs" -n -c "$T/bad.conf"
{ cat "$conf" && echo "timestamp_days = 0"; } >"$T/bad.conf"
ok "a value out of its range too" refuses 'timestamp_days: "0" is no number from 1 to 3650' \
	"$OTA_BIN/otafs" -n -c "$T/bad.conf"
ok "nobody but root starts it" refuses "start this as root" as 64105 "$OTA_BIN/otafs" -c "$conf"
ok "otafs starts" start_otafs
ok "its worker is not root" is "$(ps -o uid= -p "$(worker)" | tr -d ' ')" 64102
ok "a second otafs on the same mounts is refused" refuses "is otafs running already" "$OTA_BIN/otafs" -c "$conf"
ok "and the first goes on" test -e "$m/README"

# -- a device --
ok "mkdir makes a device" mkdir "$car"
ok "twice it is there already" refuses "File exists" mkdir "$car"
ok "a bad id is refused" refuses "Invalid argument" mkdir "$m/devices/a b"
ok "and why says what is bad" says 'device id "a b": character 2 \(0x20\) is not allowed' cat "$m/why"
ok "an id of 300 bytes is refused" refuses "File name too long|Invalid argument" \
	mkdir "$m/devices/$(printf "%0300d" 0)"
ok "mkdir elsewhere means nothing" refuses "not permitted" mkdir "$m/packages/x"
ok "mkdir accepts a certificate" mkdir "$car/certificates/$serial"
expires=$car/certificates/$serial/expires
ok "when it expires is not known" is "$(cat "$expires")" "not known"
ok "and can be told" sh -c "echo 2046-11-22T08:00:00Z >$expires"
ok "is known then" is "$(cat "$expires")" "2046-11-22T08:00:00Z"
ok "as openssl tells it" sh -c "echo 'notAfter=Nov  2 08:00:00 2047 GMT' >$expires"
ok "too" is "$(cat "$expires")" "2047-11-02T08:00:00Z"
ok "and as a day" sh -c "echo 2048-02-29 >$expires"
ok "which is a day" is "$(cat "$expires")" "2048-02-29T00:00:00Z"
ok "another is refused" refuses "Invalid argument" sh -c "/bin/echo 2047-02-29 >$expires"
ok "in words" has "$m/why" 'expires: "2047-02-29" is no time: 2046-11-22T08:00:00Z, '
ok "so is no time" refuses "Invalid argument" sh -c "/bin/echo tomorrow >$expires"
ok "and stays what it was" is "$(cat "$expires")" "2048-02-29T00:00:00Z"
ok "a serial in lower case is refused" refuses "Invalid argument" mkdir "$car/certificates/ab"
ok "the device registers its ECUs" says '^Status: 201 Created' \
	transact "$m/gate/car7/$serial/ecus" "$top/tests/vectors/device/ecus.json"
ok "again: the same answer, no change" says '^Status: 200 OK' transact "$car/in/ecus" "$top/tests/vectors/device/ecus.json"
ok "a push is there without a restart" push app 1.0
ok "and a second one" push app 2.0

# -- what an administrator sees --
ok "folders list by name and kind" is "$(find "$car" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort | tr '\n' ' ')" \
	"$(printf '%s ' certificates director ecus groups in)"
ok "find comes to every depth" test -e "$(find "$m" -path "$m/as" -prune -o -path '*/devices/*/director/1.root.json' -print)"
ok "find, ls and tree agree on the number of files" is \
	"$(find "$m/packages" "$car" -type f | wc -l)" \
	"$(tree -a --noreport -fi "$m/packages" "$car" | while read -r f; do [ -f "$f" ] && echo; done | wc -l)"
echo '[tls]' >"$T/config"
transact "$car/in/config" "$T/config" >/dev/null
cp "$car/history" "$T/history"
ok "grep -r finds words" says 'ecu-primary-0001' grep -r "hardware id: raspberrypi4" "$m/devices"
ok "and hands nothing in, though it reads the transaction files" is "$(cat "$car/config") $(cat "$car/history")" \
	"[tls] $(cat "$T/history")"
sizes_agree() {
	find "$m/README" "$m/packages" "$m/keys" "$m/repo" "$m/treehub/refs" "$car" -type f ! -path '*/in/*' |
		while read -r f; do
			cat "$f" >"$T/content"
			is "$(stat -c %s "$f") $(wc -c <"$f")" "$(stat -c '%s %s' "$T/content")" || echo "$f"
		done >"$T/sizes"
	is "$(cat "$T/sizes")" ""
}
ok "stat, wc -c and cat agree on every size" sizes_agree
# gate/ is not theirs.
readme_names() {
	for path in "$m"/* "$car"/*; do
		name=${path##*/}
		[ "$name" != gate ] || continue
		tr '{,}' '   ' <"$m/README" | grep -qw -e "$name" || { echo "README does not name $name" && return 1; }
	done
}
ok "rm -r is no way to delete a device" refuses "not permitted" rm -r "$car"
ok "and revokes no certificate" test -e "$expires"
ok "README names all that administrators find at the top and of a device" readme_names
ok "texts belong to otafs and the administrators" is "$(mode "$car/status")" "-rw-r----- 64102 64106"
ok "control files are written by administrators" is "$(mode "$car/assign")" "-rw-rw---- 64102 64106"
ok "the gate has its own transaction files" is "$(mode "$m/gate/car7/$serial/manifest")" \
	"-rw-rw---- 64102 64104"
ok "folders of devices are for administrators" is "$(mode "$car")" "drwxr-x--- 64102 64106"
ok "mtimes are of the last change" test "$(($(date +%s) - $(stat -c %Y "$car/status")))" -lt 60
ok "a package is as old as its release" is "$(date -u -d "@$(stat -c %Y "$m/packages/app/1.0/hash")" +%FT%TZ)" \
	"$(cat "$m/packages/app/1.0/created")"
ok "status says it in one line" is "$(wc -l <"$car/status")" 1

# -- who may what --
ok "others cannot read a device's configuration" refuses "Permission denied" as 64105 cat "$car/config"
ok "nor assign" refuses "denied|cannot create" as 64105 sh -c "echo app 1.0 >$car/assign"
ok "nor find out what there is" refuses "Permission denied" as 64105 stat "$car/director/targets.json"
ok "nor get to the gate's files" refuses "Permission denied" as 64105 stat "$m/gate/car7/$serial/manifest"
ok "nor list devices" refuses "Permission denied" as 64105 ls "$m/devices"
ok "nor make one" refuses "Permission denied" as 64105 mkdir "$m/devices/mine"
ok "administrators read" admin cat "$car/status" "$car/config"
ok "and make and delete" admin sh -c "mkdir $m/devices/theirs && rmdir $m/devices/theirs"
ok "the gate hands in by certificate" says '^Status: 400 ' as 64104 perl -e 'open F, "+<", $ARGV[0] or die $!;
	syswrite F, "{}"; sysseek F, 0, 0; sysread F, $r, 4096; print $r' "$m/gate/car7/$serial/manifest"
ok "but not by the administrators' files" refuses "Permission denied" as 64104 cat "$car/in/manifest"
ok "nor does it read" refuses "Permission denied" as 64104 cat "$car/status"
ok "nor assign" refuses "denied|cannot create" as 64104 sh -c "echo cancel >$car/assign"

# -- assign --
for sh in sh bash; do
	ok "$sh: echo assigns" $sh -c "echo app 1.0 >$car/assign"
	ok "$sh: and reading shows it" says '^app-1.0 to ECU ecu-primary-0001, open since' cat "$car/assign"
	ok "$sh: a second is refused" refuses "busy|I/O error" $sh -c "echo app 2.0 >$car/assign"
	ok "$sh: in words" says 'is open; write "cancel" first' cat "$car/why"
	ok "$sh: cancel, appended" $sh -c "echo cancel >>$car/assign"
	ok "$sh: what is not published" refuses "No such file|I/O error" $sh -c "echo app 9 >$car/assign"
	ok "$sh: in words" says 'package app has no version 9: ls packages/app' cat "$car/why"
	ok "$sh: what does not fit" refuses "Invalid argument|I/O error" $sh -c "echo app 1.0 ecu-sensor-0007 >$car/assign"
	ok "$sh: in words" says 'app-1.0 is for hardware \["raspberrypi4"\]; this device has' cat "$car/why"
done
ok "nothing else of it can be changed" refuses "not permitted" chmod 777 "$car/assign"
ok "texts are not written" refuses "denied" sh -c "echo x >$car/status"
ok "files are not made" not touch "$car/new"
ok "files are not deleted" not rm -f "$car/assign"
ok "folders of the tree are not deleted" refuses "not permitted" rmdir "$car/ecus"

# -- transaction files --
echo '[{"id":"e1","eventType":{"id":"EcuDownloadStarted"},"event":{"ecu":"x"}}]' >"$T/events"
cat "$T/events" >"$car/in/events"
ok "closing without reading discards" is "$(cat "$car/events")" ""
twice='open F, "+<", $ARGV[0] or die $!; syswrite F, $ARGV[1]; sysseek F, 0, 0; sysread F, $a, 4096;
	sysseek F, 0, 0; sysread F, $b, 4096; print $a eq $b ? "same" : "other: $a$b";
	print defined syswrite(F, "x") ? " written" : " closed"'
ok "a second read gives the same answer, and no more is taken" is \
	"$(perl -e "$twice" "$car/in/events" "$(cat "$T/events")")" "same closed"
ok "and it was committed once" is "$(grep -c EcuDownloadStarted "$car/history")" 1
head -c 1100000 /dev/zero | tr '\0' ' ' >"$T/large"
ok "a body beyond the limit is refused" refuses "write: File too large" transact "$car/in/events" "$T/large"
cut_off() {
	perl -e 'open F, "+<", $ARGV[0] or die $!; $n = 0; 1 while $n++ < 200 && defined syswrite F, "# filler\n" x 8192;
		sysseek F, 0, 0; print sysread(F, $r, 4096) ? "answered $r" : "refused: $!"' "$car/in/config"
}
ok "and what of it had been taken is not committed" says '^refused: File too large' cut_off
ok "nothing of it was stored" is "$(cat "$car/config")" "[tls]"
many() {
	i=0
	while [ $i -lt 40 ]; do
		echo "[{\"id\":\"many-$i\",\"eventType\":{\"id\":\"DevicePaused\"}}]" >"$T/many.$i"
		transact "$car/in/events" "$T/many.$i" >"$T/many.$i.out" &
		i=$((i + 1))
	done
	wait_for 10 is_many
}
is_many() { [ "$(grep -c 'Status: 200 OK' "$T"/many.*.out | grep -c ':1$')" = 40 ]; }
ok "forty transactions at once are all answered" many
ok "and all stored" is "$(grep -c many- "$car/events")" 40
# Several readers of one descriptor at the same moment: one commit, one answer.
race='use strict; my ($file, $go, $n) = (@ARGV, 8); open my $f, "+<", $file or die $!;
	syswrite $f, "[{\"id\":\"race-$go\"}]"; pipe my $r, my $w; my @out;
	for (1 .. $n) { pipe my $in, my $back; unless (fork) { close $w; sysread $r, my $x, 1; my $b = " " x 4096;
		my $got = syscall 17, fileno $f, $b, 4096, 0; syswrite $back, substr $b, 0, $got > 0 ? $got : 0; exit }
		close $back; push @out, $in }
	close $w; my %seen; for (@out) { local $/; $seen{<$_>}++ } print scalar(keys %seen), "\n"'
raced() {
	i=0
	while [ $i -lt 20 ]; do
		perl -e "$race" "$car/in/events" $i
		i=$((i + 1))
	done | sort -u >"$T/raced"
	is "$(cat "$T/raced")" 1
}
ok "eight readers at one moment get the answer of one commit" raced

# -- the www view --
ok "it is read-only" refuses "Read-only file system" mkdir "$w/devices/x"
ok "it has nothing but what devices may read" is "$(ls "$w" | tr '\n' ' ')" "alive devices generations repo treehub "
ok "devices are reached by certificate, not listed" is "$(ls "$w/devices")" ""
ok "an unknown certificate is not there" not test -e "$w/devices/car7/FF"
ok "all of it may be read" is "$(stat -c %A "$docs/targets.json") $(stat -c %A "$docs")" "-r--r--r-- dr-xr-xr-x"
ok "it has the bytes of the full tree" cmp "$docs/targets.json" "$car/director/targets.json"
before=$(stat -c '%i %Y' "$docs/targets.json")
cp "$docs/targets.json" "$T/old.json"
exec 4<"$docs/timestamp.json"
echo app 1.0 >"$car/assign"
after=$(stat -c '%i %Y' "$docs/targets.json")
ok "another version is another inode" test "${before% *}" != "${after% *}"
ok "and at least a second younger" test "${after#* }" -gt "${before#* }"
ok "an open file keeps its bytes, read or not" is "$(version /dev/fd/4)" "$(version "$T/old.json")"
exec 4<&-
ok "the new version is one more" is "$(version "$docs/targets.json")" "$(($(version "$T/old.json") + 1))"
echo cancel! >"$car/assign"

# An open file of the image repository, of which nothing was read before the next publication.
repo=$w/devices/car7/$serial/repo
mkdir "$m/devices/car8" "$m/devices/car8/certificates/0E"
repo8=$w/devices/car8/0E/repo
published=$(version "$repo/timestamp.json")
exec 5<"$repo/targets.json" 6<"$repo/snapshot.json"
inode=$(stat -c %i "$repo/targets.json")
ok "devices share the inodes of a publication" is "$(stat -c '%i %Y' "$repo8/targets.json" "$repo8/1.root.json")" \
	"$(stat -c '%i %Y' "$repo/targets.json" "$repo/1.root.json")"
ok "a publication while files are open" push app 3.0
ok "an open file is still of its publication" is "$(version /dev/fd/5) $(version /dev/fd/6)" "$published $published"
exec 5<&- 6<&-
ok "a device that has read timestamp.json goes on in that set" is \
	"$(version "$repo/snapshot.json") $(version "$repo/targets.json")" "$published $published"
ok "one that has not gets the new one" is "$(version "$repo8/snapshot.json")" "$((published + 1))"
ok "and so does the first when it begins anew" is "$(version "$repo/timestamp.json") $(version "$repo/targets.json")" \
	"$((published + 1)) $((published + 1))"
not test -e "$repo/2.root.json"
ok "a publication between roots and timestamp" push app 4.0
ok "a device that has read all roots goes on in their set" is \
	"$(version "$repo/timestamp.json") $(version "$repo/snapshot.json") $(version "$repo/timestamp.json")" \
	"$((published + 1)) $((published + 1)) $((published + 1))"
not test -e "$repo/2.root.json"
ok "and in the next one when it begins anew" is "$(version "$repo/timestamp.json") $(version "$repo/targets.json")" \
	"$((published + 2)) $((published + 2))"
ok "whose inode is another" not test "$inode" = "$(stat -c %i "$repo/targets.json")"
ok "no set is found by the names that inodes have inside" not test -e "$w/sets/$published/targets.json"
ok "nothing else is below repo" not cat "$repo/$published" "$repo/delegations/x.json" "$repo/3.root.json"
rmdir "$m/devices/car8"
ok "a deleted device has no repo either" not cat "$repo8/timestamp.json"

hundred() {
	i=0
	was=$(version "$docs/targets.json")
	while [ $i -lt 50 ]; do
		for command in "app 1.0" "cancel!"; do
			echo "$command" >"$car/assign" || return 1
			was=$((was + 1))
			read -r line <"$docs/targets.json"
			case $line in
			*"\"version\":$was}"*) ;;
			*)
				echo "expected version $was: $line"
				return 1
				;;
			esac
		done
		i=$((i + 1))
	done
}
ok "after an acknowledged change the next open sees it, a hundred times" hundred
torn() {
	(
		while [ ! -e "$T/stop" ]; do cat "$docs/targets.json" "$docs/snapshot.json" 2>&1 || echo; done |
			grep -v '^{"signatures":\[.*"version":[0-9]*}}{"signatures":.*"version":[0-9]*}}$' >"$T/torn"
	) &
	reader=$!
	hundred
	was=$?
	touch "$T/stop"
	wait $reader
	[ $was = 0 ] || return 1
	is "$(cat "$T/torn")" ""
}
ok "and readers in the meantime never see half a document" torn

count_replies() {
	: >"$T/strace"
	strace -f -qq -e trace=writev,write,splice -o "$T/strace" -p "$(worker)" 2>/dev/null &
	tracer=$!
	sleep 0.5
	"$@" >/dev/null
	sleep 0.3
	kill -INT $tracer
	wait $tracer 2>/dev/null
	grep -cE '(writev|write|splice)\(' "$T/strace"
}
read_200() {
	# POSIX::open, because open() of perl asks whether it is a terminal
	perl -MPOSIX -e 'for (1 .. 200) { $f = POSIX::open($ARGV[0], O_RDONLY) or die $!; POSIX::read($f, $b, 65536) or die;
		POSIX::close($f) }' "$1"
}
cat "$docs/targets.json" >/dev/null
# What its clock does in between is counted too.
ok "two hundred warm reads cost the daemon nothing" test "$(count_replies read_200 "$docs/targets.json")" -le 2
ok "while those of the full tree are seen by the same count" test \
	"$(count_replies read_200 "$car/director/targets.json")" -ge 200

# -- the ways from a device to what all share --
object=$(cd "$T/repository/ostree" && find objects -type f -print -quit)
mine=$w/devices/car7/$serial
ok "a device has a way to the OSTree repository" cmp "$mine/treehub/$object" "$T/repository/ostree/$object"
ok "which is a link" is "$(readlink "$mine/treehub")" ../../../../treehub
ok "and one to the binary targets" is "$(readlink "$mine/repo/targets") $(ls -d "$mine/repo/targets/")" \
	"../../../../../repo/targets $mine/repo/targets/"
ok "with the other folders of a device" is "$(ls "$mine" "$mine/repo" | tr -s '\n' ' ')" \
	"$mine: director est repo treehub $mine/repo: delegations targets "
ok "two hundred reads by that way cost the daemon nothing" test "$(count_replies read_200 "$mine/treehub/$object")" -le 2
# Of objects the daemon hears nothing, whether they were read before or not, or are nowhere.
ok "objects and deltas are links out of the tree" is "$(readlink "$w/treehub/objects" "$w/treehub/deltas" | tr '\n' ' ')" \
	"$w.repository/ostree/objects $w.repository/ostree/deltas "
ok "to where the repository is shown to web servers alone" refuses "Permission denied" setpriv --reuid=64104 --regid=64104 \
	--clear-groups ls "$w.repository/ostree"
ok "which are listed once" is "$(ls "$w/treehub" | sort | uniq -d)" ""
all_objects() {
	(cd "$T/repository/ostree" && find objects -type f) | while read -r name; do
		cat "$mine/treehub/$name"
		stat "$mine/treehub/${name}x"
	done 2>&1
}
ok "no object is asked for" test "$(count_replies all_objects)" -le 2
as_web() { setpriv --reuid=64105 --regid=64105 --clear-groups "$@"; }
ok "the web server may read objects" as_web cmp "$T/repository/ostree/$object" "$mine/treehub/$object"
ok "and not what else is in the repository" refuses "Permission denied" as_web ls "$T/repository"
for name in published/current/targets.json report/limits; do
	ok "such as $name" refuses "Permission denied" as_web cat "$T/repository/$name"
done
ok "the web server may write none of it" refuses "Permission denied" as_web touch "$T/repository/ostree/objects/x"
ok "nor may root there" refuses "Read-only" touch "$w.repository/ostree/objects/x"
# ota-watcher may not read what the web server may, and could have it fetched.
echo secret >"$T/secret"
ln -s "$T/secret" "$T/repository/ostree/objects/link"
ln -s "$T" "$T/repository/ostree/objects/folder"
ok "the web server follows no link that is in the repository" refuses "symbolic links" as_web cat "$mine/treehub/objects/link"
ok "nor one to a folder" refuses "symbolic links" as_web cat "$mine/treehub/objects/folder/secret"
rm "$T/repository/ostree/objects/link" "$T/repository/ostree/objects/folder"
mv "$T/repository" "$T/away"
ok "while the repository is not where the link leads, the view does not say that it is whole" not test -e "$w/alive"
mkdir -p "$T/repository/ostree/objects"
ok "nor is another one in its place enough" not test -e "$w/alive"
rm -r "$T/repository"
mv "$T/away" "$T/repository"
ok "it is when that is back" test -e "$w/alive"
ok "nobody has it by a certificate that is not known" refuses "No such file" cat "$w/devices/car7/FF/treehub/$object"
ok "the full tree has no such links" not test -L "$m/devices/car7/treehub"

# -- revocation --
mkdir "$car/certificates/0D"
other=$w/devices/car7/0D/director
cat "$other/targets.json" "$w/devices/car7/0D/treehub/$object" >/dev/null
ok "devices share the inode of such a link" is "$(stat -c %i "$w/devices/car7/0D/treehub")" "$(stat -c %i "$mine/treehub")"
echo 2048-02-29 >"$car/certificates/0D/expires"
rmdir "$car/certificates/0D"
ok "a revoked certificate is gone at once" not cat "$other/targets.json"
ok "with the way to what all share" not cat "$w/devices/car7/0D/treehub/$object"
ok "and the other stays" test -e "$docs/targets.json" -a -e "$mine/treehub/$object"
mkdir "$m/devices/gone" "$m/devices/gone/certificates/AA"
cat "$w/devices/gone/AA/director/targets.json" >/dev/null
gone=$(version "$w/devices/gone/AA/director/targets.json")
rmdir "$m/devices/gone"
ok "a deleted device is gone at once" not cat "$w/devices/gone/AA/director/targets.json"
mkdir "$m/devices/gone" "$m/devices/gone/certificates/AA"
ok "its certificate is another" is "$(cat "$m/devices/gone/certificates/AA/expires")" "not known"
ok "made again it goes on above its old version" test \
	"$(version "$w/devices/gone/AA/director/targets.json")" -gt "$gone"

# -- kill -9 --
echo app 1.0 >"$car/assign"
cp "$docs/targets.json" "$T/old.json"
stat -c '%i %Y %s' "$docs/targets.json" >"$T/old.stat"
kill -9 "$(cat "$T/otafs.pid")"
wait "$(cat "$T/otafs.pid")" 2>/dev/null
ok "a dead mount answers with an error, not with an absent file" wait_for 5 says "not connected" cat "$m/README"
ok "in the www view too, but for what the kernel has" says "not connected" cat "$w/devices/gone/AA/director/1.root.json"
ok "otafs starts over the dead mounts" start_otafs
ok "the assignment is still there" says '^app-1.0 to ECU' cat "$car/assign"
ok "the documents have the same bytes" cmp "$docs/targets.json" "$T/old.json"
ok "and inode, mtime and size" is "$(stat -c '%i %Y %s' "$docs/targets.json")" "$(cat "$T/old.stat")"
# The first look of the next one finds it alive, the second one dead.
dies_meanwhile() {
	old=$(cat "$T/otafs.pid")
	start otafs strace -D -qq -o "$T/strace" -e trace=statfs -e inject=statfs:delay_exit=1000000 "$OTA_BIN/otafs" -c "$conf"
	sleep 0.5
	kill -9 "$old"
	wait "$old" 2>/dev/null
	wait_for 10 test -e "$m/README"
}
ok "one that dies while the next one starts is followed" dies_meanwhile
kill -9 "$(worker)"
ok "a dead worker is followed by another, and nobody notices" cmp "$docs/targets.json" "$T/old.json"

# -- the signer away --
stop signd
echo cancel! >"$car/assign"
ok "without the signer a new document is an error" not cat "$docs/targets.json"
in_flight() { grep -c 'in flight: the device may have read of' "$car/history"; }
flights=$(in_flight)
echo app 1.0 >"$car/assign"
ok "one with an update too" not cat "$docs/targets.json"
ok "which is not in flight then" is "$(in_flight)" "$flights"
ok "and can be cancelled" sh -c "echo cancel >'$car/assign'"
echo app 1.0 >"$car/assign"
ok "health says so" says '"healthy": false' cat "$m/status/health.json"
start_signd
ok "and it is there when the signer is back" wait_for 5 test -e "$docs/targets.json"
ok "and the update in flight" is "$(in_flight)" $((flights + 1))

# -- end --
pid=$(cat "$T/otafs.pid")
kill "$pid"
wait "$pid"
ok "SIGTERM ends it without an error" is $? 0
ok "and unmounts both" not grep -q " $T/" /proc/self/mountinfo
finish
