#!/bin/sh
# How fast ota-signd signs documents of the director, asked through its socket by 1, 8 and 64 threads at once, against libsodium that
# signs the same bytes: COUNT documents of 1.3 KiB a round. "Of its processor" leaves out how many threads it has and who else is here.
# About 15 s.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

mkdir "$T/signing"
"$BENCH/signing" "$T/signing" "${COUNT:-6400}" >"$T/figures" 2>"$T/signing.log" || exit 1
per_second() { awk -v us="$1" 'BEGIN { printf "%.0f", 1e6 / us }'; }
while read -r threads raw signer both raw_gone gone; do
	goal=
	[ "$threads" != 64 ] || goal=">= 0.5"
	row "$threads at once: documents in a second of the signer's processor" "$goal" "$(per_second "$signer")" "$(per_second "$raw")" "documents/s"
	row "$threads at once: with who asks" "" "$(per_second "$both")" "$(per_second "$raw")" "documents/s"
	row "$threads at once: in a second that went by" "" "$(per_second "$gone")" "$(per_second "$raw_gone")" "documents/s"
done <"$T/figures"
# Each frame that is sent is there and back; what is sent to publish at the beginning counts too.
mkdir "$T/frames"
strace -f -qq -e trace=sendmsg -o "$T/strace" "$BENCH/signing" "$T/frames" 1280 64 >"$T/frames.out" 2>"$T/frames.log" || exit 1
row "64 at once: documents in a round trip" ">= 8" "$(awk -v rounds="$(sed -n 's/^#define ROUNDS \([0-9]*\)$/\1/p' "$top/tests/bench/signing.c")" \
	'/sendmsg\(/ { n++ } END { print rounds * 1280 * 2 / n }' "$T/strace")" "" documents
