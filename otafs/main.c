/* otafs: mounts the tree, owns the fleet's state. A small parent stays root and holds the mounts (parent.h). */
#include <errno.h>
#include <libgen.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/due.h"
#include "lib/log.h"
#include "lib/program.h"
#include "lib/sandbox.h"
#include "lib/utc.h"
#include "otafs/credential.h"
#include "otafs/est.h"
#include "otafs/expiry.h"
#include "otafs/fleet.h"
#include "otafs/flight.h"
#include "otafs/follow.h"
#include "otafs/fs.h"
#include "otafs/life.h"
#include "otafs/mount.h"
#include "otafs/order.h"
#include "otafs/parent.h"
#include "otafs/relay.h"
#include "otafs/retire.h"
#include "otafs/schedule.h"
#include "otafs/withdrawn.h"

/** How often the core is asked what is due, in seconds of the wall clock. */
#define REFRESH_SECONDS 60
/** After a change: what made it due, a long sleep, may make the signer renew its root. And while the signer has
 * to be waited for. */
#define REFRESH_SOON_SECONDS 5
/** Cached objects cost no descriptor; requests in flight do. */
#define FILES_MAX 4096
/** How long a web server may take from a file that is not there to www/alive. */
#define ALIVE_AFTER_MS 20
/** Who has changed something before the end has answered by then. */
#define ANSWERED_AFTER_MS 20
/** Pieces of 100 devices, of those that follow a package, in each second after a publication. */
#define BEGUN_IN_A_ROW 10
/** Pieces of some devices, of all that an update is open of, in each second after an end that was not clean. */
#define CAUGHT_UP_IN_A_ROW 100
/** Memory that was freed and is kept for the next use, of each of malloc's arenas. */
#define TRIM_BYTES (1024 * 1024)

