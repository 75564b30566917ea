/**
 * The log of signatures as it lies on disk, for whoever reads it: files 1.log, 2.log, ... of JSON lines.
 *
 *     {"n":7,"time":"2026-11-27T09:00:00Z","uid":998,"repository":"director","role":"targets","version":3,
 *      "device":"car7","sha256":HEX of the canonical signed part,"previous":HEX}
 *     {"n":8,"time":"...","event":"file" | "torn" | "clock" | "issuer","text":"...",...,"previous":HEX}
 *     {"n":9,"time":"...","uid":998,"event":"certificate","device":"car7","serial":HEX,"expires":"...",
 *      "sha256":HEX of the DER,"previous":HEX}
 *
 * "n" counts all lines; "previous" is the SHA-256 of the line before, without its newline, also from one file
 * to the next. Each file starts with an event "file", which also has "newest", the time of the newest signature
 * before it; so older files may be thrown away. Event "clock": from here on earlier times are right again.
 */
#ifndef SIGN_CHAIN_H
#define SIGN_CHAIN_H

#include <jansson.h>
#include <stdint.h>

#include "lib/digest.h"
#include "lib/err.h"

/** A file has no more; the next one is begun. */
#define CHAIN_FILE_MAX (64 * 1024 * 1024)
/** A line has no more, and not half of it. */
#define CHAIN_LINE_MAX 2048

/** How far a chain was followed. {0} to begin with the first line of whatever file comes. */
struct chain {
	int64_t number;                 /**< of the last line; 0: none was read yet */
	int64_t newest;                 /**< when the newest signature was made, seconds; 0: not known */
	int64_t bytes;                  /**< whole lines that chain, in the file that was read last */
	int64_t lines;                  /**< their number */
	char previous[DIGEST_HEX_SIZE]; /**< SHA-256 of the last line */
};

/** The numbers of the oldest and of the newest file in folder @dir, 0 for none, and the bytes of them all. */
int chain_files(int dir, int *first, int *last, int64_t *bytes, struct err *err);

/** The file's name. */
void chain_file_name(int file, char name[static 32]);

/** Called for each line that chains; a result that is not 0 ends the reading and is returned. */
typedef int chain_line_fn(const json_t *line, void *context);

/** The file ends within a line. */
#define CHAIN_TORN 1

/**
 * Follows @chain through file @file. 0; CHAIN_TORN; -EBADMSG naming file, line and what does not fit, with
 * @chain at the last line that does; or another -errno. @each may be NULL.
 */
int chain_read(int dir, int file, struct chain *chain, chain_line_fn *each, void *context, struct err *err);

/** Takes @line (of @bytes, without its newline) for the next one of @chain; -EBADMSG with words if it is not.
 */
int chain_follow(struct chain *chain, const char *line, size_t bytes, json_t **out, struct err *err);

/** The same for whoever has just made it, of a signature at @time: it is not read. */
void chain_add(struct chain *chain, const char *line, size_t bytes, int64_t time);

#endif
