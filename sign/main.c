/* ota-signd: owns the private keys of both repositories and signs what its policy allows. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/due.h"
#include "lib/log.h"
#include "lib/program.h"
#include "lib/sandbox.h"
#include "lib/utc.h"
#include "sign/chain.h"
#include "sign/key.h"
#include "sign/restored.h"
#include "sign/server.h"

/** How often the age of the roots is looked at, in seconds of the wall clock. */
#define RENEW_SECONDS 60

/* Opens what needs privilege: the folder of the keys and the socket. */
static int
open_privileged(const struct config *config, int *dir, int *fd, struct err *err)
{
	uid_t uid;
	gid_t gid;
	int r;

	if ((r = config_user(config->user_sign, &uid, &gid, err)) < 0 ||
	    (r = program_folder(config->keys, uid, gid, 0700, err)) < 0 ||
	    (r = program_folder_above(config->sign_socket, 0, 0, 0755, err)) < 0)
		return r;
	*dir = open(config->keys, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*dir < 0)
		return err_sys(err, "%s", config->keys);
	/* Anybody may connect; SO_PEERCRED and the policy decide. */
	return program_listen(config->sign_socket, uid, gid, 0666, fd, err);
}

/* A core file or a debugger would show the keys. */
static int
harden(struct err *err)
{
	struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return err_sys(err, "no core files");
	return 0;
}

static int
loop(struct server *server, int fd, int signals, struct err *err)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
	struct due renewal;

	due_in(&renewal, utc_now(), RENEW_SECONDS);
	for (;;) {
		int n = poll(fds, 2, DUE_LOOK_MS);

		if (n < 0 && errno != EINTR)
			return err_sys(err, "poll");
		server_tick(server);
		/* However many connections come. */
		if (due_is(&renewal, utc_now())) {
			server_renew(server);
			due_in(&renewal, utc_now(), RENEW_SECONDS);
		}
		if (n > 0 && fds[1].revents)
			return 0;
		if (n > 0 && fds[0].revents)
			server_accept(server);
	}
}

static int
run(const struct config *config, struct err *err)
{
	AUTO(close_p) int dir = -1;
	AUTO(close_p) int fd = -1;
	AUTO(close_p) int signals = -1;
	AUTO(keyring_freep) struct keyring *keyring = NULL;
	AUTO(ledger_freep) struct ledger *ledger = NULL;
	AUTO(journal_freep) struct journal *journal = NULL;
	AUTO(issuer_freep) struct issuer *issuer = NULL;
	const struct sandbox_rule needed[] = { { config->keys, SANDBOX_WRITE }, { NULL, 0 } };
	const struct journal_limits limits = { CHAIN_FILE_MAX, config->sign_log_mb * 1024 * 1024 };
	struct server *server;
	struct policy policy;
	int r;

	if ((r = policy_init(&policy, config, err)) < 0 || (r = open_privileged(config, &dir, &fd, err)) < 0 ||
	    (r = config_become(config->user_sign, err)) < 0 ||
	    (r = sandbox_enter(config, needed, false, err)) < 0 || (r = harden(err)) < 0 ||
	    (r = key_start(err)) < 0 || (r = keyring_open(dir, config->root_days, &keyring, err)) < 0 ||
	    (r = ledger_open(dir, &ledger, err)) < 0 || (r = restored_follow(dir, ledger, err)) < 0 ||
	    (r = journal_open(dir, &limits, utc_now(), &journal, err)) < 0 ||
	    (r = issuer_open(dir, &issuer, err)) < 0 || (r = program_signals(&signals, err)) < 0 ||
	    (r = server_new(fd, &policy, keyring, ledger, journal, issuer, &server, err)) < 0)
		return r;
	server_renew(server);
	log_line(LOG_NOTICE, "ota-signd ready socket=%s", config->sign_socket);
	r = loop(server, fd, signals, err);
	/* Threads may still be answering: the process ends with them, the server is not freed under them. */
	if (r == 0)
		log_line(LOG_NOTICE, "ota-signd stopped");
	_exit(r < 0);
}

int
main(int argc, char **argv)
{
	return program_main(
	    argc, argv, "Holds the keys of both repositories and signs what its policy allows.", run);
}
