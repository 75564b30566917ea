#include "otafs/bind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/utc.h"
#include "otafs/rule.h"
#include "state/group.h"

/** Groups that a rule and those of its groups name. */
#define BOUND_MAX 100

/** The groups that one after the other lead here. */
struct chain {
	const char *group;
	const struct chain *before;
	int length;
};

struct binding {
	struct core *core;
	bool is_strict;
	int64_t now;
	int *groups; /* that were bound so far; each can be named often, so the chain's length bounds little */
	struct err *err;
};

static int
bind_in(const struct binding *binding, const struct rule *rule, const struct chain *chain, struct bound *out);

/* ---- packages */

static int
add_file(const struct binding *binding, struct bound_term *term, char *file)
{
	char **files = file ? realloc(term->files, (term->count + 1) * sizeof(*files)) : NULL;

	if (!files) {
		free(file);
		return err_set(binding->err, ENOMEM, "no memory for a rule");
	}
	term->files = files;
	files[term->count++] = file;
	return 0;
}

static bool
is_meant(const struct term *term, const struct target *target)
{
	if (term->field == FIELD_VERSION)
		return !strcasecmp(target->version, term->value);
	return !strcasecmp(target->package, term->value) &&
	       (!term->version || !strcasecmp(target->version, term->version));
}

/* What was taken out of the image repository may run still; by its name it is found then. */
static int
add_convention(const struct binding *binding, const struct term *term, struct bound_term *out)
{
	char *file = NULL;

	if (asprintf(&file, "%s-%s", term->value, term->version) < 0)
		file = NULL;
	return add_file(binding, out, file);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
bind_files(const struct binding *binding, const struct term *term, struct bound_term *out)
{
	const struct target *targets;
	size_t count;
	int r = 0;

	targets = image_targets(binding->core->image, &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (is_meant(term, &targets[i]))
			r = add_file(binding, out, strdup(targets[i].file));
	if (r == 0 && term->version)
		r = add_convention(binding, term, out);
	if (out->count > 1)
		qsort(out->files, out->count, sizeof(*out->files), compare);
	return r;
}

/* ---- groups */

static int
check_chain(const struct binding *binding, const char *group, const struct chain *chain)
{
	for (const struct chain *one = chain; one; one = one->before)
		if (!strcmp(one->group, group))
			return err_set(binding->err, ELOOP, "group %s: its rule leads to itself", group);
	if ((chain && chain->length > RULE_GROUPS_MAX) || ++*binding->groups > BOUND_MAX)
		return err_set(binding->err, ELOOP, "group %s: rules name groups more than %d deep or %d times",
		    group, RULE_GROUPS_MAX, BOUND_MAX);
	return 0;
}

static int
bind_own(
    const struct binding *binding, const struct group *group, const struct chain *chain, struct bound_term *out)
{
	const struct chain here = { group->name, chain, chain ? chain->length + 1 : 1 };
	struct rule *rule = NULL;
	int r = rule_parse(group->rule, &rule, binding->err);

	if (r < 0)
		return r;
	out->group = calloc(1, sizeof(*out->group));
	if (!out->group) {
		rule_free(rule);
		return err_set(binding->err, ENOMEM, "no memory for a rule");
	}
	r = bind_in(binding, rule, &here, out->group);
	out->group->own = rule;
	return r;
}

static int
bind_group(
    const struct binding *binding, const struct term *term, const struct chain *chain, struct bound_term *out)
{
	struct group group = { .name = "" };
	int r = check_chain(binding, term->value, chain);

	if (r == 0)
		r = state_group(binding->core->state, term->value, &group, binding->err);
	if (r == STATE_NONE)
		return binding->is_strict ? err_set(binding->err, ENOENT, "there is no group %s", term->value)
					  : 0;
	if (r < 0 || !group.rule[0])
		return r;
	r = bind_own(binding, &group, chain, out);
	return r < 0 ? err_context(binding->err, r, "group %s", group.name) : 0;
}

/* ---- rules */

static int
bind_term(const struct binding *binding, const struct term *term, const struct chain *chain,
    struct bound_term *out, struct bound *bound)
{
	int r;

	bound->is_seen |= term->kind == TERM_SEEN;
	if (term->kind != TERM_FIELD)
		return 0;
	bound->is_status |= term->field == FIELD_STATUS;
	if (term->field == FIELD_PACKAGE || term->field == FIELD_VERSION)
		return bind_files(binding, term, out);
	if (term->field != FIELD_GROUP)
		return 0;
	r = bind_group(binding, term, chain, out);
	bound->is_seen |= r == 0 && out->group && out->group->is_seen;
	bound->is_status |= r == 0 && out->group && out->group->is_status;
	return r;
}

static int
bind_in(const struct binding *binding, const struct rule *rule, const struct chain *chain, struct bound *out)
{
	int r = 0;

	*out = (struct bound){ .rule = rule, .now = binding->now };
	out->terms = calloc(rule->count, sizeof(*out->terms));
	if (!out->terms)
		return err_set(binding->err, ENOMEM, "no memory for a rule");
	for (size_t i = 0; r == 0 && i < rule->count; i++)
		r = bind_term(binding, &rule->terms[i], chain, &out->terms[i], out);
	return r;
}

int
bind_rule(struct core *core, const struct rule *rule, const char *group, bool is_strict, struct bound *out,
    struct err *err)
{
	int groups = 0;
	const struct binding binding = { core, is_strict, utc_now(), &groups, err };
	const struct chain start = { group, NULL, 1 };

	return bind_in(&binding, rule, *group ? &start : NULL, out);
}

int
bind_rule_at(struct core *core, const struct rule *rule, int64_t now, struct bound *out, struct err *err)
{
	int groups = 0;
	const struct binding binding = { core, false, now, &groups, err };

	return bind_in(&binding, rule, NULL, out);
}

static void
done_term(struct bound_term *term)
{
	for (size_t i = 0; i < term->count; i++)
		free(term->files[i]);
	free(term->files);
	if (!term->group)
		return;
	bind_done(term->group);
	free(term->group);
}

void
bind_done(struct bound *bound)
{
	for (size_t i = 0; bound->terms && i < bound->rule->count; i++)
		done_term(&bound->terms[i]);
	free(bound->terms);
	rule_free(bound->own);
}
