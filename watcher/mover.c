#include "watcher/mover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/name.h"
#include "lib/program.h"

/** Results of one name that are kept beside the newest. */
#define ASIDE_MAX 99999
/** Builders who are in this group may drop without being root. */
#define GROUP_BUILD "ota-build"

/** How often, and how many milliseconds apart, a predecessor is waited for. */
#define LOCK_TRIES 50
#define LOCK_MS 100

enum move { MOVE_TAKE, MOVE_DONE, MOVE_FAILED, MOVE_RESTORE, MOVE_ASIDE };

struct request {
	int move;
	char from[NAME_MAX + 1]; /* take only */
	char to[NAME_MAX + 1];
};

struct answer {
	int r;
	struct err err;
};

/** What belongs to NAME; the drop itself comes first, and what tells of the result last. */
static const char *const suffixes[] = { "", ".push.json", ".receipt.json", ".reason.txt" };
#define SUFFIXES (sizeof(suffixes) / sizeof(suffixes[0]))

int
mover_check_name(const char *name, struct err *err)
{
	size_t bytes = strlen(name);
	char shown[128];

	name_printable(name, shown, sizeof(shown));
	if (bytes == 0 || bytes > MOVER_NAME_MAX)
		return err_set(
		    err, EINVAL, "the name has %zu bytes, 1 to %d are allowed", bytes, MOVER_NAME_MAX);
	if (*name == '.')
		return err_set(
		    err, EINVAL, "the name \"%s\" starts with a dot; rename it when it is complete", shown);
	for (const char *p = name; *p; p++)
		if (*p < 0x20 || *p > 0x7e || *p == '/')
			return err_set(err, EINVAL,
			    "the name \"%s\" is not printable ASCII: byte %td is 0x%02x", shown, p - name + 1,
			    (unsigned char)*p);
	for (size_t i = 1; i < SUFFIXES; i++)
		if (bytes >= strlen(suffixes[i]) && !strcmp(name + bytes - strlen(suffixes[i]), suffixes[i]))
			return err_set(err, EINVAL, "the name \"%s\" ends with %s, which has a meaning here",
			    shown, suffixes[i]);
	return 0;
}

/* -- the moves themselves -- */

