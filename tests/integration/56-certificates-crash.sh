#!/bin/sh
# Certificates while programs are killed and disks are full: none is handed out that nobody knows, none that was answered is
# lost, and a device that renews is never left without one that is good.
# shellcheck source=tests/integration/lib.sh disable=SC2016,SC2317 # perl has $; functions are called by name
. "$(dirname "$0")/lib.sh"

# disk FOLDER UID: a small one
disk() {
	mkdir "$T/$1"
	mount -t tmpfs -o "size=12m,mode=700,uid=$2,gid=$2" otafs-test "$T/$1" || {
		echo "1..0 # SKIP no tmpfs can be mounted here"
		exit 0
	}
	cleanup "umount $T/$1"
}
disk state 64102
disk keys 64101
settings "certificate_overlap_days = 0"
start_signd && "$OTA_BIN/ota-sign" init --online -c "$conf" >"$T/init.log" 2>&1 && start_watcher && start_otafs || exit 1
make_keys
make_issuer || exit 1
devices=$T/mount/devices
ok "(there is a token)" "$top/scripts/ota-enroll" -c "$conf" --url https://ota.example.com:8443 token "$T/token.zip"
token=$(sed -n 's/.*certificate \([0-9A-F]*\).*/\1/p' "$T/mount/enroll/tokens/token/status")
openssl ecparam -name prime256v1 -genkey -noout -out "$T/key"
openssl req -new -key "$T/key" -subj /CN=renews -outform DER | openssl base64 >"$T/request"

# As ota-gate: hand_in(PATH, BODY) gives the status, or 0 when there is no tree, and the body of the answer.
cat >"$T/load.pl" <<'PERL'
use strict;
use warnings;
use Time::HiRes qw(sleep);
my ($what, $T, $serial, $id) = @ARGV;
($), $>) = ("64104 64104", 64104);
sub hand_in {
	my ($path, $body) = @_;
	my ($reply, $n) = "";
	open my $file, "+<", "$T/mount/gate/$path" or return ($!{ENOENT} && -e "$T/mount/README" ? 403 : 0, "$!");
	syswrite($file, $body) // return (0, "$!");
	sysseek $file, 0, 0;
	while ($n = sysread $file, $reply, 65536, length $reply) { }
	return (0, "$!") unless defined $n;
	my ($head, $rest) = split /\r\n\r\n/, $reply, 2;
	return $head =~ /^Status: (\d+)/ ? $1 : 0, $rest;
}
sub keep { my ($name, $bytes) = @_; open my $out, ">:raw", "$T/load/$name" or die "$name: $!"; print $out $bytes }
sub note { open my $log, ">>", "$T/load/log.$what"; print $log "@_\n" }
if ($what eq "enroll") {
	# One id after the other, each until it is answered.
	for (my $n = 0; !-e "$T/over"; $n++) {
		for (my $status = 0; $status != 200 && !-e "$T/over"; ) {
			($status, my $body) = hand_in("token/$serial/devices", qq({"deviceId":"$id$n"}));
			note($status, "$id$n");
			keep("$id$n.p12", $body) if $status == 200;
			sleep 0.05 if $status != 200;
		}
		sleep 0.1;
	}
} else {
	# The same device again and again, with what it was answered last.
	open my $in, "<", "$T/request";
	my $request = do { local $/; <$in> };
	while (!-e "$T/over") {
		my ($status, $body) = hand_in("renews/$serial/simplereenroll", $request);
		note($status, $serial);
		if ($status == 200) {
			keep("renewed", $body);
			$serial = `openssl base64 -d -in $T/load/renewed | openssl pkcs7 -inform DER -print_certs | openssl x509 -noout -serial`;
			$serial =~ s/^serial=(\S+)\s*$/$1/ or die "no serial";
		}
		sleep($status == 200 ? 0.1 : 0.3);
	}
	note("last", $serial);
}
PERL
# loads NAME SERIAL: enrols devices NAME0, NAME1, ... and renews, in the background
loads() {
	name=$1
	rm -rf "$T/load" "$T/over"
	mkdir -m 777 "$T/load"
	perl "$T/load.pl" enroll "$T" "$token" "$1" &
	enrolling=$!
	perl "$T/load.pl" renew "$T" "$2" &
	renewing=$!
}
end_loads() {
	touch "$T/over"
	wait $enrolling $renewing
	last=$(sed -n 's/^last //p' "$T/load/log.renew")
	echo "# $(cut -d' ' -f1 "$T/load/log.enroll" | sort | uniq -c | tr -s ' \n' ' ') enrolled; renewed: $(cut -d' ' -f1 "$T/load/log.renew" |
		sort | uniq -c | tr -s ' \n' ' ')"
}
serial_in() { openssl pkcs12 -in "$1" -passin pass: -nokeys -clcerts 2>/dev/null | openssl x509 -noout -serial | cut -d= -f2; }
# all_known: what was answered speaks for its device, and nothing else does
all_known() {
	for archive in "$T"/load/*.p12; do
		id=$(basename "$archive" .p12)
		is "$id $(ls "$devices/$id/certificates")" "$id $(serial_in "$archive")" || return 1
	done
}
# nobody_else: devices that came in by the token are those that were answered, and perhaps the one that was asking at the end
nobody_else() {
	for device in "$devices/$name"*; do
		[ -e "$T/load/${device##*/}.p12" ] || echo "${device##*/}"
	done >"$T/others"
	[ "$(wc -l <"$T/others")" -le 1 ] || {
		cat "$T/others"
		return 1
	}
}
answered() { [ "$(grep -c '^200' "$T/load/log.$1" 2>/dev/null)" -ge "$2" ]; }
# again: both get something, from now on
again() {
	for load in enroll renew; do
		wait_for 15 answered $load $(($(grep -c '^200' "$T/load/log.$load" 2>/dev/null) + 2)) || return 1
	done
}
never_unknown() { not grep -h '^403' "$T"/load/log.*; }

