#include "otafs/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

#include "lib/log.h"

struct batch {
	struct core *core;
	batch_forget_fn forget;
	void *context;
	pthread_t thread;
	pthread_mutex_t
	    lock; /* of what follows; nothing is waited for under it, so it may be taken under the core's */
	pthread_cond_t has_come;
	struct batch_job *first, **last;
	bool is_ending;
};

/* Cuts the first jobs off the queue; NULL: there is no more, and the batch ends. */
static struct batch_job *
take(struct batch *batch)
{
	struct batch_job *jobs, **end;

	pthread_mutex_lock(&batch->lock);
	while (!batch->first && !batch->is_ending)
		pthread_cond_wait(&batch->has_come, &batch->lock);
	jobs = batch->first;
	end = &batch->first;
	for (int i = 0; *end && i < BATCH_MAX; i++)
		end = &(*end)->next;
	if (jobs) {
		batch->first = *end;
		*end = NULL;
		if (!batch->first)
			batch->last = &batch->first;
	}
	pthread_mutex_unlock(&batch->lock);
	return jobs;
}

static int
work_one(struct core *core, struct batch_job *job)
{
	int r = state_begin(core->state, &job->err);

	return r < 0 ? r : state_end(core->state, job->work(job, core, &job->err), &job->err);
}

/* What went well on its own has failed with the transaction. */
static void
fail_all(struct batch_job *jobs, int r, const struct err *err)
{
	log_line(LOG_ERR, "not committed reason=\"%s\"", err->text);
	for (struct batch_job *job = jobs; job; job = job->next)
		if (job->r >= 0) {
			job->r = r;
			job->err = *err;
		}
}

static void
work_all(struct core *core, struct batch_job *jobs)
{
	struct err err = { 0 };
	int r = state_begin(core->state, &err);

	if (r == 0) {
		for (struct batch_job *job = jobs; job; job = job->next)
			job->r = work_one(core, job);
		r = state_end(core->state, 0, &err);
	}
	if (r < 0)
		fail_all(jobs, r, &err);
}

static void
commit(struct batch *batch, struct batch_job *jobs)
{
	struct changes changes;
	struct batch_job *next;

	core_lock(batch->core);
	work_all(batch->core, jobs);
	core_take_changes(batch->core, &changes);
	core_unlock(batch->core);
	batch->forget(batch->context, &changes);
	for (struct batch_job *job = jobs; job; job = next) {
		next = job->next;
		job->done(job, job->r, &job->err);
	}
}

static void *
run(void *argument)
{
	struct batch *batch = argument;
	struct batch_job *jobs;

	while ((jobs = take(batch)))
		commit(batch, jobs);
	return NULL;
}

int
batch_start(struct core *core, batch_forget_fn forget, void *context, struct batch **out, struct err *err)
{
	struct batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return err_set(err, ENOMEM, "no memory for a batch");
	batch->core = core;
	batch->forget = forget;
	batch->context = context;
	batch->last = &batch->first;
	pthread_mutex_init(&batch->lock, NULL);
	pthread_cond_init(&batch->has_come, NULL);
	if (pthread_create(&batch->thread, NULL, run, batch) != 0) {
		free(batch);
		return err_set(err, EAGAIN, "no thread for a batch");
	}
	*out = batch;
	return 0;
}

int
batch_add(struct batch *batch, struct batch_job *job, struct err *err)
{
	bool is_ending;

	pthread_mutex_lock(&batch->lock);
	is_ending = batch->is_ending;
	if (!is_ending) {
		job->next = NULL;
		job->r = 0;
		job->err = (struct err){ 0 };
		*batch->last = job;
		batch->last = &job->next;
	}
	pthread_mutex_unlock(&batch->lock);
	if (!is_ending)
		pthread_cond_signal(&batch->has_come); /* who wakes finds the lock free */
	return is_ending ? err_set(err, ESHUTDOWN, "otafs is ending") : 0;
}

void
batch_end(struct batch *batch)
{
	pthread_mutex_lock(&batch->lock);
	batch->is_ending = true;
	pthread_cond_signal(&batch->has_come);
	pthread_mutex_unlock(&batch->lock);
	pthread_join(batch->thread, NULL);
}

void
batch_free(struct batch *batch)
{
	pthread_cond_destroy(&batch->has_come);
	pthread_mutex_destroy(&batch->lock);
	free(batch);
}
