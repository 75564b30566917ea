#include "state/schema.h"

#include <errno.h>
#include <stdio.h>
#include <syslog.h>

#include "lib/log.h"

static const char *const steps[] = {
	/* 1 */
	"CREATE TABLE fleet (one SMALLINT PRIMARY KEY, epoch BIGINT NOT NULL, raised_at BIGINT NOT NULL);"
	"CREATE TABLE device (id TEXT PRIMARY KEY, counter BIGINT NOT NULL, created_at BIGINT NOT NULL,"
	" changed_at BIGINT NOT NULL, seen_at BIGINT NOT NULL, primary_ecu TEXT NOT NULL, why TEXT NOT NULL,"
	" why_at BIGINT NOT NULL);"
	"CREATE TABLE retired (id TEXT PRIMARY KEY, counter BIGINT NOT NULL);"
	"CREATE TABLE certificate (device TEXT NOT NULL, serial TEXT NOT NULL, added_at BIGINT NOT NULL,"
	" PRIMARY KEY (device, serial));"
	"CREATE TABLE ecu (device TEXT NOT NULL, serial TEXT NOT NULL, position BIGINT NOT NULL, hardware TEXT "
	"NOT NULL,"
	" key TEXT NOT NULL, installed TEXT NOT NULL, installed_sha256 TEXT NOT NULL, installed_at BIGINT NOT "
	"NULL,"
	" PRIMARY KEY (device, serial));"
	"CREATE INDEX ecu_installed ON ecu (installed);"
	"CREATE TABLE assignment (device TEXT NOT NULL, ecu TEXT NOT NULL, hardware TEXT NOT NULL, target TEXT "
	"NOT NULL,"
	" sha256 TEXT NOT NULL, length BIGINT NOT NULL, format TEXT NOT NULL, correlation TEXT NOT NULL,"
	" created_at BIGINT NOT NULL, PRIMARY KEY (device, ecu));"
	"CREATE INDEX assignment_target ON assignment (target);"
	"CREATE TABLE report (device TEXT NOT NULL, kind TEXT NOT NULL, body BYTEA NOT NULL, received_at "
	"BIGINT NOT NULL,"
	" PRIMARY KEY (device, kind));"
	"CREATE TABLE event (device TEXT NOT NULL, id TEXT NOT NULL, number BIGINT NOT NULL, body TEXT NOT "
	"NULL,"
	" received_at BIGINT NOT NULL, PRIMARY KEY (device, id));"
	"CREATE TABLE history (device TEXT NOT NULL, number BIGINT NOT NULL, at BIGINT NOT NULL, text TEXT NOT "
	"NULL,"
	" PRIMARY KEY (device, number));",
	/* 2 */
	"ALTER TABLE fleet ADD COLUMN basis TEXT NOT NULL DEFAULT '';",
	/* 3 */
	"ALTER TABLE device ADD COLUMN failure TEXT NOT NULL DEFAULT '';",
	/* 4 */
	"CREATE INDEX event_number ON event (device, number);",
	/* 5 */
	"CREATE INDEX ecu_running ON ecu (installed_sha256, hardware, device);",
	/* 6 */
	"CREATE INDEX assignment_file ON assignment (target, sha256, device);",
	/* 7; 0 is for what is not known */
	("ALTER TABLE certificate ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;"
	 "CREATE INDEX certificate_expiry ON certificate (expires_at);"),
	/* 8: the registry, groups, orders, and a history that tells who */
	("ALTER TABLE device ADD COLUMN name TEXT NOT NULL DEFAULT '';"
	 "ALTER TABLE device ADD COLUMN notes TEXT NOT NULL DEFAULT '';"
	 "ALTER TABLE device ADD COLUMN activated_at BIGINT NOT NULL DEFAULT 0;"
	 "ALTER TABLE device ADD COLUMN status TEXT NOT NULL DEFAULT 'NotSeen';"
	 "ALTER TABLE device ADD COLUMN polls BIGINT NOT NULL DEFAULT 0;"
	 "ALTER TABLE device ADD COLUMN report_digest TEXT NOT NULL DEFAULT '';"
	 "ALTER TABLE device ADD COLUMN manifest_digest TEXT NOT NULL DEFAULT '';"
	 "UPDATE device SET activated_at = created_at WHERE seen_at > 0;"
	 "UPDATE device SET status = CASE WHEN seen_at = 0 THEN 'NotSeen' WHEN primary_ecu = '' THEN "
	 "'NotRegistered'"
	 " WHEN EXISTS (SELECT 1 FROM assignment WHERE assignment.device = device.id) THEN 'InFlight'"
	 " WHEN failure <> '' THEN 'Error' ELSE 'UpToDate' END;"
	 "DROP INDEX ecu_installed;"
	 "CREATE INDEX ecu_installed ON ecu (installed, device);"
	 "CREATE INDEX ecu_hardware ON ecu (hardware, device);"
	 "CREATE INDEX device_status ON device (status, id);"
	 "CREATE INDEX device_seen ON device (seen_at, id);"
	 "ALTER TABLE ecu ADD COLUMN report_counter BIGINT NOT NULL DEFAULT -1;"
	 "ALTER TABLE ecu ADD COLUMN attacks TEXT NOT NULL DEFAULT '';"
	 "ALTER TABLE ecu ADD COLUMN absent_at BIGINT NOT NULL DEFAULT 0;"
	 "ALTER TABLE assignment ADD COLUMN in_flight_at BIGINT NOT NULL DEFAULT 0;"
	 /* The device may have read of it already. */
	 "UPDATE assignment SET in_flight_at = created_at;"
	 "CREATE TABLE installation (device TEXT NOT NULL, number BIGINT NOT NULL, correlation TEXT NOT NULL,"
	 " ecu TEXT NOT NULL, target TEXT NOT NULL, sha256 TEXT NOT NULL, assigned_at BIGINT NOT NULL,"
	 " in_flight_at BIGINT NOT NULL, finished_at BIGINT NOT NULL, result TEXT NOT NULL, code TEXT NOT NULL,"
	 " text TEXT NOT NULL, PRIMARY KEY (device, number));"
	 "CREATE INDEX installation_correlation ON installation (correlation, device);"
	 "CREATE TABLE schedule (device TEXT NOT NULL, correlation TEXT NOT NULL, at BIGINT NOT NULL, text "
	 "TEXT NOT NULL,"
	 " who TEXT NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (device, correlation));"
	 "CREATE INDEX schedule_at ON schedule (at, device);"
	 "CREATE TABLE follow (device TEXT NOT NULL, package TEXT NOT NULL, ecu TEXT NOT NULL, who TEXT NOT "
	 "NULL,"
	 " created_at BIGINT NOT NULL, PRIMARY KEY (device, package, ecu));"
	 "CREATE INDEX follow_package ON follow (package, device);"
	 "CREATE TABLE tag (device TEXT NOT NULL, tag TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (device, "
	 "tag));"
	 "CREATE INDEX tag_value ON tag (tag, value, device);"
	 "CREATE TABLE device_group (name TEXT PRIMARY KEY, rule TEXT NOT NULL, created_at BIGINT NOT NULL);"
	 "CREATE TABLE member (name TEXT NOT NULL, device TEXT NOT NULL, PRIMARY KEY (name, device));"
	 "CREATE INDEX member_device ON member (device, name);"
	 "CREATE TABLE group_order (number BIGINT PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL,"
	 " who TEXT NOT NULL, correlation TEXT NOT NULL, phase SMALLINT NOT NULL, started_at BIGINT NOT NULL,"
	 " finished_at BIGINT NOT NULL, members BIGINT NOT NULL, taken BIGINT NOT NULL, refused BIGINT NOT "
	 "NULL);"
	 "CREATE INDEX group_order_name ON group_order (name, number);"
	 "CREATE INDEX group_order_phase ON group_order (phase, number);"
	 "CREATE TABLE receipt (number BIGINT NOT NULL, device TEXT NOT NULL, result SMALLINT NOT NULL,"
	 " text TEXT NOT NULL, PRIMARY KEY (number, device));"
	 "CREATE INDEX receipt_result ON receipt (number, result, device);"
	 "ALTER TABLE history ADD COLUMN who TEXT NOT NULL DEFAULT '';"
	 "ALTER TABLE history ADD COLUMN start BIGINT NOT NULL DEFAULT -1;"
	 "ALTER TABLE history ADD COLUMN line TEXT NOT NULL DEFAULT '';"
	 "CREATE INDEX history_start ON history (start);"),
	/* 9: enrolment, renewal, and who administers; expires_at and ends_at 0: never, most 0: any number */
	("ALTER TABLE certificate ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;"
	 "ALTER TABLE certificate ADD COLUMN ends_at BIGINT NOT NULL DEFAULT 0;"
	 "ALTER TABLE certificate ADD COLUMN source TEXT NOT NULL DEFAULT '';"
	 "CREATE INDEX certificate_end ON certificate (ends_at);"
	 "CREATE TABLE token (name TEXT PRIMARY KEY, serial TEXT NOT NULL, created_at BIGINT NOT NULL, who "
	 "TEXT NOT"
	 " NULL, expires_at BIGINT NOT NULL, most BIGINT NOT NULL, used BIGINT NOT NULL, member_of TEXT NOT "
	 "NULL,"
	 " tags TEXT NOT NULL);"
	 "CREATE TABLE blocked (device TEXT PRIMARY KEY, created_at BIGINT NOT NULL, who TEXT NOT NULL);"
	 "CREATE TABLE revoked (device TEXT NOT NULL, serial TEXT NOT NULL, created_at BIGINT NOT NULL, who "
	 "TEXT NOT"
	 " NULL, PRIMARY KEY (device, serial));"
	 "CREATE TABLE administrator (name TEXT PRIMARY KEY, role SMALLINT NOT NULL, created_at BIGINT NOT "
	 "NULL, who"
	 " TEXT NOT NULL);"
	 "CREATE TABLE access_token (id TEXT PRIMARY KEY, parent TEXT NOT NULL, name TEXT NOT NULL, digest "
	 "TEXT NOT"
	 " NULL, role SMALLINT NOT NULL, paths TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT "
	 "NOT NULL,"
	 " used_at BIGINT NOT NULL, title TEXT NOT NULL);"
	 "CREATE INDEX access_token_parent ON access_token (parent);"
	 "CREATE INDEX access_token_name ON access_token (name);"),
	/* 10: numbers of devices and certificates, given once and never again */
	("ALTER TABLE fleet ADD COLUMN numbers BIGINT NOT NULL DEFAULT 0;"
	 "ALTER TABLE device ADD COLUMN number BIGINT NOT NULL DEFAULT 0;"
	 "ALTER TABLE certificate ADD COLUMN number BIGINT NOT NULL DEFAULT 0;"
	 "UPDATE device SET number = numbered.n FROM"
	 " (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS n FROM device) AS numbered WHERE numbered.id = "
	 "device.id;"
	 "UPDATE certificate SET number = numbered.n FROM (SELECT device, serial, ROW_NUMBER() OVER"
	 " (ORDER BY device, serial) AS n FROM certificate) AS numbered"
	 " WHERE numbered.device = certificate.device AND numbered.serial = certificate.serial;"
	 "UPDATE fleet SET numbers = (SELECT COUNT(*) FROM device) + (SELECT COUNT(*) FROM certificate);"
	 "CREATE UNIQUE INDEX device_number ON device (number);"
	 "CREATE UNIQUE INDEX certificate_number ON certificate (number);"
	 /* Orders that are one row, however many members there are; those that were being worked off end. */
	 "ALTER TABLE fleet ADD COLUMN orders BIGINT NOT NULL DEFAULT 0;"
	 "UPDATE fleet SET orders = (SELECT COALESCE(MAX(number), 0) FROM group_order);"
	 "ALTER TABLE device ADD COLUMN ordered BIGINT NOT NULL DEFAULT 0;"
	 "ALTER TABLE group_order ADD COLUMN rule TEXT NOT NULL DEFAULT '';"
	 "ALTER TABLE group_order ADD COLUMN cursor TEXT NOT NULL DEFAULT '';"
	 "ALTER TABLE group_order DROP COLUMN members;"
	 "DELETE FROM receipt WHERE result = 0;"
	 "UPDATE group_order SET phase = CASE phase WHEN 0 THEN 3 ELSE 4 END WHERE phase < 2;"
	 "DROP INDEX receipt_result;"
	 /* What is assigned gets numbers of its own, since there is much of it; see state/reads.h. */
	 "ALTER TABLE fleet ADD COLUMN assigned BIGINT NOT NULL DEFAULT 1;"
	 "ALTER TABLE fleet ADD COLUMN read_to BIGINT NOT NULL DEFAULT 0;"
	 "ALTER TABLE fleet ADD COLUMN is_clean SMALLINT NOT NULL DEFAULT 1;"
	 "ALTER TABLE assignment ADD COLUMN number BIGINT NOT NULL DEFAULT 1;"),
};

