#!/bin/sh
# The stories of a vehicle with a primary and two secondaries, each with its own key, through lighttpd: updates of all at
# once and of one, reboots, failures, cancels, replayed manifests, a store that was lost, and clients of older forms.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

settings "spool_quiet_seconds = 1"
start_all
dev=$T/mount/devices/car1

# vehicle ARGUMENT...: car1 with its three ECUs
vehicle() {
	"$OTA_DEVICE" --url "$url" --cert "$T/car1/client.pem" --key "$T/car1/pkey.pem" --ca "$T/car1/root.crt" \
		--dir "$T/car1/state" --hardware qemux86-64 --ecu prim --secondary brake:mcu --secondary door:mcu --verbose "$@"
}
firmware() { # firmware VERSION: publishes fw of it for the secondaries
	mkdir "$T/making"
	head -c 20000 /dev/urandom >"$T/making/fw.bin"
	echo "{\"name\":\"fw\",\"version\":\"$1\",\"hardwareIds\":[\"mcu\"]}" >"$T/making/push.json"
	mv "$T/making" "$T/spool/incoming/fw-$1"
	published fw "$1"
}
system() { # system VERSION: publishes app of it for the primary
	commit_of app "$1" >/dev/null && drop app "$1" && published app "$1"
}
assign() { printf '%s\n' "$@" >"$dev/assign"; }
runs() { has "$dev/ecus/$1" "^runs: $2$"; } # runs ECU TARGET
status_is() { is "$(jq -r .status "$dev/device.json")" "$1"; }
ecus_named() { # of the director's targets
	fetch car1 /director/targets.json >/dev/null
	jq -r '[.signed.targets[].custom.ecuIdentifiers | keys[]] | sort | join(" ")' "$T/body"
}
count() { jq -r "select($1) | .what" "$dev/log" | wc -l; } # lines of history that fit
correlation() { jq -rs 'map(select(.what == "assigned"))[-1].correlation' "$dev/log"; }

# ---- all three at once
ok "publishes for the primary" system 1.0
ok "and for the secondaries" firmware 1.0
enroll car1 >/dev/null
ok "registers three ECUs" says "POST /director/ecus 201" vehicle poll
ok "each with its key" is "$(sed -n 's/^key: //p' "$dev"/ecus/* | sort -u | wc -l)" 3
ok "and knows the primary" has "$dev/ecus/prim" "primary: yes"
ok "assigns both packages to three ECUs in one write" assign "app 1.0" "fw 1.0"
ok "with one correlation id" is "$(jq -r 'select(.what == "assigned") | .correlation' "$dev/log" | sort -u | wc -l)" 1
ok "which the device reads" is "$(ecus_named)" "brake door prim"
ok "and is in flight from then on" status_is InFlight
ok "the vehicle installs on all" vehicle poll
for ecu in prim:app-1.0 brake:fw-1.0 door:fw-1.0; do
	ok "${ecu%:*} runs it" runs "${ecu%:*}" "${ecu#*:}"
done
ok "the server is content" status_is UpToDate
ok "three installations are told" is "$(grep -c installed "$dev/installations")" 3
ok "and nothing is to be done" is "$(ecus_named)" ""

# ---- one secondary alone
firmware 1.1 >/dev/null
assign "fw 1.1 door"
ok "an update of one ECU names that alone" is "$(ecus_named)" door
vehicle poll >"$T/poll" 2>&1
ok "is installed there" runs door fw-1.1
ok "and nowhere else" runs brake fw-1.0

