#include "gateway/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/cleanup.h"

/** Two paths and the words of a refusal are all that is on a thread's stack. */
#define STACK_BYTES (128 * 1024)

/* First in, first out. */
struct queue {
	struct job *first, **end;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct queue waiting, done;
	bool is_ending;
	char *mount;
	int fd; /* eventfd */
	int threads;
	atomic_int numbers; /* of threads */
	pthread_t thread[];
};

static void
put(struct queue *queue, struct job *job)
{
	job->next = NULL;
	*queue->end = job;
	queue->end = &job->next;
}

static struct job *
get(struct queue *queue)
{
	struct job *job = queue->first;

	if (!job)
		return NULL;
	queue->first = job->next;
	if (!queue->first)
		queue->end = &queue->first;
	return job;
}

/* The next one to do, or NULL when the pool ends. */
static struct job *
wait_for_job(struct pool *pool)
{
	struct job *job;

	pthread_mutex_lock(&pool->lock);
	while (!pool->is_ending && !pool->waiting.first)
		pthread_cond_wait(&pool->work, &pool->lock);
	job = pool->is_ending ? NULL : get(&pool->waiting);
	pthread_mutex_unlock(&pool->lock);
	return job;
}

static void
give_back(struct pool *pool, struct job *job)
{
	bool is_first;

	pthread_mutex_lock(&pool->lock);
	is_first = !pool->done.first;
	put(&pool->done, job);
	pthread_mutex_unlock(&pool->lock);
	if (is_first)
		eventfd_write(pool->fd, 1);
}

static void *
work(void *data)
{
	struct pool *pool = data;
	int number = atomic_fetch_add(&pool->numbers, 1);
	struct tree *tree = NULL;
	struct job *job;

	while ((job = wait_for_job(pool))) {
		if (!tree)
			tree = tree_new(pool->mount, number);
		if (tree)
			job_do(job, tree);
		give_back(pool, job);
	}
	tree_free(tree);
	return NULL;
}

static int
start_threads(struct pool *pool, int threads)
{
	pthread_attr_t attributes;
	int r = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	for (; pool->threads < threads && r == 0; pool->threads += r == 0)
		r = pthread_create(&pool->thread[pool->threads], &attributes, work, pool);
	pthread_attr_destroy(&attributes);
	return r;
}

int
pool_new(const char *mount, int threads, struct pool **out, struct err *err)
{
	AUTO(pool_freep) struct pool *pool = calloc(1, sizeof(*pool) + (size_t)threads * sizeof(pthread_t));
	int r;

	if (!pool)
		return err_set(err, ENOMEM, "no memory");
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	pool->waiting.end = &pool->waiting.first;
	pool->done.end = &pool->done.first;
	pool->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pool->mount = strdup(mount);
	if (pool->fd < 0 || !pool->mount)
		return err_sys(err, "eventfd");
	if ((r = start_threads(pool, threads)) != 0)
		return err_set(err, r, "no thread: %s", strerror(r));
	*out = MOVE(pool);
	return 0;
}

void
pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->is_ending = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	while (pool->threads)
		pthread_join(pool->thread[--pool->threads], NULL);
	close_p(&pool->fd);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool->mount);
	free(pool);
}

void
pool_freep(struct pool **pool)
{
	pool_free(*pool);
}

void
pool_add(struct pool *pool, struct job *job)
{
	pthread_mutex_lock(&pool->lock);
	put(&pool->waiting, job);
	pthread_mutex_unlock(&pool->lock);
	pthread_cond_signal(&pool->work); /* who wakes finds the lock free */
}

bool
pool_take_back(struct pool *pool, struct job *job)
{
	bool is_found = false;

	pthread_mutex_lock(&pool->lock);
	for (struct job **at = &pool->waiting.first; *at; at = &(*at)->next) {
		if (*at != job)
			continue;
		*at = job->next;
		if (!*at)
			pool->waiting.end = at;
		is_found = true;
		break;
	}
	pthread_mutex_unlock(&pool->lock);
	return is_found;
}

int
pool_fd(const struct pool *pool)
{
	return pool->fd;
}

struct job *
pool_next(struct pool *pool)
{
	struct job *job;
	eventfd_t count;

	eventfd_read(pool->fd, &count);
	pthread_mutex_lock(&pool->lock);
	job = get(&pool->done);
	pthread_mutex_unlock(&pool->lock);
	return job;
}
