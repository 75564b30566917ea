/* ota-gate: takes request bodies from the web server over SCGI into transaction files of the mount. Owns
 * nothing. */
#include <malloc.h>
#include <signal.h>
#include <syslog.h>
#include <unistd.h>

#include "gateway/gate.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/program.h"
#include "lib/sandbox.h"

/** Larger bodies are mapped, so that their memory goes back when they are answered. */
#define MAPPED_BYTES (64 * 1024)

static int
listen_privileged(const struct config *config, int *fd, struct err *err)
{
	uid_t uid, www_uid;
	gid_t gid, www_gid;
	int r;

	if ((r = config_user(config->user_gate, &uid, &gid, err)) < 0 ||
	    (r = config_user(config->user_www, &www_uid, &www_gid, err)) < 0 ||
	    (r = program_folder_above(config->gate_socket, 0, 0, 0755, err)) < 0)
		return r;
	/* Only the web server may speak for devices. */
	return program_listen(config->gate_socket, uid, www_gid, 0660, fd, err);
}

/* By default each thread has a pool of memory of its own, and the border between large and small moves. */
static void
save_memory(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
}

static int
serve(const struct config *config, int fd, bool is_inherited, int signals, struct err *err)
{
	AUTO(pool_freep) struct pool *pool = NULL;
	int r = pool_new(config->mount, POOL_THREADS, &pool, err);

	if (r < 0)
		return r;
	log_line(LOG_NOTICE, "ota-gate ready socket=%s inherited=%d", config->gate_socket, is_inherited);
	r = gate_run(config, pool, fd, is_inherited, signals, err);
	if (r == GATE_LEFT) {
		log_line(LOG_WARNING, "stopped with requests that the tree did not answer");
		_exit(0);
	}
	return r;
}

static int
run(const struct config *config, struct err *err)
{
	/* The mount goes and comes, as another one. */
	const struct sandbox_rule needed[] = { { config->mount, SANDBOX_WRITE | SANDBOX_ABOVE }, { NULL, 0 } };
	AUTO(close_p) int fd = -1;
	AUTO(close_p) int signals = -1;
	int r, listens;

	signal(SIGPIPE, SIG_IGN); /* the log's reader may go away */
	save_memory();
	if ((listens = listen_privileged(config, &fd, err)) < 0)
		return listens;
	if ((r = config_become(config->user_gate, err)) < 0 ||
	    (r = sandbox_enter(config, needed, false, err)) < 0 || (r = program_signals(&signals, err)) < 0)
		return r;
	return serve(config, fd, listens == PROGRAM_INHERITED, signals, err);
}

int
main(int argc, char **argv)
{
	return program_main(argc, argv, "Takes request bodies from a web server into transaction files.", run);
}
