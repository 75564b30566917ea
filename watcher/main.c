/* ota-watcher: turns what is dropped into the spool, or pushed by builders, into signed releases. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/program.h"
#include "lib/sandbox.h"
#include "store/binary.h"
#include "store/space.h"
#include "lib/serve.h"
#include "watcher/api.h"
#include "watcher/repo.h"
#include "watcher/spool.h"
#include "watcher/treehub.h"
#include "watcher/upkeep.h"

/** A web server that neither sends nor reads for so long is left; it waits less for its own client. */
#define PEER_SECONDS 90

/** What is opened before privileges are dropped. */
struct privileged {
	struct mover mover;
	int listener; /* build_socket */
};

static pid_t child;

static const struct api_table *const tables[] = { &treehub_table, &repo_table, &repo_public_table, NULL };

/* Only the web server of the build listener may speak for builders. */
static int
listen_privileged(const struct config *config, uid_t uid, int *fd, struct err *err)
{
	uid_t build;
	gid_t group;
	int r;

	if ((r = config_user(config->user_build, &build, &group, err)) < 0 ||
	    (r = program_folder_above(config->build_socket, 0, 0, 0755, err)) < 0)
		return r;
	return program_listen(config->build_socket, uid, group, 0660, fd, err);
}

/* The repository is the watcher's; otafs reads it by its group, which the s-bit hands on. Others may only get
 * to what web servers read (store/served.h). */
static int
open_privileged(const struct config *config, struct privileged *open, struct err *err)
{
	uid_t uid, otafs;
	gid_t gid, group;
	int r;

	if ((r = config_user(config->user_watcher, &uid, &gid, err)) < 0 ||
	    (r = config_user(config->user_otafs, &otafs, &group, err)) < 0 ||
	    (r = program_folder(config->repository, uid, group, 02751, err)) < 0 ||
	    (r = mover_open(config, &open->mover, err)) < 0)
		return r;
	/* After the lock of the spool: the socket of a watcher that works is not taken away. */
	return listen_privileged(config, uid, &open->listener, err);
}

static void *
run_spool(void *spool)
{
	struct err err = { 0 };

	spool_run(spool, &err);
	_exit(program_fail(&err));
}

/*
 * The spool has a thread of its own, and this one takes requests until a signal comes. Both work on what the
 * caller has, so the process ends here. A drop in work is left as by a crash, which the next start resumes.
 */
static int
serve(const struct privileged *open, int signals, struct api *api, struct spool *spool, struct err *err)
{
	pthread_t thread;
	int r;

	if (pthread_create(&thread, NULL, run_spool, spool) != 0)
		return err_set(err, EAGAIN, "no thread for the spool");
	r = serve_loop(open->listener, signals, PEER_SECONDS, api_serve, api, err);
	upkeep_stop(api->upkeep);
	if (r < 0)
		_exit(program_fail(err));
	log_line(LOG_NOTICE, "ota-watcher stopped");
	_exit(0);
}

/* What no target names any more needs no ref either; garbage collection does the rest. */
static void
drop_refs(void *data, const char *sha256, bool is_ostree)
{
	struct err err;

	if (is_ostree && ingest_drop_refs(data, sha256, &err) < 0)
		log_line(LOG_WARNING, "refs of commit=%s stay reason=\"%s\"", sha256, err.text);
}

static int
watch(const struct config *config, struct privileged *open, struct err *err)
{
	AUTO(client_freep) struct client *client = client_new(config->sign_socket);
	AUTO(space_freep) struct space *space = NULL;
	AUTO(client_freep) struct client *signer = client_new(config->sign_socket);
	AUTO(ingest_freep) struct ingest *ingest = NULL;
	AUTO(image_closep) struct image *image = NULL;
	AUTO(spool_freep) struct spool *spool = NULL;
	AUTO(upkeep_stopp) struct upkeep *upkeep = NULL;
	AUTO(login_freep) struct login *login = login_new(config->build_passwords);
	AUTO(status_done) struct status status = { 0 };
	AUTO(close_p) int signals = -1;
	struct api api;
	int r;

	umask(0022);
	signal(SIGPIPE, SIG_IGN); /* the log's reader, or a web server, may go away */
	if (!client || !signer || !login || status_init(&status, open->mover.spool) < 0)
		return err_set(err, ENOMEM, "no memory");
	if ((r = ingest_new(config->repository, &ingest, err)) < 0 ||
	    (r = space_new(config->repository, config, &space, err)) < 0 ||
	    (r = image_start(config->repository, config, client, &image, err)) < 0 ||
	    (r = binary_start(image_repository(image), space, err)) < 0 ||
	    (r = spool_new(config, &open->mover, ingest, image, signer, &status, &spool, err)) < 0 ||
	    (r = program_signals(&signals, err)) < 0 || (r = upkeep_start(config, &upkeep, err)) < 0)
		return r;
	ingest_use_space(ingest, space);
	image_on_retired(image, drop_refs, ingest);
	api = (struct api){ tables, config, ingest, image, signer, image_repository(image), &open->mover,
		&status, upkeep, login };
	return serve(open, signals, &api, spool, err);
}

