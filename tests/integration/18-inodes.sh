#!/bin/sh
# What the kernel remembers of devices costs otafs nothing: 20,000 of them are looked up through the www view, with documents in a cache of
# 1 MiB; and all of them change at once by one notification. bench/45-inodes.sh does the same with a million.
# shellcheck source=tests/integration/lib.sh disable=SC2119,SC2317
. "$(dirname "$0")/lib.sh"

m=$T/mount
w=$T/web/www
FLEET=${FLEET:-$OTA_BIN/../tests/bench/fleet}
settings "document_cache_mb = 1" "spool_quiet_seconds = 0"
start_signd && start_watcher || exit 1
mkdir "$T/state"
"$FLEET" "$T/state/otafs.db" 20000
chown -R 64102 "$T/state"
start_otafs

# memory: KiB of its own
memory() {
	awk '/^RssAnon/ { print $2 }' "/proc/$(pgrep -P "$(cat "$T/otafs.pid")")/status"
}
# versions FROM TO: looks up the folders and the root of these devices, and targets.json of one in five, and reads that of one in a hundred;
# prints the versions that were read, each once
cat >"$T/versions" <<'EOF'
use strict; use warnings;
my ($www, $from, $to, %seen) = @ARGV;
for my $n ($from .. $to - 1) {
	my $number = $n * 2654435761 % 2**32;
	my $folder = sprintf "%s/devices/veh-%08x/%016X/director", $www, $number, $number;
	-f "$folder/1.root.json" or die "$folder: $!\n";
	next if $n % 5 || $number % 100 == 0; # these have an update that cannot be made
	-f "$folder/targets.json" or die "$folder: $!\n";
	next if $n % 100;
	open my $file, "<", "$folder/targets.json" or die "$folder: $!\n";
	local $/;
	<$file> =~ /"deviceId":"veh-(\w+)".*"version":(\d+)/ && hex $1 == $number or die "$folder: what is that?\n";
	$seen{$2}++;
}
print join(" ", sort keys %seen), "\n";
EOF
versions() {
	perl "$T/versions" "$w" "$@"
}
moved() {
	[ "$(readlink "$w/devices")" != "$1" ]
}

# -- memory --
ok "there are so many" is "$(sed -n 's/^otafs_devices //p' "$m/status/metrics")" 20000
first=$(versions 1 2001)
exec 3<"$w/devices/veh-9e3779b1/000000009E3779B1/director/targets.json"
little=$(memory)
from=$(readlink "$w/devices")
ok "all of them have documents of one version" is "$(versions 2001 20000)" "$first"
grown=$(($(memory) - little))
ok "what was looked up takes no memory ($grown KiB more for 18,000 devices)" test $grown -lt 2048

# -- a document that had to go --
ok "what was looked up before all these and is read now is made again" cmp /dev/fd/3 "$m/devices/veh-9e3779b1/director/targets.json"
exec 3<&-

# -- all at once --
exec 4<"$w/devices/veh-3c6ef362/000000003C6EF362/director/targets.json"
cat <&4 >"$T/before"
"$OTA_BIN/ota-sign" rotate director root --yes -c "$conf" >"$T/rotate.log" 2>&1
ok "a new root makes all documents new" wait_for 10 moved "$from"
next=$(versions 100 101)
ok "of the next version" test "$next" -gt "$first"
ok "each of them" is "$(versions 1 2001)" "$next"
ok "who has an old one open reads it to the end" cmp /dev/fd/4 "$T/before"
grown=$(($(memory) - little))
ok "which takes no memory either ($grown KiB)" test $grown -lt 4096
exec 4<&-

# -- a folder that is listed while the kernel is to forget a name in it: neither waits for the other --
# Who reads members of a group while an order is given has their part before the order is answered, and then all names are forgotten.
mkdir "$m/groups/few"
echo 'deviceid contains veh-00' >"$m/groups/few/rule"
until_enough() { # until_enough TEXT: runs perl's text until there is a file $T/enough
	perl -e "until (-e '$T/enough') { $1 }" >/dev/null 2>&1 &
	busy="${busy:-} $!"
}
for _ in 1 2; do until_enough "for (glob '$m/devices/veh-9e3779b1/status $m/prefix/veh-00/*/status') { open F, '<', \$_; <F> }"; done
until_enough "open F, '>', '$m/groups/few/assign'; print F \"app 1.0\\n\"; close F"
for _ in 1 2 3 4; do until_enough "opendir D, '$w'; readdir D; closedir D; lstat '$w'"; done
lists() {
	from=$(readlink "$w/devices")
	for _ in $(seq 20); do
		if ! timeout -s KILL 10 ls "$w" || ! timeout -s KILL 10 test -e "$w/alive"; then
			umount -f "$w" # it can be ended in no other way
			return 1
		fi
		sleep 0.1
	done
	moved "$from"
}
ok "the view is listed while all is forgotten" lists
touch "$T/enough"
# shellcheck disable=SC2086 # words
wait $busy

# -- a device that comes back --
id=veh-9e3779b1
serial=000000009E3779B1
cd "$w/devices/$id/$serial/director" || exit 1
exec 5<"$w/devices/$id/$serial/director/targets.json"
rmdir "$m/devices/$id"
ok "a device that was deleted is gone at once" not test -e "$w/devices/$id/$serial"
mkdir "$m/devices/$id" "$m/devices/$id/certificates/$serial"
ok "made again it has documents of its own" not cmp /dev/fd/5 "$w/devices/$id/$serial/director/targets.json"
ok "in folders of its own" not is "$(stat -c %i .)" "$(stat -c %i "$w/devices/$id/$serial/director")"
exec 5<&-
cd "$T" || exit 1
finish
