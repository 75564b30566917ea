#!/bin/sh
# kill -9 at many moments of an import, then a new start: everything arrives, whole, and is published once.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

in=$T/spool/incoming
current=$T/repository/published/current
served=$T/repository/ostree

mkdir -p "$T/tree/etc"
i=0
while [ $i -lt 1000 ]; do
	echo "file $i" >"$T/tree/etc/$i"
	i=$((i + 1))
done
ostree --repo="$T/repo" init --mode=archive

settings "spool_quiet_seconds = 0" "spool_incomplete_seconds = 5"
start_signd && start_watcher || exit 1

# Every reader at every moment finds a set that hangs together: looked at while the watcher is killed again and again.
set_is_whole() {
	s=$(readlink "$current") || return 1
	is "$(jq -r '.signed.meta["targets.json"].hashes.sha256' "$T/repository/published/$s/snapshot.json")" \
		"$(sha256sum <"$T/repository/published/$s/targets.json" | cut -d' ' -f1)" &&
		is "$(jq -r '.signed.meta["snapshot.json"].hashes.sha256' "$T/repository/published/$s/timestamp.json")" \
			"$(sha256sum <"$T/repository/published/$s/snapshot.json" | cut -d' ' -f1)"
}
# No target names a commit that is not served whole.
targets_are_served() {
	for id in $(jq -r '.signed.targets[].hashes.sha256' "$current/targets.json"); do
		test -e "$served/objects/$(echo "$id" | sed 's|^..|&/|').commit" || return 1
	done
	ostree --repo="$served" fsck -q
}

rounds=0
for delay in 0.02 0.05 0.1 0.2 0.3 0.4 0.6; do
	rounds=$((rounds + 1))
	echo "round $rounds" >"$T/tree/etc/round"
	i=0
	while [ $i -lt 1000 ]; do
		echo "round $rounds file $i" >"$T/tree/etc/$i"
		i=$((i + 3))
	done
	ostree --repo="$T/repo" commit -b app --owner-uid=0 --owner-gid=0 --add-metadata-string=version=$rounds \
		"$T/tree" >"$T/commit.$rounds"
	cp -r "$T/repo" "$T/drop"
	mv "$T/drop" "$in/drop-$rounds"
	sleep $delay
	# Both processes: the parent takes the child along.
	stop watcher KILL
	ok "round $rounds, killed after $delay s: the published set hangs together" set_is_whole
	start watcher "$OTA_BIN/ota-watcher" -c "$conf"
done
all_done() { [ "$(find "$T/spool/done" -name '*.receipt.json' | wc -l)" = "$rounds" ]; }
ok "each with its receipt" wait_for 40 all_done
ok "nothing failed, nothing waits" is "$(find "$T/spool/failed" "$T/spool/work" "$in" -mindepth 1)" ""
ok "each drop lies in done/ once" is "$(find "$T/spool/done" -mindepth 1 -maxdepth 1 | wc -l)" $((2 * rounds))
ok "every version is offered, with its commit" is \
	"$(jq -r '.signed.targets | to_entries | sort_by(.value.custom.version | tonumber)[].value.hashes.sha256' "$current/targets.json")" \
	"$(i=1; while [ $i -le $rounds ]; do cat "$T/commit.$i"; i=$((i + 1)); done)"
ok "each was published once" is "$(jq -s '[.[] | select(.result == "published").targetsVersion] | length == (unique | length)' \
	"$T"/spool/done/*.receipt.json)" true
ok "and all commits are served whole" targets_are_served
ok "the newest is what the ref names" is "$(ostree --repo="$served" rev-parse app)" "$(cat "$T/commit.$rounds")"
ok "the set hangs together" set_is_whole
ok "nothing is left of the killed ones" is \
	"$(ls -A "$T/repository/staging"; find "$T/repository/published" -name '*.tmp')" ""
finish
