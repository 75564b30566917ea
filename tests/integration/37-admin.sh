#!/bin/sh
# The admin listener: who gets in and what he may (the same on each web server, web/admin.part.sh); then what does not depend
# on the server: how files are kept, tables, large folders, cut bodies, guessing, an otafs that is away.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

settings "$@"
start_signd
start_watcher
start_otafs
# shellcheck source=tests/integration/web/admin.part.sh
. "$top/tests/integration/web/admin.part.sh"

ok "passwords are kept as hashes that the gate alone reads" sh -c "
	grep -c '^[a-e][a-z]*:[$]6[$]' $T/admin.htpasswd | grep -qx 4 &&
	test \"\$(stat -c '%a %u %g' $T/admin.htpasswd)\" = '640 0 64108' && ! grep -q secret $T/admin.htpasswd"
ok "a token is kept as a digest" sh -c "! grep -qaF ${token##*_} $T/state/otafs.db*"
ok "who becomes an administrator is told" told administrator_set 'administrator anna has role keys'
ok "a token too, and its end" sh -c "
	grep -q 'token $id of anna made: role operate, paths devices/adm1/name, until .*, ci' $T/mount/events/all &&
	grep -q 'token $id of anna revoked' $T/mount/events/all"
ok "nobody else gets into as/" sh -c "
	! setpriv --reuid=64106 --regid=64106 --clear-groups ls $T/mount/as/anna 2>/dev/null && ! ls $T/mount/as/anna 2>/dev/null &&
	! setpriv --reuid=64104 --regid=64104 --clear-groups cat $T/mount/as/anna/README 2>/dev/null"
ok "who looks through all of the tree meets nothing there" is "$(ls -R "$T/mount/as" 2>&1)" "$T/mount/as:"
ok "and is no refusal" not has "$T/mount/why" ' as: '
ok "nothing is made there" refuses 'Permission denied' mkdir "$T/mount/as/anna2"
ok "nor does another user speak to the gate" sh -c "! setpriv --reuid=64105 --regid=64105 --clear-groups perl -MIO::Socket::UNIX \
	-e 'exit !IO::Socket::UNIX->new(Peer => \"$T/admin.sock\")'"

# ---- the script

ok "an unknown role is refused" refuses 'a role is view, operate or keys' admin add --no-password dora root
ok "and a short password" refuses 'less than 8 characters' sh -c "echo short | $top/scripts/ota-admin -c $conf add dora view"
ok "which leaves no administrator without one" is "$(cat "$T/mount/access/administrators/dora")" none
cp -r "$top/scripts" "$T/scripts" # where everybody gets to
# as_group COMMAND...: a member of group_admin, who is not root
as_group() { setpriv --reuid=64999 --regid=64106 --clear-groups "$@"; }
ok "who is not root gives no password" refuses 'admin.htpasswd: cannot be written: root does that; --no-password' \
	as_group "$T/scripts/ota-admin" -c "$conf" add dora view
ok "before he has made anybody" is "$(cat "$T/mount/access/administrators/dora")" none
ok "but a role" as_group "$T/scripts/ota-admin" -c "$conf" add --no-password dora view
ok "takes it away" refuses 'his role and tokens are gone' as_group "$T/scripts/ota-admin" -c "$conf" remove dora
ok "which is so" is "$(cat "$T/mount/access/administrators/dora")" none
ok "makes no builder either" refuses 'build.htpasswd: cannot be written: root does that' as_group "$T/scripts/ota-builder" \
	-c "$conf" --url https://x ci "/tmp/none.zip"
ok "who is nobody is told who sees the tree" refuses 'not for you: root and group_admin see it' setpriv --reuid=64999 --regid=64999 \
	--clear-groups "$T/scripts/ota-device-cert" -c "$conf" x "$T/x"
ok "a token for nobody" refuses 'dora is no administrator' admin token dora
ok "a token that leads nowhere" refuses 'is no path below the top' admin token --path /etc anna
ok "a password is made when none is given" sh -c "
	echo | $top/scripts/ota-admin -c $conf add dora view | grep -qE '^the password of dora: .{24}$'"
dora=$(admin token dora)
ok "all are listed" says '^dora view$' admin list
ok "with their tokens" says '^token [0-9a-f]{8}: user dora, role view, paths all,' admin list
ok "whoever is removed" admin remove dora
ok "is gone with all tokens" answers "401 the token is not valid" "$dora" GET /tree/README

# ---- large, cut, and line by line

seq -f "$T/mount/devices/many-%g" 300 | xargs mkdir
ok "a large folder is whole" sh -c "$(command -v curl) -s --cacert $T/pki/server-ca.pem -u carl:carl-secret $admin_url/tree/devices/ |
	jq -e 'length == 300' >/dev/null"
