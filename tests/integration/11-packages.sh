#!/bin/sh
# packages/NAME/VERSION with binaries, delegations and what their publishers say; repo/targets through lighttpd; taking
# versions out. The sets are made by hand, as ota-watcher would leave them.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2016
. "$(dirname "$0")/lib.sh"

m=$T/mount
r=$T/repository
app=$m/packages/app
settings "spool_quiet_seconds = 1"
start_all
enroll car1
commit_of app 1.0 >/dev/null
drop app 1.0
ok "a commit is published" published app 1.0
stop watcher

gives() { # gives STATUS PATH [CURL ARGUMENT...]
	want=$1 what=$2
	shift 2
	: >"$T/body"
	is "$(fetch car1 "$what" --path-as-is -D "$T/head" "$@")" "$want"
}
missing() { gives 404 "$1" && not test -s "$T/body"; }
as_watcher() { setpriv --reuid=64103 --regid=64102 --clear-groups "$@"; }
# store FILE: into binaries/ by its hash, which it prints
store() {
	hash=$(sha256sum "$1" | cut -d' ' -f1)
	folder=$r/binaries/$(echo "$hash" | cut -c1-2)
	as_watcher mkdir -p "$folder"
	cp --sparse=always "$1" "$folder/${hash#??}" && chmod 644 "$folder/${hash#??}"
	echo "$hash"
}
# publish TARGETS [DELEGATION]: both "signed" parts; the newest set with these instead
publish() {
	was=$(readlink "$r/published/current")
	now=$((was + 1))
	as_watcher cp -r "$r/published/$was" "$r/published/$now.new"
	jq -c --argjson more "$1" '.signed = (.signed * $more)' "$r/published/$was/targets.json" >"$T/targets.json"
	cp "$T/targets.json" "$r/published/$now.new/"
	if [ -n "${2:-}" ]; then
		mkdir -p "$r/published/$now.new/delegations"
		jq -nc --argjson body "$2" '{signatures: [], signed: $body}' >"$r/published/$now.new/delegations/supplier.json"
	fi
	chmod -R a+rX "$r/published/$now.new"
	mv "$r/published/$now.new" "$r/published/$now"
	as_watcher ln -s "$now" "$r/published/current.new"
	mv -T "$r/published/current.new" "$r/published/current"
	wait_for 5 grep -q "\"publication\": $now" "$m/status/health.json"
}

head -c 300000 /dev/urandom >"$T/firmware"
sha=$(store "$T/firmware")
truncate -s 10G "$T/huge"
huge=10000000000000000000000000000000000000000000000000000000000000f0 # of a sparse file that is worth no hashing
mkdir -p "$r/binaries/10"
ln "$T/huge" "$r/binaries/10/${huge#??}" 2>/dev/null || cp --sparse=always "$T/huge" "$r/binaries/10/${huge#??}"
chmod 644 "$r/binaries/10/${huge#??}"
entry() { # entry NAME VERSION FORMAT SHA256 LENGTH MORE
	jq -nc --arg n "$1" --arg v "$2" --arg f "$3" --arg s "$4" --argjson l "$5" --argjson more "${6:-{\}}" '{hashes:{sha256:$s},
		length:$l,custom:({name:$n,version:$v,targetFormat:$f,hardwareIds:["qemux86-64"],createdAt:"2026-11-01T00:00:00Z"} + $more | del(.[] | nulls))}'
}
lent="{\"_type\":\"Targets\",\"expires\":\"2036-01-01T00:00:00Z\",\"version\":1,\"targets\":{\"lent-fw-1\":$(entry lent-fw 1 BINARY "$sha" 300000)}}"
everything="{\"targets\":{
	\"fw-1+b 2\":$(entry fw 1+b BINARY "$sha" 300000 '{"proprietary":{"bill":["of","materials"]}}'),
	\"deep/er/fw.bin\":$(entry deep 1 BINARY "$sha" 300000),
	\"huge-1\":$(entry huge 1 BINARY "$huge" 10737418240),
	\"gone-1\":$(entry gone 1 BINARY "${sha%?????}00000" 5),
	\"far-1\":$(entry far 1 BINARY "$sha" 300000 '{"uri":"https://elsewhere.example/fw","createdAt":null}')},
	\"delegations\":{\"keys\":{},\"roles\":[{\"name\":\"supplier\",\"keyids\":[],\"paths\":[\"lent-*\"],\"threshold\":1,\"terminating\":false}]}}"
ok "a set with binaries and a delegation is loaded" publish "$everything" "$lent"

