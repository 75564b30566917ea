# shellcheck shell=sh disable=SC2154 # variables of suite.sh
# What may be fetched, what may not, and how: paths, methods, headers, TLS.
enroll paths
enroll paths2
mine=$(serial_of paths)
theirs=$(serial_of paths2)

# ---- what there is
for document in root 1.root targets snapshot timestamp; do
	ok "serves the director's $document.json" gives 200 paths "/director/$document.json"
	ok "... as the tree has it" body_is "$devices/paths/director/$document.json"
	ok "serves the image repository's $document.json" gives 200 paths "/repo/$document.json"
	ok "... as it was published" body_is "$T/mount/repo/$document.json"
done
ok "as JSON" header "content-type: application/json"
ok "which no cache keeps" header "cache-control: no-cache"
ok "compressed for nobody" gives 200 paths /repo/targets.json -H "Accept-Encoding: gzip, deflate, br"
ok "... without a word of it" no_header content-encoding
ok "nor are there cookies or names of the server" sh -c "! grep -iE '^(set-cookie|x-powered-by|server: .*[0-9])' '$T/head'"
ok "HEAD is answered without a body" gives 200 paths /repo/root.json -I
ok "... with its length" header "content-length: $(stat -c %s "$T/mount/repo/root.json")"
for path in //director//targets.json /director//targets.json ///director/targets.json '/director/targets.json?x=1' \
	/director/./targets.json /director/x/../targets.json /director/%74argets.json; do
	ok "serves $path" gives 200 paths "$path"
	ok "... as it is" body_is "$devices/paths/director/targets.json"
done
ok "serves the config of the OSTree repository" gives 200 paths /treehub/config
ok "which no cache keeps" header "cache-control: no-cache"
object=$(cd "$T/repository/ostree" && find objects -type f -name '*.filez' | head -n 1)
[ -n "$object" ] || { commit_of paths 1 >/dev/null && drop paths 1 && published paths 1 && object=$(cd "$T/repository/ostree" &&
	find objects -type f -name '*.filez' | head -n 1); }
ok "serves an object" gives 200 paths "/treehub/$object"
ok "... for ever" header "cache-control: public, max-age=31536000, immutable"
ok "... under doubled slashes" gives 200 paths "//treehub//$(echo "$object" | sed 's|/|//|g')"
ok "what is not in it" empty 416 paths "/treehub/$object" -H "Range: bytes=99999999-"
is_not_kept() { header "cache-control: no-cache" || no_header cache-control; }
ok "... no cache keeps" is_not_kept
fetch paths "/treehub/$object" -D "$T/head" >"$T/said"
since=$(tr -d '\r' <"$T/head" | sed -n 's/^[Ll]ast-[Mm]odified: //p')
ok "what has not changed since is not sent again" gives 304 paths "/treehub/$object" -H "If-Modified-Since: $since"
mkdir -p "$T/repository/ostree/deltas/we" && cp "$T/repository/ostree/config" "$T/repository/ostree/deltas/we/b-superblock"
ok "serves a delta" gives 200 paths /treehub/deltas/we/b-superblock
ok "... for ever" header "cache-control: public, max-age=31536000, immutable"
rm -r "$T/repository/ostree/deltas/we"
# What the server may read, ota-watcher may not: its own key, say.
echo secret >"$T/secret"
mkdir -p "$T/repository/ostree/objects/ab" "$T/repository/ostree/deltas"
ln -s "$T/secret" "$T/repository/ostree/objects/ab/link.filez"
ln -s "$T" "$T/repository/ostree/deltas/we"
unseen() { not gives 200 paths "$1" && not grep -q secret "$T/body"; }
ok "follows no link that is among objects" unseen /treehub/objects/ab/link.filez
ok "... or deltas" unseen /treehub/deltas/we/secret
mkfifo -m 644 "$T/repository/ostree/objects/ab/pipe.filez"
ok "... and waits for no pipe" gives 404 paths /treehub/objects/ab/pipe.filez
rm "$T/repository/ostree/objects/ab/link.filez" "$T/repository/ostree/objects/ab/pipe.filez" "$T/repository/ostree/deltas/we"
ok "... by HTTP/1.1, whatever else is offered" gives 200 paths "/treehub/$object" --http2
ok "... as it says" header "HTTP/1.1 200 OK"

# ---- what a device hands in, with slashes
events='[]'
ok "takes POST /events?x=y" gives 200 paths "/events?x=y" -X POST -d "$events"
# Each with its method, a body, and what is said of it.
cat >"$T/handed-in" <<END
/director/manifest PUT {} 400 device_not_registered
/director/ecus POST {} 400 invalid_ecus
/system_info PUT {} 200
/system_info POST {} 200
/core/system_info PUT {} 200
/system_info/network PUT {"hostname":"x"} 200
/system_info/network POST {"hostname":"x"} 200
/system_info/config POST x=1 200
/core/installed PUT [] 200
/events POST [] 200
/devices POST {"deviceId":"x"} 403 unknown_device
/.well-known/est/simpleenroll POST x 403 unknown_device
/.well-known/est/simplereenroll POST x 400 bad_request
END
# takes PATH METHOD BODY STATUS [CODE]: in whatever way the slashes stand; none is sent elsewhere
takes() {
	for way in "$1" "$1/" "/$1" "$(echo "$1" | sed 's|/|///|g')//"; do
		gives "$4" paths "$way" -X "$2" -d "$3" && no_header location || return 1
		[ -z "${5-}" ] || is "$(jq -r .code "$T/body")" "$5" || return 1
	done
}
while read -r path method body status code; do
	ok "takes $method $path with one slash, two, and one at its end" takes "$path" "$method" "$body" "$status" "$code"