/* Everything that needs root but the mounts. */
static int
open_privileged(const struct config *config, struct err *err)
{
	struct rlimit files = { FILES_MAX, FILES_MAX };
	uid_t uid, www_uid, watcher_uid;
	gid_t gid, www_gid, watcher_gid;
	int r;

	if (geteuid() != 0)
		return err_set(
		    err, EPERM, "start this as root: it mounts, then becomes user %s", config->user_otafs);
	if ((r = config_user(config->user_otafs, &uid, &gid, err)) < 0 ||
	    (r = config_user(config->user_www, &www_uid, &www_gid, err)) < 0 ||
	    (r = config_user(config->user_watcher, &watcher_uid, &watcher_gid, err)) < 0 ||
	    (r = program_folder_above(config->state, uid, gid, 0700, err)) < 0 ||
	    /* Nobody but the watcher gets in; what is made in it need not know of its group. */
	    (r = program_folder(config->fleet, uid, watcher_gid, 0750, err)) < 0 ||
	    (r = program_folder_above(config->www, 0, www_gid, 0750, err)) < 0)
		return r;
	/* mkdir in a dead mount fails, and fs_mount() removes dead mounts: only what is missing is made. */
	if (mkdir(config->www, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "%s", config->www);
	if (program_folder_above(config->mount, 0, 0, 0755, err) < 0 ||
	    (mkdir(config->mount, 0700) < 0 && errno != EEXIST))
		return err_sys(err, "%s", config->mount);
	setrlimit(RLIMIT_NOFILE, &files);
	return 0;
}

static int
lead_to_shelf(const struct config *config, struct image *image, struct err *err)
{
	char path[MOUNT_SHELF_SIZE];

	mount_shelf_name(config, path);
	return image_set_shelf(image, path, err);
}

static int
watch_publications(const struct config *config, int *fd, struct err *err)
{
	char path[CONFIG_VALUE_MAX + 16];

	snprintf(path, sizeof(path), "%s/published", config->repository);
	*fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (*fd < 0 || inotify_add_watch(*fd, path, IN_MOVED_TO | IN_ONLYDIR) < 0)
		return err_sys(err, "%s (ota-watcher makes it: start that first)", path);
	return 0;
}

/* What a publication means for requests, devices and the watcher. */
static void
follow(struct core *core)
{
	retire_follow(core);
	withdrawn_follow(core, utc_now());
}

/* Returns after how many seconds it is to be done again. */
static int64_t
refresh(struct core *core, struct fs *fs)
{
	struct changes changes;
	struct err err;
	int64_t oldest;
	bool is_soon;

	core_lock(core);
	if (core_refresh(core, utc_now(), &err) < 0)
		log_line(LOG_ERR, "refresh failed reason=\"%s\"", err.text);
	follow(core);
	oldest = image_oldest(core->image);
	core_take_changes(core, &changes);
	is_soon = changes.is_all || core->is_waiting;
	core_unlock(core);
	fs_forget(fs, &changes);
	fs_drop(fs, oldest);
	expiry_look(core, utc_now());
	est_look(core);
	return is_soon ? REFRESH_SOON_SECONDS : REFRESH_SECONDS;
}

/* Updates that begin by themselves, in pieces, between which others get the lock. */
static void
begin_updates(struct core *core, struct fs *fs)
{
	bool is_more = true;

	for (int i = 0; is_more && i < BEGUN_IN_A_ROW; i++) {
		struct changes changes;

		core_lock(core);
		schedule_run(core, utc_now());
		credential_run(core, utc_now());
		is_more = follow_run(core);
		core_take_changes(core, &changes);
		core_unlock(core);
		fs_forget(fs, &changes);
		if (is_more)
			core_breathe();
	}
}

/* One slice of when devices were seen last. Whether there is more. */
static bool
write_seen(struct core *core)
{
	struct err err;
	int r;

	core_lock(core);
	r = state_seen_write(core->state, &err);
	core_unlock(core);
	if (r < 0)
		log_line(LOG_ERR, "signs of life not stored reason=\"%s\"", err.text);
	return r > 0;
}

static bool
catch_up(struct core *core)
{
	bool is_more;

	core_lock(core);
	is_more = flight_catch_up(core);
	core_unlock(core);
	return is_more;
}

/* What was only noted, in pieces, between which others get the lock. */
static void
write_notes(struct core *core)
{
	bool is_due;

	flight_make_room(core);
	for (int i = 0; i < CAUGHT_UP_IN_A_ROW && catch_up(core); i++)
		core_breathe();
	core_lock(core);
	is_due = state_seen_is_due(core->state, utc_now());
	core_unlock(core);
	for (int i = 0; is_due && i < STATE_SEEN_MAX / STATE_SEEN_SLICE && write_seen(core); i++)
		core_breathe();
}

/* What is done each second, and when a request has left something to do. */
static void
tick(struct core *core, struct fs *fs)
{
	struct changes changes;

	core_lock(core);
	retire_follow(core);
	orders_follow(core, utc_now());
	core->changes.is_all |= core->is_forgetting_due;
	core->is_forgetting_due = false;
	core_take_changes(core, &changes);
	core_unlock(core);
	fs_forget(fs, &changes);
	fleet_keep(core, utc_now());
	write_notes(core);
	begin_updates(core, fs);
}

/* Whether the signer has a root of the director that is not served yet. Asked each second, since devices are to
 * have the root before they see what its keys signed; and without the lock, in case the signer hangs. */
static bool
is_root_new(struct core *core)
{
	AUTO(free_p) char *text = NULL;
	struct err ignored;
	int next;

	core_lock(core);
	next = core->roots.count + 1;
	core_unlock(core);
	return client_root(core->signer, REPOSITORY_DIRECTOR, next, &text, NULL, &ignored) == 0;
}

/* A terminal that is closed, or SIGHUP to all of its programs, is the parent's matter. */
static bool
is_told_to_end(int signals)
{
	struct signalfd_siginfo told;

	return read(signals, &told, sizeof(told)) == (ssize_t)sizeof(told) && told.ssi_signo != SIGHUP;
}

static int
loop(struct core *core, struct fs *fs, int publications, int signals, struct err *err)
{
	struct pollfd fds[] = { { .fd = publications, .events = POLLIN }, { .fd = signals, .events = POLLIN },
		{ .fd = core->wake, .events = POLLIN } };
	struct due refreshing;
	char events[4096];

	due_in(&refreshing, utc_now(), REFRESH_SOON_SECONDS);
	for (;;) {
		tick(core, fs);
		if (poll(fds, 3, DUE_LOOK_MS) < 0 && errno != EINTR)
			return err_sys(err, "poll");
		if (fds[1].revents && is_told_to_end(signals))
			return 0;
		if (fds[2].revents && read(core->wake, events, sizeof(uint64_t)) < 0 && errno != EAGAIN)
			return err_sys(err, "eventfd");
		if (!fds[0].revents && !due_is(&refreshing, utc_now()) && !is_root_new(core))
			continue;
		while (read(publications, events, sizeof(events)) > 0)
			; /* which name it was does not matter: core_refresh() looks */
		due_in(&refreshing, utc_now(), refresh(core, fs));
	}
}

/* Who has found a file missing because there was no mount asks for www/alive next, and is to hear that it is
 * not there either. Where a process was killed there always was one. */
static void
come_alive(struct core *core)
{
	if (relay_run(core->relay) == 1)
		usleep(ALIVE_AFTER_MS * 1000);
	core_lock(core);
	core->is_alive = true;
	core_unlock(core);
}

static int
find_users(const struct config *config, struct core *core, struct err *err)
{
	uid_t uid;
	gid_t gid;
	int r;

	if ((r = config_user(config->user_otafs, &core->uid, &gid, err)) < 0 ||
	    (r = config_user(config->user_gate, &uid, &core->gate_gid, err)) < 0 ||
	    (r = config_user(config->user_admin, &core->web_uid, &gid, err)) < 0)
		return r;
	return config_group(config->group_admin, &core->admin_gid, err);
}

/* Becomes its user, with what that needs: the store and the state, all certificates that expire, names of
 * users. */
static int
give_up(const struct config *config, struct err *err)
{
	const int in = SANDBOX_READ | SANDBOX_ABOVE;
	const struct sandbox_rule needed[] = { { config->state, SANDBOX_WRITE | SANDBOX_ABOVE },
		{ config->fleet, SANDBOX_WRITE }, { config->repository, SANDBOX_READ },
		{ "/dev/fuse", SANDBOX_WRITE }, { "/etc", SANDBOX_READ }, { config->server_certificate, in },
		{ config->server_ca, in }, { config->device_ca, in }, { config->build_ca, in },
		{ config->admin_ca, in }, { config->fleet_ca, in }, { config->device_crl, in },
		{ config->build_passwords, in }, { NULL, 0 } };
	char state[CONFIG_VALUE_MAX];
	int r = config_become(config->user_otafs, err);

	/* What SQLite puts aside is of the fleet too, and has no business in /tmp. */
	strcpy(state, config->state);
	if (r < 0 || setenv("SQLITE_TMPDIR", dirname(state), 1) < 0)
		return r < 0 ? r : err_sys(err, "environment");
	return sandbox_enter(config, needed, false, err);
}

/* The unprivileged child: serves until it is told to stop. */
static int
serve(const struct config *config, const struct mounts *mounts, pid_t parent, int life, struct err *err)
{
	static struct turns lock = TURNS_INITIALIZER;
	static struct core core;
	AUTO(close_p) int publications = -1;
	AUTO(close_p) int signals = -1;
	struct fs *fs = mounts->fs;
	int r;

	if ((r = relay_begin(mounts->relay, err)) < 0 || (r = find_users(config, &core, err)) < 0 ||
	    (r = give_up(config, err)) < 0 || (r = life_begin(life, err)) < 0)
		return r;
	/* Without its parent nobody would unmount: end with it, also when it has ended already. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		return err_set(err, ESRCH, "the parent process has ended");
	umask(0077);
	core.lock = &lock;
	core.relay = mounts->relay;
	core.is_alive = relay_run(mounts->relay) > 1;
	core.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (core.wake < 0)
		return err_sys(err, "eventfd");
	if ((r = watch_publications(config, &publications, err)) < 0 ||
	    (r = core_open(config, &core, err)) < 0 ||
	    (mounts->has_shelf && (r = lead_to_shelf(config, core.image, err)) < 0) ||
	    (r = fleet_open(&core, err)) < 0 || (r = retire_open(&core, err)) < 0 ||
	    (r = expiry_open(&core, err)) < 0 || (r = orders_open(&core, err)) < 0 ||
	    (r = program_signals(&signals, err)) < 0 ||
	    /* Before any update is ended or taken back. */
	    (r = flight_open(&core, err)) < 0)
		return r;
	follow(&core);
	expiry_begin(&core, utc_now());
	est_look(&core);
	if ((r = fs_start(fs, &core, err)) < 0)
		return r;
	come_alive(&core);
	log_line(LOG_NOTICE, "otafs ready mount=%s www=%s run=%u", config->mount, config->www,
	    relay_run(mounts->relay));
	expiry_look(&core, utc_now());
	r = loop(&core, fs, publications, signals, err);
	fs_end(fs);
	/* Who has the lock finishes, and answers meanwhile; who comes later is answered by the process after
	 * this one, or gets the kernel's error when the mounts end. */
	core_lock(&core);
	orders_close(&core);
	expiry_close(&core);
	retire_close(&core);
	fleet_close(&core);
	flight_close(&core);
	core_end(&core);
	usleep(ANSWERED_AFTER_MS * 1000);
	return r;
}

static int
run(const struct config *config, struct err *err)
{
	return parent_run(config, open_privileged, serve, err);
}

int
main(int argc, char **argv)
{
	/* What is written behind requests takes and leaves some hundred KiB each time: by default that is given
	 * back to the kernel and had again, which was a twentieth of all the processor time of a first read. */
	mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
	parent_remember(argv);
	return program_main(argc, argv, "Mounts the tree of an OTA server and owns the fleet's state.", run);
}
