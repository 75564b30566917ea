#!/bin/sh
# Groups through the kernel: who is in them, and orders to all of them, while devices report, writers race and otafs is killed.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2012,SC2010,SC2119,SC2016,SC2046,SC2086
. "$(dirname "$0")/lib.sh"

m=$T/mount
g=$m/groups
key=d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a

worker() { pgrep -P "$(cat "$T/otafs.pid")"; }
# release NAME VERSION: a binary for hardware hw
release() {
	echo "$1 $2" >"$T/$1-$2.bin"
	echo "{\"name\":\"$1\",\"version\":\"$2\",\"hardwareIds\":[\"hw\"]}" >"$T/spool/incoming/$1-$2.bin.push.json"
	cp "$T/$1-$2.bin" "$T/spool/incoming/$1-$2.bin"
	wait_for 20 test -e "$m/packages/$1/$2/hash"
}
# register ID...: makes devices that have told one ECU
register() {
	perl -e 'my ($folder, $key) = splice @ARGV, 0, 2;
		for (@ARGV) { mkdir "$folder/$_" or die "$_: $!\n"; open F, "+<", "$folder/$_/in/ecus" or die "$_: $!\n";
		syswrite F, "{\"primary_ecu_serial\":\"$_-ecu\",\"ecus\":[{\"ecu_serial\":\"$_-ecu\",\"hardware_identifier\":\"hw\"," .
			"\"clientKey\":{\"keytype\":\"ED25519\",\"keyval\":{\"public\":\"$key\"}}}]}";
		sysseek F, 0, 0; sysread F, $r, 4096; close F; $r =~ /^Status: 201/ or die "$_: $r\n" }' "$m/devices" "$key" "$@"
}
# tell ID: hands something in, and fails when that is not taken
tell() {
	perl -e 'open F, "+<", $ARGV[0] or die; syswrite F, "{\"hostname\":\"x\",\"local_ipv4\":\"10.0.0.1\",\"mac\":\"m\"}";
		sysseek F, 0, 0; sysread F, $r, 4096; $r =~ /^Status: 20/ or die $r' "$m/devices/$1/in/network"
}
open_of() { grep -v ^last: "$m/devices/$1/assign"; }
# counts GROUP: how many receipts say what: "taken refused:"
counts() {
	for word in taken refused:; do grep -c " $word" "$g/$1/receipts"; done | tr '\n' ' '
}

settings "spool_quiet_seconds = 0"
start_signd
start_watcher
ok "otafs starts" start_otafs
ok "two releases are published" release app 1.0
ok "and a second" release app 2.0
ok "devices register" register car1 car2 car3 van1
mkdir "$m/devices/bare"

# -- groups and members --
ok "mkdir makes a group" mkdir "$g/eu"
ok "a bad name is refused" refuses "Invalid argument" mkdir "$g/e u"
ok "in words" has "$m/why" 'groups/e u: group name "e u": character 2 \(0x20\) is not allowed there'
ok "a group has its files" is "$(ls "$g/eu" | tr '\n' ' ')" "assign assign.check count receipts rule stop "
ok "ln -s puts devices in" ln -s ../../devices/car1 ../../devices/car2 ../../devices/bare "$g/eu/"
ok "they are links" is "$(readlink "$g/eu/car1")" "../../devices/car1"
ok "that lead to the device" test -e "$g/eu/car1/status"
ok "an absolute path is the same" ln -s "$m/devices/car3" "$g/eu/"
ok "count counts them" is "$(cat "$g/eu/count")" 4
ok "what is no device is refused" refuses "No such file" ln -s ../../devices/car9 "$g/eu/"
ok "so is another name for it" refuses "Invalid argument" ln -s ../../devices/car1 "$g/eu/mine"
ok "in words" has "$m/why" 'groups/eu/mine: a link is to devices/mine and has the same name, this is to ../../devices/car1'
ok "twice it is there already" refuses "File exists" ln -s ../../devices/car1 "$g/eu/"
mkdir "$m/devices/rule"
ok "a device that is called as a file of the group is refused" refuses "File exists" ln -s ../../devices/rule "$g/eu/"
ok "rm takes one out" rm "$g/eu/car3"
ok "and it is out" is "$(ls "$g/eu" | grep -c car)" 2
ok "a device shows its groups" is "$(readlink "$m/devices/car1/groups/eu")" "../../../groups/eu"
ok "ln -s there puts it in too" ln -s ../../../groups/eu "$m/devices/car3/groups/"
ok "so it is in" test -L "$g/eu/car3"
ok "rm there takes it out" rm "$m/devices/car3/groups/eu"
ok "so it is out" not test -L "$g/eu/car3"
ok "mv renames a group" mv -T "$g/eu" "$g/europe"
ok "with all in it" is "$(ls "$g/europe" | grep -c -e car -e bare)" 3
ok "not onto another" sh -c "mkdir '$g/us' && ! mv -T '$g/us' '$g/europe' 2>/dev/null"
ok "a deleted device is out" sh -c "rmdir '$m/devices/bare' && ! ls '$g/europe' | grep bare"
ok "history has it" sh -c "cat '$m/devices/car3/log' | jq -r .what | grep -q group_left"
ok "and who it was" sh -c "grep group_made '$m/events/all' | jq -r .who | grep -q '^uid 0'"
mv -T "$g/europe" "$g/eu"

