# shellcheck shell=sh disable=SC2154 # $url is set by start_web
# What is asserted of a web server's answers; sourced after lib.sh.
: >"$T/body"

# gives STATUS ID PATH [CURL ARGUMENT...]: the path as it stands; head in $T/head, body in $T/body
gives() {
	want=$1 who=$2 what=$3
	shift 3
	: >"$T/body"
	is "$(fetch "$who" "$what" --path-as-is -D "$T/head" "$@")" "$want" || { cat "$T/body" && false; }
}
# empty STATUS ...: the same, without a body
empty() {
	gives "$@" && not test -s "$T/body"
}
# words STATUS CODE ...: a refusal in JSON with code and description
words() {
	status=$1 code=$2
	shift 2
	gives "$status" "$@" && is "$(jq -r .code "$T/body")" "$code" && not is "$(jq -r .description "$T/body")" "" >/dev/null
}
header() { tr -d '\r' <"$T/head" | grep -iqx -e "$1" || { cat "$T/head" && false; }; }
no_header() { not grep -i -e "^$1:" "$T/head"; }
body_is() { cmp "$T/body" "$1"; }
serial_of() { openssl x509 -in "$T/$1/client.pem" -noout -serial | cut -d= -f2; }
# each FILE COMMAND...: the command with each line as its last argument; all have to pass
each() {
	lines=$1 bad=0
	shift
	while IFS= read -r line; do
		"$@" "$line" </dev/null >"$T/each.out" 2>&1 || {
			echo "for: $line" && cat "$T/each.out"
			bad=1
		}
	done <"$lines"
	return "$bad"
}
# all_are ANSWER ID FILE [CURL ARGUMENT...]: each line of the file is a path as it stands, and is answered so, all by one curl: a
# pattern of "STATUS BYTES", such as "404 0"; what was answered in $T/all, all heads in $T/head
all_are() {
	answer=$1 who=$2 lines=$3
	shift 3
	sed -e 's/[\\"]/\\&/g' -e "s|.*|url = \"$url&\"\noutput = $T/body|" "$lines" >"$T/all.curl"
	curl -s -g --max-time 20 --path-as-is --cert "$T/$who/client.pem" --key "$T/$who/pkey.pem" --cacert "$T/$who/root.crt" \
		-D "$T/head" -w '%{http_code} %{size_download}\n' -K "$T/all.curl" "$@" | paste -d ' ' - "$lines" >"$T/all"
	not grep -avE "^($answer) /" "$T/all"
}