# ---- what is shown
fw=$m/packages/fw/1+b
ok "names the sha512 beside the sha256" is "$(cat "$fw/hash") $(cat "$fw/sha512")" "$sha $(sha512sum "$T/firmware" | cut -d' ' -f1)"
ok "and lists it with the others, each once" is "$(find "$fw" -type f -printf '%f\n' | sort | tr '\n' ' ')" \
	"comment created custom delegation deltas devices format hardware-ids hash length retire sha512 target uri "
ok "shows what its publisher says of it" is "$(jq -c . "$fw/custom")" '{"proprietary":{"bill":["of","materials"]}}'
ok "says where an unmanaged one is" is "$(cat "$m/packages/far/1/uri")" https://elsewhere.example/fw
ok "and nothing where there is nothing" is "$(cat "$fw/uri" "$fw/delegation" "$fw/deltas" "$m/packages/far/1/custom" "$m/packages/far/1/created" "$app/1.0/sha512")" ""
ok "names the delegation" is "$(cat "$m/packages/lent-fw/1/delegation")" supplier
ok "lists files by the names that targets have" is "$(find "$m/repo/targets" -type f -printf '%P\n' | sort)" "$(printf '%s\n' \
	deep/er/fw.bin 'fw-1+b 2' gone-1 huge-1 lent-fw-1)"
ok "the same as cat gives" cmp "$m/repo/targets/deep/er/fw.bin" "$T/firmware"
commit=$(cat "$app/1.0/hash")
mkdir -p "$r/report/refused"
echo "{\"$commit\":[{\"from\":null,\"bytes\":900,\"saved\":100},{\"from\":\"$sha\",\"bytes\":0,\"saved\":0}]}" >"$r/report/deltas.json"
echo "would free 5 objects" >"$r/report/gc"
printf "root.json: 1 of 9 bytes, ok\nroot.json: expires 2026-12-01T00:00:00Z, warning: soon\ntargets.json: 8 of 9 bytes, warning: 88 %%\n" >"$r/report/limits"
ok "says what deltas save" is "$(cat "$app/1.0/deltas")" "from nothing: 900 bytes, saves 100"
ok "shows the watcher's reports" is "$(cat "$m/status/gc" "$m/status/limits")" "would free 5 objects
root.json: 1 of 9 bytes, ok
root.json: expires 2026-12-01T00:00:00Z, warning: soon
targets.json: 8 of 9 bytes, warning: 88 %"
ok "warns in health.json" is "$(jq -c '[.warnings[] | select(contains(".json"))]' "$m/status/health.json")" '["targets.json: 8 of 9 bytes, warning: 88 %"]'
ok "counts deltas" has "$m/status/metrics" "^otafs_deltas_bytes 900$"

# ---- repo/targets through lighttpd
ok "serves a binary" gives 200 /repo/targets/deep/er/fw.bin
ok "byte for byte" cmp "$T/body" "$T/firmware"
ok "with plus and space in the name" gives 200 /repo/targets/fw-1%2Bb%202
ok "byte for byte too" cmp "$T/body" "$T/firmware"
ok "a plus as it is as well" gives 200 /repo/targets/fw-1+b%202
ok "of a delegation" gives 200 /repo/targets/lent-fw-1
ok "a range of it" gives 206 /repo/targets/deep/er/fw.bin -r 100000-100999
ok "which is that range" is "$(sha256sum <"$T/body")" "$(tail -c +100001 "$T/firmware" | head -c 1000 | sha256sum)"
ok "the end of 10 GB" gives 206 /repo/targets/huge-1 -r 10737418230-
ok "as long as it should be" is "$(wc -c <"$T/body")" 10
ok "without reading it into memory" test "$(awk '/VmRSS/ { print $2 }' "/proc/$(pgrep -P "$(cat "$T/otafs.pid")")/status")" -lt 100000
for name in nothing far-1 gone-1 app-1.0 deep deep/er deep/nothing fw-1 "$(printf '%0300d' 0)" deep/er/fw.bin/x; do
	ok "has no targets/$(echo "$name" | cut -c1-20), and says so without a body" missing "/repo/targets/$name"
done
ok "serves a delegation's metadata" gives 200 /repo/delegations/supplier.json
ok "as published" cmp "$T/body" "$r/published/current/delegations/supplier.json"
ok "none that is not there" missing /repo/delegations/nobody.json

# ---- treehub
mkdir -p "$r/ostree/deltas/aA/b+C_d-e"
echo superblock >"$r/ostree/deltas/aA/b+C_d-e/superblock"
mkdir -p "$r/ostree/delta-indexes/aA" && echo index >"$r/ostree/delta-indexes/aA/b+C_d-e.index"
chmod -R a+rX "$r/ostree/deltas" "$r/ostree/delta-indexes"
for plus in + %2B; do
	ok "serves a delta with $plus in its path" gives 200 "/treehub/deltas/aA/b${plus}C_d-e/superblock"
	ok "and its index" gives 200 "/treehub/delta-indexes/aA/b${plus}C_d-e.index"
