/** Finds what the names in a rule stand for now: packages the target files, groups their rules. */
#ifndef OTAFS_BIND_H
#define OTAFS_BIND_H

#include "otafs/core.h"
#include "otafs/term.h"

/**
 * With the core's lock; @rule has to live as long as @out.
 *
 * @group:     whose rule it is, "": nobody's.
 * @is_strict: -ENOENT for a group that is not there; else it is one without members.
 *
 * -ELOOP when a group's rule leads to itself. The caller ends @out by bind_done() either way.
 */
int bind_rule(struct core *core, const struct rule *rule, const char *group, bool is_strict, struct bound *out,
    struct err *err);
/** Of nobody, not strict, and ages count from @now. */
int bind_rule_at(struct core *core, const struct rule *rule, int64_t now, struct bound *out, struct err *err);
void bind_done(struct bound *bound);

#endif
