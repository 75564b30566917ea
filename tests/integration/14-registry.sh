#!/bin/sh
# What is known of a device, from its first registration to the moment it is deleted: through the real listener, with
# what it hands in, what people say of it, and every refusal in words.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 1" "unresponsive_polls = 1000"
start_all
devices=$T/mount/devices
car=$devices/car1
bus=$devices/bus2
: >"$T/body"

json() { jq -r "$1" "$2/device.json"; }
status_is() { is "$(json .status "$1")" "$2"; }
# write TEXT FILE: one write; its refusal is told
write() { printf '%s\n' "$1" | dd of="$2" bs=64k 2>&1; }
# refused_write WORDS TEXT FILE: with words in why of the device
refused_write() { not write "$2" "$3" >/dev/null && has "${3%/*}/why" "$1"; }
# hands STATUS ID PATH BODY: the body as it stands
hands() {
	printf '%s' "$4" >"$T/hand"
	is "$(fetch "$2" "$3" --data-binary "@$T/hand" -X "${5:-POST}")" "$1" || { cat "$T/body" && false; }
}
# refuses_hand STATUS CODE WORDS ID PATH BODY: an answer in JSON
refuses_hand() { hands "$1" "$4" "$5" "$6" && is "$(jq -r .code "$T/body")" "$2" && has "$T/body" "$3"; }
# ecu SERIAL HARDWARE KEY-FILE: an ECU of a registration
ecu() {
	jq -n --arg s "$1" --arg h "$2" --rawfile k "$T/$3" '{ecu_serial: $s, hardware_identifier: $h, clientKey:
		(if $k | startswith("-") then {keytype: "RSA", keyval: {public: $k}}
		else {keytype: "ED25519", keyval: {public: $k}} end)}'
}
# ecus PRIMARY ECU...: a registration
ecus() {
	primary=$1
	shift
	printf '%s' "$*" | jq -cs --arg p "$primary" '{primary_ecu_serial: $p, ecus: .}'
}
for key in one two; do openssl rand -hex 32 | tr -d '\n' >"$T/$key.key"; done
openssl genrsa 2048 2>/dev/null | openssl rsa -pubout -out "$T/rsa.key" 2>/dev/null

# ---- what people say of it
enroll car1 >/dev/null && enroll bus2 >/dev/null
ok "a device that was never heard of is NotSeen" status_is "$bus" NotSeen
ok "and was made, but not activated" is "$(json '.createdAt != null, .activatedAt, .lastSeen' "$bus" | tr '\n' ' ')" "true null null "
ok "it has no name" is "$(cat "$bus/name")" ""
ok "takes one" write "Bus 2, Nürnberg" "$bus/name"
ok "and shows it" is "$(cat "$bus/name")" "Bus 2, Nürnberg"
ok "refuses one with a line end" refused_write "the name: byte 2 begins a control character" "a
b" "$bus/name"
ok "or one that is too long" refused_write "the name: 201 bytes, at most 200 are allowed" "$(printf '%0201d' 0)" "$bus/name"
ok "keeps the one it has" is "$(json .name "$bus")" "Bus 2, Nürnberg"
ok "takes notes of several lines" write "left door
rusty" "$bus/notes"
ok "and shows them" is "$(cat "$bus/notes")" "left door
rusty"
ok "takes tags" write "region=EU
ring = canary" "$bus/tags"
ok "one more, and one less" write "colour=blue
ring=" "$bus/tags"
ok "and shows them by name" is "$(cat "$bus/tags")" "colour=blue
region=EU"
ok "refuses what is no tag" refused_write '"blue": expected "NAME=VALUE"' "region=US
blue" "$bus/tags"
ok "and a name that no rule could have" refused_write "character 3 of the name is not allowed" "re;gion=US" "$bus/tags"
ok "of which nothing was taken" is "$(json '.tags | [.region, .colour] | join(" ")' "$bus")" "EU blue"
ok "others may not" refuses "denied|cannot" setpriv --reuid=64199 --regid=64199 --clear-groups sh -c "echo x >$bus/name"
ok "who named it is in the history" has "$bus/history" 'named "Bus 2, N\\xc3\\xbcrnberg" by uid 0'