# -- rules --
ok "a rule is taken" sh -c "echo 'deviceid contains car and not deviceid position(4) is 2' >'$g/us/rule'"
ok "members are shown at once" is "$(ls "$g/us" | grep car | tr '\n' ' ')" "car1 car3 "
register car4
ok "new ones too" is "$(ls "$g/us" | grep car | tr '\n' ' ')" "car1 car3 car4 "
ok "a device shows it" is "$(ls "$m/devices/car1/groups" | tr '\n' ' ')" "eu us "
ok "what is not in it is not found" not test -L "$g/us/car2"
ok "nobody is put in by hand" refuses "not permitted" ln -s ../../devices/car2 "$g/us/"
ok "in words" has "$m/why" 'us: its rule says who is in it: deviceid contains car'
ok "nor taken out" refuses "not permitted" rm "$g/us/car1"
ok "nor the rule" refuses "not permitted" rm "$g/us/rule"
ok "but as why says" has "$m/why" 'groups/us/rule: cannot be removed: an empty line'
ok "nor the whole group bit by bit" refuses "not permitted" rm -r "$g/us"
ok "so all is as it was" is "$(ls "$g/us" | grep car | tr '\n' ' ')" "car1 car3 car4 "
ok "a rule that is none is refused" refuses "I/O error" sh -c "echo 'deviceid resembles x' >'$g/us/rule'"
ok "with the place" has "$m/why" 'groups/us/rule: .*resembles'
ok "and the old one stays" says 'deviceid contains car' cat "$g/us/rule"
echo 'status is NotSeen' >"$g/us/rule"
ok "a device that is called like a file of the group is meant" is "$(cat "$g/us/count")" 1
ok "and has no link beside that file" is "$(ls "$g/us" | grep -c '^rule$')" 1
echo 'group is eu' >"$g/us/rule"
ok "a group that a rule needs is not deleted" refuses "busy" rmdir "$g/eu"
ok "in words" has "$m/why" 'eu: the rule of group us needs it: group is eu'
ok "nor can it need that group" refuses "I/O error" sh -c "echo 'group is us' >'$g/eu/rule'"
ok "without a rule it is empty again" sh -c "echo >'$g/us/rule' && ! ls '$g/us' | grep car"
ok "rmdir deletes a group" rmdir "$g/us"
ok "rm -r one without a rule" sh -c "mkdir '$g/few' && ln -s ../../devices/car1 '$g/few/' && rm -r '$g/few' && ! test -e '$g/few'"

