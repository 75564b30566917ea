/**
 * A server's core without its mounts: a temporary folder with a real database, a hand-written publication and,
 * where a test wants it, the real ota-signd; and device "car7" with three ECUs that sign for real.
 *
 * Published: "app" 1.0 and 2.0 for hardware hw-a, "fw" 1.0 and 2.0 (BINARY) for hw-b, "duo" 1.0 for both.
 */
#ifndef TESTS_UNIT_FIXTURE_H
#define TESTS_UNIT_FIXTURE_H

#include <sys/types.h>

#include "lib/json.h"
#include "otafs/core.h"
#include "otafs/reply.h"
#include "sign/key.h"

/** "prim" (hw-a, the primary), "sec-1" and "sec-2" (both hw-b). */
enum { PRIM, SEC_1, SEC_2, ECUS };
extern const char *const fixture_serials[ECUS];

/** Hashes of what is published. */
#define APP_1 "a100000000000000000000000000000000000000000000000000000000000000"
#define APP_2 "a200000000000000000000000000000000000000000000000000000000000000"
#define FW_1 "f100000000000000000000000000000000000000000000000000000000000000"
#define FW_2 "f200000000000000000000000000000000000000000000000000000000000000"
/** Of the empty string: what a device that runs nothing known reports. */
#define NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct fixture {
	char path[64];
	int fds; /* open before the test */
	struct config config;
	struct core core;
	struct device device;
	struct key_pair *keys[ECUS];
	pid_t signd; /* 0: there is none */
};

/** For cmocka: device car7 is there and has registered its ECUs; the second starts ota-signd besides. */
int fixture_setup(void **state);
int fixture_setup_with_signer(void **state);
/** Also proves that no descriptor was left open. */
int fixture_teardown(void **state);

/** Ends the core and opens it again, as a restart does. */
void fixture_reopen(struct fixture *f);

/** Adds to @targets the entry of one target, for the hardware ids @ids (released). */
void fixture_target(json_t *targets, const char *name, const char *version, const char *format,
    const char *sha256, json_t *ids);
/** Puts something where the bytes or the commit of each target should be; the others here do that. */
void fixture_bytes(const struct fixture *f, json_t *targets);
/** Writes publication @number, which has all of the above and @more (released; NULL: nothing), and switches to
 * it. */
void fixture_publish(struct fixture *f, int number, json_t *more);

/** The same with the delegated roles @roles (released; NULL: none), whose documents are there already. */
void fixture_publish_with(struct fixture *f, int number, json_t *more, json_t *roles);
/** Writes the document of a delegated role into publication @number, before that is switched to. @targets and
 * @roles (NULL: none) are released. */
void fixture_delegation(
    struct fixture *f, int number, const char *name, json_t *targets, json_t *roles, const char *expires);

/** Reads car7 anew into f->device. */
void fixture_load(struct fixture *f);

/** Body of a registration of the first @count ECUs; the caller changes and releases it. */
json_t *fixture_ecus(const struct fixture *f, size_t count);
/** Registers; @body is released. */
int fixture_enroll(struct fixture *f, json_t *body, struct reply *reply, struct err *err);

/** Signs; @signed_part is released. */
json_t *fixture_sign(const struct key_pair *key, json_t *signed_part);
/** What ECU @ecu signs about the file it runs. */
json_t *fixture_runs(const struct fixture *f, int ecu, const char *file, const char *sha256);
/** The whole manifest; @reports (an object by serial) and @result (an installation_report, or NULL) are
 * released. */
json_t *fixture_manifest(const struct fixture *f, json_t *reports, json_t *result);
/** A manifest that tells of one ECU. */
json_t *fixture_manifest_of(const struct fixture *f, int ecu, const char *file, const char *sha256);
/** An installation_report. */
json_t *fixture_result(bool is_success, const char *correlation);
/** Hands it in; @manifest is released. The answer's status. */
int fixture_send(struct fixture *f, json_t *manifest, struct reply *reply);

/** assign_do() by "test", then fixture_load(). */
int fixture_assign(struct fixture *f, const char *text, struct err *err);
/** The device reads its targets, and that is stored, without a line of the history. */
void fixture_read(struct fixture *f, int64_t now);
/** What is assigned now, one line for each ECU; to be freed. */
char *fixture_open(struct fixture *f);
/** All that "assign" shows; to be freed. */
char *fixture_assign_text(struct fixture *f);
/** All history of car7; to be freed. */
char *fixture_history(struct fixture *f);
/** How many lines of the history have @words. */
int fixture_told(struct fixture *f, const char *words);

#endif
