/** Texts that people write, and printing into the files of the tree. */
#ifndef OTAFS_TEXT_H
#define OTAFS_TEXT_H

#include <stddef.h>

#include "lib/err.h"

/** A state_name_fn that prints each name on a line of its own to @out, a FILE. */
int text_line(const char *line, void *out);

/** 0, or -EINVAL naming @what: @text is UTF-8 of at most @max bytes, and nothing in it but those in @controls
 * moves a terminal. */
int text_check(const char *text, size_t max, const char *controls, const char *what, struct err *err);

#endif
