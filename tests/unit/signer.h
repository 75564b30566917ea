/** ota-signd without its socket: key ring, ledger, log and policy in a temporary folder, with first roots. */
#ifndef TESTS_UNIT_SIGNER_H
#define TESTS_UNIT_SIGNER_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "sign/chain.h"
#include "sign/key.h"
#include "sign/server.h"
#include "tests/unit/fault.h"
#include "tests/unit/first_roots.h"

/** Users, as in the policy. */
enum { ROOT = 0, OTAFS = 501, WATCHER = 502, STRANGER = 503 };

struct fixture {
	char path[64];
	int dir, fds;
	struct policy policy;
	struct keyring *keyring;
	struct ledger *ledger;
	struct journal *journal;
	struct issuer *issuer;
	struct server *server;
	struct err err;
};

static inline void
open_all(struct fixture *f)
{
	const struct journal_limits limits = { CHAIN_FILE_MAX, 0 };

	assert_int_equal(keyring_open(f->dir, 365, &f->keyring, &f->err), 0);
	assert_int_equal(ledger_open(f->dir, &f->ledger, &f->err), 0);
	assert_int_equal(journal_open(f->dir, &limits, utc_now(), &f->journal, &f->err), 0);
	assert_int_equal(issuer_open(f->dir, &f->issuer, &f->err), 0);
	assert_int_equal(
	    server_new(-1, &f->policy, f->keyring, f->ledger, f->journal, f->issuer, &f->server, &f->err), 0);
	server_renew(f->server);
}

static inline void
close_all(struct fixture *f)
{
	server_free(f->server);
	issuer_free(f->issuer);
	journal_free(f->journal);
	ledger_free(f->ledger);
	keyring_free(f->keyring);
}

static inline int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct config config = { .root_days = 365,
		.image_targets_days = 31,
		.director_targets_days = 7,
		.snapshot_days = 7,
		.timestamp_days = 1,
		.certificate_days = 365,
		.user_otafs = "501",
		.user_watcher = "502" };

	*state = f;
	f->fds = fault_open_fds();
	strcpy(f->path, "/tmp/otafs-unit.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(key_start(&f->err), 0);
	assert_int_equal(policy_init(&f->policy, &config, &f->err), 0);
	open_all(f);
	make_first_roots(f->keyring, utc_now());
	return 0;
}

static inline int
teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	int fds = f->fds;

	close_all(f);
	close(f->dir);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	assert_int_equal(system(command), 0);
	free(f);
	assert_int_equal(fault_open_fds(), fds);
	return 0;
}

/**
 * Asks for a document of the director (sign/director.h), @text as it is: the code, with the envelope in @out,
 * if it is given, or the reason in @err.
 */
static inline int
ask_director(struct fixture *f, uid_t uid, const char *role, int root, int epoch, const char *text, char **out,
    struct err *err)
{
	AUTO(free_p) char *request = NULL;
	AUTO(free_p) char *payload = NULL;
	char *rest;
	size_t bytes;
	int r;

	assert_true(asprintf(&request, "director\n%s %d %d %s\n", role, root, epoch, text) > 0);
	if ((r = server_answer(f->server, uid, request, strlen(request), &payload, &bytes, err)) < 0)
		return r;
	assert_int_equal(payload[bytes - 1], '\n');
	payload[bytes - 1] = '\0';
	r = (int)strtol(payload, &rest, 10);
	if (r)
		return err_set(err, -r, "%s", rest + 1), r;
	if (out)
		*out = strdup(rest + 1);
	return 0;
}

#endif