# -- orders --
ok "a check says what would be" sh -c "echo app 1.0 >'$g/eu/assign.check'"
ok "and can be read" says '^2 members: 2 would take it, 0 would refuse$' cat "$g/eu/assign.check"
ok "and nothing is" is "$(open_of car1)" ""
ok "an order is taken" sh -c "echo app 1.0 >'$g/eu/assign'"
ok "each has its receipt" is "$(tr '\n' ' ' <"$g/eu/receipts")" "car1 taken car2 taken "
ok "and its update" sh -c "grep -q '^app-1.0 ' '$m/devices/car1/assign' && grep -q '^app-1.0 ' '$m/devices/car2/assign'"
ok "of one correlation id" is "$(cat "$m/devices/car1/assign" "$m/devices/car2/assign" | grep ^app- | grep -o 'urn:[^ ]*' | sort -u | wc -l)" 1
ok "who is not in it has none" is "$(open_of car3)" ""
ok "what nobody takes is refused" refuses "I/O error" sh -c "echo app 2.0 >'$g/eu/assign'"
ok "in words" has "$m/why" 'groups/eu/assign: none of 2 members has taken it, see groups/eu/receipts; car1: update urn:.* is open'
ok "and each has said why" is "$(counts eu)" "0 2 "
echo cancel >"$m/devices/car1/assign"
ok "what some take is taken" sh -c "echo app 2.0 >'$g/eu/assign'"
ok "and the others have said why" sh -c "grep -q '^car1 taken' '$g/eu/receipts' && grep -q '^car2 refused: update urn' '$g/eu/receipts'"
ok "reading shows it" says '^2 members: 1 have taken it, 1 have refused$' cat "$g/eu/assign"
ok "cancel is an order too" sh -c "echo cancel >'$g/eu/assign'"
ok "so nothing is open" is "$(open_of car1)$(open_of car2)" ""
ok "empty it is refused" refuses "I/O error" sh -c "echo >'$g/eu/assign'"
ok "there is nothing to stop" refuses "I/O error" sh -c "echo >'$g/eu/stop'"
mkdir "$g/none"
ok "a group without members has nobody to take it" refuses "I/O error" sh -c "echo app 1.0 >'$g/none/assign'"

# -- many --
many=${GROUP_DEVICES:-500}
mkdir "$g/all"
register $(seq -f 'n%05g' "$many")
echo 'deviceid contains n0' >"$g/all/rule"
ok "a rule finds many" is "$(cat "$g/all/count")" "$many"
ok "all are listed" is "$(ls "$g/all" | grep -c ^n)" "$many"

# slowly COMMAND...: with a disk that takes 30 ms for each commit
slowly() {
	strace -f -qq -e trace=fdatasync,fsync -e inject=fdatasync,fsync:delay_enter=30000 -o "$T/strace" -p "$(worker)" &
	tracer=$!
	sleep 0.5
	"$@"
	slow=$?
	kill -INT $tracer 2>/dev/null
	wait $tracer 2>/dev/null
	return $slow
}

# over GROUP: the order to it is not worked off any more
over() { wait_for 30 grep -q -e ', done at' -e ', stopped at' "$g/$1/assign"; }

# In force when the writer is answered, for who is read first and for who is worked off last; not for who comes later.
mkdir "$m/devices/n00450/certificates/AB12"
targets=$T/web/www/devices/n00450/AB12/director/targets.json
at_once() {
	grep -q app-1.0 "$targets" && return 1
	echo app 1.0 >"$g/all/assign" || return 1
	grep -q 'app-1.0' "$targets" || return 1
	open_of n00480 | grep -q '^app-1.0 ' || return 1
	cat "$g/all/receipts" >"$T/receipts"
	register n0later
	echo "# $(wc -l <"$T/receipts") of $many were done" >&2
	[ "$(wc -l <"$T/receipts")" -lt 450 ] && is "$(tail -n 2 "$T/receipts" | tr '\n' ' ')" "n00450 taken n00480 taken "
}
ok "an order to many is in force at once" slowly at_once
ok "until all members of that moment have it" over all
ok "which are these" is "$(counts all)" "$many 0 "
ok "but nobody who came later" is "$(open_of n0later)" ""
rmdir "$m/devices/n0later"
echo cancel! >"$g/all/assign"
ok "it can be taken back" over all

# Reports are answered while an order is worked off.
reports() {
	echo app 1.0 >"$g/all/assign" || return 1
	n=0
	while grep -q 'being worked off' "$g/all/assign"; do
		tell van1 || return 1
		grep -q 'being worked off' "$g/all/assign" && n=$((n + 1))
	done
	echo "# $n reports meanwhile" >&2
	[ $n -ge 1 ]
}
ok "an order to many lets devices report" slowly reports
ok "and is taken by all" is "$(counts all)" "$many 0 "
ok "events/all tells when it was done" sh -c "jq -r 'select(.what == \"order_finished\").text' '$m/events/all' | grep -q '$many of $many took it'"

