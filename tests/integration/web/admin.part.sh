# shellcheck shell=sh disable=SC2154 # sourced after lib.sh, with otafs running; the settings have no admin_port yet
# The admin listener through $WEB: who gets in, what his role lets him do, other sites.

# admin ARGUMENT...: ota-admin(8)
admin() {
	"$top/scripts/ota-admin" -c "$conf" "$@"
}
# ask WHO METHOD PATH [CURL ARGUMENT...]: WHO is a name, whose password is NAME-secret, a token, or "-"; prints the status,
# leaves the body in $T/body and the headers in $T/headers; $mark is the header of what changes something
mark='X-OTA-Admin: 1'
ask() {
	who=$1 method=$2 path=$3
	shift 3
	case $who in
	ota_*) set -- -H "Authorization: Bearer $who" "$@" ;;
	-) ;;
	*) set -- -u "$who:$who-secret" "$@" ;;
	esac
	if [ "$method" = HEAD ]; then set -- -I "$@"; else set -- -X "$method" "$@"; fi
	curl -s -o "$T/body" -D "$T/headers" -w '%{http_code}\n' --max-time 20 --cacert "$T/pki/server-ca.pem" \
		-H "$mark" "$@" "$admin_url$path"
}
# answers "STATUS [PATTERN]" WHO METHOD PATH [CURL ARGUMENT...]: the pattern is looked for in the body
answers() {
	wanted=$1
	shift
	got=$(ask "$@")
	is "$got" "${wanted%% *}" || {
		cat "$T/body"
		return 1
	}
	[ "$wanted" = "${wanted#* }" ] || has "$T/body" "${wanted#* }"
}
# told NAME PATTERN: the history has it
told() {
	has "$T/mount/events/all" "\"what\":\"$1\".*$2"
}
as_cert() { # as_cert FOLDER: curl's arguments
	echo "--cert $1/client.pem --key $1/pkey.pem"
}

mkdir -p "$T/pki"
[ -e "$T/pki/admin-ca.pem" ] ||
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/pki/admin-ca.key" \
		-subj "/CN=admin CA" -days 30 -out "$T/pki/admin-ca.pem" 2>"$T/openssl.log"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/rogue.key" -subj "/CN=anna" \
	-days 30 -out "$T/rogue.pem" 2>>"$T/openssl.log"
for person in anna:keys bert:operate carl:view; do
	name=${person%:*}
	echo "$name-secret" | admin add "$name" "${person#*:}" >>"$T/add.out"
done
start admin-gate "$OTA_BIN/ota-admin-gate" -c "$conf"
needs 10 file_with "$T/admin-gate.log" ready
start_admin
mkdir "$T/mount/devices/adm1" "$T/mount/devices/adm2"

# ---- who gets in

ok "nobody gets in without a name" answers "401 no name and password" - GET /tree/README
ok "a browser is asked for a password" has "$T/headers" '^[Ww][Ww][Ww]-[Aa]uthenticate: Basic realm="otafs"'
ok "a right password gets in" answers "200 otafs" carl GET /tree/README
ok "an answer is not kept, guessed at, run or framed" sh -c "
	grep -qi '^cache-control: no-store' $T/headers && grep -qi '^x-content-type-options: nosniff' $T/headers &&
	grep -qi \"^content-security-policy: default-src 'none'; frame-ancestors 'none'; sandbox\" $T/headers"
ok "a wrong password does not" answers "401 wrong name or password" - GET /tree/README -u carl:wrong
echo eve-secret | admin password eve >>"$T/add.out"
ok "a password without a role does not" answers "403 eve is no administrator" eve GET /tree/README
admin certificate bert "$T/bert" >>"$T/add.out" 2>&1
# shellcheck disable=SC2046 # words
ok "a certificate gets in" answers '200 "by":"certificate","name":"bert"' - GET /whoami $(as_cert "$T/bert")
# shellcheck disable=SC2046
ok "and counts more than a password" answers '200 "name":"bert"' carl GET /whoami $(as_cert "$T/bert")
ok "one of another CA is nobody's" sh -c "
	! curl -sf --cacert $T/pki/server-ca.pem --cert $T/rogue.pem --key $T/rogue.key $admin_url/whoami | grep -q anna"
ok "no header makes somebody of nobody" answers 401 - GET /whoami -H 'Remote-User: anna' -H 'Remote_User: anna' \
	-H 'SSL_CLIENT_VERIFY: SUCCESS' -H 'SSL-Client-S-DN-CN: anna'

# ---- what he does

ok "view lists a folder" answers '200 .' carl GET /tree/devices/
ok "as JSON" sh -c "jq -e 'map(select(.name == \"adm1\" and .type == \"folder\")) | length == 1' $T/body"
ok "also without the slash" answers '200 adm2' carl GET /tree/devices
ok "view writes nothing" answers "403 carl: this needs role operate, he has view" carl PUT /tree/devices/adm1/name -d Van
ok "operate writes" answers 204 bert PUT /tree/devices/adm1/name -d Van
ok "and so it is" answers '200 Van' carl GET /tree/devices/adm1/name
ok "who it was is told" told named 'bert \(web\)|"who":"bert \(web\)"'
ok "operate does not say who gets in" answers "403 bert: this needs role keys, he has operate" bert MKCOL \
	/tree/devices/adm1/certificates/AB12
