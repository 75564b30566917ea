#include "watcher/spool.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/due.h"
#include "lib/log.h"
#include "lib/steady.h"
#include "lib/utc.h"
#include "store/tree.h"
#include "watcher/handed.h"
#include "watcher/requests.h"

/** How often a drop that has not settled is looked at; rarer when a look is expensive, see look_again(). */
#define LOOK_MS 1000
/** Trouble of our own, such as a full disk. */
#define RETRY_MS 5000
/** The folder is listed so often even if nothing woke us. */
#define IDLE_MS 60000
/** How often the age of the published metadata is looked at, in seconds of the wall clock. */
#define RENEW_SECONDS 60
/** After trouble; and after a renewal, since what made it due, a long sleep, may make the signer renew its
 * root.
 */
#define RENEW_SOON_SECONDS 5
/** How often ota-signd is asked for a new root. A look costs it a lookup and no signature. */
#define ROOT_MS 1000

struct entry {
	char name[NAME_MAX + 1];
	bool is_there;         /* in the present listing */
	bool has_push;         /* NAME.push.json is beside it */
	bool came_whole;       /* renamed into the folder: nobody is copying into it */
	bool was_looked_at;    /* look and changed_ms hold */
	bool is_bad;           /* as it looks now it was checked, and why holds */
	struct tree_look look; /* the last one */
	int64_t changed_ms;    /* since when it looks so */
	int64_t next_ms;       /* when to look again */
	struct err why;        /* why it is not taken; empty while it is settling */
	struct entry *next;
};

struct spool {
	const struct config *config;
	struct mover *mover;
	struct ingest *ingest;
	struct image *image;
	struct status *status;
	struct work *work;
	struct requests *requests;
	struct entry *entries;
	size_t count;
	int inotify;
	int incoming_watch;               /* of its folder */
	int64_t root_ms;                  /* when to ask for a new root */
	struct due renewal;               /* when to look at the age of the metadata */
	struct err renewal_why;           /* why that failed; empty: it did not */
	char warning[IMAGE_WARNING_SIZE]; /* what nobody here can renew; empty: nothing */
};

int
spool_new(const struct config *config, struct mover *mover, struct ingest *ingest, struct image *image,
    struct client *signer, struct status *status, struct spool **out, struct err *err)
{
	AUTO(spool_freep) struct spool *spool = calloc(1, sizeof(*spool));
	char path[64];

