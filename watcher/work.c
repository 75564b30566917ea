#include "watcher/work.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/steady.h"
#include "lib/utc.h"

/** How long trouble of our own is waited out; and three times as long as the last try took. */
#define RETRY_MS 5000

struct job {
	char name[MOVER_NAME_MAX + 1];
	struct drop *drop; /* NULL: has to be staged (again) from work/ */
	bool is_imported;
	bool is_over;    /* the job is done and can go */
	bool is_told;    /* the present trouble is in the log */
	int64_t next_ms; /* when to try again */
	struct err why;  /* the present trouble */
	int64_t taken;   /* ctime of the drop: jobs are carried on in this order */
	struct job *next;
};

struct work {
	struct mover *mover;
	struct ingest *ingest;
	struct image *image;
	struct client *signer; /* for the director's roots */
	struct status *status;
	struct job *jobs;
};

struct work *
work_new(struct mover *mover, struct ingest *ingest, struct image *image, struct client *signer,
    struct status *status)
{
	struct work *work = calloc(1, sizeof(*work));

	if (work)
		*work = (struct work){ mover, ingest, image, signer, status, NULL };
	return work;
}

static void
job_free(struct job *job)
{
	drop_free(job->drop);
	free(job);
}

void
work_free(struct work *work)
{
	while (work && work->jobs) {
		struct job *job = work->jobs;

		work->jobs = job->next;
		job_free(job);
	}
	free(work);
}

void
work_freep(struct work **work)
{
	work_free(*work);
}

void
work_name(const char *from, char name[static MOVER_NAME_MAX + 1])
{
	struct err ignored;
	size_t n = 0;

	for (; n < MOVER_NAME_MAX && from[n]; n++)
		name[n] = isprint((unsigned char)from[n]) && (unsigned char)from[n] < 0x7f ? from[n] : '_';
	name[n] = '\0';
	if (*name == '.')
		*name = '_';
	/* What is left is a suffix that has a meaning. */
	if (mover_check_name(name, &ignored) < 0)
		*strrchr(name, '.') = '_';
}

void
work_progress(void *data, size_t done, size_t all)
{
	struct work_progress *progress = data;

	/* The clock is asked for each object; the rest a few times a second. */
	if (steady_ms() < progress->next_ms)
		return;
	status_head(progress->status, "%s: importing %zu of %zu objects", progress->name, done, all);
	status_write(progress->status);
	progress->next_ms = steady_ms() + STATUS_MS;
}

/* -- one job -- */

static int
write_beside(struct work *work, const char *name, const char *suffix, const char *text, struct err *err)
{
	char file[NAME_MAX + 1];

	snprintf(file, sizeof(file), "%s%s", name, suffix);
	return file_replace(work->mover->work, file, text, strlen(text), 0644, err);
}

static int
write_reason(struct work *work, const char *name, const char *reason, struct err *err)
{
	char text[ERR_TEXT_MAX + 300];

	snprintf(text, sizeof(text), "%s: %s\n", name, reason);
	return write_beside(work, name, ".reason.txt", text, err);
}

static int
fail(struct work *work, struct job *job, const char *reason, struct err *err)
{
	int r;

	if ((r = write_reason(work, job->name, reason, err)) < 0 ||
	    (r = mover_finish(work->mover, job->name, false, err)) < 0)
		return r;
	log_line(LOG_NOTICE, "drop name=\"%s\" result=failed reason=\"%s\"", job->name, reason);
	status_last(work->status, "%s failed: see failed/%s.reason.txt", job->name, job->name);
	job->is_over = true;
	return 0;
}

