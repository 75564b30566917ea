#include "watcher/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/steady.h"

int
status_init(struct status *status, int spool)
{
	*status = (struct status){ .dir = spool, .written_ms = -STATUS_MS, .is_stale = true };
	status->lines = malloc(STATUS_TEXT_MAX);
	pthread_mutex_init(&status->lock, NULL);
	return status->lines ? 0 : -ENOMEM;
}

void
status_done(struct status *status)
{
	free(status->lines);
}

void
status_head(struct status *status, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&status->lock);
	status->is_stale = true;
	status->head[0] = '\0';
	va_start(args, format);
	if (format)
		vsnprintf(status->head, sizeof(status->head), format, args);
	va_end(args);
	pthread_mutex_unlock(&status->lock);
}

void
status_clear(struct status *status)
{
	pthread_mutex_lock(&status->lock);
	status->is_stale = true;
	status->used = status->left_out = 0;
	pthread_mutex_unlock(&status->lock);
}

void
status_line(struct status *status, const char *format, ...)
{
	size_t room;
	va_list args;
	int n;

	pthread_mutex_lock(&status->lock);
	room = STATUS_TEXT_MAX - status->used;
	va_start(args, format);
	n = vsnprintf(status->lines + status->used, room, format, args);
	va_end(args);
	if (n < 0 || (size_t)n + 1 >= room) {
		status->left_out++;
	} else {
		status->used += (size_t)n;
		status->lines[status->used++] = '\n';
	}
	pthread_mutex_unlock(&status->lock);
}

void
status_last(struct status *status, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&status->lock);
	va_start(args, format);
	vsnprintf(status->last, sizeof(status->last), format, args);
	va_end(args);
	status->is_stale = true;
	pthread_mutex_unlock(&status->lock);
}

static int
write_text(int dir, const char *text, size_t bytes)
{
	AUTO(close_p)
	int fd = openat(dir, "status.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0 || fchmod(fd, 0644) < 0 || file_write_all(fd, text, bytes) < 0)
		return -1;
	return renameat(dir, "status.tmp", dir, "status");
}

static void
write_now(struct status *status)
{
	AUTO(free_p) char *text = NULL;
	int n;

	n = asprintf(&text, "%s%s%s\n%.*s%s", *status->head ? status->head : "idle",
	    *status->head || !*status->last ? "" : "; last: ", *status->head ? "" : status->last,
	    (int)status->used, status->lines, status->left_out ? "... and more\n" : "");
	if (n < 0) {
		text = NULL;
		return;
	}
	status->written_ms = steady_ms();
	/* A full disk is told elsewhere; here the next try comes by itself. */
	status->is_stale = write_text(status->dir, text, (size_t)n) < 0;
}

void
status_write(struct status *status)
{
	pthread_mutex_lock(&status->lock);
	if (status->is_stale && steady_ms() - status->written_ms >= STATUS_MS)
		write_now(status);
	pthread_mutex_unlock(&status->lock);
}

void
status_flush(struct status *status)
{
	pthread_mutex_lock(&status->lock);
	write_now(status);
	pthread_mutex_unlock(&status->lock);
}
