/**
 * spool/status: what the watcher does now, how far it is, and what it waits for, as text that everybody may
 * read. The file is replaced as a whole, at most every STATUS_MS; it tells of the present and is not worth an
 * fsync. Several threads may tell; each call takes the lock.
 */
#ifndef WATCHER_STATUS_H
#define WATCHER_STATUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATUS_MS 300
/** Lines for the drops that wait; what is more is counted. */
#define STATUS_TEXT_MAX (64 * 1024)

struct status {
	int dir;         /**< the spool, borrowed */
	char head[640];  /**< the first line: what is done now */
	char last[320];  /**< what was done last */
	char *lines;     /**< STATUS_TEXT_MAX: a line for each drop that waits */
	size_t used;     /**< of lines */
	size_t left_out; /**< lines that had no room */
	bool is_stale;   /**< the file does not say yet what stands here */
	int64_t written_ms;
	pthread_mutex_t lock;
};

/** -ENOMEM */
int status_init(struct status *status, int spool);
void status_done(struct status *status);

/** Says what is done now; NULL: idle. */
void status_head(struct status *status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Forgets the lines; then one for each drop that waits. */
void status_clear(struct status *status);
void status_line(struct status *status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Remembers what was done last, for the idle line. */
void status_last(struct status *status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Writes the file now, for a thread that does not come by again soon. */
void status_flush(struct status *status);

/** Writes the file if it is stale and was not written just now. */
void status_write(struct status *status);

#endif
