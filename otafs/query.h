/**
 * query/: the devices that a rule means, as lines of text, lines of JSON, or a number.
 *
 * A query is a rule (rule.h), and behind it or alone "after ID", which leaves out all up to that device, and
 * "limit N". So the pages of a long list are "RULE limit 100", "RULE after car99 limit 100", and so on.
 */
#ifndef OTAFS_QUERY_H
#define OTAFS_QUERY_H

#include <stdint.h>
#include <stdio.h>

#include "otafs/node.h"

enum query_form { QUERY_TEXT, QUERY_JSON, QUERY_COUNT };

/**
 * Prints the next piece of the answer to @text; @cursor is "" at first. 1: there may be more, 0: that was all.
 * -EINVAL with the position or the name of what is wrong in @text. To be called without the core's lock.
 */
int query_print(struct core *core, enum query_form form, const char *text, char cursor[static NODE_CURSOR_MAX],
    FILE *out, struct err *err);

/** What query/README says. */
int query_print_readme(FILE *out);

#endif
