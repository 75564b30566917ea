#!/bin/sh
# Folders of any size through the kernel: devices/ and prefix/ with thousands of devices, while they come and go.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2012,SC2119,SC2016
. "$(dirname "$0")/lib.sh"

m=$T/mount

settings
start_signd
start_watcher
ok "otafs starts" start_otafs

# -- none, and few --
ok "devices/ is empty at first" is "$(ls -A "$m/devices")" ""
ok "so is prefix/" is "$(ls -A "$m/prefix")" ""
ok "what nothing begins with is not there" refuses "No such file" ls "$m/prefix/x"
mkdir "$m/devices/x" "$m/devices/x1" "$m/devices/x1y" "$m/devices/Y"
ok "prefix/ shows the first characters in use" is "$(ls "$m/prefix" | tr '\n' ' ')" "Y x "
ok "a prefix that is an id holds that too" is "$(ls "$m/prefix/x" | tr '\n' ' ')" "x x1 x1y "
ok "a longer one holds less" is "$(ls "$m/prefix/x1" | tr '\n' ' ')" "x1 x1y "
ok "its names are links" is "$(readlink "$m/prefix/x1/x1y")" "../../devices/x1y"
ok "that lead to the device" test -e "$m/prefix/x1/x1y/status"
ok "ls -l shows them as links" says '^l.* x1y -> ../../devices/x1y' ls -l "$m/prefix/x1"
ok "a device of another beginning is not in it" refuses "No such file" ls "$m/prefix/x1/x"
ok "nothing can be linked there" refuses "not permitted" ln -s ../../devices/Y "$m/prefix/x/Y"
ok "why says so" has "$m/why" 'prefix/x/Y: no link can be made here'
ok "nor removed" refuses "not permitted" rm "$m/prefix/x/x1"
ok "nor renamed" refuses "not permitted" mv -T "$m/devices/x" "$m/devices/z"
ok "in words" has "$m/why" 'devices/x: cannot be renamed'
ok "nor moved to another folder" refuses "not permitted" mv "$m/devices/x" "$m/prefix"
ok "a link there is no control file" refuses "not permitted|denied|exists" sh -c "echo x >'$m/prefix/x/new'"

# -- many: pages of 1000 --
seq -f 'car%05g' 4000 >"$T/ids"
(cd "$m/devices" && xargs mkdir <"$T/ids")
ok "all of several pages are listed" sh -c "ls -U '$m/devices' | grep ^car | cmp - '$T/ids'"
ok "each once" is "$(ls -U "$m/devices" | sort | uniq -d)" ""
ok "find tells folders from files without asking for each" is \
	"$(find "$m/devices" -mindepth 1 -maxdepth 1 -type d | wc -l)" 4004
ok "a prefix is listed alone" is "$(ls "$m/prefix/car012" | wc -l)" 100
ok "as links" is "$(find "$m/prefix/car0" -mindepth 1 -maxdepth 1 -type l | wc -l)" 4000

# wander: goes back to the start in the middle of a listing, and lists all then
wander() {
	perl -e 'opendir D, $ARGV[0] or die; readdir D for 1 .. 2500; rewinddir D; $n = () = readdir D; print $n' "$1"
}
ok "rewinddir starts again" is "$(wander "$m/devices")" 4004
# return_to: goes back to a place that telldir told, beyond the page that is there
return_to() {
	perl -e 'opendir D, $ARGV[0] or die; readdir D for 1 .. 10; $at = telldir D; $a = readdir D;
		readdir D for 1 .. 3000; seekdir D, $at; $b = readdir D; print "$a $b"' "$1"
}
there=$(return_to "$m/devices")
ok "seekdir goes back to where it was" is "${there% *}" "${there#* }"

# change: removes and makes devices in the middle of a listing
change() {
	perl -e 'opendir D, $ARGV[0] or die; push @n, scalar readdir D for 1 .. 1500;
		rmdir "$ARGV[0]/car03999"; mkdir "$ARGV[0]/car99999"; rmdir "$ARGV[0]/car00001";
		push @n, readdir D; print "$_\n" for grep /^car/, @n' "$1"
}
change "$m/devices" >"$T/changed"
ok "what comes meanwhile is in it" grep -q car99999 "$T/changed"
ok "what goes before it was reached is not" not grep -q car03999 "$T/changed"
ok "and what stays is there once" sh -c \
	"grep -vx 'car00001\|car03999\|car99999' '$T/ids' >'$T/stay'; grep -vx 'car00001\|car99999' '$T/changed' | cmp - '$T/stay'"
# overtaken: 60 queries, each through all devices, and how many are answered while a text is read three times
overtaken() {
	perl -MPOSIX=WNOHANG -e 'sub slurp { open my $f, "<", $_[0] or die "$_[0]: $!"; my @lines = <$f> }
		sub done { my $n = 0; $n++ while waitpid(-1, WNOHANG) > 0; $n }
		for (1 .. 60) { fork or do { slurp "$ARGV[0]/query/count/tag(x) is y$_ or hardware contains z or name contains z"; exit } }
		select undef, undef, undef, 0.3; done; slurp "$ARGV[0]/devices/car00002/status" for 1 .. 3; print done; 1 while wait > 0' "$1"
}
ok "queries do not take the threads that devices need" test "$(overtaken "$m")" -lt 10

ok "otafs goes on" grep -q ^otafs "$m/status/version"

finish