static int
succeed(struct work *work, struct job *job, struct err *err)
{
	AUTO(free_p) char *receipt = drop_receipt(job->drop);
	const char *result = drop_result(job->drop);
	/* What devices are not offered yet: the receipt says what is missing. */
	bool is_waiting = !strcmp(result, "stored") || !strcmp(result, "held back");
	char summary[300], now[UTC_TEXT_SIZE];
	int r;

	if (!receipt)
		return err_set(err, ENOMEM, "no memory");
	if ((r = write_beside(work, job->name, ".receipt.json", receipt, err)) < 0 ||
	    (r = mover_finish(work->mover, job->name, true, err)) < 0)
		return r;
	drop_summary(job->drop, summary, sizeof(summary));
	utc_format(utc_now(), now);
	log_line(LOG_NOTICE, "drop name=\"%s\" result=\"%s\" what=\"%s\"", job->name, result, summary);
	if (is_waiting)
		status_last(
		    work->status, "%s %s %s: see done/%s.receipt.json", summary, result, now, job->name);
	else
		status_last(work->status, "%s %s %s", summary, result, now);
	job->is_over = true;
	return 0;
}

static int
stage(struct work *work, struct job *job, struct err *err)
{
	struct work_progress progress = { work->status, job->name, 0 };

	return drop_stage(
	    work->ingest, work->image, work->mover->work, job->name, work_progress, &progress, &job->drop, err);
}

/* As far as it goes: 0 over, DROP_BAD, or -errno for trouble of our own. */
static int
carry_on(struct work *work, struct job *job, struct err *err)
{
	int r = job->drop ? 0 : stage(work, job, err);

	if (r)
		return r;
	status_head(work->status, "%s: publishing", job->name);
	status_write(work->status);
	if (!job->is_imported) {
		r = drop_import(job->drop, work->ingest, work->image, err);
		if (r) {
			/* The next drop uses the same staging folder, so nothing of this one is left there. */
			drop_free(MOVE(job->drop));
			return r;
		}
		job->is_imported = true;
	}
	r = drop_publish(job->drop, work->image, work->signer, err);
	return r ? r : succeed(work, job, err);
}

static void
try(struct work *work, struct job *job)
{
	int64_t started = steady_ms(), cost;
	struct err why;
	int r;

	r = carry_on(work, job, &job->why);
	if (r == DROP_BAD) {
		why = job->why;
		r = fail(work, job, why.text, &job->why);
	}
	status_head(work->status, NULL);
	cost = steady_ms() - started;
	job->next_ms = started + cost + (3 * cost > RETRY_MS ? 3 * cost : RETRY_MS);
	if (r < 0 && !job->is_told)
		log_line(LOG_WARNING, "drop name=\"%s\" waits reason=\"%s\"", job->name, job->why.text);
	job->is_told = r < 0;
}