# ---- a reboot between installing and telling
system 2.0 >/dev/null
assign "app 2.0"
ok "an update that needs a reboot is applied" says "applied app-2.0 on prim, waits for a reboot" vehicle --reboot poll
ok "the server knows that" has "$dev/status" "waits for a reboot"
ok "and takes nothing for installed" runs prim app-1.0
ok "until then the vehicle is silent" is "$(vehicle --reboot poll)" ""
ok "and the update in flight" status_is InFlight
ok "cancelling is refused" refuses . assign cancel
ok "and says how to insist" has "$dev/why" "cancel!"
vehicle reboot >"$T/reboot" 2>&1
vehicle poll >"$T/poll" 2>&1
first=$(grep -n -m 1 "PUT /director/manifest 200" "$T/poll" | cut -d: -f1)
ok "after the reboot the manifest comes before any question" is "$(head -n "${first:-0}" "$T/poll" | grep -c GET)" 0
ok "and tells what runs" runs prim app-2.0
ok "the server is content again" status_is UpToDate

# ---- one ECU fails, the others do not
firmware 2.0 >/dev/null
system 3.0 >/dev/null
assign "app 3.0" "fw 2.0"
correlation=$(correlation)
ok "one ECU of three fails" says "failed fw-2.0 on door" vehicle --fail door poll
ok "the others run the new" runs brake fw-2.0
ok "that one the old" runs door fw-1.1
ok "history tells of the failure" is "$(count '.what == "failed" and .ecu == "door" and .target == "fw-2.0"')" 1
ok "and of the others" is "$(count ".what == \"installed\" and .correlation == \"$correlation\"")" 2
ok "status too, with the device's words" has "$dev/status" "door to fw-2.0 failed: .*Installing image failed"
ok "it is an error" status_is Error
ok "the installations have each ECU's end" is "$(grep "$correlation" "$dev/installations" | grep -c .)" 3
ok "and the vehicle has nothing to do any more" is "$(ecus_named)" ""
ok "the server goes on asking for nothing" says "targets.json 200" vehicle poll
ok "it is tried again" assign "fw 2.0 door"
ok "then it works" says "installed fw-2.0 on door" vehicle poll
ok "and the error is over" status_is UpToDate

# ---- a reboot into what was there before
system 4.0 >/dev/null
assign "app 4.0"
vehicle --reboot poll >/dev/null 2>&1
ok "the boot loader goes back" says "failed app-4.0 on prim" vehicle --fail prim reboot
vehicle poll >/dev/null 2>&1
ok "the server knows that it failed" has "$dev/status" "prim to app-4.0 failed"
ok "and what runs" runs prim app-3.0

# ---- cancelling
assign "app 4.0"
ok "what nobody has read is cancelled" assign cancel
ok "and the vehicle hears nothing of it" not says installed vehicle poll
assign "app 4.0"
vehicle --reboot poll >/dev/null 2>&1
ok "what waits for its reboot is not" refuses . assign cancel
ok "unless it is said with force" assign 'cancel!'
ok "then nothing is open" is "$(ecus_named)" ""
vehicle reboot >/dev/null 2>&1
ok "the vehicle may run it all the same" vehicle poll
ok "which is believed" runs prim app-4.0
ok "the late report is told and changes nothing" has "$dev/history" "reported success .*of an earlier update"
ok "nothing is open then" is "$(ecus_named)" ""

# ---- a report for an older update must not end a newer one
system 5.0 >/dev/null
assign "app 5.0"
vehicle --reboot poll >/dev/null 2>&1
assign 'cancel!'
assign "fw 1.0 door"
vehicle --fail prim reboot >/dev/null 2>&1
ok "a failure of the cancelled update comes late" says "installed fw-1.0 on door" vehicle poll
ok "and the newer one is installed" runs door fw-1.0

# ---- replay
ok "a manifest is recorded" vehicle --record "$T/old.json" poll
vehicle --record "$T/new.json" poll >/dev/null 2>&1
cp "$dev/log" "$T/before"
ok "the newest body again is taken" is "$(fetch car1 /director/manifest -X PUT -d "@$T/new.json")" 200
ok "and leaves nothing" cmp "$dev/log" "$T/before"
ok "an old one is not" is "$(fetch car1 /director/manifest -X PUT -d "@$T/old.json")" 409
ok "in words" is "$(jq -r .code "$T/body")" replayed_manifest
ok "why tells of it" has "$dev/why" "counter"
fetch car1 /director/manifest -X PUT -d "@$T/old.json" >/dev/null
ok "history once" is "$(count '.what == "replayed"')" 1
ok "the vehicle goes on" vehicle poll

