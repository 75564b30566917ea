/** Texts that people write, and printing into the files of the tree. */
#ifndef OTAFS_TEXT_H
#define OTAFS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/** A state_name_fn that prints each name on a line of its own to @out, a FILE. */
int text_line(const char *line, void *out);

/** 0, or -EINVAL naming @what: @text is UTF-8 of at most @max bytes, and nothing in it but those in @controls
 * moves a terminal. */
int text_check(const char *text, size_t max, const char *controls, const char *what, struct err *err);

/** What may stand around a word or a command. */
#define TEXT_BLANKS " \t\r\n"
/** Cuts them off both ends of @text, in place, and returns where it begins then. */
char *text_trim(char *text);

/** The lines of a command in one, "app 1.0; fw 2.0", for a line of something else; cut to @room. Returns @out.
 */
const char *text_one_line(const char *text, char *out, size_t room);

/** "3 d 4 h" and its 0. */
#define TEXT_DURATION_SIZE 48
/** Writes a length of time in its two largest units: "12 s", "4 min 3 s", "2 h 10 min", "3 d 4 h". */
void text_duration(int64_t seconds, char out[static TEXT_DURATION_SIZE]);

#endif