/* When the drop was renamed into work/. */
static int64_t
taken_at(const struct work *work, const char *name)
{
	struct stat st;

	if (fstatat(work->mover->work, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
}

static struct job *
add_job(struct work *work, const char *name, struct err *err)
{
	struct job *job = calloc(1, sizeof(*job)), **at = &work->jobs;

	if (!job) {
		err_set(err, ENOMEM, "no memory");
		return NULL;
	}
	snprintf(job->name, sizeof(job->name), "%s", name);
	job->taken = taken_at(work, name);
	while (*at && (*at)->taken <= job->taken)
		at = &(*at)->next;
	job->next = *at;
	*at = job;
	return job;
}

static void
sweep(struct work *work)
{
	for (struct job **at = &work->jobs; *at;) {
		struct job *job = *at;

		if (job->is_over) {
			*at = job->next;
			job_free(job);
		} else {
			at = &job->next;
		}
	}
}

/* -- from incoming -- */

int
work_take(struct work *work, const char *from, struct drop *drop, struct err *err)
{
	AUTO(drop_freep) struct drop *owned = drop;
	char name[MOVER_NAME_MAX + 1];
	struct job *job;
	int r;

	work_name(from, name);
	r = mover_take(work->mover, from, name, err);
	if (r < 0)
		return r;
	job = add_job(work, name, err);
	if (!job)
		return -ENOMEM; /* work_resume() finds it at the next start */
	/* Somebody may have exchanged the folder in the last moment. */
	if (drop_is_same(owned, work->mover->work, name))
		job->drop = MOVE(owned);
	try(work, job);
	sweep(work);
	return 0;
}

int
work_refuse(struct work *work, const char *from, const char *reason, struct err *err)
{
	char name[MOVER_NAME_MAX + 1];
	int r;

	work_name(from, name);
	/* The reason first: a drop must never arrive in work without it and be taken for one to publish. */
	if ((r = write_reason(work, name, reason, err)) < 0 ||
	    (r = mover_take(work->mover, from, name, err)) < 0 ||
	    (r = mover_finish(work->mover, name, false, err)) < 0)
		return r;
	log_line(LOG_NOTICE, "drop name=\"%s\" result=failed reason=\"%s\"", name, reason);
	status_last(work->status, "%s failed: see failed/%s.reason.txt", name, name);
	return 0;
}

/* -- after a start -- */

static bool
has_suffix(const char *file, const char *suffix, char name[static NAME_MAX + 1])
{
	size_t bytes = strlen(file), n = strlen(suffix);

	if (bytes <= n || strcmp(file + bytes - n, suffix))
		return false;
	snprintf(name, NAME_MAX + 1, "%.*s", (int)(bytes - n), file);
	return true;
}

static bool
is_there(struct work *work, const char *name, const char *suffix)
{
	char file[NAME_MAX + 16];

	snprintf(file, sizeof(file), "%s%s", name, suffix);
	return faccessat(work->mover->work, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Results are decided before the drop moves on, so a result that is here only has to be carried out. */
static int
resume_result(struct work *work, const char *name, struct err *err)
{
	return mover_finish(work->mover, name, is_there(work, name, ".receipt.json"), err);
}

static int
resume_entry(struct work *work, const char *file, struct err *err)
{
	char name[NAME_MAX + 1];
	struct err ignored;

	if ((has_suffix(file, ".receipt.json.tmp", name) || has_suffix(file, ".reason.txt.tmp", name)) &&
	    unlinkat(work->mover->work, file, 0) == 0)
		return 0; /* file_replace() was interrupted */
	if (has_suffix(file, ".receipt.json", name) || has_suffix(file, ".reason.txt", name))
		return is_there(work, file, "") ? resume_result(work, name, err) : 0;
	if (has_suffix(file, ".push.json", name))
		return is_there(work, name, "") || is_there(work, name, ".receipt.json") ||
			       is_there(work, name, ".reason.txt")
			   ? 0
			   : mover_restore(work->mover, name, err);
	if (mover_check_name(file, &ignored) < 0 || is_there(work, file, ".receipt.json") ||
	    is_there(work, file, ".reason.txt"))
		return 0; /* its result takes it along */
	log_line(LOG_NOTICE, "drop name=\"%s\" resumed", file);
	return add_job(work, file, err) ? 0 : -ENOMEM;
}

int
work_resume(struct work *work, struct err *err)
{
	int fd = openat(work->mover->work, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0, n;
	AUTO(closedir_p) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent **list = NULL;

	if (!dir)
		return err_sys(err, "spool/work");
	/* A list, because results move away while they are looked at. */
	n = scandirat(fd, ".", &list, NULL, alphasort);
	if (n < 0)
		return err_sys(err, "spool/work");
	for (int i = 0; i < n; i++) {
		if (r == 0 && *list[i]->d_name != '.')
			r = resume_entry(work, list[i]->d_name, err);
		free(list[i]);
	}
	free(list);
	return r;
}

/* -- from time to time -- */

int64_t
work_pass(struct work *work)
{
	int64_t next = INT64_MAX;

	for (struct job *job = work->jobs; job; job = job->next)
		if (job->next_ms <= steady_ms())
			try(work, job);
	sweep(work);
	for (const struct job *job = work->jobs; job; job = job->next)
		if (job->next_ms < next)
			next = job->next_ms;
	return next;
}

void
work_tell(const struct work *work)
{
	for (const struct job *job = work->jobs; job; job = job->next)
		status_line(work->status, "%s: taken over, tried again every few seconds: %s", job->name,
		    job->why.text);
}
