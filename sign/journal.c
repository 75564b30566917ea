#include "sign/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/steady.h"
#include "lib/utc.h"
#include "sign/chain.h"

struct journal {
	int dir, fd;     /* the folder, and the newest file */
	int first, file; /* numbers of the oldest and the newest */
	struct journal_limits limits;
	int64_t bytes, all; /* of the newest file, and of all */
	struct chain head;  /* after the last line */
	bool is_dirty;      /* lines are not on disk yet */
	bool is_doubtful;   /* nobody knows what of the newest file is on disk: the next line starts another */
	int64_t synced_at;  /* seconds of the monotonic clock */
};

/* -- lines -- */

/* The text of a line with its newline, and the chain after it. @line is released. */
static int
chain_up(const struct journal *journal, json_t *line, char **text, struct chain *head, struct err *err)
{
	AUTO(json_decref_p) json_t *json = line, *again = NULL;
	AUTO(free_p) char *dumped = NULL;
	int n = -1, r;

	if (json && json_object_set_new(json, "previous", json_string(journal->head.previous)) == 0)
		dumped = json_write_as(json, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (dumped)
		n = asprintf(text, "%s\n", dumped);
	if (n < 0)
		return err_set(err, ENOMEM, "no memory for a line of the log of signatures");
	*head = journal->head;
	/* What is written has to be readable. */
	r = chain_follow(head, *text, (size_t)n - 1, &again, err);
	if (r < 0)
		free(MOVE(*text));
	return r;
}

static int
refuse_unlogged(const struct journal *journal, int code, struct err *err)
{
	return err_set(err, code, "%s/%d.log: %s: nothing is signed that cannot be logged", JOURNAL_FOLDER,
	    journal->file, strerror(code));
}

static int
sync_file(struct journal *journal)
{
	journal->synced_at = steady_seconds();
	if (fdatasync(journal->fd) < 0)
		return -errno;
	journal->is_dirty = false;
	return 0;
}

/* Appends @text; when it cannot be, takes back what of it was written. */
static int
append(struct journal *journal, const char *text, bool is_durable, struct err *err)
{
	size_t bytes = strlen(text);
	int r = file_write_all(journal->fd, text, bytes);

	if (r == 0 && is_durable && (r = sync_file(journal)) < 0)
		journal->is_doubtful = true; /* lines that were there before may be lost, too */
	if (r < 0) {
		journal->is_doubtful |= ftruncate(journal->fd, journal->bytes) < 0;
		return refuse_unlogged(journal, -r, err);
	}
	journal->is_dirty = !is_durable;
	journal->bytes += (int64_t)bytes;
	journal->all += (int64_t)bytes;
	return 0;
}

/* -- files -- */

/* Room for the whole of the newest file has to be there. */
static bool
is_too_much(const struct journal *journal)
{
	int64_t all = journal->all - journal->bytes + journal->limits.file_bytes;

	return journal->limits.all_bytes && all > journal->limits.all_bytes && journal->first < journal->file;
}

static void
drop_oldest(struct journal *journal)
{
	char name[32];
	struct stat st;

	while (is_too_much(journal)) {
		chain_file_name(journal->first++, name);
		if (fstatat(journal->dir, name, &st, 0) < 0)
			continue;
		if (unlinkat(journal->dir, name, 0) < 0) {
			log_line(LOG_ERR, "log of signatures not removed file=%s reason=\"%s\"", name,
			    strerror(errno));
			return;
		}
		journal->all -= st.st_size;
		log_line(LOG_NOTICE, "oldest log of signatures removed file=%s", name);
	}
}

/* What the first line of a file says: where the chain comes from. */
static json_t *
first_line(const struct journal *journal, int64_t now, const char *text)
{
	char when[UTC_TEXT_SIZE], newest[UTC_TEXT_SIZE];

	utc_format(now, when);
	utc_format(journal->head.newest, newest);
	return json_pack("{s:I,s:s,s:s,s:s*,s:s*}", "n", (json_int_t)journal->head.number + 1, "time", when,
	    "event", "file", "newest", journal->head.newest ? newest : NULL, "text", text);
}

static int
make_file(struct journal *journal, int number, const char *text, int *fd, struct err *err)
{
	char name[32];
	int r = 0;

	chain_file_name(number, name);
	/* A higher number than the newest is what a failure left. */
	*fd =
	    openat(journal->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*fd < 0)
		return err_sys(err, "%s/%s: nothing is signed that cannot be logged", JOURNAL_FOLDER, name);
	r = file_write_all(*fd, text, strlen(text));
	if (r == 0 && (fdatasync(*fd) < 0 || fsync(journal->dir) < 0))
		r = -errno;
	if (r == 0)
		return 0;
	unlinkat(journal->dir, name, 0);
	close_p(fd);
	*fd = -1;
	return err_set(
	    err, -r, "%s/%s: %s: nothing is signed that cannot be logged", JOURNAL_FOLDER, name, strerror(-r));
}

/* Goes on in the next file; @why is told in it. */
static int
next_file(struct journal *journal, int64_t now, const char *why, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	AUTO(close_p) int fd = -1;
	struct chain head;
	int r;

	if ((r = chain_up(journal, first_line(journal, now, why), &text, &head, err)) < 0)
		return r;
	if (journal->is_dirty && !journal->is_doubtful && (r = sync_file(journal)) < 0) {
		journal->is_doubtful = true;
		return refuse_unlogged(journal, -r, err);
	}
	if ((r = make_file(journal, journal->file + 1, text, &fd, err)) < 0)
		return r;
	close_p(&journal->fd);
	journal->fd = MOVE_FD(fd);
	journal->file++;
	journal->head = head;
	journal->bytes = (int64_t)strlen(text);
	journal->all += journal->bytes;
	journal->is_dirty = journal->is_doubtful = false;
	drop_oldest(journal);
	return 0;
}

/* -- adding -- */

/* The next file goes on from the last line that was told, so none may stand behind it that could not be taken
 * back when it failed. */
static int
leave_doubtful(struct journal *journal, int64_t now, struct err *err)
{
	char why[128];

	if (ftruncate(journal->fd, journal->bytes) < 0)
		return refuse_unlogged(journal, errno, err);
	fdatasync(journal->fd); /* as far as the disk lets it: this is why there is a next file */
	snprintf(why, sizeof(why), "%d.log: may end in lines that are not on disk", journal->file);
	return next_file(journal, now, why, err);
}

/* The file that the next line goes to. */
static int
make_room(struct journal *journal, int64_t now, struct err *err)
{
	if (journal->is_doubtful)
		return leave_doubtful(journal, now, err);
	if (journal->bytes + CHAIN_LINE_MAX > journal->limits.file_bytes)
		return next_file(journal, now, NULL, err);
	return 0;
}

/* @line is released. */
static int
add_line(struct journal *journal, json_t *line, bool is_durable, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	struct chain head;
	int r = chain_up(journal, line, &text, &head, err);

	if (r == 0)
		r = append(journal, text, is_durable, err);
	if (r == 0)
		journal->head = head;
	return r;
}

/* Of each signature: no JSON is made and read for it. The device's name was checked, and is one that needs no
 * escapes. */
static int
write_signature(
    const struct journal *journal, const struct journal_entry *entry, char line[static CHAIN_LINE_MAX])
{
	char when[UTC_TEXT_SIZE];
	const char *device = entry->device ?: "";

	assert(digest_is_sha256_hex(entry->sha256) && !strpbrk(device, "\"\\\n"));
	utc_format(entry->time, when);
	return snprintf(line, CHAIN_LINE_MAX,
	    "{\"n\":%lld,\"time\":\"%s\",\"uid\":%u,\"repository\":\"%s\",\"role\":\"%s\",\"version\":%d,"
	    "%s%s%s\"sha256\":\"%s\",\"previous\":\"%s\"}\n",
	    (long long)journal->head.number + 1, when, entry->uid, repository_name(entry->repository),
	    role_name(entry->role), entry->version, *device ? "\"device\":\"" : "", device,
	    *device ? "\"," : "", entry->sha256, journal->head.previous);
}

int
journal_add(struct journal *journal, const struct journal_entry *entry, struct err *err)
{
	char line[CHAIN_LINE_MAX];
	int r = make_room(journal, entry->time, err), n;

	if (r < 0)
		return r;
	n = write_signature(journal, entry, line);
	assert(n > 0 && n < CHAIN_LINE_MAX);
	r = append(journal, line, entry->is_durable, err);
	if (r == 0)
		chain_add(&journal->head, line, (size_t)n - 1, entry->time);
	return r;
}

int
journal_tell(
    struct journal *journal, int64_t now, uid_t uid, const char *event, const char *text, struct err *err)
{
	char when[UTC_TEXT_SIZE];
	int r = make_room(journal, now, err);

	if (r < 0)
		return r;
	utc_format(now, when);
	return add_line(journal,
	    json_pack("{s:I,s:s,s:I,s:s,s:s}", "n", (json_int_t)journal->head.number + 1, "time", when, "uid",
		(json_int_t)uid, "event", event, "text", text),
	    true, err);
}

int
journal_add_certificate(struct journal *journal, const struct journal_certificate *certificate, struct err *err)
{
	char when[UTC_TEXT_SIZE], expires[UTC_TEXT_SIZE];
	int r = make_room(journal, certificate->time, err);

	if (r < 0)
		return r;
	utc_format(certificate->time, when);
	utc_format(certificate->expires_at, expires);
	return add_line(journal,
	    json_pack("{s:I,s:s,s:I,s:s,s:s,s:s,s:s,s:s}", "n", (json_int_t)journal->head.number + 1, "time",
		when, "uid", (json_int_t)certificate->uid, "event", "certificate", "device", certificate->name,
		"serial", certificate->serial, "expires", expires, "sha256", certificate->sha256),
	    true, err);
}

void
journal_tick(struct journal *journal)
{
	int r;

	if (!journal->is_dirty || steady_seconds() <= journal->synced_at)
		return;
	r = sync_file(journal);
	if (r == 0)
		return;
	journal->is_dirty = false;
	journal->is_doubtful = true;
	log_line(
	    LOG_ERR, "log of signatures not on disk file=%d.log reason=\"%s\"", journal->file, strerror(-r));
}

/* -- the clock -- */

int
journal_check_clock(const struct journal *journal, int64_t now, struct err *err)
{
	char present[UTC_TEXT_SIZE], newest[UTC_TEXT_SIZE];

	if (now >= journal->head.newest - JOURNAL_CLOCK_SECONDS)
		return 0;
	utc_format(now, present);
	utc_format(journal->head.newest, newest);
	return err_set(err, EAGAIN,
	    "the clock says %s, but something was signed at %s already: nothing is signed until the clock is "
	    "right; "
	    "if it was wrong then and is right now, \"ota-sign clock\" says so",
	    present, newest);
}

int
journal_set_clock(struct journal *journal, uid_t uid, int64_t now, struct err *err)
{
	char newest[UTC_TEXT_SIZE], text[128];

	utc_format(journal->head.newest, newest);
	snprintf(text, sizeof(text), "taken as right, though something was signed at %s", newest);
	return journal_tell(journal, now, uid, "clock", text, err);
}

/* -- opening -- */

static int
open_folder(struct journal *journal, int dir, struct err *err)
{
	if (mkdirat(dir, JOURNAL_FOLDER, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "%s", JOURNAL_FOLDER);
	journal->dir = openat(dir, JOURNAL_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return journal->dir < 0 ? err_sys(err, "%s", JOURNAL_FOLDER) : file_sync_folder(dir, ".", err);
}

/* Opens the newest file for appending, without what a crash left after the last whole line. */
static int
resume(struct journal *journal, int64_t now, int read, struct err *err)
{
	char name[32], text[64];
	struct stat st;

	chain_file_name(journal->file, name);
	journal->fd = openat(journal->dir, name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	if (journal->fd < 0 || fstat(journal->fd, &st) < 0)
		return err_sys(err, "%s/%s", JOURNAL_FOLDER, name);
	journal->bytes = journal->head.bytes;
	if (read != CHAIN_TORN)
		return 0;
	if (ftruncate(journal->fd, journal->bytes) < 0)
		return err_sys(err, "%s/%s", JOURNAL_FOLDER, name);
	journal->all -= st.st_size - journal->bytes;
	snprintf(text, sizeof(text), "%lld bytes of a line that was cut short",
	    (long long)(st.st_size - journal->bytes));
	log_line(LOG_WARNING, "log of signatures: cut off %s file=%s", text, name);
	return journal_tell(journal, now, getuid(), "torn", text, err);
}

/* A file without one whole line is what a crash left of a beginning. */
static int
drop_unborn(struct journal *journal, struct err *err)
{
	char name[32];

	chain_file_name(journal->file--, name);
	return unlinkat(journal->dir, name, 0) < 0 ? err_sys(err, "%s/%s", JOURNAL_FOLDER, name) : 0;
}

static int
open_newest(struct journal *journal, int64_t now, struct err *err)
{
	char why[ERR_TEXT_MAX];
	int r;

	for (;;) {
		if (journal->file == 0) {
			journal->first = 1;
			return next_file(journal, now, "the log of signatures begins", err);
		}
		r = chain_read(journal->dir, journal->file, &journal->head, NULL, NULL, err);
		if (r >= 0 && journal->head.lines == 0 && (r = drop_unborn(journal, err)) == 0) {
			journal->file = journal->file < journal->first ? 0 : journal->file;
			continue;
		}
		if (r >= 0)
			return resume(journal, now, r, err);
		if (r == -ENOMEM)
			return r;
		snprintf(why, sizeof(why), "%s", err->text);
		log_line(LOG_ERR, "log of signatures damaged, a new file is begun reason=\"%s\"", why);
		return next_file(journal, now, why, err);
	}
}

int
journal_open(int dir, const struct journal_limits *limits, int64_t now, struct journal **out, struct err *err)
{
	AUTO(journal_freep) struct journal *journal = calloc(1, sizeof(*journal));
	int r;

	if (!journal)
		return err_set(err, ENOMEM, "no memory for the log of signatures");
	*journal = (struct journal){ .dir = -1, .fd = -1, .limits = *limits };
	/* Before the first line of all. */
	memset(journal->head.previous, '0', sizeof(journal->head.previous) - 1);
	if ((r = open_folder(journal, dir, err)) < 0 ||
	    (r = chain_files(journal->dir, &journal->first, &journal->file, &journal->all, err)) < 0 ||
	    (r = open_newest(journal, now, err)) < 0)
		return r;
	drop_oldest(journal);
	*out = MOVE(journal);
	return 0;
}

void
journal_free(struct journal *journal)
{
	if (!journal)
		return;
	close_p(&journal->fd);
	close_p(&journal->dir);
	free(journal);
}

void
journal_freep(struct journal **journal)
{
	journal_free(*journal);
}
