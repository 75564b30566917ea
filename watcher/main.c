/* ota-watcher: turns what is dropped into the spool into signed releases. */
#include <errno.h>
#include <signal.h>
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
#include "store/binary.h"
#include "store/space.h"
#include "watcher/spool.h"

static pid_t child;

/* The repository is the watcher's; otafs reads it by its group, which the s-bit hands on. */
static int
open_privileged(const struct config *config, struct mover *mover, struct err *err)
{
	uid_t uid, otafs;
	gid_t gid, group;
	int r;

	if ((r = config_user(config->user_watcher, &uid, &gid, err)) < 0 ||
	    (r = config_user(config->user_otafs, &otafs, &group, err)) < 0 ||
	    (r = program_folder(config->repository, uid, group, 02750, err)) < 0)
		return r;
	return mover_open(config, mover, err);
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
watch(const struct config *config, struct mover *mover, struct err *err)
{
	AUTO(client_freep) struct client *client = client_new(config->sign_socket);
	AUTO(space_freep) struct space *space = NULL;
	AUTO(ingest_freep) struct ingest *ingest = NULL;
	AUTO(image_closep) struct image *image = NULL;
	AUTO(spool_freep) struct spool *spool = NULL;
	AUTO(status_done) struct status status = { 0 };
	int r;

	umask(0027);
	if (!client || status_init(&status, mover->spool) < 0)
		return err_set(err, ENOMEM, "no memory");
	if ((r = ingest_new(config->repository, &ingest, err)) < 0 ||
	    (r = space_new(config->repository, config, &space, err)) < 0 ||
	    (r = image_start(config->repository, config, client, &image, err)) < 0 ||
	    (r = binary_start(image_repository(image), space, err)) < 0 ||
	    (r = spool_new(config, mover, ingest, image, &status, &spool, err)) < 0)
		return r;
	ingest_use_space(ingest, space);
	image_on_retired(image, drop_refs, ingest);
	return spool_run(spool, err);
}

static void
forward(int number)
{
	kill(child, number);
}

/* What the unprivileged child does; it must not outlive the parent, which another instance would replace. */
static int
run_child(const struct config *config, struct mover *mover, pid_t parent, struct err *err)
{
	int r = config_become(config->user_watcher, err);

	if (r < 0)
		return r;
	/* Becoming another user clears it, so it comes after. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_sys(err, "parent death signal");
	if (getppid() != parent)
		return err_set(err, ESRCH, "the parent process is gone");
	return watch(config, mover, err);
}

/* Without root there is no parent: the moves are tried directly. */
static int
run_alone(const struct config *config, struct mover *mover, struct err *err)
{
	int r = config_become(config->user_watcher, err);

	return r < 0 ? r : watch(config, mover, err);
}

static int
run_parent(struct mover *mover, int socket)
{
	struct sigaction action = { .sa_handler = forward };
	int status;

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	mover_serve(mover, socket);
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
divide(const struct config *config, struct mover *mover, struct err *err)
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
		return run_parent(mover, ends[0]);
	}
	close(ends[0]);
	mover->socket = ends[1];
	return run_child(config, mover, parent, err);
}

static int
run(const struct config *config, struct err *err)
{
	AUTO(mover_done) struct mover mover = { -1, -1, -1, -1, -1, -1 };
	int r = open_privileged(config, &mover, err);

	if (r < 0)
		return r;
	return geteuid() == 0 ? divide(config, &mover, err) : run_alone(config, &mover, err);
}

int
main(int argc, char **argv)
{
	return program_main(argc, argv, "Turns what is dropped into the spool into signed releases.", run);
}