# ---- registration of ECUs
one=$(ecu p1 hw-a one.key) two=$(ecu s1 hw-b two.key)
ok "a report before the registration is taken" hands 200 bus2 /system_info '{"id":"bus2"}'
ok "the device is seen and NotRegistered" status_is "$bus" NotRegistered
ok "and activated" not is "$(json .activatedAt "$bus")" null
ok "registers its ECUs" hands 201 bus2 /director/ecus "$(ecus p1 "$one")"
ok "is UpToDate then" status_is "$bus" UpToDate
ok "the same again is no change" hands 200 bus2 /director/ecus "$(ecus p1 "$one")"
ok "a secondary more" hands 200 bus2 /director/ecus "$(ecus p1 "$one" "$two")"
ok "is there" is "$(json '[.ecus[].serial] | join(" ")' "$bus")" "p1 s1"
ok "an RSA key for it" hands 200 bus2 /director/ecus "$(ecus p1 "$one" "$(ecu s1 hw-b rsa.key)")"
ok "is the one it has" is "$(json '.ecus[1].publicKey.keytype' "$bus")" RSA
ok "which is told" has "$bus/history" "ECU s1 \(hw-b\) replaced, other key"
ok "another primary" hands 200 bus2 /director/ecus "$(ecus s1 "$one" "$two")"
ok "comes first" is "$(json '.ecus[0].serial, .ecus[0].primary' "$bus" | tr '\n' ' ')" "s1 true "
ok "an ECU less" hands 200 bus2 /director/ecus "$(ecus p1 "$one")"
ok "is told" has "$bus/history" "ECU s1 \(hw-b\) removed"
ok "no ECU is refused" refuses_hand 400 invalid_ecus "0 ECUs, allowed are 1 to 100" bus2 /director/ecus "$(ecus p1)"
ok "an unknown primary too" refuses_hand 400 primary_is_not_listed_for_device "not among the ECUs" bus2 /director/ecus "$(ecus p9 "$one")"
ok "one ECU twice too" refuses_hand 400 invalid_ecus "ECU p1 is listed twice" bus2 /director/ecus "$(ecus p1 "$one" "$one")"
ok "a serial that is no file name too" refuses_hand 400 invalid_ecus "character 2 \(0x2f\)" bus2 /director/ecus "$(ecus a/b "$(ecu a/b h one.key)")"
ok "it has the ECUs that it had" is "$(json '[.ecus[].serial] | join(" ")' "$bus")" p1

# ---- what it tells of itself
ok "network" hands 200 bus2 /system_info/network '{"hostname":"bus2","local_ipv4":"192.0.2.2","mac":"02:fc:00:00:00:01"}' PUT
ok "is part of device.json" is "$(json .network.local_ipv4 "$bus")" 192.0.2.2
ok "packages" hands 200 bus2 /core/installed '[{"name":"vim","version":"1.0"}]' PUT
ok "are shown" has "$bus/packages" '"name": "vim"'
ok "a configuration" hands 200 bus2 /system_info/config '[p11]
pass = "geheim"
x = { user_password = "geheim", y = 1 }
tokens = [
 "geheim",
]
[tls]
server = "https://geheim:geheim@host"
a = 1'
ok "is shown without its secrets" has "$bus/config" 'x = \{ user_password = "\(masked\)", y = 1 \}'
ok "and with the rest" has "$bus/config" "^a = 1"
ok "no secret is stored" not grep -qa geheim "$T/state/otafs.db" "$T/state/otafs.db-wal"
ok "JSON that does not parse is refused" refuses_hand 400 invalid_report "system_info: not JSON" bus2 /system_info '{'

