#include "otafs/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "otafs/fs_callback.h"
#include "otafs/mount.h"
#include "otafs/relay.h"

/** FUSE_NOTIFY_RESEND of Linux 6.9, which headers may be older than. */
#define NOTIFY_RESEND 7
/** Longer than any request of the www view, where nothing is written; the kernel wants 8 KiB at least. */
#define REQUEST_BYTES_MAX (1024 * 1024 + 8192)
/** Requests that are let go at once: a web server has fewer threads. */
#define HELD_MAX 4096
/** Threads of each mount: one waits for the signer or the disk, others go on. */
#define THREADS_MAX 8

/* ---- invalidation */

static void
forget_name(struct mount *mount, uint64_t parent, const char *name)
{
	/* -ENOENT says that the kernel does not have the name, or not even the folder. */
	fuse_lowlevel_notify_inval_entry(mount->session, parent, name, strlen(name));
}

/* The link only: so it takes no time, whatever the kernel has below the folder of the generation before. */
static void
tell_generation(struct fs *fs, uint32_t generation)
{
	unsigned told = atomic_load(&fs->told);

	if (told >= generation)
		return;
	forget_name(&fs->www, FUSE_ROOT_ID, "devices");
	while (told < generation && !atomic_compare_exchange_weak(&fs->told, &told, generation))
		;
}

/* What has changed in one generation is seen by everybody in the next. So it is enough that nobody comes to the
 * one before any more, and that these names are forgotten in this one. */
void
fs_forget(struct fs *fs, struct changes *changes)
{
	tell_generation(fs, changes->generation);
	for (size_t i = 0; i < changes->count; i++) {
		struct inode_id parent = changes->names[i].parent;

		parent.generation = changes->generation;
		forget_name(&fs->www, inode_id_write(&parent), changes->names[i].name);
	}
	free(changes->names);
	*changes = (struct changes){ 0 };
}

void
fs_drop(struct fs *fs, int64_t oldest)
{
	inodes_drop(&fs->www.inodes, NODE_SETS, oldest);
}

/* ---- mounting */

static int
open_session(struct mount *mount, const char *path, const char *options, struct err *err)
{
	const struct fuse_lowlevel_ops *operations =
	    mount->view == VIEW_WWW ? &fs_www_operations : &fs_full_operations;
	char name[] = "otafs", flag[] = "-o";
	char *argv[] = { name, flag, (char *)(uintptr_t)options, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);

	inodes_init(&mount->inodes, mount->fs->relay);
	mount->session = fuse_session_new(&args, operations, sizeof(*operations), mount);
	fuse_opt_free_args(&args);
	if (!mount->session || fuse_session_mount(mount->session, path) != 0)
		return err_set(err, EIO, "%s: cannot be mounted (is /dev/fuse there?)", path);
	return 0;
}

static int
open_sessions(struct fs *fs, const char *full, const char *www, struct err *err)
{
	int r = open_session(
	    &fs->full, full, "allow_other,default_permissions,fsname=otafs,nosuid,nodev,noexec", err);

	/* Without default_permissions a lookup after a change needs no attributes of the folder. */
	return r < 0 ? r
		     : open_session(&fs->www, www, "allow_other,ro,fsname=otafs-www,nosuid,nodev,noexec", err);
}

static struct fs *
make(struct relay *relay, struct err *err)
{
	struct fs *fs = calloc(1, sizeof(*fs));

	if (!fs) {
		err_set(err, ENOMEM, "no memory for the mounts");
		return NULL;
	}
	fs->relay = relay;
	fs->full = (struct mount){ .fs = fs, .view = VIEW_FULL };
	fs->www = (struct mount){ .fs = fs, .view = VIEW_WWW };
	return fs;
}

int
fs_mount(const struct config *config, struct relay *relay, struct fs **out, struct err *err)
{
	AUTO(free_p) struct fs *fs = make(relay, err);
	int r;

	if (!fs)
		return -ENOMEM;
	if ((r = mount_point_prepare(config->mount, err)) < 0 ||
	    (r = mount_point_prepare(config->www, err)) < 0)
		return r;
	r = open_sessions(fs, config->mount, config->www, err);
	if (r < 0) {
		fs_unmount(config);
		return r;
	}
	*out = MOVE(fs);
	return 0;
}

int
fs_adopt(const int fds[2], struct relay *relay, struct fs **out, struct err *err)
{
	AUTO(free_p) struct fs *fs = make(relay, err);
	char full[32], www[32];
	int r;

	if (!fs)
		return -ENOMEM;
	/* libfuse takes such a path for what is mounted already. */
	snprintf(full, sizeof(full), "/dev/fd/%d", fds[VIEW_FULL - 1]);
	snprintf(www, sizeof(www), "/dev/fd/%d", fds[VIEW_WWW - 1]);
	if ((r = open_sessions(fs, full, www, err)) < 0)
		return r;
	*out = MOVE(fs);
	return 0;
}

void
fs_descriptors(const struct fs *fs, int fds[2])
{
	fds[VIEW_FULL - 1] = fuse_session_fd(fs->full.session);
	fds[VIEW_WWW - 1] = fuse_session_fd(fs->www.session);
}

void
fs_unmount(const struct config *config)
{
	mount_point_release(config->www);
	mount_point_release(config->mount);
}