ok "so is a query" answers '200 ^300$' carl GET /tree/query/count/deviceid%20contains%20many-
ok "a table" answers '200 DeviceID' carl GET /tree/csv/tags.csv
ok "takes lines" answers 204 bert PUT /tree/csv/tags.csv --data-binary 'DeviceID;Color
many-1;red
many-2;blue
'
ok "which are so then" answers '200 blue' carl GET /tree/devices/many-2/tags
ok "a refusal names the line" answers '400 line 2: there is no device' bert PUT /tree/csv/tags.csv --data-binary 'DeviceID;Color
nobody;red
'
ok "a line that is cut is refused" answers '400 line 2: has no line end' bert PUT /tree/csv/tags.csv --data-binary 'DeviceID;Color
many-3;green'
size=$(stat -c %s "$T/mount/events/all")
ok "the log is read from where one was" answers '200 administrator_set' bert GET "/tree/events/all?from=0"
ok "on" answers 200 bert GET "/tree/events/all?from=$size"
ok "with nothing but what is new" sh -c "test \$(wc -c <$T/body) -lt 200"
ok "an empty body is no command" answers '400 the body is empty' bert PUT /tree/devices/many-1/name -H 'Content-Length: 0'
ok "a command that is too long" answers 413 bert PUT /tree/devices/many-1/name --data-binary "@$OTA_BIN/otafs"
# cut BYTES: of a PUT of 5 to a name, straight to the gate, of a connection that is closed then
cut() {
	# shellcheck disable=SC2016 # perl
	perl -MIO::Socket::UNIX -e '
		my $head = join "", map { "$_\0" } "CONTENT_LENGTH", 5, "SCGI", 1, "REQUEST_METHOD", "PUT",
			"REQUEST_URI", "/tree/devices/many-9/name", "REMOTE_USER", "bert", "HTTP_X_OTA_ADMIN", 1;
		my $gate = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die;
		print $gate length($head), ":$head,", substr("whole", 0, $ARGV[1]);
		shutdown $gate, 1;
		print <$gate>' "$T/admin.sock" "$1"
}
ok "a body that is cut is no command" sh -c "test \"$(cut 4 | grep -c body_incomplete)\" = 1 &&
	test -z \"\$(cat $T/mount/devices/many-9/name)\""
ok "a whole one is" sh -c "test \"$(cut 5 | grep -c 'Status: 204')\" = 1 && grep -qx whole $T/mount/devices/many-9/name"
# Of a program that is watched by a sanitizer memory says nothing.
grep -q __asan_init "$OTA_BIN/ota-admin-gate" || ok "memory does not grow with a body" sh -c "
	head -c 50000000 /dev/zero | $(command -v curl) -s -o $T/body --cacert $T/pki/server-ca.pem -u bert:bert-secret \
		-H 'X-OTA-Admin: 1' -T - $admin_url/tree/devices/many-1/name
	test \$(awk '/^VmHWM/ { print \$2 }' /proc/$(cat "$T/admin-gate.pid")/status) -lt 24000"

# hold ADDRESS COUNT FILE: requests whose bodies do not go on, until there is FILE; prints the status of those that are answered.
# In a subshell, which perl takes the place of, so that whoever stops it stops that.
hold() {
	# shellcheck disable=SC2016 # perl
	exec perl -MIO::Socket::UNIX -MIO::Select -e '
		my ($path, $address, $count, $stop) = @ARGV;
		alarm 60;
		my $head = join "", map { "$_\0" } "CONTENT_LENGTH", 1000, "SCGI", 1, "REQUEST_METHOD", "PUT", "REMOTE_ADDR", $address,
			"REQUEST_URI", "/tree/devices/many-9/name", "REMOTE_USER", "bert", "HTTP_X_OTA_ADMIN", 1;
		my @held = map { IO::Socket::UNIX->new(Peer => $path) or die } 1 .. $count;
		syswrite $_, length($head) . ":$head," for @held;
		$| = 1;
		for (IO::Select->new(@held)->can_read(2)) { my $line = <$_>; print $line if $line; }
		sleep 1 until -e $stop' "$T/admin.sock" "$1" "$2" "$3"
}
start held hold 198.51.100.7 48 "$T/none"
sleep 0.5
ok "who holds many requests gets no more" is "$(hold 198.51.100.7 1 "$conf" | tr -d '\r')" "Status: 429 Too Many Requests"
ok "others do" answers 200 carl GET /tree/README
stop held KILL

# What is renamed elsewhere makes the kernel unsure of links, for a moment.
ask bert MKCOL /tree/groups/p >/dev/null
ask bert PUT '/tree/groups/p/many-1?link' -d ../../devices/many-1 >/dev/null
mkdir "$T/renamed"
# shellcheck disable=SC2016 # perl
start renames perl -e 'chdir $ARGV[0]; mkdir "a"; for (;;) { rename "a", "b"; rename "b", "a" }' "$T/renamed"
around=groups/p/many-1
for _ in 1 2 3; do around=$around/groups/p/many-1; done
follow() {
	for _ in $(seq 30); do answers 200 carl GET "/tree/$around/tags" || return 1; done
}
ok "links are followed while there is much renaming" follow
stop renames KILL

# ---- guessing

guesses=0
while [ $guesses -lt 12 ]; do
	status=$(ask - GET /whoami -u "eve:guess$guesses")
	guesses=$((guesses + 1))
done
ok "who guesses has to wait" is "$status" 429
ok "for so long" has "$T/headers" '^[Rr]etry-[Aa]fter: 60'
ok "which is said once" is "$(grep -ci '^retry-after' "$T/headers")" 1
ok "whoever it is" answers "429 too many wrong passwords" anna GET /whoami
stop admin-gate
start admin-gate "$OTA_BIN/ota-admin-gate" -c "$conf"
needs 10 sh -c "grep -c ready $T/admin-gate.log | grep -qx 3"

# ---- an otafs that is away

stop otafs KILL
wait_for 10 not test -e "$T/mount/README"
ok "a tree whose daemon is gone is no missing file" answers '503 the tree cannot be reached' anna GET /tree/devices/many-1/name
umount -l "$T/mount" "$T/web/www"
ok "nor is one that is not mounted" answers '503 the tree cannot be reached' anna GET /tree/devices/many-1/name
ok "who comes again is told when" has "$T/headers" '^[Rr]etry-[Aa]fter:'
start_otafs
ok "it goes on by itself" answers 200 anna GET /tree/devices/many-1/tags
ok "with roles as they were" answers "403 needs role operate" carl PUT /tree/devices/many-1/name -d x
finish