# event ID TYPE [CORRELATION [SUCCESS]]
event() {
	jq -cn --arg i "$1" --arg t "$2" --arg c "${3:-}" --argjson s "${4:-null}" '{id: $i, deviceTime: "2026-01-01T00:00:00Z",
		eventType: {id: $t, version: 0}, event: {ecu: "car1-ecu", correlationId: $c, success: $s}}'
}
ok "events" hands 200 bus2 /events "[$(event e1 DevicePaused),$(event e2 Martian)]"
ok "again" hands 200 bus2 /events "[$(event e1 DevicePaused),$(event e3 DeviceResumed)]"
ok "are kept once, also of a type that nobody knows" is "$(jq -r '.id + .eventType.id' "$bus/events" | tr '\n' ' ')" \
	"e1DevicePaused e2Martian e3DeviceResumed "
ok "what is no event at all is left out" hands 200 bus2 /events '[7,null,{},{"id":8},{"id":"e4"}]'
ok "and counted" has "$bus/history" "4 events without an id, or too large, were left out"
ok "bytes that are no text cost nothing" hands 200 bus2 /events "[{\"id\":\"e5\",\"x\":\"$(printf '\377')\"}]"
ok "what does not parse is asked for in smaller pieces" refuses_hand 413 unreadable_events "not JSON" bus2 /events '[{"id":"e6"'
seq -s, 4097 >"$T/numbers"
ok "and so are too many" refuses_hand 413 too_many_events "4097 at once, at most 4096" bus2 /events "[$(cat "$T/numbers")]"

# ---- an update
commit_of app 1.0 >/dev/null
commit_of app 2.0 >/dev/null
drop app 1.0
drop app 2.0
ok "publishes" published app 1.0
ok "both" published app 2.0
ok "another device polls" device car1 poll
ok "and is UpToDate" status_is "$car" UpToDate
ok "an update is assigned" write "app 1.0" "$car/assign"
ok "and is pending" status_is "$car" UpdatePending
first=$(json '.assignments[0].correlationId' "$car")
ok "an administrator may look" grep -q app-1.0 "$car/director/targets.json"
ok "which changes nothing" status_is "$car" UpdatePending
ok "the device reads of it" is "$(fetch car1 /director/targets.json)" 200
ok "and it is in flight" status_is "$car" InFlight
ok "since now" not is "$(json '.assignments[0].inFlightAt' "$car")" null
ok "the device installs it" device car1 poll
ok "and is UpToDate" status_is "$car" UpToDate
ok "the installation is told with how long it took" has "$car/installations" \
	"installed app-1.0 on ECU car1-ecu, assigned .*, read after .*, finished after .*, $first"
ok "to programs too" is "$(json '.lastUpdate[0] | .result + " " + .correlationId' "$car")" "installed $first"
ok "the next update" write "app 2.0" "$car/assign"
ok "is not moved by a late event of the last one" hands 200 car1 /events "[$(event late EcuInstallationCompleted "$first" true)]"
ok "which is kept" has "$car/events" '"late"'
ok "it stays pending" status_is "$car" UpdatePending
ok "and no sentence says that it is installed" not has "$car/status" "has installed it"
second=$(json '.assignments[0].correlationId' "$car")
ok "an event of its own is told" hands 200 car1 /events "[$(event now EcuDownloadStarted "$second")]"
ok "as progress" has "$car/status" "downloading it"

# Its own key: its registration is repeated with another one.
ok "the device comes with another key while it is open" hands 200 car1 /director/ecus "$(ecus car1-ecu "$(ecu car1-ecu qemux86-64 two.key)")"
ok "which ends the update" is "$(json '.assignments | length' "$car")" 0
ok "and is told in why" has "$car/why" "the update of ECU car1-ecu to app-2.0 has ended, since the device registered it as replaced, other key"
ok "in the history" has "$car/history" "ended app-2.0 for ECU car1-ecu, which was replaced, other key, $second"
ok "and in the installations" has "$car/installations" "ended app-2.0 on ECU car1-ecu.*$second: the ECU was replaced, other key"

# ---- all of them
counts() { grep "^otafs_devices_by_status" "$T/mount/status/metrics" | sed 's/.*status="//; s/"}//' | grep -v ' 0$' | tr '\n' ' '; }
ok "metrics count devices by status" is "$(counts)" "UpToDate 2 "
ok "and so does health" is "$(jq -c '.deviceStatuses | [.UpToDate, .NotSeen, .InFlight]' "$T/mount/status/health.json")" "[2,0,0]"
mkdir "$devices/new"
ok "at once" is "$(counts)" "NotSeen 1 UpToDate 2 "