#define STEPS ((int)(sizeof(steps) / sizeof(steps[0])))

static const char VERSION[] = "SELECT COALESCE(MAX(version), 0) FROM schema";
static const char NOTE[] = "INSERT INTO schema (version) VALUES (?1)";

static int
read_version(struct db *db, int *version, struct err *err)
{
	struct rows *rows;
	int r = db_query(db, VERSION, &rows, err, "");

	if (r < 0)
		return r;
	r = db_next(rows, err);
	*version = r > 0 ? (int)db_number(rows, 0) : 0;
	db_done(rows);
	return r < 0 ? r : 0;
}

static int
take_step(struct db *db, int number, struct err *err)
{
	int r;

	if ((r = db_begin(db, err)) < 0)
		return r;
	if ((r = db_script(db, steps[number - 1], err)) == 0)
		r = db_change(db, NOTE, err, "i", (int64_t)number);
	r = db_end(db, r, err);
	return r < 0 ? err_context(err, r, "step %d of the schema", number) : 0;
}

static int
refuse_newer(int version, struct err *err)
{
	return err_set(err, ENOTSUP,
	    "database: has schema %d, this otafs knows up to %d: install the newer otafs again, or go back to "
	    "the "
	    "copy " SCHEMA_COPY "%d or an older one, see docs/OPERATIONS.md, Upgrade",
	    version, STEPS, STEPS);
}

/* What the release before can go back to. */
static int
keep_copy(struct db *db, int version, struct err *err)
{
	char suffix[32];
	int r;

	if (version == 0 || version == STEPS)
		return 0;
	snprintf(suffix, sizeof(suffix), SCHEMA_COPY "%d", version);
	if ((r = db_copy_beside(db, suffix, err)) < 0)
		return err_context(err, r, "copy before the upgrade from schema %d to %d", version, STEPS);
	log_line(LOG_NOTICE, "schema from=%d to=%d copy=%s", version, STEPS, suffix);
	return 0;
}

int
schema_migrate(struct db *db, struct err *err)
{
	int version = 0, r;

	if ((r = db_script(db, "CREATE TABLE IF NOT EXISTS schema (version BIGINT PRIMARY KEY)", err)) < 0 ||
	    (r = read_version(db, &version, err)) < 0)
		return r;
	if (version > STEPS)
		return refuse_newer(version, err);
	if ((r = keep_copy(db, version, err)) < 0)
		return r;
	for (; version < STEPS; version++)
		if ((r = take_step(db, version + 1, err)) < 0)
			return r;
	return 0;
}
