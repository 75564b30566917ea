# shellcheck shell=sh disable=SC2034,SC2154 # T, OTA_BIN and OTA_DEVICE are lib.sh's
# A clock for the programs of a test that is set at will, by libfaketime. A test sources this after lib.sh.

clock_lib=$(find /usr/lib -name libfaketimeMT.so.1 2>/dev/null | head -n 1)
clock_offset=0

# clock_fake wall|time: from now on our programs have a clock of their own. Not so lighttpd: it starts anew when its clock
# jumps, and what it judges by it, certificates, live longer than these tests.
#   wall: clock_set is somebody who sets the clock, or a suspended machine: the clock that nobody sets goes on as it does.
#   time: clock_set lets time pass, on both clocks.
clock_fake() {
	[ -n "$clock_lib" ] || {
		echo "Bail out! libfaketime is not there (package faketime)."
		exit 1
	}
	unconfined=1
	[ ! -e "$conf" ] || echo "sandbox = 0" >>"$conf"
	# Without the fix set to 0 waits by the clock that nobody sets end at once.
	monotonic=
	[ "$1" = time ] || monotonic="FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_FORCE_MONOTONIC_FIX=0"
	clock_set 0
	mkdir -p "$T/faked"
	: >"$T/faked.pids"
	chmod 666 "$T/faked.pids"
	cleanup clock_sweep
	for path in "$OTA_BIN"/* "$OTA_DEVICE"; do
		cat >"$T/faked/${path##*/}" <<-END
			#!/bin/sh
			echo \$\$ >>$T/faked.pids
			export ASAN_OPTIONS="\$ASAN_OPTIONS:verify_asan_link_order=0"
			exec env LD_PRELOAD=$clock_lib FAKETIME_TIMESTAMP_FILE=$T/clock FAKETIME_NO_CACHE=1 $monotonic $path "\$@"
		END
	done
	chmod -R 755 "$T/faked"
	OTA_BIN=$T/faked
	OTA_DEVICE=$T/faked/ota-device
}
# clock_sweep: removes what the library leaves of a program that ends without its exit handlers
clock_sweep() {
	while read -r pid; do rm -f "/dev/shm/faketime_shm_$pid" "/dev/shm/sem.faketime_sem_$pid"; done <"$T/faked.pids"
}
# clock_set SECONDS: the clock is so far ahead of the machine's, or behind it
clock_set() {
	clock_offset=$1
	case $1 in
	-*) echo "$1" >"$T/clock.new" ;;
	*) echo "+$1" >"$T/clock.new" ;;
	esac
	chmod 644 "$T/clock.new"
	mv "$T/clock.new" "$T/clock"
}
# clock_add SECONDS
clock_add() {
	clock_set $((clock_offset + $1))
}
# clock_now: what the programs have
clock_now() {
	echo $(($(date +%s) + clock_offset))
}

# Documents. What a device can fetch is looked at after each poll, and held against all that was seen before.

# look ID [stored]: fetches the metadata of both repositories as device ID into $T/looked; then tells in $T/wrong what has expired
# or is no metadata, has a lower version than before, or other bytes under the version that it had. $T/seen has the last
# of each. With "stored" also what the device has, which it has just compared with the server.
look() {
	id=$1
	stored=${2:-}
	dir=$T/looked
	documents="director/timestamp director/snapshot director/targets director/root
		repo/timestamp repo/snapshot repo/targets repo/root"
	mkdir -p "$dir"
	[ -e "$T/seen" ] || echo '{}' >"$T/seen"
	rm -f "$dir"/*
	# Without a next root a visit of the image repository begins, as a client's.
	set -- -o "$dir/none" "$url/repo/9999.root.json"
	for path in $documents; do
		set -- "$@" -o "$dir/$(echo "$path" | tr / -)" "$url/$path.json"
	done
	curl -sf --max-time 20 --cert "$T/$id/client.pem" --key "$T/$id/pkey.pem" --cacert "$T/$id/root.crt" "$@"
	for path in $documents; do
		[ -s "$dir/$(echo "$path" | tr / -)" ] || echo "$(clock_now): $id: $path could not be fetched" >>"$T/wrong"
	done
	for file in "$T/$id/state"/director/*.json "$T/$id/state"/image/*.json; do
		[ -z "$stored" ] || [ ! -e "$file" ] || cp "$file" "$dir/stored-$(echo "${file#"$T/$id/state/"}" | tr / - | sed 's/\.json$//')"
	done
	judge "$id" "$dir"/*
}
# judge WHO FILE...: the same about files that are there; names of files are names of documents
judge() {
	who=$1
	shift
	jq -n --argjson now "$(clock_now)" --arg who "$who" --slurpfile seen "$T/seen" '
		reduce inputs as $file ({seen: $seen[0], wrong: []};
			($who + " " + (input_filename | sub(".*/"; ""))) as $name | .seen[$name] as $was | $file.signed as $is |
			(if ($is.expires | fromdate) <= $now then ["has expired"] else [] end +
			 if $was and $is.version < $was.signed.version then ["has a lower version than \($was.signed.version)"] else [] end +
			 if $was and $is.version == $was.signed.version and $file != $was then ["has other content"] else [] end) as $wrong |
			.seen[$name] = $file | .wrong += [$wrong[] | "\($now | todate): \($name) \($is.version) of \($is.expires) \(.)"])' \
		"$@" >"$T/judged" || echo "$(clock_now): not metadata" >>"$T/wrong"
	jq -r '.wrong[]' "$T/judged" >>"$T/wrong"
	jq -c .seen "$T/judged" >"$T/seen.new" && mv "$T/seen.new" "$T/seen"
}
# nothing_wrong: passes when look() and judge() found nothing since the start
nothing_wrong() {
	[ ! -s "$T/wrong" ] || {
		head -n 20 "$T/wrong"
		return 1
	}
}
# jq takes 40 ms to begin, and these are asked again and again until something has come. In the one form in which documents are signed, the
# version is at the end, and of the metadata's own expiry nothing like it comes before.
# version_of FILE
version_of() {
	tail -c 40 "$1" | sed -n 's/.*"version":\([0-9]*\)}}$/\1/p'
}
# expiry_of FILE: in seconds since 1970
expiry_of() {
	date +%s -d "$(grep -o '"expires":"[^"]*"' "$1" | head -n 1 | cut -d '"' -f 4)"
}
# life_left FILE SECONDS: passes when it lives so much longer
life_left() {
	[ "$(expiry_of "$1")" -ge $(($(clock_now) + $2)) ]
}
