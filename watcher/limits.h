/**
 * What a builder may push: the file build_limits, see otafs.conf(5).
 *
 *     BUILDER [names=PATTERN,...] [hardware=PATTERN,...] [refs=PATTERN,...] [until=DATE] [push-only]
 *
 * The first line whose BUILDER, a pattern too, is his counts; who has none has no limits. Owners are not asked
 * for theirs.
 */
#ifndef WATCHER_LIMITS_H
#define WATCHER_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/json.h"

/** Largest build_limits file. */
#define LIMITS_FILE_MAX (64 * 1024)

struct limits {
	char *line;                    /**< what the patterns point into */
	char *names, *hardware, *refs; /**< patterns, separated by commas; NULL: no limit */
	bool is_push_only;             /**< neither signed metadata nor upkeep */
	int64_t until;                 /**< seconds since 1970, when he stops being a builder; 0: never */
};

/** Reads those of @builder in the file @path; without the file there are none. -EINVAL naming the line, or
 * another -errno. To be ended with limits_done() in every case. */
int limits_read(struct limits *limits, const char *path, const char *builder, struct err *err);

/** The same of a file's text. */
int limits_parse(struct limits *limits, const char *text, const char *builder, struct err *err);
void limits_done(struct limits *limits);

/** An answer: he may not; the words say which limit it is. */
#define LIMITS_REFUSED 10

/** Whether he is one (still): 0 or LIMITS_REFUSED. */
int limits_check_time(const struct limits *limits, int64_t now, struct err *err);

/** Whether he may set @ref. */
int limits_check_ref(const struct limits *limits, const char *ref, struct err *err);

/** Whether he may offer the package @name for each id of the array @hardware. */
int
limits_check_package(const struct limits *limits, const char *name, const json_t *hardware, struct err *err);

/**
 * Whether he may change target @file, which was @before and will be @after; one of them may be NULL. With a
 * @file of NULL: whether he may change whom targets trust. The form is that of an image_judge_fn, @limits a
 * struct limits.
 */
int limits_judge(const char *file, const json_t *before, const json_t *after, void *limits, struct err *err);

#endif
