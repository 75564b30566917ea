#include "otafs/fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "otafs/fs_callback.h"
#include "otafs/mount.h"

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
mount_view(struct mount *mount, const char *path, const char *options, struct err *err)
{
	const struct fuse_lowlevel_ops *operations =
	    mount->view == VIEW_WWW ? &fs_www_operations : &fs_full_operations;
	char name[] = "otafs", flag[] = "-o";
	char *argv[] = { name, flag, (char *)(uintptr_t)options, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	int r = mount_point_prepare(path, err);

	if (r < 0)
		return r;
	inodes_init(&mount->inodes);
	mount->session = fuse_session_new(&args, operations, sizeof(*operations), mount);
	fuse_opt_free_args(&args);
	if (!mount->session || fuse_session_mount(mount->session, path) != 0)
		return err_set(err, EIO, "%s: cannot be mounted (is /dev/fuse there?)", path);
	return 0;
}

int
fs_mount(const struct config *config, struct fs **out, struct err *err)
{
	struct fs *fs = calloc(1, sizeof(*fs));
	int r;

	if (!fs)
		return err_set(err, ENOMEM, "no memory for the mounts");
	fs->full = (struct mount){ .fs = fs, .view = VIEW_FULL };
	fs->www = (struct mount){ .fs = fs, .view = VIEW_WWW };
	r = mount_view(
	    &fs->full, config->mount, "allow_other,default_permissions,fsname=otafs,nosuid,nodev,noexec", err);
	if (r == 0) {
		/* Without default_permissions a lookup after a change needs no attributes of the folder. */
		r = mount_view(
		    &fs->www, config->www, "allow_other,ro,fsname=otafs-www,nosuid,nodev,noexec", err);
		if (r < 0)
			mount_point_release(config->mount);
	}
	if (r < 0) {
		free(fs);
		return r;
	}
	*out = fs;
	return 0;
}

void
fs_disown(struct fs *fs)
{
	fuse_session_destroy(fs->full.session);
	fuse_session_destroy(fs->www.session);
	free(fs);
}

void
fs_unmount(const struct config *config)
{
	mount_point_release(config->www);
	mount_point_release(config->mount);
}

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

int
fs_start(struct fs *fs, struct core *core, struct err *err)
{
	pthread_t thread;
	int r;

	fs->core = core;
	fs->told = core->generation;
	if ((r = documents_new((size_t)core->config->document_cache_mb << 20, &fs->documents, err)) < 0 ||
	    (r = batch_start(core, forget, fs, &fs->transactions, err)) < 0 ||
	    (r = batch_start(core, forget_later, fs, &fs->lookups, err)) < 0 ||
	    (r = fs_apart_start(&fs->apart, err)) < 0)
		return r;
	core->batch = fs->transactions;
	if (pthread_create(&thread, NULL, serve, &fs->full) != 0 ||
	    pthread_create(&thread, NULL, serve, &fs->www) != 0)
		return err_set(err, EAGAIN, "no threads for the mounts");
	return 0;
}
