#!/bin/sh
# What scripts/capacity says of a quiet poll, from the constants that scripts/measure-host takes, beside polls of a crowd of devices in the same
# run; and these constants.
# About 25 s.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

export OTA_LOAD OTA_POLL
"$top/scripts/measure-host" --key ed25519 --then "'$top/tests/load/polls.sh' $T/polls" >"$T/constants" 2>"$T/measure.log" || exit 1
said=$("$top/scripts/capacity" -c "$T/constants" | sed -n 's/^a quiet poll, .* \([0-9.]*\) us$/\1/p')
took=$(sed -n 's/^poll: .*, \([0-9.]*\) us each.*/\1/p' "$T/polls")
row "capacity: a quiet poll, at most 30 % too much" "<= 1.3" "$said" "$took" us "reference: 64 polls of 16 devices"
row "capacity: a quiet poll, at most 30 % too little" "<= 1.3" "$took" "$said" us
sed -n 's/^\([a-z_]*_us\) *= *\([0-9.]*\).*/\1 \2/p' "$T/constants" | while read -r name us; do
	row "capacity: $name" "" "$us" "" us
done