static void
forward(int number)
{
	kill(child, number);
}

/* ostree(1) makes the deltas. */
static int
give_up(const struct config *config, struct err *err)
{
	const struct sandbox_rule needed[] = { { config->spool, SANDBOX_WRITE | SANDBOX_ANY },
		{ config->repository, SANDBOX_WRITE }, { config->fleet, SANDBOX_READ },
		{ config->build_passwords, SANDBOX_READ | SANDBOX_ABOVE },
		{ config->build_refs, SANDBOX_READ | SANDBOX_ABOVE },
		{ config->build_limits, SANDBOX_READ | SANDBOX_ABOVE }, { NULL, 0 } };
	char temporary[CONFIG_VALUE_MAX + 16];
	int r = config_become(config->user_watcher, err);

	/* ostree(1) puts whole files aside: on the disk that they are for, and where nobody else looks. */
	snprintf(temporary, sizeof(temporary), "%s/staging", config->repository);
	if (r < 0 || setenv("TMPDIR", temporary, 1) < 0)
		return r < 0 ? r : err_sys(err, "environment");
	return sandbox_enter(config, needed, true, err);
}

/* What the unprivileged child does; it must not outlive the parent, which another instance would replace. */
static int
run_child(const struct config *config, struct privileged *open, pid_t parent, struct err *err)
{
	int r = give_up(config, err);

	if (r < 0)
		return r;
	/* Becoming another user clears it, so it comes after. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_sys(err, "parent death signal");
	if (getppid() != parent)
		return err_set(err, ESRCH, "the parent process is gone");
	return watch(config, open, err);
}

/* Without root there is no parent: the moves are tried directly. */
static int
run_alone(const struct config *config, struct privileged *open, struct err *err)
{
	int r = give_up(config, err);

	return r < 0 ? r : watch(config, open, err);
}

static int
run_parent(const struct config *config, struct privileged *open, int socket, struct err *err)
{
	const struct sandbox_rule needed[] = { { config->spool, SANDBOX_WRITE | SANDBOX_ANY }, { NULL, 0 } };
	struct sigaction action = { .sa_handler = forward };
	int status;

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	/* Or a dead child's socket would still take connections. */
	close_p(&open->listener);
	open->listener = -1;
	if (sandbox_enter(config, needed, false, err) < 0)
		program_fail(err); /* and end, with the child */
	else
		mover_serve(&open->mover, socket);
	/* The child's end is closed, or it spoke nonsense. */
	close(socket);
	kill(child, SIGTERM);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	log_line(LOG_NOTICE, "ota-watcher stopped signal=%d", WTERMSIG(status));
	return WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT ? 0 : 1;
}

/* Root stays in the parent, which only renames; all else happens in the child. Returns the exit status. */
static int
divide(const struct config *config, struct privileged *open, struct err *err)
{
	pid_t parent = getpid();
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(err, "socketpair");
	child = fork();
	if (child < 0)
		return err_sys(err, "fork");
	if (child > 0) {
		close(ends[1]);
		return run_parent(config, open, ends[0], err);
	}
	close(ends[0]);
	open->mover.socket = ends[1];
	return run_child(config, open, parent, err);
}

static void
privileged_done(struct privileged *open)
{
	mover_done(&open->mover);
	close_p(&open->listener);
}

static int
run(const struct config *config, struct err *err)
{
	AUTO(privileged_done) struct privileged open = { { -1, -1, -1, -1, -1, -1 }, -1 };
	int r = open_privileged(config, &open, err);

	if (r < 0)
		return r;
	return geteuid() == 0 ? divide(config, &open, err) : run_alone(config, &open, err);
}

int
main(int argc, char **argv)
{
	return program_main(argc, argv, "Turns what is dropped into the spool into signed releases.", run);
}
