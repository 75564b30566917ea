#!/bin/sh
# ota-backup by itself, with folders as an instance leaves them: a database that is written all the time, and a restore that
# is killed at each of its steps.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2016,SC2086,SC2119 # functions are called by name
. "$(dirname "$0")/lib.sh"

backup() { "$top/scripts/ota-backup" "$@"; }
TMPDIR=$T/tmp
export TMPDIR
mkdir "$TMPDIR"

# Each step of a restore that changes something is a program; of so many one is killed at. In make soak it is each.
every=${BACKUP_EVERY:-19}

settings "device_port = 8443"
install -d -o 64102 "$T/state" "$T/fleet"
install -d -o 64101 -m 700 "$T/keys/image" "$T/keys/director"
install -d -o 64103 "$T/repository/published/7" "$T/repository/report"
ln -s 7 "$T/repository/published/current"
for name in root targets snapshot timestamp; do echo "$name" >"$T/repository/published/7/$name.json"; done
echo "root of image" >"$T/repository/published/7/1.root.json"
for name in image director; do
	echo "root of $name" >"$T/keys/$name/1.root.json"
	echo "key of $name" >"$T/keys/$name/root-1.key"
done
echo '{}' >"$T/keys/ledger.json"
echo '{}' >"$T/fleet/fleet.json"
echo gc >"$T/repository/report/gc"
mkdir "$T/pki"
echo "server's" >"$T/pki/server.key"
sqlite3 "$T/state/otafs.db" "PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (0); CREATE TABLE ballast (x BLOB);
	WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO ballast SELECT randomblob(1000000) FROM n" >/dev/null
chown -R 64102 "$T/state" "$T/fleet"
chown -R 64101 "$T/keys"
chown -R 64103 "$T/repository"

# ---- of a fleet that does not stop
start writer sh -c "{ echo 'PRAGMA synchronous = OFF;'; yes 'UPDATE t SET n = n + 1;'; } | sqlite3 -cmd '.timeout 5000' $T/state/otafs.db"
ok "ends however much is written meanwhile" timeout -s KILL 30 "$top/scripts/ota-backup" create -c "$conf" "$T/bak"
kill "$(pgrep -P "$(cat "$T/writer.pid")" yes)" 2>/dev/null
stop writer
ok "and is whole" backup verify "$T/bak"
sqlite3 "$T/state/otafs.db" "DROP TABLE ballast; VACUUM; UPDATE t SET n = -1; PRAGMA wal_checkpoint(TRUNCATE)" >/dev/null
rm -rf "$T/bak"
backup create -c "$conf" "$T/bak"

# ---- killed at each step of a restore
# What is there is newer than the backup, and of the same instance.
sqlite3 "$T/state/otafs.db" "UPDATE t SET n = 5" >/dev/null
echo newer >"$T/fleet/fleet.json"
echo "other server's" >"$T/pki/server.key"
places="state keys fleet repository pki"
(cd "$T" && tar -cf before.tar $places)
mkdir "$T/steps"
for program in mv cp ln rm touch mkdir chown chmod rsync sync; do
	printf '#!/bin/sh\necho %s >>%s/taken\n[ "$(wc -l <%s/taken)" != "${KILL_AT:-0}" ] || kill -KILL 0\nexec %s "$@"\n' \
		$program "$T" "$T" "$(command -v $program)" >"$T/steps/$program"
done
chmod 755 "$T/steps/"*
# restore [N]: killed before its N-th step, with all that it has started
restore() {
	: >"$T/taken"
	KILL_AT=${1:-0} PATH=$T/steps:$PATH setsid -w sh -c 'exec "$@" >"$0" 2>&1' "$T/restore.log" "$top/scripts/ota-backup" restore -c "$conf" "$T/bak"
}
# as_before: the machine before the restore
as_before() {
	for place in $places; do rm -rf "${T:?}/$place" "$T/$place".*-*; done
	tar -C "$T" -xf "$T/before.tar"
}
state_has() { sqlite3 "$T/state/otafs.db" "SELECT n FROM t" 2>/dev/null; }
# safe: what would be started now. Old or new as a whole, and what is new is marked, so that versions jump
safe() {
	state=$(state_has)
	case $state in
	-1) [ -e "$T/state/restored" ] ;;
	5) : ;;
	*) false ;;
	esac || echo "at $1: the database says \"$state\" and is not marked" >>"$T/unsafe"
	[ ! -e "$T/keys" ] || [ "$(cat "$T/keys/image/root-1.key")" = "key of image" ] || echo "at $1: keys are not whole" >>"$T/unsafe"
	[ ! -e "$T/keys" ] || [ -n "$(find "$T" -maxdepth 1 -name 'keys.replaced-*')" ] || return 0
	[ ! -e "$T/keys" ] || [ -e "$T/keys/restored" ] || echo "at $1: keys are not marked" >>"$T/unsafe"
}
# restored: all of the backup is there, with its owners
restored() {
	[ "$(state_has) $(cat "$T/fleet/fleet.json") $(cat "$T/pki/server.key") $(cat "$T/repository/published/current/root.json")" = "-1 {} server's root" ] &&
		[ -e "$T/state/restored" ] && [ -e "$T/keys/restored" ] &&
		[ "$(stat -c %u "$T/state/otafs.db" "$T/keys/image/root-1.key" "$T/repository/published/7/root.json" | tr '\n' ' ')" = "64102 64101 64103 " ] &&
		[ -z "$(find "$T" -maxdepth 3 -name '*.new-*')" ]
}
as_before
ok "restores" restore
ok "all of it" restored
steps=$(wc -l <"$T/taken")
killed=0
: >"$T/unsafe"
for at in $(seq 1 "$every" "$steps"); do
	as_before
	restore "$at" 2>/dev/null
	killed=$((killed + 1))
	safe "$at"
	restore
	restored || echo "at $at: not restored afterwards" >>"$T/unsafe"
done
ok "killed before $killed of its $steps steps, nothing half is used, and another restore ends it" is "$(cat "$T/unsafe")" ""
finish
