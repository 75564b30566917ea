#!/bin/sh
# ota-backup by itself, with folders as an instance leaves them: a database that is written all the time, and a restore that
# is killed at each of its steps.
# shellcheck source=tests/integration/lib.sh disable=SC2317,SC2016 # functions are called by name
. "$(dirname "$0")/lib.sh"

backup() { "$top/scripts/ota-backup" "$@"; }
TMPDIR=$T/tmp
export TMPDIR
mkdir "$TMPDIR"

settings
install -d -o 64102 "$T/state" "$T/fleet"
install -d -o 64101 -m 700 "$T/keys/image" "$T/keys/director"
install -d -o 64103 "$T/repository/published/7" "$T/repository/report"
ln -s 7 "$T/repository/published/current"
for name in root 1.root targets snapshot timestamp; do echo "$name" >"$T/repository/published/7/$name.json"; done
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
finish