# Two administrators, and one of a device, at one moment: each device ends with one of the orders, whole.
echo cancel >"$g/all/assign"
over all
race() {
	echo app 1.0 >"$g/all/assign" 2>/dev/null &
	first=$!
	echo app 2.0 >"$g/all/assign" 2>/dev/null &
	second=$!
	third=0
	echo app 2.0 >"$m/devices/n00100/assign" 2>/dev/null || third=1
	took=0
	wait $first && took=$((took + 1))
	wait $second && took=$((took + 1))
	over all
	[ $took -ge 1 ] || return 1
	[ $third = 0 ] || grep -q urn: "$m/devices/n00100/assign" || return 1
	open=0
	for id in $(seq -f 'n%05g' "$many"); do
		[ "$(grep -c '^app-' "$m/devices/$id/assign")" = 1 ] || return 1
		open=$((open + 1))
	done
	is $open "$many"
}
ok "writers at one moment end as if one came after the other" race

# -- stop --
echo cancel >"$g/all/assign"
over all
stopped() {
	echo app 1.0 >"$g/all/assign" || return 1
	echo >"$g/all/stop" || return 1
	grep -q 'stopped at' "$g/all/assign" || return 1
	took=$(grep -c taken "$g/all/receipts")
	echo "# $took had taken it" >&2
	[ "$took" -lt "$many" ] && is "$(open_of "n00$many" | grep -c '^app-')" 0
}
ok "stop passes over who has not had his part" slowly stopped
echo cancel >"$g/all/assign" || true
over all

# -- the end in the middle --
begun() { tr '\n' ' ' <"$g/all/assign" | grep -q 'being worked off.*[1-9][0-9]* have taken it'; }
ended() {
	echo app 1.0 >"$g/all/assign" || return 1
	wait_for 20 begun || return 1
	kill "$(cat "$T/otafs.pid")"
	wait "$(cat "$T/otafs.pid")"
}
ok "SIGTERM ends otafs in the middle of an order" slowly ended
ok "the log tells" has "$T/otafs.log" 'order held up group=all reason="otafs is ending"'
start_otafs
ok "the order is carried on after the next start" over all
ok "all have it" is "$(counts all)" "$many 0 "
echo cancel >"$g/all/assign"
over all

# -- kill -9 in the middle --
killed() {
	echo app 2.0 >"$g/all/assign" || return 1
	wait_for 20 sh -c "cat '$g/all/assign' | tr '\n' ' ' | grep 'being worked off.*[1-9][0-9]* have taken it.*app 2.0'" || return 1
	kill -9 $tracer "$(worker)" # both at once: a tracer of who was killed may never end
}
ok "otafs is killed while it works" slowly killed
cp "$g/all/receipts" "$T/after"
ok "some were done, as the receipts of the crash say" grep -q ' taken' "$T/after"
ok "the order is carried on" over all
ok "until all have it" is "$(counts all)" "$many 0 "
whole() {
	for id in $(seq -f 'n%05g' "$many"); do
		[ "$(grep -c '^app-2.0 ' "$m/devices/$id/assign")" = 1 ] || {
			echo "$id: $(cat "$m/devices/$id/assign")"
			return 1
		}
	done
	is "$(grep -h '^app-' $(seq -f "$m/devices/n%05g/assign" "$many") | grep -o 'urn:[^ ]*' | sort -u | wc -l)" 1
}
ok "each has it once, with the one correlation id" whole
ok "the log says that it was carried on" grep -q 'order carried on group=all' "$T/otafs.log"
ok "the group is free again" sh -c "echo cancel >'$g/all/assign'"
ok "receipts of the last order only are left" wait_for 20 sh -c \
	"[ \"\$(sqlite3 '$T/state/otafs.db' 'SELECT COUNT(DISTINCT number) FROM receipt')\" -le 4 ]"
over all
ok "rmdir deletes a group of many" rmdir "$g/all"
ok "nobody is in it any more" is "$(ls "$m/devices/n00001/groups")" ""
finish
