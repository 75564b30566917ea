/**
 * Rules: which devices are meant. Smart groups and queries are made of them.
 *
 *     RULE   all | TERM | not RULE | RULE and RULE | RULE or RULE | (RULE)       "and" binds closer than "or"
 *     TERM   TEXT is [not] VALUE | TEXT contains VALUE | TEXT position(N) is [not] CHARACTER
 *            hardware is [not] VALUE | hardware contains VALUE           one of its ECUs
 *            package is [not] NAME [VERSION] | version is [not] VERSION  one of its ECUs runs that
 *            status is [not] STATUS | group is [not] NAME
 *            lastseen before TIME | lastseen after TIME | lastseen older than 7d | lastseen newer than 7d
 *     TEXT   deviceid | name | tag(NAME)
 *
 * A value with a space or a parenthesis stands in quotes, "..." or '...'. Letters a-z are the same as A-Z but
 * in names of groups. Positions count characters from 1. What is said of a tag holds only for devices that have
 * it; "not tag(x) is y" is for the others too. TIME is 2026-11-27 or 2026-11-27T12:00:00Z; 7d is 7 days, and w,
 * h, m, s are weeks, hours, minutes and seconds. A device that was never seen was seen before any time.
 * Packages and versions are those of the image repository; what it does not have any more is found by "package
 * is NAME VERSION" if its file was called NAME-VERSION.
 */
#ifndef OTAFS_RULE_H
#define OTAFS_RULE_H

#include "otafs/core.h"
#include "otafs/node.h"

/** Bytes of a rule's text; that of a group has at most so many characters, as always was. */
#define RULE_BYTES_MAX 1000
#define RULE_GROUP_MAX 200
/** "not" and parentheses within one another; groups of which the rule names the next. */
#define RULE_DEPTH_MAX 32
#define RULE_GROUPS_MAX 8

struct rule;

/** Reads a rule. -EINVAL with the position of what was not understood; the caller frees @out. */
int rule_parse(const char *text, struct rule **out, struct err *err);
void rule_free(struct rule *rule);
void rule_freep(struct rule **rule);

/**
 * Whether a rule can be that of group @group, "" for none: -ENOENT for a group that is not there, -ELOOP for
 * one whose rule leads to @group, each with words. With the core's lock, as rule_matches().
 */
int rule_check(struct core *core, const struct rule *rule, const char *group, struct err *err);

/** 1: the rule is true of @device; 0: not, or there is no such device. What the present transaction changed is
 * seen. */
int rule_matches(struct core *core, const struct rule *rule, const char *device, struct err *err);

/**
 * Gives some devices behind @cursor ("" at first) of which the rule is true, at most @most, in order, and moves
 * it. 1: there may be more; 0: that was all; -errno, or what @each returned if not 0, before whose device
 * @cursor then stands. Each call looks at RULE_SLICE devices at most, so it may give none and return 1.
 *
 * To be called without the core's lock, which is taken for a moment; it is not held while @each is called. A
 * group that is not there has no members.
 */
int rule_page(struct core *core, const struct rule *rule, char cursor[static NODE_CURSOR_MAX], size_t most,
    state_name_fn each, void *context, struct err *err);
#define RULE_SLICE 1000

struct found;
/** The same with what was read of each device: what the rule asks about, and @what (FOUND_...). */
typedef int (*rule_found_fn)(const struct found *found, void *context);
int rule_page_found(struct core *core, const struct rule *rule, unsigned what,
    char cursor[static NODE_CURSOR_MAX], size_t most, rule_found_fn each, void *context, struct err *err);

/** The same of what was bound before (bind.h). */
struct bound;
int rule_holds(struct core *core, const struct bound *bound, const char *device, struct err *err);
int rule_page_bound(struct core *core, const struct bound *bound, unsigned what,
    char cursor[static NODE_CURSOR_MAX], size_t most, rule_found_fn each, void *context, struct err *err);

#endif