static int
exists(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
join(char out[static NAME_MAX + 1], const char *name, int aside, const char *suffix)
{
	int n = aside ? snprintf(out, NAME_MAX + 1, "%s~%d%s", name, aside, suffix)
		      : snprintf(out, NAME_MAX + 1, "%s%s", name, suffix);

	/* A name of incoming/ may be too long for its push.json, which then cannot exist. */
	if (n < 0 || n > NAME_MAX)
		out[0] = '\0';
}

/* Renames without replacing; 0 also if there is nothing to rename. */
static int
move_one(int from, const char *name, int to, const char *new_name, struct err *err)
{
	if (!*name || renameat2(from, name, to, new_name, RENAME_NOREPLACE) == 0 || errno == ENOENT)
		return 0;
	return err_sys(err, "move to %s", new_name);
}

static int
is_aside_free(int dir, const char *name, int number)
{
	char file[NAME_MAX + 1];

	for (size_t i = 0; i < SUFFIXES; i++) {
		join(file, name, number, suffixes[i]);
		if (exists(dir, file))
			return 0;
	}
	return 1;
}

static int
move_aside(int dir, const char *name, struct err *err)
{
	char from[NAME_MAX + 1], to[NAME_MAX + 1];
	int number = 0, r = 0;

	while (number <= ASIDE_MAX && !is_aside_free(dir, name, number))
		number++;
	if (number > ASIDE_MAX)
		return err_set(err, ENOSPC, "%s: has %d older results; remove some", name, ASIDE_MAX);
	for (size_t i = 1; r == 0 && number && i <= SUFFIXES; i++) {
		join(from, name, 0, suffixes[SUFFIXES - i]);
		join(to, name, number, suffixes[SUFFIXES - i]);
		r = move_one(dir, from, dir, to, err);
	}
	return r;
}

static int
take(const struct mover *mover, const char *from, const char *to, struct err *err)
{
	char push_from[NAME_MAX + 1], push_to[NAME_MAX + 1];
	struct err ignored;
	int r;

	join(push_from, from, 0, ".push.json");
	join(push_to, to, 0, ".push.json");
	if (exists(mover->work, to) || exists(mover->work, push_to))
		return err_set(err, EEXIST, "an earlier drop of this name is still in work");
	/* push.json first: should this be the last thing that happens, it finds its way back. */
	r = move_one(mover->incoming, push_from, mover->work, push_to, err);
	if (r == 0 && renameat2(mover->incoming, from, mover->work, to, RENAME_NOREPLACE) < 0)
		r = err_sys(err, "take it over (as root ota-watcher may take any folder)");
	if (r < 0)
		move_one(mover->work, push_to, mover->incoming, push_from, &ignored);
	return r;
}

static int
finish(const struct mover *mover, const char *name, int to, struct err *err)
{
	char file[NAME_MAX + 1];
	int r = 0;

	/* Without the drop this goes on where a crash stopped it, so what is in @to is not older. */
	if (exists(mover->work, name))
		r = move_aside(to, name, err);
	for (size_t i = 0; r == 0 && i < SUFFIXES; i++) {
		join(file, name, 0, suffixes[i]);
		r = move_one(mover->work, file, to, file, err);
		if (r == -EEXIST && i && unlinkat(mover->work, file, 0) == 0)
			r = 0;
	}
	return r;
}

static int
restore(const struct mover *mover, const char *name, struct err *err)
{
	char file[NAME_MAX + 1];
	int r;

	join(file, name, 0, ".push.json");
	r = move_one(mover->work, file, mover->incoming, file, err);
	/* A newer one came meanwhile, which counts. */
	return r == -EEXIST && unlinkat(mover->work, file, 0) == 0 ? 0 : r;
}

static int
check_request(struct request *request, struct err *err)
{
	request->from[NAME_MAX] = request->to[NAME_MAX] = '\0';
	if (request->move == MOVE_TAKE && (!*request->from || strchr(request->from, '/') ||
					      !strcmp(request->from, ".") || !strcmp(request->from, "..")))
		return err_set(err, EINVAL, "move: not a name");
	return mover_check_name(request->to, err);
}

static int
perform(const struct mover *mover, struct request *request, struct err *err)
{
	int r = check_request(request, err);

	if (r < 0)
		return r;
	switch (request->move) {
	case MOVE_TAKE:
		return take(mover, request->from, request->to, err);
	case MOVE_DONE:
		return finish(mover, request->to, mover->done, err);
	case MOVE_FAILED:
		return finish(mover, request->to, mover->failed, err);
	case MOVE_RESTORE:
		return restore(mover, request->to, err);
	case MOVE_ASIDE:
		r = move_aside(mover->done, request->to, err);
		return r < 0 ? r : move_aside(mover->failed, request->to, err);
	default:
		return err_set(err, EINVAL, "move: not known");
	}
}

/* -- asking -- */

void
mover_serve(struct mover *mover, int socket)
{
	struct request request;
	ssize_t n;

	while ((n = recv(socket, &request, sizeof(request), 0)) != 0) {
		struct answer answer = { 0 };

		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(request))
			return;
		answer.r = perform(mover, &request, &answer.err);
		if (send(socket, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
			return;
	}
}

static int
ask(struct mover *mover, enum move move, const char *from, const char *to, struct err *err)
{
	struct request request = { .move = move };
	struct answer answer;

	snprintf(request.from, sizeof(request.from), "%s", from);
	snprintf(request.to, sizeof(request.to), "%s", to);
	if (mover->socket < 0)
		return perform(mover, &request, err);
	if (send(mover->socket, &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request) ||
	    recv(mover->socket, &answer, sizeof(answer), 0) != sizeof(answer))
		return err_set(err, EPIPE, "the parent process is gone");
	if (answer.r < 0)
		*err = answer.err;
	return answer.r;
}

int
mover_take(struct mover *mover, const char *from, const char *to, struct err *err)
{
	return ask(mover, MOVE_TAKE, from, to, err);
}

int
mover_finish(struct mover *mover, const char *name, int is_done, struct err *err)
{
	return ask(mover, is_done ? MOVE_DONE : MOVE_FAILED, "", name, err);
}

int
mover_restore(struct mover *mover, const char *name, struct err *err)
{
	return ask(mover, MOVE_RESTORE, "", name, err);
}

/* -- the folders -- */

static int
open_folder(int parent, const char *name, int *fd, struct err *err)
{
	*fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *fd < 0 ? err_sys(err, "spool: %s", name) : 0;
}

/* A folder of ours. The watcher owns the spool, so root looks at what it opened, not at names. */
static int
make_folder(int spool, const char *name, mode_t mode, uid_t uid, gid_t gid, int *fd, struct err *err)
{
	int r;

	if (mkdirat(spool, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "spool: %s", name);
	r = open_folder(spool, name, fd, err);
	if (r < 0)
		return r;
	if (geteuid() == 0 && fchown(*fd, uid, gid) < 0)
		return err_sys(err, "spool: %s", name);
	if (fchmod(*fd, mode) < 0 && geteuid() == 0)
		return err_sys(err, "spool: %s", name);
	return 0;
}

/* Who may drop is the administrator's decision: an incoming folder that is there stays as it is. */
static int
make_incoming(int spool, uid_t uid, gid_t gid, int *fd, struct err *err)
{
	struct err ignored;
	gid_t build;

	if (exists(spool, "incoming"))
		return open_folder(spool, "incoming", fd, err);
	if (config_group(GROUP_BUILD, &build, &ignored) == 0)
		gid = build;
	return make_folder(spool, "incoming", 02775, uid, gid, fd, err);
}

/*
 * One watcher for a spool. Parent and child share the lock, so it is free when both are gone: a child that was
 * killed with its parent may still be finishing a write.
 */
static int
lock(int work, const char *spool, struct err *err)
{
	for (int tries = 0; flock(work, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK || tries == LOCK_TRIES)
			return err_sys(err, "%s: another ota-watcher works on it", spool);
		poll(NULL, 0, LOCK_MS);
	}
	return 0;
}

int
mover_open(const struct config *config, struct mover *mover, struct err *err)
{
	uid_t uid;
	gid_t gid;
	int r;

	*mover = (struct mover){ -1, -1, -1, -1, -1, -1 };
	if ((r = config_user(config->user_watcher, &uid, &gid, err)) < 0 ||
	    (r = program_folder(config->spool, uid, gid, 0755, err)) < 0)
		return r;
	mover->spool = open(config->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mover->spool < 0)
		return err_sys(err, "%s", config->spool);
	if ((r = make_incoming(mover->spool, uid, gid, &mover->incoming, err)) < 0 ||
	    (r = make_folder(mover->spool, "work", 0700, uid, gid, &mover->work, err)) < 0 ||
	    (r = make_folder(mover->spool, "done", 0755, uid, gid, &mover->done, err)) < 0)
		return r;
	r = make_folder(mover->spool, "failed", 0755, uid, gid, &mover->failed, err);
	return r < 0 ? r : lock(mover->work, config->spool, err);
}

void
mover_done(struct mover *mover)
{
	close_p(&mover->spool);
	close_p(&mover->incoming);
	close_p(&mover->work);
	close_p(&mover->done);
	close_p(&mover->failed);
	close_p(&mover->socket);
}

int
mover_aside(struct mover *mover, const char *name, struct err *err)
{
	return ask(mover, MOVE_ASIDE, "", name, err);
}