# ---- the store is lost
cp -r "$T/car1/state" "$T/kept"
flash() { # flash: a new store, with the keys that are given
	rm -rf "$T/car1/state"
	mkdir "$T/car1/state"
	for key in "$@"; do cp "$key" "$T/car1/state/"; done
}
flash "$T/kept"/*.key
cp "$dev/log" "$T/before"
ok "with the same keys it registers again" says "POST /director/ecus 200" vehicle poll
ok "its count begins anew and is taken" has "$T/says.out" "PUT /director/manifest 200"
ok "no ECU is another" is "$(count '.what == "ecu_replaced"')" 0
ok "what runs is not known any more" runs door noimage
assign "fw 2.0 door"
ok "updates go on" says "installed fw-2.0 on door" vehicle poll
flash
assign "fw 1.1 brake"
ok "with other keys too" says "POST /director/ecus 200" vehicle poll
ok "which is told of each ECU" is "$(count '.what == "ecu_replaced" and (.text | test("other key"))')" 3
ok "an open update of a replaced ECU is ended" is "$(count '.what == "ended" and .ecu == "brake"')" 1
ok "and why says so" has "$dev/why" "brake"
assign "fw 1.1 brake"
ok "and can be made again" says "installed fw-1.1 on brake" vehicle poll
rm -rf "$T/car1/state"
cp -r "$T/kept" "$T/car1/state"
ok "the old keys sign nothing any more" not says "PUT /director/manifest 200" vehicle poll
ok "which why tells" has "$dev/why" "manifest refused: signature_not_valid: car1: "
flash
vehicle poll >/dev/null 2>&1

# ---- a secondary less, and one more
less() {
	"$OTA_DEVICE" --url "$url" --cert "$T/car1/client.pem" --key "$T/car1/pkey.pem" --ca "$T/car1/root.crt" \
		--dir "$T/car1/state" --hardware qemux86-64 --ecu prim --secondary door:mcu --secondary lamp:mcu --verbose "$@"
}
assign "fw 2.0 brake"
ok "takes another list of ECUs" says "POST /director/ecus 200" less poll
ok "which ends what was open for the one that is gone" is "$(count '.what == "ended" and .ecu == "brake"')" 2
ok "the gone one is gone" not test -e "$dev/ecus/brake"
ok "the new one is there" test -e "$dev/ecus/lamp"
ok "and is updated" assign "fw 2.0 lamp"
ok "by itself" says "installed fw-2.0 on lamp" less poll
vehicle poll >/dev/null 2>&1

# ---- older clients
assign "fw 2.0 door"
ok "a manifest of form v2 installs" says "installed fw-2.0 on door" vehicle --form v2 poll
ok "and is believed" runs door fw-2.0
assign "fw 1.0 door"
ok "one of form v1 too" says "installed fw-1.0 on door" vehicle --form v1 poll
ok "believed as well" runs door fw-1.0
assign "fw 1.1 door"
ok "a failure of form v2" says "failed fw-1.1 on door" vehicle --form v2 --fail door poll
ok "ends the update" has "$dev/status" "door to fw-1.1 failed"
assign "fw 1.1 door"
ok "one of form v1" says "failed fw-1.1 on door" vehicle --form v1 --fail door poll
ok "as well" has "$dev/status" "door to fw-1.1 failed"
ok "nothing is open" is "$(ecus_named)" ""

# ---- nothing of all this was lost
ok "each update that began has ended, each ECU once" is "$(count '.what == "assigned"')" \
	"$(grep -c . "$dev/installations")"
ok "the log is JSON to the last line" jq -es 'length > 100' "$dev/log"
finish
