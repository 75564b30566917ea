#include "watcher/upkeep.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/steady.h"
#include "store/gc.h"
#include "store/pair.h"
#include "store/roots.h"

/** How often it is looked for a new publication and for a change of the fleet. */
#define LOOK_MS 1000
/** Deltas that were taken away, by ota-fsck or by hand, are made again after so long at the latest. */
#define DELTAS_MS 600000
/** What is reported at start waits until the start is over. */
#define START_MS 3000
/** A report of what would go is made at most so often, and after a change only. */
#define REPORT_MS 60000
/** It looks at all objects, and takes a hundredth of the time at most. */
#define REPORT_SHARE 100
/** After trouble, such as a full disk. */
#define RETRY_MS 60000

struct upkeep {
	const struct config *config;
	struct pairs *pairs;
	int repository;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* of is_stopped or is_woken */
	atomic_bool is_stopped;
	bool is_woken;     /* under lock */
	int64_t gc_ms;     /* when to collect */
	int64_t report_ms; /* when a report may be made again */
	int64_t deltas_ms; /* when to look for deltas again */
	uint64_t seen;     /* the mark of the roots for which deltas were made */
	uint64_t reported; /* the one for which a report was made */
};

static bool
is_stopped(void *data)
{
	return atomic_load(&((struct upkeep *)data)->is_stopped);
}

/* Waits until something is to be looked at. Returns whether a collection was asked for. */
static bool
wait_for_work(struct upkeep *upkeep)
{
	struct timespec until;
	bool is_woken;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOOK_MS / 1000;
	pthread_mutex_lock(&upkeep->lock);
	while (!upkeep->is_stopped && !upkeep->is_woken)
		if (pthread_cond_timedwait(&upkeep->changed, &upkeep->lock, &until) == ETIMEDOUT)
			break;
	is_woken = upkeep->is_woken;
	upkeep->is_woken = false;
	pthread_mutex_unlock(&upkeep->lock);
	return is_woken;
}

static int64_t
next_report(const struct gc_result *last)
{
	int64_t pause = (int64_t)(last->seconds * 1000 * REPORT_SHARE);

	return steady_ms() + (pause > REPORT_MS ? pause : REPORT_MS);
}

static void
collect(struct upkeep *upkeep, bool is_dry)
{
	int64_t interval = upkeep->config->gc_seconds;
	struct gc_options options = { .repository = upkeep->config->repository,
		.fleet = upkeep->config->fleet,
		.grace_seconds = upkeep->config->gc_grace_seconds,
		.next_seconds = interval,
		.is_dry = is_dry,
		.is_stopped = is_stopped,
		.data = upkeep };
	struct gc_result result;
	struct err err = { 0 };
	int r;

	upkeep->reported = roots_mark(upkeep->repository, upkeep->config->fleet);
	r = gc_run(&options, &result, &err);
	/* A report of what would go may find a repository in which nothing was published yet. */
	if (r < 0 && r != -ECANCELED && !(is_dry && r == -ENOENT))
		log_line(LOG_WARNING, "garbage collection%s failed reason=\"%s\"", is_dry ? " report" : "",
		    err.text);
	if (r == 0 && (!is_dry || result.missing || result.is_held))
		log_line(result.missing || result.is_held ? LOG_WARNING : LOG_NOTICE,
		    "garbage collection%s objects=%zu binaries=%zu deltas=%zu leftovers=%zu bytes=%llu "
		    "missing=%zu%s "
		    "longest_slice_ms=%.1f seconds=%.1f",
		    is_dry ? " report" : "", result.gone.objects, result.gone.binaries, result.gone.deltas,
		    result.gone.leftovers, (unsigned long long)result.gone.bytes, result.missing,
		    result.is_held ? " held=damaged" : "", result.longest_slice_ms, result.seconds);
	upkeep->report_ms = next_report(&result);
	if (!is_dry)
		upkeep->gc_ms =
		    steady_ms() + (r < 0 && RETRY_MS < interval * 1000 ? RETRY_MS : interval * 1000);
}

static void
make_deltas(struct upkeep *upkeep)
{
	uint64_t mark = roots_mark(upkeep->repository, upkeep->config->fleet);
	struct err err = { 0 };
	int r;

	if (mark == upkeep->seen && steady_ms() < upkeep->deltas_ms)
		return;
	r = pairs_step(upkeep->pairs, is_stopped, upkeep, &err);
	if (r < 0 && r != -ECANCELED)
		log_line(LOG_WARNING, "deltas cannot be made reason=\"%s\"", err.text);
	if (r == 0)
		return; /* one is done; the next round looks for the next */
	upkeep->seen = mark;
	upkeep->deltas_ms = steady_ms() + (r < 0 ? RETRY_MS : DELTAS_MS);
}

static void *
run(void *data)
{
	struct upkeep *upkeep = data;

	while (!is_stopped(upkeep)) {
		bool is_woken = wait_for_work(upkeep);

		if (is_stopped(upkeep))
			break;
		if (is_woken || (upkeep->config->gc_seconds && steady_ms() >= upkeep->gc_ms))
			collect(upkeep, false);
		else if (steady_ms() >= upkeep->report_ms &&
			 roots_mark(upkeep->repository, upkeep->config->fleet) != upkeep->reported)
			collect(upkeep, true);
		if (!is_stopped(upkeep))
			make_deltas(upkeep);
	}
	return NULL;
}

/* Signals are taken by the other threads: this one starts with all of them blocked. */
static int
start_thread(struct upkeep *upkeep, struct err *err)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&upkeep->thread, NULL, run, upkeep);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r ? err_set(err, r, "start a thread: %s", strerror(r)) : 0;
}

static void
upkeep_free(struct upkeep *upkeep)
{
	pairs_free(upkeep->pairs);
	close_p(&upkeep->repository);
	pthread_cond_destroy(&upkeep->changed);
	pthread_mutex_destroy(&upkeep->lock);
	free(upkeep);
}

int
upkeep_start(const struct config *config, struct upkeep **out, struct err *err)
{
	struct upkeep *upkeep = calloc(1, sizeof(*upkeep));
	pthread_condattr_t monotonic;
	int r;

	if (!upkeep)
		return err_set(err, ENOMEM, "no memory");
	upkeep->config = config;
	upkeep->gc_ms = steady_ms() + config->gc_seconds * 1000;
	upkeep->report_ms = steady_ms() + START_MS;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&upkeep->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&upkeep->lock, NULL);
	upkeep->repository = open(config->repository, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	upkeep->pairs = pairs_new(config);
	if (upkeep->repository < 0)
		r = err_sys(err, "%s", config->repository);
	else
		r = upkeep->pairs ? start_thread(upkeep, err) : err_set(err, ENOMEM, "no memory");
	if (r < 0)
		upkeep_free(upkeep);
	else
		*out = upkeep;
	return r;
}

void
upkeep_stop(struct upkeep *upkeep)
{
	if (!upkeep)
		return;
	pthread_mutex_lock(&upkeep->lock);
	atomic_store(&upkeep->is_stopped, true);
	pthread_cond_signal(&upkeep->changed);
	pthread_mutex_unlock(&upkeep->lock);
	pthread_join(upkeep->thread, NULL);
	upkeep_free(upkeep);
}

void
upkeep_stopp(struct upkeep **upkeep)
{
	upkeep_stop(*upkeep);
}

void
upkeep_wake(struct upkeep *upkeep)
{
	pthread_mutex_lock(&upkeep->lock);
	upkeep->is_woken = true;
	pthread_cond_signal(&upkeep->changed);
	pthread_mutex_unlock(&upkeep->lock);
}
