#include "otafs/life.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <unistd.h>

/* What both threads say to one another. */
struct life {
	int fd;
	bool is_apart;
	sem_t is_begun;
};

static void *
live(void *argument)
{
	struct life *life = argument;
	unsigned fd = (unsigned)life->fd;

	life->is_apart = unshare(CLONE_FILES) == 0 && (fd == 0 || close_range(0, fd - 1, 0) == 0) &&
			 close_range(fd + 1, ~0U, 0) == 0;
	sem_post(&life->is_begun);
	for (;;)
		pause();
	return NULL;
}

int
life_begin(int fd, struct err *err)
{
	static struct life life;
	pthread_t thread;

	life.fd = fd;
	sem_init(&life.is_begun, 0, 0);
	if (pthread_create(&thread, NULL, live, &life) != 0)
		return err_set(err, EAGAIN, "no thread that tells of the end");
	while (sem_wait(&life.is_begun) < 0)
		;
	close(fd);
	return life.is_apart ? 0 : err_set(err, EPERM, "a thread cannot have files of its own");
}