done <"$T/handed-in"

# ---- what is not there
cat >"$T/missing" <<END
/
/director
/director/
/director/2.root.json
/director/01.root.json
/director/0.root.json
/director/-1.root.json
/director/99999999999999999999.root.json
/director/root.json.new
/director/manifest
/director/ecus
/events
/system_info
/repo
/repo/
/repo/2.root.json
/repo/targets
/repo/targets/
/repo/targets/none-1.0
/repo/targets/a/b/c
/repo/targets/%2B%20%40%3A
/repo/delegations
/repo/delegations/
/repo/delegations/x.json
/repo/delegations/x
/treehub
/treehub/
/treehub/summary.sig
/treehub/refs/heads/none
/treehub/objects
/treehub/objects/
/treehub/objects/00
/treehub/objects/00/
/treehub/objects/00/00.filez
/treehub/objects/00/$(printf '%0300d' 0).filez
/treehub/$object/x
/treehub/$object/
/treehub/${object}x
/treehub/deltas/ab/cd/superblock
/treehub/delta-indexes/ab/cd.index
/treehub/state/x
/treehub/tmp/x
/treehub/.lock
/treehub/extensions/x
/campaigner/campaigns
/api/v1/user_repo/targets.json
/api/v3/config
/.well-known/
/.well-known/est/
/.well-known/est/csrattrs
/favicon.ico
/robots.txt
/server-status
/nginx_status
/index.html
/cgi-bin/x
END
ok "answers 404 without a body for $(grep -c . "$T/missing") paths that are none" all_are "404 0" paths "$T/missing"
ok "... nor an object that may come" empty 404 paths "/treehub/objects/ab/$(printf '%062d' 0).filez"
ok "... which no cache keeps" header "cache-control: no-cache"

# ---- what is another's, or the machine's
cat >"$T/hostile" <<END
/devices/paths2/$theirs/director/targets.json
/devices/paths2/$mine/director/targets.json
/devices/paths/$mine/director/targets.json
/devices/paths/$mine/treehub/config
/gate/paths/$mine/manifest
//devices//paths2//$theirs//director//targets.json
/director/../../../paths2/$theirs/director/targets.json
/director/../../paths2/$theirs/director/targets.json
/director/..%2f..%2f..%2fpaths2%2f$theirs%2fdirector%2ftargets.json
/director/%2e%2e/%2e%2e/%2e%2e/paths2/$theirs/director/targets.json
/director/%2e%2e%2f%2e%2e%2f%2e%2e%2fpaths2/$theirs/director/targets.json
/director/.%2e/.%2e/.%2e/paths2/$theirs/director/targets.json
/director/..;/..;/..;/paths2/$theirs/director/targets.json
/director/..%5c..%5c..%5cpaths2%5c$theirs%5cdirector%5ctargets.json
/director/..\\..\\..\\paths2\\$theirs\\director\\targets.json
/director/%252e%252e/%252e%252e/paths2/$theirs/director/targets.json
/director/..%252f..%252fpaths2/$theirs/director/targets.json
/director/%c0%ae%c0%ae/%c0%ae%c0%ae/paths2/$theirs/director/targets.json
/director/%c0%af..%c0%afpaths2/$theirs/director/targets.json
/director/%e0%80%ae%e0%80%ae/paths2/$theirs/director/targets.json
/director/%uff0e%uff0e/paths2/$theirs/director/targets.json
/director/....//....//paths2/$theirs/director/targets.json
/director/targets.json%00.root.json
/director/%00/../../paths2/$theirs/director/targets.json
/director/targets.json/
/director/targets.json/x
/director/targets.json/../../../paths2/$theirs/director/targets.json
/director/targets.json;x
/director/targets.json%0a
/director/targets.json%0d%0aX-Injected:%20yes
/director/targets.json%20
/director/targets.json.
/director/targets.json~
/director/targets.json::\$DATA
/director/Targets.json
/DIRECTOR/targets.json
/director/1.root.json/../targets.jsonx
/director/x/targets.json
/director/est/cacerts
/repo/targets.json/x
/repo/director/targets.json
/repo/../devices/paths2/$theirs/director/targets.json
/repo/%2e%2e/devices/paths2/$theirs/director/targets.json
/repo/targets/../../devices/paths2/$theirs/director/targets.json
/repo/targets/..%2f..%2fdevices%2fpaths2%2f$theirs%2fdirector%2ftargets.json
/repo/targets/..%2f..%2f..%2f..%2falive
/repo/targets//../../devices/paths2/$theirs/director/targets.json
/repo/delegations/..%2f..%2f..%2falive.json
/treehub/../devices/paths2/$theirs/director/targets.json
/treehub/objects/../../devices/paths2/$theirs/director/targets.json
/treehub/objects/%2e%2e/%2e%2e/devices/paths2/$theirs/director/targets.json
/treehub/objects/..%2f..%2f..%2fdevices%2fpaths2%2f$theirs%2fdirector%2ftargets.json
/treehub/objects/../config/x
/treehub/objects/..%00/x
/treehub/objects/..%2f..%2freport%2flimits
/treehub/objects/..%2f..%2fpublished%2fcurrent%2ftargets.json
/treehub/objects/%2e%2e/%2e%2e/report/limits
/treehub/deltas/..%2f..%2f..%2fkeys%2fledger.json
/repo/targets/..%2f..%2fpublished%2fcurrent
/treehub/%2e%2e/alive
/treehub/%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2falive
/alive
/README
/keys/image
/status/health.json
/../../../etc/passwd
/..%2f..%2f..%2fetc%2fpasswd
/%2e%2e/%2e%2e/%2e%2e/etc/passwd
//etc/passwd
/.
/..
/.htaccess
/~root/
/%
/%zz
/%2
END
# A normalised path may well be the device's own; then it is for that to be there. Refused is refused without a body and
# without a redirect.
is_denied() {
	all_are "40[034] 0" paths "$T/hostile" && no_header location && no_header x-injected
}
ok "denies $(grep -c . "$T/hostile") paths to other devices and to the machine" is_denied
ok "which the other device can have" gives 200 paths2 /director/1.root.json
ok "a path that is too long is refused, too" sh -c "case \$(curl -s -o '$T/body' -w '%{http_code}' --cert '$T/paths/client.pem' \
	--key '$T/paths/pkey.pem' --cacert '$T/paths/root.crt' '$url/repo/$(printf '%030000d' 0)') in 4??) ! test -s '$T/body' ;; *) false ;; esac"
