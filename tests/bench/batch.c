/*
 * What SQLite alone makes of the rows that a changed manifest of a device with one ECU writes: batch FILE
 * DEVICES ROUND [VERIFY]. FILE is a database in which ota-load has registered so many devices; the statements
 * are those of state/, 64 devices in a transaction, as otafs has them when many report at once. Before that,
 * with VERIFY, what a device's signature takes of the processor.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/key.h"
#include "state/db.h"
#include "tests/load/body.h"

/** otafs/batch.h */
#define BATCH 64
#define VERIFICATIONS 1000
/** A manifest of one ECU. */
#define BODY_BYTES 900

static const char INSTALLED[] =
    "UPDATE ecu SET attacks = ?3, report_counter = ?4, absent_at = ?5, installed = ?6, installed_sha256 = ?7,"
    " installed_at = ?8 WHERE device = ?1 AND serial = ?2";
static const char HISTORY[] =
    "INSERT INTO history (device, number, at, text, who, start, line)"
    " SELECT ?1, COALESCE(MAX(number), 0) + 1, ?2, ?3, ?4, ?5, ?6 FROM history WHERE device = ?1";
static const char TAKEN[] = "UPDATE device SET manifest_digest = ?2 WHERE id = ?1";
static const char START[] = "SELECT COALESCE(MAX(start), 0) + 1000 FROM history";

struct run {
	struct db *db;
	long round;
	int64_t start; /* of the next line in the log */
};

static double
seconds_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int
write_device(struct run *run, size_t number, struct err *err)
{
	char id[BODY_ID_SIZE], ecu[BODY_ID_SIZE + 4], sha256[DIGEST_HEX_SIZE], file[32], text[256], line[512];
	int64_t now = time(NULL), round = run->round;
	int r;

	body_id(number, id);
	body_installed(number, run->round, sha256);
	snprintf(ecu, sizeof(ecu), "%s-ecu", id);
	snprintf(file, sizeof(file), "load-%ld", run->round);
	snprintf(text, sizeof(text), "ECU %s runs %s, sha256 %s", ecu, file, sha256);
	snprintf(line, sizeof(line),
	    "{\"at\":\"2026-01-01T00:00:00Z\",\"device\":\"%s\",\"what\":\"runs\",\"who\":\"device\",\"text\":"
	    "\"%s\","
	    "\"ecu\":\"%s\",\"target\":\"%s\"}",
	    id, text, ecu, file);
	if ((r = db_change(
		 run->db, INSTALLED, err, "sssiissi", id, ecu, "", round, (int64_t)0, file, sha256, now)) < 0 ||
	    (r = db_change(run->db, HISTORY, err, "sissis", id, now, text, "device", run->start, line)) < 0 ||
	    (r = db_change(run->db, TAKEN, err, "ss", id, sha256)) < 0)
		return r;
	run->start += (int64_t)strlen(line) + 1;
	return r == 1 ? 0 : err_set(err, ENOENT, "%s is not registered", id);
}

static int
write_batch(struct run *run, size_t from, size_t to, struct err *err)
{
	int r = db_begin(run->db, err);

	if (r < 0)
		return r;
	for (size_t i = from; r == 0 && i < to; i++)
		r = write_device(run, i, err);
	return db_end(run->db, r, err);
}

static int
find_start(struct run *run, struct err *err)
{
	struct rows *rows;
	int r = db_query(run->db, START, &rows, err, "");

	if (r < 0)
		return r;
	r = db_next(rows, err);
	run->start = r > 0 ? db_number(rows, 0) : 0;
	db_done(rows);
	return r < 0 ? r : 0;
}

static int
write_all(struct run *run, size_t devices, struct err *err)
{
	double start = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	int r = find_start(run, err);

	for (size_t from = 0; r == 0 && from < devices; from += BATCH)
		r = write_batch(run, from, from + BATCH < devices ? from + BATCH : devices, err);
	if (r == 0)
		printf("batch: %.0f/s, %.1f us of the processor each\n",
		    (double)devices / (seconds_of(CLOCK_MONOTONIC) - start),
		    (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6 / (double)devices);
	return r;
}

static int
verify(struct err *err)
{
	AUTO(key_pair_freep) struct key_pair *pair = NULL;
	AUTO(json_decref_p) json_t *signature = NULL;
	char body[BODY_BYTES] = { 1 };
	double cpu;
	int r;

	if ((r = key_start(err)) < 0 || (r = key_pair_new(&pair, err)) < 0 ||
	    (r = key_pair_sign(pair, body, sizeof(body), &signature, err)) < 0)
		return r;
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; r == 0 && i < VERIFICATIONS; i++)
		r = public_key_verify(
		    key_pair_public(pair), "ed25519", json_text(signature, "sig"), body, sizeof(body), err);
	printf("verify: %.1f us of the processor each\n",
	    (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6 / VERIFICATIONS);
	return r;
}

int
main(int argc, char **argv)
{
	struct run run = { .round = argc > 3 ? strtol(argv[3], NULL, 10) : 0 };
	struct err err = { 0 };
	int r = argc > 4 ? verify(&err) : 0;

	if (argc < 4) {
		fprintf(stderr, "usage: batch FILE DEVICES ROUND [VERIFY]\n");
		return 2;
	}
	if (r == 0 && (r = db_open(argv[1], &run.db, &err)) == 0)
		r = write_all(&run, strtoul(argv[2], NULL, 10), &err);
	if (r < 0)
		fprintf(stderr, "batch: %s\n", err.text);
	db_free(run.db);
	return r < 0;
}