# ---- kill -9
mkdir "$devices/renews" "$devices/renews/certificates/0A"
loads first 0A
again
for delay in 0.02 0.11 0.23; do
	for program in otafs signd; do
		sleep $delay
		stop $program KILL
		: >"$T/$program.log"
		start_$program
		ok "after $program was killed certificates are made again" again
	done
done
end_loads
ok "each that was answered is known, and is the only one" all_known
ok "nobody was let in who was not answered" nobody_else
ok "the device that renews was known all the time" never_unknown
ok "and is, with what it was answered last" test -d "$devices/renews/certificates/$last"
ok "each is in the log of signatures" "$OTA_BIN/ota-sign" log verify -c "$conf"

# ---- a full disk
# full FOLDER: until there is no room, and until that is noticed
full() {
	dd if=/dev/zero of="$T/$1/filler" bs=4096 2>/dev/null
	wait_for 10 sh -c "tail -n 3 '$T/load/log.enroll' | grep -c '^503' | grep -qx 3" &&
		wait_for 10 sh -c "tail -n 2 '$T/load/log.renew' | grep -c '^503' | grep -qx 2"
}
# health PATTERN: the sentence is among the problems
health() { jq -r '.problems[]' "$T/mount/status/health.json" | grep -Eq "$1"; }
for folder in state keys; do
	case $folder in
	state) problem='^what devices and administrators change cannot be kept: database: .* is full' ;;
	keys) problem='^nothing can be signed: .*No space' ;;
	esac
	used=$(cat "$T/mount/enroll/tokens/token/used")
	loads "$folder" "$last"
	again
	ok "$folder: a full disk is told" full $folder
	ok "the one that asks is not there" not test -e "$devices/$(tail -n 1 "$T/load/log.enroll" | cut -d' ' -f2)"
	ok "health says so" health "$problem"
	rm "$T/$folder/filler"
	ok "with room again they are let in" again
	ok "and health does not say it any more" not health "$problem"
	end_loads
	ok "each that was answered is known, and is the only one" all_known
	ok "nobody else was let in" nobody_else
	ok "they are counted" is "$(cat "$T/mount/enroll/tokens/token/used")" $((used + $(find "$devices" -mindepth 1 -maxdepth 1 -name "$folder*" | wc -l)))
	ok "the device that renews was known all the time" never_unknown
	ok "and is" test -d "$devices/renews/certificates/$last"
done
finish
