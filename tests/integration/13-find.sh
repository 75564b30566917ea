#!/bin/sh
# Finding devices: query/ through the kernel, with what people and devices have told.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2012 # functions are called by name
. "$(dirname "$0")/lib.sh"

m=$T/mount
q=$m/query

settings "spool_quiet_seconds = 1"
start_all
commit_of app 1.0 >/dev/null
drop app 1.0
needs 30 published app 1.0

# ids RULE: the ids in one line
ids() {
	cut -d' ' -f1 "$q/text/$1" | tr '\n' ' '
}

# -- the fleet: one that updates, some that only have names and tags --
enroll car7 >/dev/null
device car7 poll >/dev/null 2>&1
echo app 1.0 >"$m/devices/car7/assign"
mkdir "$m/devices/van1" "$m/devices/van2" "$m/devices/Van3"
echo region=EU >"$m/devices/van1/tags"
echo region=eu >"$m/devices/van2/tags"
echo 'region=South America' >"$m/devices/Van3/tags"
echo 'The red one' >"$m/devices/van2/name"

ok "ls shows the forms" is "$(ls "$q" | tr '\n' ' ')" "README count json text "
ok "a README says how" has "$q/README" "tag\\(NAME\\) contains X"
ok "and names each status" is "$(sed -n 's/^STATUS is one of //p' "$q/README" | tr ' ' '\n' |
	while read -r status; do cat "$q/count/status is not $status limit 1"; done | wc -l)" 8
ok "what can be asked for is not listed" is "$(ls -A "$q/text")" ""
ok "all, in order" is "$(ids all)" "Van3 car7 van1 van2 "
ok "by id, in upper or lower case" is "$(ids 'deviceid contains VAN')" "Van3 van1 van2 "
ok "by a character of it" is "$(ids 'deviceid position(4) is not 3')" "car7 van1 van2 "
ok "by tag" is "$(ids 'tag(region) is eu')" "van1 van2 "
ok "by a value with a space" is "$(ids 'tag(region) is "south america"')" "Van3 "
ok "by name" is "$(ids 'name contains red')" "van2 "
ok "by hardware" is "$(ids 'hardware is qemux86-64')" "car7 "
ok "by status" is "$(ids 'status is NotSeen')" "Van3 van1 van2 "
ok "by when they were seen" is "$(ids 'lastseen newer than 1h')" "car7 "
ok "never seen is older than anything" is "$(ids 'lastseen older than 520w')" "Van3 van1 van2 "
ok "with and, or, not and parentheses" is \
	"$(ids '(tag(region) is EU and not deviceid is van1) or hardware contains qemu')" "car7 van2 "
ok "nothing is an empty file" is "$(ids 'tag(colour) is red')" ""
ok "a line has status, last seen and name" says '^van2 NotSeen never The red one$' cat "$q/text/deviceid is van2"
ok "a page" is "$(ids 'all limit 2')" "Van3 car7 "
ok "and the next" is "$(ids 'all after car7 limit 2')" "van1 van2 "
ok "how many" is "$(cat "$q/count/tag(region) is EU")" 2

ok "JSON has what is known" is \
	"$(jq -c '[.id,.name,.status,.tags.region,.lastSeen]' "$q/json/name is \"the red one\"")" \
	'["van2","The red one","NotSeen","eu",null]'
ok "a line each" is "$(jq -r .id "$q/json/all" | tr '\n' ' ')" "Van3 car7 van1 van2 "
ok "with its ECUs" is "$(jq -c '[.ecus[].hardwareId]' "$q/json/deviceid is car7")" '["qemux86-64"]'

# -- what changes is found at once --
ok "not yet by the package" is "$(ids 'package is app')" ""
ok "the device updates" says "installed app-1.0 on car7-ecu" device car7 poll
ok "then by package" is "$(ids 'package is app')" "car7 "
ok "and version" is "$(ids 'package is app 1.0')$(ids 'version is 1.0')" "car7 car7 "
ok "others by its absence" is "$(ids 'package is not app')" "Van3 van1 van2 "
ok "and by its status" is "$(ids 'status is UpToDate')" "car7 "
echo 'region=' >"$m/devices/van1/tags"
ok "a tag that was removed finds nothing" is "$(ids 'tag(region) is EU')" "van2 "
rmdir "$m/devices/van2"
ok "nor does a device that is gone" is "$(ids 'all')" "Van3 car7 van1 "

# -- groups --
mkdir "$m/groups/hand" "$m/groups/rule"
ln -s ../../devices/van1 "$m/groups/hand/"
ln -s ../../devices/car7 "$m/groups/hand/"
echo 'tag(region) contains america or group is hand' >"$m/groups/rule/rule"
ok "by a group of which they were made members" is "$(ids 'group is hand')" "car7 van1 "
ok "by a group with a rule" is "$(ids 'group is rule')" "Van3 car7 van1 "
ok "and by not being in it" is "$(ids 'group is not hand and not status is UpToDate')" "Van3 "
ok "JSON names the groups" is "$(jq -c .groups "$q/json/deviceid is van1")" '["hand"]'
rm "$m/groups/hand/van1"
ok "whoever leaves a group is not found in it" is "$(ids 'group is rule')" "Van3 car7 "

# -- refusals --
refused() { # refused RULE WORDS: reading fails, and the top's why has the words
	refuses "Invalid argument" cat "$q/text/$1" && has "$m/why" "$2"
}
ok "what is no rule fails" refused 'frob' 'query/text/frob: position 1: expected deviceid'
ok "so does half of one" refused 'tag(region) is' 'position 15: expected a value, found the end'
ok "a status that is none" refused 'status is Fine' 'position 11: expected NotSeen, NotRegistered, UpToDate'
ok "a group that is not there" refused 'group is nowhere' 'there is no group nowhere'
ok "counting too" refuses "Invalid argument" cat "$q/count/frob"
ok "nothing is written there" refuses "ermission|not permitted|nvalid" sh -c "echo x >'$q/text/all'"

# -- many --
seq -f 'bus%04g' 2500 >"$T/ids"
(cd "$m/devices" && xargs mkdir <"$T/ids")
ok "thousands come in order" sh -c "cut -d' ' -f1 '$q/text/deviceid contains bus' | cmp - '$T/ids'"
ok "head takes some" is "$(head -n 2 "$q/text/deviceid contains bus" | tr '\n' ' ')" \
	"bus0001 NotSeen never bus0002 NotSeen never "
ok "and they are counted" is "$(cat "$q/count/deviceid contains bus")" 2500
ok "otafs goes on" grep -q ^otafs "$m/status/version"

finish
