#!/bin/sh
# What an operator has besides: ota-doctor, metrics as Prometheus wants them, units that give little, an installation as a package makes it.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 1"
start_all >/dev/null
start admin "$OTA_BIN/ota-admin-gate" -c "$conf"
needs 10 file_with "$T/admin.log" ready
m=$T/mount
doctor() { "$top/scripts/ota-doctor" -c "$conf"; }

# ---- ota-doctor
doctor >"$T/doctor"
# The three servers of this test have no group in common.
ok "the doctor finds nothing wrong but what this test is" is "$(grep '^WRONG' "$T/doctor")" "WRONG everybody may read $T/pki/server.key"
ok "and says what it looked at" [ "$(grep -c '^ok' "$T/doctor")" -ge 20 ]
chmod 750 "$T/keys"
stop gate
stop otafs KILL
mkdir "$T/old"
openssl x509 -in "$T/pki/device-ca.pem" -signkey "$T/pki/device-ca.key" -days 10 -out "$T/old/device-ca.pem" 2>/dev/null
openssl genpkey -algorithm ed25519 -out "$T/old/server.key" 2>/dev/null
sed -e "s|^device_ca = .*|device_ca = $T/old/device-ca.pem|" -e "s|^server_key = .*|server_key = $T/old/server.key|" "$conf" >"$T/wrong.conf"
"$top/scripts/ota-doctor" -c "$T/wrong.conf" >"$T/doctor"
ok "what is wrong is its status" [ $? = 1 ]
grep -A1 '^WRONG' "$T/doctor" | paste -s -d ' ' >"$T/found"
ok "it finds keys that others get to" has "$T/found" "keys.* 750, not .* 700 .*chmod 700"
ok "a program that is not there" has "$T/found" "not so: ota-gate listens .*systemctl start ota-gate"
ok "another key than the certificate's" has "$T/found" "does not belong to server_certificate"
ok "which the web server cannot read" has "$T/found" "not so: user 64105 reads $T/old/server.key .*chmod 640"
ok "a dead mount" has "$T/found" "not so: otafs is mounted at $m .*systemctl restart otafs"
ok "a CA that ends in ten days" has "$T/found" "device_ca: .* expires within 30 days"
chmod 700 "$T/keys"
echo "nonsense = 1" >>"$T/wrong.conf"
ok "a setting that is none" says "WRONG.*nonsense.* is no setting" "$top/scripts/ota-doctor" -c "$T/wrong.conf"
start_otafs

# ---- metrics: promtool where there is one, and its rules that can be broken here
cp "$m/status/metrics" "$T/metrics"
if command -v promtool >/dev/null; then
	ok "promtool takes the metrics" sh -c "promtool check metrics <$T/metrics"
fi
cat >"$T/lint" <<'EOF'
use strict;
my (%help, %type, %seen, $last);
for (<STDIN>) {
	if (/^# HELP (\w+) \S/) { die "twice: $_" if $help{$1}++ }
	elsif (/^# TYPE (\w+) (counter|gauge|histogram)$/) { die "no help: $_" if !$help{$1}; $type{$1} = $2 }
	elsif (/^(\w+?)(\{(?:\w+="(?:[^"\\]|\\.)*",?)+\})? -?[0-9.e+]+$/) {
		my ($name, $labels) = ($1, $2 // "");
		(my $base = $name) =~ s/_(bucket|sum|count)$// if !$type{$name};
		my $type = $type{$name} // $type{$base // ""} or die "no type: $_";
		die "a counter that is not called _total: $_" if $type eq "counter" && $name !~ /_total$/;
		die "called _total and no counter: $_" if $type eq "gauge" && $name =~ /_total$/;
		die "a unit that is not a base unit: $_" if $name =~ /_(ms|milliseconds|us|minutes|hours|days|kb|kib|mb|percent)(_|$)/;
		die "twice: $_" if $seen{"$name$labels"}++;
	} else { die "no line of metrics: $_" }
}
die "none" if keys %seen < 10;
EOF
ok "metrics have help, type, base units and names as Prometheus wants them" sh -c "perl $T/lint <$T/metrics"

# ---- units, as `make install` puts them
make -s -C "$top" install B="$OTA_BIN/.." programs= DESTDIR="$T/root" PREFIX=/usr UNITDIR=/usr/lib/systemd/system >/dev/null 2>"$T/make"
units=$T/root/usr/lib/systemd/system
ok "units name the folder of the programs" sh -c "grep -q '^ExecStart=/usr/sbin/otafs$' $units/otafs.service && ! grep -l /usr/local $units/*"
if command -v systemd-analyze >/dev/null; then
	# exposure UNIT MOST: as ten times the number that systemd says
	exposure() { systemd-analyze security --offline=true --threshold="$2" "$units/$1.service"; }
	ok "little is exposed by ota-signd" exposure ota-signd 15
	for unit in ota-gate ota-admin-gate ota-watcher ota-web@; do ok "and by $unit" exposure $unit 25; done
	# What it mounts has to be seen outside, so it has no mount namespace, which a dozen of systemd's directives are made of.
	ok "and by otafs, without a mount namespace" exposure otafs 44
fi
finish