# ---- a certificate that is revoked and accepted again
serial=$(openssl x509 -in "$T/car1/client.pem" -noout -serial | cut -d= -f2)
version() { fetch car1 /director/targets.json >/dev/null && jq .signed.version "$T/body"; }
old=$(version)
ok "a revoked certificate gets nothing" sh -c "rmdir $car/certificates/$serial"
ok "from that moment" is "$(fetch car1 /director/targets.json)" 403
write "app 2.0" "$car/assign" >"$T/write.out"
mkdir "$car/certificates/$serial"
ok "accepted again it gets what is so now" is "$(($(version) > old))" 1
write cancel "$car/assign" >>"$T/write.out"

# ---- other ECUs are not wanted
stop otafs
echo "ecu_replacement = 0" >>"$conf"
ok "while otafs is away events are asked for again, not lost" hands 503 bus2 /events "[$(event e7 DevicePaused)]"
start_otafs
ok "after a restart all is known" is "$(json '[.name, .tags.region, .status] | join(" ")' "$bus")" "Bus 2, Nürnberg EU UpToDate"
ok "with ecu_replacement = 0 the same ECUs are taken" hands 200 bus2 /director/ecus "$(ecus p1 "$one")"
not_wanted() { refuses_hand 409 ecu_replacement_disabled "ECU s1 is new, and ecu_replacement is 0" bus2 /director/ecus "$(ecus p1 "$one" "$two")"; }
ok "others are not" not_wanted
ok "however often" not_wanted
ok "which is told in why" has "$bus/why" "registration refused: ECU s1 is new, and ecu_replacement is 0"
ok "and once in the history" is "$(grep -c "registration refused" "$bus/history")" 1
ok "another device registers for the first time" sh -c "$top/scripts/ota-device-cert -c $conf --ca-dir $T/pki new $T/new >/dev/null"
ok "as ever" hands 201 new /director/ecus "$(ecus p1 "$one" "$two")"

# ---- deleting it
# One connection stays open: what was allowed at its start must not be at its end.
mkfifo "$T/requests"
openssl s_client -connect "127.0.0.1:$port" -cert "$T/bus2/client.pem" -key "$T/bus2/pkey.pem" -CAfile "$T/pki/server-ca.pem" \
	-servername localhost -quiet <"$T/requests" >"$T/answers" 2>/dev/null &
client=$!
cleanup "kill $client"
exec 3>"$T/requests"
get() { printf 'GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n' "$1" >&3; }
get /director/targets.json
ok "the device gets its targets" wait_for 5 grep -q "HTTP/1.1 200" "$T/answers"
ok "rmdir deletes the device" rmdir "$bus"
ok "its certificate is dead at that moment" is "$(fetch bus2 /director/targets.json)" 403
get /director/targets.json
ok "also on a connection that is open" wait_for 5 grep -q "HTTP/1.1 403" "$T/answers"
exec 3>&-
ok "it gets nothing of the repositories" is "$(fetch bus2 /repo/timestamp.json) $(fetch bus2 /treehub/config)" "403 403"
ok "its events are refused, and not as something unknown, upon which it would throw them away" \
	refuses_hand 403 unknown_device "no device bus2 with certificate" bus2 /events "[$(event e8 DevicePaused)]"
ok "its registration too" refuses_hand 403 unknown_device "no device bus2" bus2 /director/ecus "$(ecus p1 "$one")"
ok "a device of its name is a new one" mkdir "$bus"
ok "for which the old certificate says nothing" is "$(fetch bus2 /director/targets.json)" 403
ok "without name, tags and ECUs" is "$(json '[.name, .tags, .ecus, .status] | @json' "$bus")" '[null,{},[],"NotSeen"]'
ok "but with its history" has "$bus/history" "device deleted by uid 0"
ok "from the start" has "$bus/history" 'named "Bus 2'
finish