	if (!spool)
		return err_set(err, ENOMEM, "no memory");
	*spool = (struct spool){ .config = config,
		.mover = mover,
		.ingest = ingest,
		.image = image,
		.status = status,
		.inotify = -1 };
	spool->work = work_new(mover, ingest, image, signer, status);
	if (!spool->work)
		return err_set(err, ENOMEM, "no memory");
	spool->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	/* By descriptor: the folder that is watched has to be the one that is listed. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", mover->incoming);
	if (spool->inotify >= 0)
		spool->incoming_watch = inotify_add_watch(spool->inotify, path,
		    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_ATTRIB);
	if (spool->inotify < 0 || spool->incoming_watch < 0)
		return err_sys(err, "watch spool/incoming");
	spool->requests = requests_new(config->fleet, image, spool->inotify);
	if (!spool->requests)
		return err_set(err, ENOMEM, "no memory");
	*out = MOVE(spool);
	return 0;
}

void
spool_free(struct spool *spool)
{
	if (!spool)
		return;
	while (spool->entries) {
		struct entry *entry = spool->entries;

		spool->entries = entry->next;
		free(entry);
	}
	work_free(spool->work);
	requests_free(spool->requests);
	close_p(&spool->inotify);
	free(spool);
}

void
spool_freep(struct spool **spool)
{
	spool_free(*spool);
}

/* -- the listing -- */

static struct entry *
find(struct spool *spool, const char *name)
{
	struct entry *entry = spool->entries;

	while (entry && strcmp(entry->name, name))
		entry = entry->next;
	return entry;
}

/* Who waits for a receipt or a reason must not take an older drop's for it. A failure is told when the drop is
 * taken. */
static void
set_results_aside(struct spool *spool, const char *from)
{
	char name[MOVER_NAME_MAX + 1];
	struct err ignored;

	work_name(from, name);
	mover_aside(spool->mover, name, &ignored);
}

static struct entry *
find_or_add(struct spool *spool, const char *name)
{
	struct entry *entry = find(spool, name);

	if (entry || spool->count == SPOOL_ENTRIES_MAX)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->next = spool->entries;
	spool->entries = entry;
	spool->count++;
	set_results_aside(spool, name);
	return entry;
}

static void
forget_gone(struct spool *spool)
{
	for (struct entry **at = &spool->entries; *at;) {
		struct entry *entry = *at;

		if (entry->is_there) {
			at = &entry->next;
			continue;
		}
		*at = entry->next;
		free(entry);
		spool->count--;
	}
}

/* Writes the NAME of a regular file NAME.push.json; false for anything else. */
static bool
push_of(struct spool *spool, const char *file, char name[static NAME_MAX + 1])
{
	static const char suffix[] = ".push.json";
	size_t bytes = strlen(file), n = sizeof(suffix) - 1;
	struct stat st;

	if (bytes <= n || strcmp(file + bytes - n, suffix) ||
	    fstatat(spool->mover->incoming, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	snprintf(name, NAME_MAX + 1, "%.*s", (int)(bytes - n), file);
	return true;
}

static void
note_push(struct spool *spool, const char *name)
{
	struct entry *entry = find(spool, name);
	char shown[256];

	if (entry) {
		entry->has_push = true;
		return;
	}
	name_printable(name, shown, sizeof(shown));
	status_line(spool->status, "%s.push.json: waits for its drop %s", shown, shown);
}

static int
list_incoming(struct spool *spool, struct err *err)
{
	AUTO(closedir_p) DIR *dir = NULL;
	char name[NAME_MAX + 1];
	struct dirent *at;
	struct entry *entry;
	int fd = openat(spool->mover->incoming, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(err, "spool/incoming");
	for (entry = spool->entries; entry; entry = entry->next)
		entry->is_there = entry->has_push = false;
	while ((at = readdir(dir)))
		if (strcmp(at->d_name, ".") && strcmp(at->d_name, "..") && !push_of(spool, at->d_name, name) &&
		    (entry = find_or_add(spool, at->d_name)))
			entry->is_there = true;
	forget_gone(spool);
	rewinddir(dir);
	while ((at = readdir(dir)))
		if (push_of(spool, at->d_name, name))
			note_push(spool, name);
	return 0;
}

/* -- one entry -- */

/* Since when nothing changed, as far as the newest ctime tells: the watcher may just have been started. */
static int64_t
changed_before(const struct tree_look *look, int64_t now_ms)
{
	struct timespec now;
	int64_t age_ms;

	clock_gettime(CLOCK_REALTIME, &now);
	age_ms = ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec - look->newest_ns) / 1000000;
	return age_ms > 0 ? now_ms - age_ms : now_ms;
}

static int
scan(struct spool *spool, const struct entry *entry, struct tree_look *look, struct err *err)
{
	struct tree_look push;
	char file[NAME_MAX + 16];
	int r = tree_scan(spool->mover->incoming, entry->name, look, err);

	snprintf(file, sizeof(file), "%s.push.json", entry->name);
	if (r == 0 && entry->has_push && tree_scan(spool->mover->incoming, file, &push, err) == 0)
		tree_add(look, &push);
	return r;
}

static void
note_look(struct entry *entry, const struct tree_look *look)
{
	int64_t now = steady_ms();

	if (entry->was_looked_at && tree_is_same(look, &entry->look))
		return;
	entry->changed_ms = entry->was_looked_at ? now : changed_before(look, now);
	entry->was_looked_at = true;
	entry->is_bad = false;
	entry->why.text[0] = '\0';
	entry->look = *look;
}

/* Hands a settled drop on. 0: it is gone from incoming/, or has changed; DROP_BAD; -errno. */
static int
hand_on(struct spool *spool, struct entry *entry, struct err *err)
{
	AUTO(drop_freep) struct drop *drop = NULL;
	struct work_progress progress = { spool->status, entry->name, 0 };
	struct tree_look look;
	int r;

	if (mover_check_name(entry->name, err) < 0)
		return DROP_BAD;
	r = drop_stage(spool->ingest, spool->image, spool->mover->incoming, entry->name, work_progress,
	    &progress, &drop, err);
	if (r)
		return r;
	/* Checking took its time. What was copied meanwhile may belong to the drop: look again. */
	r = scan(spool, entry, &look, err);
	if (r < 0)
		return 0;
	if (!tree_is_same(&look, &entry->look)) {
		note_look(entry, &look);
		return 0;
	}
	r = work_take(spool->work, entry->name, MOVE(drop), err);
	if (r == 0)
		entry->is_there = false;
	return r;
}

static void
check(struct spool *spool, struct entry *entry)
{
	char was[ERR_TEXT_MAX];
	int r;

	snprintf(was, sizeof(was), "%.*s", (int)sizeof(was) - 1, entry->why.text);
	r = hand_on(spool, entry, &entry->why);
	entry->came_whole = false;
	status_head(spool->status, NULL);
	if (r == DROP_BAD)
		entry->is_bad = true;
	if (r < 0) {
		entry->next_ms = steady_ms() + (r == -EEXIST ? LOOK_MS : RETRY_MS);
		if (strcmp(was, entry->why.text))
			log_line(
			    LOG_WARNING, "drop name=\"%s\" waits reason=\"%s\"", entry->name, entry->why.text);
	}
}

static void
refuse(struct spool *spool, struct entry *entry)
{
	struct err err;
	char reason[ERR_TEXT_MAX];
	int r;

	snprintf(reason, sizeof(reason), "%.*s", (int)sizeof(reason) - 1, entry->why.text);
	r = work_refuse(spool->work, entry->name, reason, &err);
	if (r == 0)
		entry->is_there = false;
	else
		entry->next_ms = steady_ms() + RETRY_MS;
}

/* Whether it says what it is: a draft does too. */
static bool
has_push_json(struct spool *spool, const struct entry *entry)
{
	char file[NAME_MAX + 16];
	struct stat st;

	snprintf(file, sizeof(file), "%s/push.json", entry->name);
	return entry->has_push || handed_is_draft(spool->mover->incoming, entry->name) ||
	       fstatat(spool->mover->incoming, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * When to look again: about once a second, or just when it will have settled; but a look may take a quarter of
 * the time at most, so a drop of 100,000 files does not keep a core busy.
 */
static void
look_again(struct spool *spool, struct entry *entry, int64_t now, int64_t cost)
{
	int64_t settled = entry->changed_ms + spool->config->spool_quiet_seconds * 1000;
	int64_t next = now + LOOK_MS;

	if (!entry->is_bad && settled > now && settled < next)
		next = settled;
	if (next < now + 3 * cost)
		next = now + 3 * cost;
	if (next > entry->next_ms)
		entry->next_ms = next;
}

static void
look_at(struct spool *spool, struct entry *entry)
{
	int64_t started = steady_ms(), now;
	struct tree_look look;
	struct err gone;

	if (scan(spool, entry, &look, &gone) < 0) {
		entry->is_there = false;
		return;
	}
	note_look(entry, &look);
	now = steady_ms();
	look_again(spool, entry, now, now - started);
}

/* Does what the last look allows. */
static void
decide(struct spool *spool, struct entry *entry)
{
	int64_t unchanged = steady_ms() - entry->changed_ms;

	/* Without push.json one may still be on its way after the drop. */
	if (!entry->is_bad && (unchanged >= spool->config->spool_quiet_seconds * 1000 ||
				  (entry->came_whole && has_push_json(spool, entry))))
		check(spool, entry);
	if (entry->is_bad && unchanged >= spool->config->spool_incomplete_seconds * 1000)
		refuse(spool, entry);
}

static int
by_age(const void *a, const void *b)
{
	int64_t x = (*(struct entry *const *)a)->changed_ms, y = (*(struct entry *const *)b)->changed_ms;

	return (x > y) - (x < y);
}

/* Looks at all that are due, then decides in the order in which they came to rest: a ref that two of them set
 * ends with the later one. */
static void
look_at_due(struct spool *spool)
{
	struct entry *due[SPOOL_ENTRIES_MAX] = { NULL };
	size_t n = 0;

	for (struct entry *entry = spool->entries; entry; entry = entry->next)
		if (entry->next_ms <= steady_ms()) {
			look_at(spool, entry);
			due[n++] = entry;
		}
	qsort(due, n, sizeof(due[0]), by_age);
	for (size_t i = 0; i < n; i++)
		if (due[i]->is_there)
			decide(spool, due[i]);
}

static void
tell(struct spool *spool, const struct entry *entry)
{
	long long seconds = (steady_ms() - entry->changed_ms) / 1000;
	char name[256];

	name_printable(entry->name, name, sizeof(name));
	if (entry->is_bad)
		status_line(spool->status, "%s: waiting, incomplete: %s (unchanged for %lld s)", name,
		    entry->why.text, seconds);
	else if (*entry->why.text)
		status_line(spool->status, "%s: waiting: %s", name, entry->why.text);
	else
		status_line(spool->status, "%s: being copied, %llu entries, %llu bytes (unchanged for %lld s)",
		    name, (unsigned long long)entry->look.entries, (unsigned long long)entry->look.bytes,
		    seconds);
}

/* Lists the folder and looks at what is due. Returns when to come again. */
static int64_t
incoming_pass(struct spool *spool)
{
	int64_t next = steady_ms() + IDLE_MS;
	struct err err;

	if (list_incoming(spool, &err) < 0) {
		status_line(spool->status, "%s", err.text);
		return steady_ms() + RETRY_MS;
	}
	look_at_due(spool);
	forget_gone(spool);
	for (const struct entry *entry = spool->entries; entry; entry = entry->next) {
		tell(spool, entry);
		if (entry->next_ms < next)
			next = entry->next_ms;
	}
	return next;
}

/* -- the rest of a round -- */

/* Keys that were rotated, or made for the first time, sign all that is published from now on: at once. A signer
 * that hangs must not take more than a quarter of the time. */
static void
look_for_root(struct spool *spool)
{
	int64_t started = steady_ms(), cost;
	struct err ignored;

	/* While a renewal fails it is tried again by itself, which asks for the root as well. */
	if (spool->root_ms > started || *spool->renewal_why.text)
		return;
	if (image_look_for_root(spool->image, &ignored) == 0)
		spool->renewal = (struct due){ 0 };
	cost = steady_ms() - started;
	spool->root_ms = started + ROOT_MS + 4 * cost;
}

static void
renew(struct spool *spool)
{
	struct err err = { 0 };
	int r = image_renew(spool->image, &err);

	if (r == 0)
		log_line(LOG_NOTICE, "metadata renewed");
	if (r < 0 && strcmp(err.text, spool->renewal_why.text))
		log_line(LOG_WARNING, "metadata cannot be renewed reason=\"%s\"", err.text);
	if (r >= 0)
		err.text[0] = '\0';
	spool->renewal_why = err;
	image_warning(spool->image, spool->warning);
	due_in(&spool->renewal, utc_now(), r == IMAGE_FRESH ? RENEW_SECONDS : RENEW_SOON_SECONDS);
}

/* Returns when to ask for a root again. */
static int64_t
renewal_pass(struct spool *spool)
{
	look_for_root(spool);
	if (due_is(&spool->renewal, utc_now()))
		renew(spool);
	if (*spool->renewal_why.text)
		status_line(spool->status, "metadata cannot be renewed: %s", spool->renewal_why.text);
	if (*spool->warning)
		status_line(spool->status, "warning: %s", spool->warning);
	return *spool->renewal_why.text ? INT64_MAX : spool->root_ms;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A drop that was renamed into the folder is looked at now; every other event only wakes. */
static void
note_event(struct spool *spool, const struct inotify_event *event)
{
	struct entry *entry;

	if (event->wd != spool->incoming_watch || !(event->mask & IN_MOVED_TO) || !(event->mask & IN_ISDIR) ||
	    !event->len)
		return;
	entry = find_or_add(spool, event->name);
	if (!entry)
		return;
	entry->came_whole = true;
	entry->next_ms = 0;
}

static void
read_events(struct spool *spool)
{
	char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	while ((n = read(spool->inotify, buffer, sizeof(buffer))) > 0)
		for (char *at = buffer; at < buffer + n;) {
			const struct inotify_event *event = (const void *)at;

			note_event(spool, event);
			at += sizeof(*event) + event->len;
		}
}

static int64_t
pass(struct spool *spool)
{
	int64_t next;

	next = work_pass(spool->work);
	status_clear(spool->status);
	next = earlier(next, incoming_pass(spool));
	work_tell(spool->work);
	next = earlier(next, requests_pass(spool->requests));
	next = earlier(next, renewal_pass(spool));
	status_write(spool->status);
	return spool->status->is_stale ? earlier(next, spool->status->written_ms + STATUS_MS) : next;
}

/* Waits until @next_ms, for something in the folder, or until the wall clock, which may be set, says that the
 * metadata is to be looked at. */
static int
wait_until(struct spool *spool, int64_t next_ms, struct err *err)
{
	struct pollfd fd = { .fd = spool->inotify, .events = POLLIN };

	for (;;) {
		int64_t wait = earlier(next_ms - steady_ms(), DUE_LOOK_MS);
		int n = poll(&fd, 1, wait < 0 ? 0 : (int)wait);

		if (n < 0 && errno != EINTR)
			return err_sys(err, "poll");
		if (n != 0 || next_ms <= steady_ms() || due_is(&spool->renewal, utc_now()))
			return 0;
	}
}

int
spool_run(struct spool *spool, struct err *err)
{
	bool is_ready = false;
	int r;

	r = work_resume(spool->work, err);
	while (r == 0) {
		int64_t next = pass(spool);

		if (!is_ready)
			log_line(LOG_NOTICE, "ota-watcher ready spool=%s", spool->config->spool);
		is_ready = true;
		r = wait_until(spool, next, err);
		read_events(spool);
	}
	return r;
}