done
for name in deltas/aA/x/superblock deltas/aA/b+C_d-e/0 deltas/aA/b+C_d-e deltas delta-indexes/aA/x.index delta-indexes/zz/x.index \
	refs/heads/none objects/00/none.commit config/x summary.sig/x "objects/$(printf '%0300d' 0)"; do
	ok "has no treehub/$(echo "$name" | cut -c1-30)" missing "/treehub/$name"
done
rm "$r/ostree/deltas/aA/b+C_d-e/superblock"
ok "a delta that was thrown away is missing at once" missing /treehub/deltas/aA/b+C_d-e/superblock

# ---- taking a version out
device car1 poll >/dev/null 2>&1
ok "assigns a delegated target to a primary" sh -c "echo 'lent-fw 1' >$m/devices/car1/assign"
ok "which is told to the watcher before it is acknowledged" has "$T/fleet/fleet.json" '"target":"lent-fw-1"'
ok "who may read it" is "$(stat -c '%a %u %g' "$T/fleet") $(setpriv --reuid=64103 --regid=64103 --clear-groups \
	cat "$T/fleet/fleet.json")" "750 64102 64103 $(cat "$T/fleet/fleet.json")"
ok "and nobody else" refuses "Permission denied" setpriv --reuid=64104 --regid=64104 --clear-groups cat "$T/fleet/fleet.json"
echo cancel >"$m/devices/car1/assign"
echo "deep 1" >"$m/devices/car1/assign"
ok "keeps what is assigned" refuses "busy" rmdir "$m/packages/deep/1"
ok "and says to whom" has "$m/why" "packages/deep/1: deep/er/fw.bin is assigned to 1 device, car1 is one"
ok "in the control file as well" is "$(cat "$m/packages/deep/1/retire")" car1
ok "takes no other word" refuses "Invalid|I/O error" sh -c "echo please >$m/packages/deep/1/retire"
ok "and says which" has "$m/why" 'packages/deep/1/retire: expected "force"'
ok "takes nothing of a delegation out" refuses "not permitted" rmdir "$m/packages/lent-fw/1"
ok "and says why not" has "$m/why" "of the delegation supplier"
ok "rm -r takes a version out" rm -r "$app/1.0"
ok "which is not listed any more" not test -e "$app/1.0"
request=$(ls "$T/fleet/requests")
ok "the watcher is asked for it" is "$(cat "$T/fleet/requests/$request")" '{"retire":"app-1.0"}'
ok "by what it may read" is "$(setpriv --reuid=64103 --regid=64103 --clear-groups \
	cat "$T/fleet/requests/$request")" '{"retire":"app-1.0"}'
stop otafs
start_otafs
ok "it is still not listed after a restart" not test -e "$app/1.0"
echo "targets keys are off line" >"$r/report/refused/${request%.json}"
ok "a refusal shows it again" wait_for 12 test -e "$app/1.0/hash"
ok "in words" has "$m/why" "ota-watcher packages/app/1.0: not retired: targets keys are off line"
ok "and ends the request" is "$(ls "$T/fleet/requests")" ""
ok "force takes out what is assigned" sh -c "echo force >$m/packages/deep/1/retire"
ok "which is not kept for its devices" not has "$T/fleet/fleet.json" "deep/er"
jq -c 'del(.signed.targets["deep/er/fw.bin"])' "$r/published/current/targets.json" >"$T/less.json"
cp "$T/less.json" "$r/published/$(readlink "$r/published/current")/targets.json"
ok "a set without it" publish "{}" "$lent"
ok "ends the request" wait_for 3 is "$(ls "$T/fleet/requests")" ""
ok "is not served any more" missing /repo/targets/deep/er/fw.bin
ok "ends the update" has "$m/devices/car1/assign" "^last: deep/er/fw.bin on ECU car1-ecu failed at .*: WITHDRAWN: .*not in the image repository any more"
ok "tells the device's status" has "$m/devices/car1/status" ": Error: .*deep/er/fw.bin is not in the image repository any more: publish it again"
ok "and its why" has "$m/devices/car1/why" "deep/er/fw.bin is not in the image repository any more"
ok "and its history" has "$m/devices/car1/history" "failed deep/er/fw.bin on ECU car1-ecu, urn:here-ota:mtu:.*: deep/er/fw.bin is not in the image"
ok "so another one can be assigned" sh -c "echo 'lent-fw 1' >$m/devices/car1/assign"
finish
