/*
 * Reads that may look through the whole fleet have threads of their own: those of the mount, through which
 * devices hand in, are not theirs to take.
 */
#include "otafs/fs_callback.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/** They share one connection to the database, and little is gained by more. */
#define THREADS 2

struct job {
	struct piece piece;
	void (*answer)(const struct piece *piece);
	struct job *next;
};

struct apart {
	pthread_mutex_t lock; /* of what follows; nothing else is taken under it */
	pthread_cond_t has_come;
	struct job *first, **last;
};

static struct job *
take(struct apart *apart)
{
	struct job *job;

	pthread_mutex_lock(&apart->lock);
	while (!apart->first)
		pthread_cond_wait(&apart->has_come, &apart->lock);
	job = apart->first;
	apart->first = job->next;
	if (!apart->first)
		apart->last = &apart->first;
	pthread_mutex_unlock(&apart->lock);
	return job;
}

static void *
run(void *apart)
{
	for (;;) {
		struct job *job = take(apart);

		job->answer(&job->piece);
		free(job);
	}
	return NULL;
}

int
fs_apart_start(struct apart **out, struct err *err)
{
	struct apart *apart = calloc(1, sizeof(*apart));
	pthread_t thread;

	if (!apart)
		return err_set(err, ENOMEM, "no memory for queries");
	apart->last = &apart->first;
	pthread_mutex_init(&apart->lock, NULL);
	pthread_cond_init(&apart->has_come, NULL);
	/* From here on it lives as long as the process, as its threads do. */
	*out = apart;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, run, apart) != 0)
			return err_set(err, EAGAIN, "no threads for queries");
	return 0;
}

void
fs_apart(const struct piece *piece, void (*answer)(const struct piece *piece))
{
	struct apart *apart = fs_mount_of(piece->request)->fs->apart;
	struct job *job = malloc(sizeof(*job));

	if (!job) {
		fs_fail(piece->request, -ENOMEM);
		return;
	}
	*job = (struct job){ .piece = *piece, .answer = answer };
	pthread_mutex_lock(&apart->lock);
	*apart->last = job;
	apart->last = &job->next;
	pthread_cond_signal(&apart->has_come);
	pthread_mutex_unlock(&apart->lock);
}