printf 'GET https://localhost/devices/paths2/%s/director/targets.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$theirs" \
	>"$T/absolute"
ok "nor by a whole URL" sh -c "openssl s_client -connect 127.0.0.1:$port -cert $T/paths/client.pem -key $T/paths/pkey.pem -quiet \
	<$T/absolute 2>/dev/null | head -n 1 | grep -q ' 404 '"
ok "no header makes it another" gives 200 paths /director/targets.json -H "SSL-CLIENT-S-DN-CN: paths2" -H "SSL_CLIENT_S_DN_CN: paths2" \
	-H "SSL-CLIENT-M-SERIAL: $theirs" -H "X-Rewrite-URL: /devices/paths2/$theirs/director/targets.json" \
	-H "X-Original-URL: /devices/paths2/$theirs/director/targets.json" -H "X-SSL-Client-CN: paths2" -H "Host: paths2"
ok "... it gets its own" body_is "$devices/paths/director/targets.json"

# ---- conditions
is_condition() { # is_condition HEADER: met or not, no words of the server's own
	: >"$T/body"
	case $(fetch paths /repo/root.json -H "$1") in
	200 | 206) body_is "$T/mount/repo/root.json" ;;
	304 | 406 | 412 | 416 | 417) not test -s "$T/body" ;;
	*) cat "$T/body" && false ;;
	esac
}
printf '%s\n' 'If-Match: "x"' 'If-None-Match: *' 'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:01 GMT' 'Range: bytes=99999999-' \
	'Accept: x/y' 'Accept-Charset: x' 'Expect: x' >"$T/conditions"
ok "says nothing of its own about $(grep -c . "$T/conditions") conditions that are not met" each "$T/conditions" is_condition

# ---- methods
is_no_method() { # is_no_method METHOD: refused without a body, before anything is looked at
	: >"$T/body"
	case $(fetch paths /director/targets.json -X "$1") in
	405 | 501 | 400) not test -s "$T/body" ;;
	*) cat "$T/body" && false ;;
	esac
}
printf '%s\n' DELETE OPTIONS TRACE PATCH MKCOL PROPFIND PROPPATCH COPY MOVE LOCK UNLOCK CONNECT BREW get >"$T/methods"
ok "refuses $(grep -c . "$T/methods") other methods" each "$T/methods" is_no_method
ok "DELETE is 405" empty 405 paths /director/targets.json -X DELETE
ok "... of a report, too" empty 405 paths /events -X DELETE
ok "what is fetched is not written: POST" words 404 not_found paths /repo/targets.json -X POST -d x
ok "... PUT" words 404 not_found paths /treehub/config -X PUT -d x
ok "... nor an object" words 404 not_found paths "/treehub/$object" -X PUT -d x
ok "all is as it was" gives 200 paths /director/targets.json
ok "... to the byte" body_is "$devices/paths/director/targets.json"