ok "keys does" answers 201 anna MKCOL /tree/devices/adm1/certificates/AB12
ok "and takes it back" answers 204 anna DELETE /tree/devices/adm1/certificates/AB12
ok "a refusal says why" answers '409 "code":"names_nothing".*ghost: not in' bert PUT /tree/devices/adm1/assign -d 'ghost 1.0'
ok "a folder is made" answers 201 bert MKCOL /tree/groups/pilots
ok "once" answers '409 "code":"exists"' bert MKCOL /tree/groups/pilots
ok "a link is made" answers 201 bert PUT '/tree/groups/pilots/adm1?link' -d ../../devices/adm1
ok "and followed" answers '200 Van' carl GET /tree/groups/pilots/adm1/name
ok "a group is renamed" answers 204 bert MOVE /tree/groups/pilots -H "Destination: $admin_url/tree/groups/first"
ok "and taken away" answers 204 bert DELETE /tree/groups/first
ok "what is not there is not found" answers '404 "code":"not_found"' bert GET /tree/devices/none/status
ok "a text is not written to" answers '405 "code":"method_not_allowed"' bert PUT /tree/devices/adm1/status -d x
ok "a report that means nothing is refused by the tree" answers '400 "code":"' anna POST /tree/devices/adm1/in/manifest -d '{}'
ok "operate does not speak for a device" answers "403 bert: this needs role keys" bert POST /tree/devices/adm1/in/manifest -d '{}'
ok "there are no other paths" answers '404 /tree/ and /whoami' anna GET /
ok "nor the way of devices" answers 404 anna GET /tree/gate/
ok "nor other methods" answers '405 "code":"method_not_allowed"' anna PATCH /tree/README -d x
ok "HEAD has no body" answers 200 carl HEAD /tree/README
for path in /tree/devices/../README /tree/%2e%2e/README /tree/devices/adm1/%00 /tree/devices/..%2f..%2fREADME; do
	ok "no way out: $path" sh -c "case $(ask anna GET "$path" --path-as-is) in 400 | 404) ;; *) exit 1 ;; esac"
done

# ---- other sites

mark=X-OTA-Admin:
ok "a page of another site cannot set the header" answers "403 X-OTA-Admin: 1" bert PUT /tree/devices/adm1/name -d x
mark='X-OTA-Admin: 1'
ok "its origin is refused" answers "403 Origin names another site" bert PUT /tree/devices/adm1/name -d x \
	-H 'Origin: https://evil.example'
ok "an own one is not" answers 204 bert PUT /tree/devices/adm1/name -d Car -H "Origin: $admin_url"
ok "a browser's word for it is refused" answers "403 another site sent this" bert PUT /tree/devices/adm1/name -d x \
	-H 'Sec-Fetch-Site: same-site'
ask bert OPTIONS /tree/README -H 'Origin: https://evil.example' -H 'Access-Control-Request-Method: PUT' >"$T/status"
ok "and nobody is told that he may" not has "$T/headers" '^[Aa]ccess-[Cc]ontrol-[Aa]llow'

# ---- tokens

token=$(admin token --role operate --path 'devices/adm1/name' --title ci anna)
id=$(echo "$token" | cut -c5-12)
digest=$(printf %s "$token" | sha256sum | cut -c-64)
ok "a token gets in" answers '200 Car' "$token" GET /tree/devices/adm1/name
ok "and writes where it may" answers 204 "$token" PUT /tree/devices/adm1/name -d Bus
ok "which is told" told named "anna \(token $id\)"
ok "but nowhere else" answers "403 the token's paths do not lead there" "$token" PUT /tree/devices/adm2/name -d Bus
ok "a refusal to move is none of the method" answers '403 "code":"forbidden"' "$token" MOVE /tree/devices/adm1 \
	-H "Destination: $admin_url/tree/devices/adm3"
ok "it sees no other token" answers 404 "$token" GET "/tree/access/tokens/$(admin token anna | cut -c5-12)"
ok "neither it nor its digest is in a log" sh -c "! grep -rE '$token|$digest' $T/*.log $T/gateway"
ok "it is narrowed by who has it" answers 201 "$token" POST /tree/access/tokens/new -d 'role view'
child=$(cat "$T/body")
ok "the narrower reads" answers '200 Bus' "$child" GET /tree/devices/adm1/name
ok "and writes no more" answers "403 the token has view" "$child" PUT /tree/devices/adm1/name -d x
ok "more than one has is not given away" answers "403 cannot give away operate" "$child" POST /tree/access/tokens/new \
	-d 'role operate'
admin revoke "$id"
ok "a revoked one is nobody" answers "401 the token is not valid" "$token" GET /tree/devices/adm1/name
ok "nor is one that was made with it" answers "401 the token is not valid" "$child" GET /tree/devices/adm1/name
ok "an invented one is no token" answers "401 this is no token" - GET /whoami -H 'Authorization: Bearer ota_x'
rmdir "$T/mount/devices/adm1" "$T/mount/devices/adm2"
stop admin-gate
ok "without ota-admin-gate it is 503" answers '503 "code":"not_available"' anna GET /tree/README
ok "... with words when to try again" has "$T/headers" '^[Rr]etry-[Aa]fter: [1-9]'
start admin-gate "$OTA_BIN/ota-admin-gate" -c "$conf"
ok "it goes on when that is back" wait_for 10 answers 200 anna GET /whoami
