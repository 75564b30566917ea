/*
 * Fills a new database with a fleet: fleet FILE DEVICES. Each device has a certificate, a primary and a
 * secondary ECU that told what they run, a name, a tag and a line of history. The first of them is made by the
 * way that otafs goes, the others are its rows with names and numbers of their own, in one statement a table: a
 * million in seconds. Nothing is assigned: otafs would end what is not published. Ids are "veh-" and eight
 * hexadecimal digits that are spread like a hash.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "state/certificate.h"
#include "state/db.h"
#include "state/device.h"
#include "state/ecu.h"
#include "state/history.h"
#include "state/tag.h"

#define NOW 1790000000

static const char key[] = "{\"keytype\":\"ED25519\",\"keyval\":{\"public\":\""
			  "c9ab1e25b1ee2dfcd72a9a3a5b5e4d5ff5ed7be6cbe31e6f3a4c5b9b5f2f2a10\"}}";
static const char hash[] = "a100000000000000000000000000000000000000000000000000000000000000";

static void
db_freep(struct db **db)
{
	db_free(*db);
}

static int
add_ecu(struct state *state, const char *device, int position, const char *hardware, const char *runs,
    struct err *err)
{
	struct ecu ecu = { .installed_at = NOW, .report_counter = -1 };
	int r;

	snprintf(ecu.serial, sizeof(ecu.serial), "%s-%d", device, position);
	snprintf(ecu.hardware, sizeof(ecu.hardware), "%s", hardware);
	snprintf(ecu.key, sizeof(ecu.key), "%s", key);
	snprintf(ecu.installed, sizeof(ecu.installed), "%s", runs);
	snprintf(ecu.installed_sha256, sizeof(ecu.installed_sha256), "%s", hash);
	if ((r = state_ecu_put(state, device, &ecu, position, err)) < 0)
		return r;
	return state_ecu_installed(state, device, &ecu, err);
}

static int
add_device(struct state *state, unsigned number, struct err *err)
{
	char id[32], ecu[48], serial[32], text[64];
	int r;

	snprintf(id, sizeof(id), "veh-%08x", number);
	snprintf(ecu, sizeof(ecu), "%s-0", id);
	snprintf(serial, sizeof(serial), "%016X", number);
	snprintf(text, sizeof(text), "Vehicle %u", number);
	if ((r = state_device_add(state, id, NOW, err)) < 0 ||
	    (r = state_certificate_add(state, id, serial, NOW, err)) < 0 ||
	    (r = add_ecu(state, id, 0, "qemux86-64", "app-1.0", err)) < 0 ||
	    (r = add_ecu(state, id, 1, "mcu", "fw-1.0", err)) < 0 ||
	    (r = state_device_primary(state, id, ecu, err)) < 0 ||
	    (r = state_device_name(state, id, text, NOW, err)) < 0 ||
	    (r = state_tag_put(state, id, "region", number % 3 ? "EU" : "US", err)) < 0)
		return r;
	return state_happened(state,
	    &(struct happening){
		.device = id, .at = NOW, .who = "uid 0", .what = "made", .text = "device made by uid 0" },
	    err);
}

/* Nobody needs what a power cut would leave of it. */
static const char FAST[] = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-200000;";
/* In the order of their ids, so that every index grows at its end. All differ, since the factor is odd. */
static const char WANTED[] =
    "CREATE TEMP TABLE wanted AS WITH RECURSIVE one (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM one"
    " WHERE i < ?1 - 1) SELECT i * 2654435761 % 4294967296 AS n FROM one ORDER BY n";
static const char NAMED[] =
    "CREATE TEMP TABLE named AS SELECT printf('veh-%08x', n) AS id, n, rowid AS k FROM wanted";
/* The only device there is until then is the pattern; what is not named here has its default there too. */
static const char *const copies[] = {
	"INSERT INTO certificate (device, serial, added_at, number)"
	" SELECT named.id, printf('%016X', n), added_at, 2 * k + 2 FROM named, (SELECT * FROM certificate)",
	"INSERT INTO ecu (device, serial, position, hardware, key, installed, installed_sha256, installed_at)"
	" SELECT named.id, named.id || '-' || position, position, hardware, key, installed, installed_sha256,"
	" installed_at FROM named, (SELECT * FROM ecu)",
	"INSERT INTO tag (device, tag, value) SELECT named.id, tag, CASE n % 3 WHEN 0 THEN 'US' ELSE 'EU' END"
	" FROM named, (SELECT * FROM tag)",
	"INSERT INTO history (device, number, at, text, who, start, line)"
	" SELECT named.id, number, at, text, who, k * (length(line) + 1), replace(line, device, named.id)"
	" FROM named, (SELECT * FROM history)",
	"INSERT INTO device (id, counter, created_at, changed_at, seen_at, primary_ecu, why, why_at, name, "
	"number)"
	" SELECT named.id, counter, created_at, changed_at, seen_at, named.id || '-0', why, why_at,"
	" 'Vehicle ' || n, 2 * k + 1 FROM named, (SELECT * FROM device) AS d",
	"UPDATE fleet SET numbers = 2 * (SELECT COUNT(*) FROM device)",
};

static int
add_others(const char *file, int64_t count, struct err *err)
{
	AUTO(db_freep) struct db *db = NULL;
	int r;

	if ((r = db_open(file, &db, err)) < 0 || (r = db_script(db, FAST, err)) < 0 ||
	    (r = db_begin(db, err)) < 0)
		return r;
	if ((r = db_change(db, WANTED, err, "i", count)) >= 0)
		r = db_change(db, NAMED, err, "");
	for (size_t i = 0; r >= 0 && i < sizeof(copies) / sizeof(*copies); i++)
		r = db_change(db, copies[i], err, "");
	return db_end(db, r, err);
}

static int
add_first(const char *file, struct err *err)
{
	AUTO(state_freep) struct state *state = NULL;
	int r = state_open(file, &state, err);

	if (r < 0 || (r = state_begin(state, err)) < 0)
		return r;
	return state_end(state, add_device(state, 0, err), err);
}

int
main(int argc, char **argv)
{
	long long count = argc == 3 ? strtoll(argv[2], NULL, 10) : 0;
	struct err err = { 0 };
	int r;

	if (count < 1) {
		fprintf(stderr, "usage: fleet FILE DEVICES\n");
		return 2;
	}
	if ((r = add_first(argv[1], &err)) == 0 && count > 1)
		r = add_others(argv[1], count, &err);
	if (r < 0)
		fprintf(stderr, "fleet: %s\n", err.text);
	return r < 0;
}