/* ---- a connection that was there before */

/*
 * The kernel greets who serves it once. The greeting is kept, and read again by each process after the first
 * one, whose answer to it the kernel does not want any more. */

static int
greet(struct mount *mount, struct err *err)
{
	struct relay *relay = mount->fs->relay;
	struct fuse_buf buffer = { 0 };
	int which = (int)mount->view - 1, r;

	buffer.mem = (char *)(uintptr_t)relay_greeting(relay, which, &buffer.size);
	if (buffer.mem) {
		fuse_session_process_buf(mount->session, &buffer);
		return 0;
	}
	do
		r = fuse_session_receive_buf(mount->session, &buffer);
	while (r == -EINTR);
	if (r <= 0)
		return err_set(err, EIO, "the mount has ended");
	relay_set_greeting(relay, which, buffer.mem, buffer.size);
	fuse_session_process_buf(mount->session, &buffer);
	free(buffer.mem);
	return 0;
}

/* What the process before has taken and not answered comes again. The first one has nothing before it, and
 * learns whether the kernel could. */
static void
ask_again(struct mount *mount)
{
	struct fuse_out_header resend = { .len = sizeof(resend), .error = NOTIFY_RESEND };

	if (write(fuse_session_fd(mount->session), &resend, sizeof(resend)) == (ssize_t)sizeof(resend))
		relay_set_can_resend(mount->fs->relay);
}

/* ---- a process that cannot end */

struct held {
	uint64_t requests[HELD_MAX];
	size_t count;
};

/* The kernel holds a folder while a name in it is looked up, or it is read. */
static void
add_held(struct held *held, const struct fuse_in_header *request)
{
	if (request->opcode == FUSE_LOOKUP || request->opcode == FUSE_READDIR)
		held->requests[held->count++] = request->unique;
}

/* Whatever poll() says, who has asked may have taken it back meanwhile. */
static void
read_held(int fd, char *buffer, struct held *held)
{
	struct pollfd asked = { .fd = fd, .events = POLLIN };
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (held->count < HELD_MAX && poll(&asked, 1, 0) > 0 &&
	       read(fd, buffer, REQUEST_BYTES_MAX) >= (ssize_t)sizeof(struct fuse_in_header))
		add_held(held, (const struct fuse_in_header *)buffer);
	fcntl(fd, F_SETFL, flags);
}

static void
refuse_stale(int fd, uint64_t request)
{
	struct fuse_out_header stale = { .len = sizeof(stale), .error = -ESTALE, .unique = request };

	if (write(fd, &stale, sizeof(stale)) < 0)
		return; /* who has asked is gone */
}

/* All are read before the first is answered: he looks again, and is not to be told twice. */
void
fs_let_go(struct fs *fs)
{
	AUTO(free_p) char *buffer = malloc(REQUEST_BYTES_MAX);
	int fd = fuse_session_fd(fs->www.session);
	struct held held = { .count = 0 };

	if (!buffer)
		return;
	ask_again(&fs->www);
	read_held(fd, buffer, &held);
	for (size_t i = 0; i < held.count; i++)
		refuse_stale(fd, held.requests[i]);
}

/* ---- serving */

static void *
serve(void *argument)
{
	struct mount *mount = argument;
	struct fuse_loop_config *config = fuse_loop_cfg_create();

	if (config) {
		fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
		fuse_session_loop_mt(mount->session, config);
	}
	log_line(LOG_ERR, "stopped reason=\"the mount has ended\"");
	_exit(1);
}

static void
forget(void *fs, struct changes *changes)
{
	fs_forget(fs, changes);
}

/* What the kernel has yet to be told of is left to the main loop. */
static void
forget_later(void *fs, struct changes *changes)
{
	struct core *core = ((struct fs *)fs)->core;

	core_lock(core);
	core_postpone(core, changes);
	core_unlock(core);
}

void
fs_end(struct fs *fs)
{
	batch_end(fs->transactions);
	batch_end(fs->lookups);
}

static int
start_mount(struct mount *mount, struct err *err)
{
	pthread_t thread;
	int r = greet(mount, err);

	if (r < 0)
		return r;
	/* Before anything is taken: nothing is to be done twice. */
	ask_again(mount);
	if (pthread_create(&thread, NULL, serve, mount) != 0)
		return err_set(err, EAGAIN, "no threads for the mounts");
	return 0;
}

int
fs_start(struct fs *fs, struct core *core, struct err *err)
{
	int r;

	fs->core = core;
	/* The kernel may know the link to the generation before. */
	fs->told = core->generation - 1;
	if ((r = documents_new((size_t)core->config->document_cache_mb << 20, &fs->documents, err)) < 0 ||
	    (r = batch_start(core, forget, fs, &fs->transactions, err)) < 0 ||
	    (r = batch_start(core, forget_later, fs, &fs->lookups, err)) < 0 ||
	    (r = fs_apart_start(&fs->apart, err)) < 0)
		return r;
	core->batch = fs->transactions;
	if ((r = start_mount(&fs->www, err)) < 0)
		return r;
	/* Before anything that changes is answered, and while lookups are: the kernel holds the folder so long.
	 */
	tell_generation(fs, core->generation);
	return start_mount(&fs->full, err);
}
