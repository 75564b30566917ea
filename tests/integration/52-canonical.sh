#!/bin/sh
# Canonical JSON held against another implementation: jq -cSa writes the same bytes for integers and for every character
# but DEL, which it escapes. SEED=N makes the documents of an earlier run again.
# shellcheck source=tests/integration/lib.sh disable=SC2317 # functions are called by name
. "$(dirname "$0")/lib.sh"

sign=${OTA_TEST_SIGN:-$(dirname "$OTA_DEVICE")/ota-test-sign}
seed=${SEED:-$(date +%s)}
echo "# SEED=$seed"

# documents SEED: 250 of them in an array, written as nobody would: any order of members, white space between any two
# tokens, characters escaped that need not be, raw ones that could be, hex digits in both cases
documents() {
	perl -e '
		use strict;
		no warnings "utf8";
		srand $ARGV[0];
		binmode STDOUT, ":utf8";
		sub one { $_[rand @_] }
		sub space { join "", map one("", "", " ", "\n", "\t", "\r"), 1 .. 2 }
		sub hex4 { my $h = sprintf "%04x", $_[0]; rand() < .5 ? uc $h : $h }
		sub escape { my $c = shift;
			"\\u" . ($c < 0x10000 ? hex4 $c : hex4(0xd7c0 + ($c >> 10)) . "\\u" . hex4(0xdc00 + ($c & 0x3ff))) }
		my %short = (8 => "b", 9 => "t", 10 => "n", 12 => "f", 13 => "r", 34 => "\"", 47 => "/", 92 => "\\");
		sub code { my $kind = int rand 12;
			$kind < 6 ? 32 + int rand 95 : $kind < 8 ? one(1 .. 31, 34, 47, 92) : $kind == 8 ? 0x80 + int rand 0x780 :
			$kind == 9 ? one(0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0x10000, 0x10ffff) :
			$kind == 10 ? 0x800 + int rand 0xd000 : 0x10000 + int rand 0x100000 }
		sub character { my $c = shift;
			rand() < .5 && $short{$c} ? "\\$short{$c}" :
			$c < 32 || $c == 34 || $c == 92 || rand() < .1 ? escape $c : chr $c }
		sub text { my @codes = @_; "\"" . join("", map character($_), @codes) . "\"" }
		sub codes { map code(), 1 .. rand(rand() < .1 ? 60 : 8) }
		sub integer { my $n = int rand(2 ** one(1, 4, 8, 16, 31, 32, 33, 53)); $n && rand() < .3 ? -$n : $n }
		sub list { my ($open, $close, @items) = @_;
			$open . space() . join(space() . "," . space(), @items) . space() . $close }
		sub object { my $depth = shift; my %seen;
			list "{", "}", map { my @name = codes(); $seen{"@name"}++ ? () :
				text(@name) . space() . ":" . space() . value($depth + 1) } 1 .. rand 7 }
		sub value { my $depth = shift; my $kind = int rand($depth < 5 ? 10 : 6);
			$kind < 3 ? text(codes()) : $kind < 5 ? integer() : $kind == 5 ? one(qw(true false null)) :
			$kind < 8 ? object($depth) : list "[", "]", map value($depth + 1), 1 .. rand 5 }
		print space(), list("[", "]", map object(0), 1 .. 250), space()' "$1"
}
# same SEED: a difference is shown where it is
same() {
	documents "$1" >"$T/documents" && "$sign" canonical "$T/documents" >"$T/ours" || return 1
	jq -cSa . "$T/documents" | tr -d '\n' >"$T/jq"
	if cmp "$T/ours" "$T/jq"; then return 0; fi
	tr '{' '\n' <"$T/ours" >"$T/ours.lines"
	tr '{' '\n' <"$T/jq" | diff "$T/ours.lines" - | head -n 4
	return 1
}
compared=0
while [ $compared -lt 20 ]; do
	ok "250 documents, SEED=$((seed + compared))" same $((seed + compared))
	compared=$((compared + 1))
done
ok "there were 250 in each" is "$(jq length "$T/documents")" 250

# targets.json of uptane-generator has integers of 64 bits and a DEL, which jq has not; tests/unit knows its hash.
ok "canonical of canonical is the same" sh -c "'$sign' canonical '$T/ours' | cmp - '$T/ours'"
canonical_as_it_is() {
	for file in "$top"/tests/vectors/repo/*.json "$top"/tests/vectors/director/*.json "$top"/tests/vectors/generator/*/*.json; do
		case $file in */generator/*/targets.json) continue ;; esac
		jq -cSa . "$file" | tr -d '\n' >"$T/jq"
		"$sign" canonical "$file" | cmp - "$T/jq" || return 1
	done
}
ok "the vectors' forms" canonical_as_it_is

# What implementations write in different ways is refused, and so is what they read in different ways.
while IFS='|' read -r name text reason; do
	printf '%b' "$text" >"$T/bad"
	ok "refused: $name" refuses "$reason" "$sign" canonical "$T/bad"
done <<'BAD'
a real number|{"a":1.5}|a real number has no canonical form
one that could be an integer|{"a":[1.0]}|a real number has no canonical form
an exponent|[1e3]|a real number has no canonical form
more than 64 bits|[9223372036854775808]|too big integer
a member twice|{"a":1,"\\u0061":2}|duplicate object key
half a surrogate pair|["\\ud83d"]|not JSON
the other half|["\\ude00"]|not JSON
the halves in the wrong order|["\\ude00\\ud83d"]|not JSON
a character of 0|["\\u0000"]|not JSON
a raw control character|["\\0001"]|not JSON
a byte that is no UTF-8|["\\0377"]|not JSON
a long form of a short character|["\\0300\\0257"]|not JSON
a surrogate in UTF-8|["\\0355\\0240\\0275"]|not JSON
a character beyond the last|["\\0364\\0220\\0200\\0200"]|not JSON
a comment|[1 /* two */]|not JSON
a comma too many|[1,]|not JSON
a leading zero|[01]|not JSON
a plus sign|[+1]|not JSON
not a number|[NaN]|not JSON
single quotes|['a']|not JSON
a second document|[] []|not JSON
nothing||not JSON
BAD
finish
