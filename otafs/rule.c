#include "otafs/rule.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "otafs/bind.h"
#include "otafs/flight.h"
#include "otafs/grammar.h"
#include "otafs/source.h"
#include "otafs/term.h"
#include "state/seen.h"

int
rule_parse(const char *text, struct rule **out, struct err *err)
{
	AUTO(grammar_done) struct grammar grammar;
	int r;

	if ((r = grammar_start(&grammar, text, err)) < 0 || (r = grammar_rule(&grammar)) < 0)
		return r;
	if (grammar.token != TOKEN_END)
		return grammar_refuse(&grammar, "and, or, or the end");
	*out = grammar_take(&grammar);
	return 0;
}

void
rule_free(struct rule *rule)
{
	if (!rule)
		return;
	free(rule->terms);
	free(rule->words);
	free(rule);
}

void
rule_freep(struct rule **rule)
{
	rule_free(*rule);
}

/* ---- following */

int
rule_check(struct core *core, const struct rule *rule, const char *group, struct err *err)
{
	AUTO(bind_done) struct bound bound = { .terms = NULL };

	return bind_rule(core, rule, group, true, &bound, err);
}

int
rule_holds(struct core *core, const struct bound *bound, const char *device, struct err *err)
{
	AUTO(found_done) struct found found = { .id = "" };
	unsigned needs = term_needs(bound, NULL);
	int r;

	if (needs & FOUND_ROW)
		flight_store(core, device); /* the status is one column of it */
	r = state_found(core->state, device, needs, &found, err);
	return r == 0 ? term_holds(bound, NULL, &found) : r < 0 ? r : 0;
}

int
rule_matches(struct core *core, const struct rule *rule, const char *device, struct err *err)
{
	AUTO(bind_done) struct bound bound = { .terms = NULL };
	int r = bind_rule(core, rule, "", false, &bound, err);

	return r < 0 ? r : rule_holds(core, &bound, device, err);
}

struct page {
	struct reader *reader;
	const struct bound *bound;
	const struct bound_term *sure; /* is true of all candidates */
	unsigned what;
	size_t most;
	rule_found_fn each;
	void *context;
	struct err *err;
};

static int
give_one(const struct page *page, const char *id, struct found *found, size_t *given)
{
	int r = reader_found(page->reader, id, page->what, found, page->err);

	if (r < 0)
		return r;
	if (r == STATE_NONE || !term_holds(page->bound, page->sure, found))
		return 0;
	++*given;
	return page->each(found, page->context);
}

/* Goes through the candidates: 1 when @most were given before the last of them. */
static int
give(const struct page *page, const struct ids *ids, char cursor[static NODE_CURSOR_MAX])
{
	AUTO(found_done) struct found found = { .id = "" };
	size_t given = 0;
	int r;

	for (size_t i = 0; i < ids->count; i++) {
		if (given == page->most)
			return 1;
		if ((r = give_one(page, ids->list[i], &found, &given)) != 0)
			return r;
		snprintf(cursor, NODE_CURSOR_MAX, "%s", ids->list[i]);
	}
	return 0;
}

static int
look(struct page *page, char cursor[static NODE_CURSOR_MAX])
{
	AUTO(ids_done) struct ids ids = { .err = page->err };
	AUTO(source_done) struct source source = { .count = 0 };
	int r;

	if ((r = source_choose(page->reader, page->bound, &source, page->err)) < 0 ||
	    (r = source_next(page->reader, &source, cursor, RULE_SLICE, &ids, page->err)) < 0)
		return r;
	page->sure = source.sure;
	page->what |= term_needs(page->bound, source.sure);
	r = give(page, &ids, cursor);
	return r == 0 && ids.count == RULE_SLICE ? 1 : r;
}

/* The reader does not see what is only noted: when devices were seen, and what is in flight. */
static int
bind_now(struct core *core, const struct rule *rule, bool is_start, struct bound *bound, struct err *err)
{
	int r;

	if (is_start)
		flight_flush(core);
	core_lock(core);
	r = bind_rule(core, rule, "", false, bound, err);
	if (r == 0 && is_start && bound->is_seen)
		r = state_seen_flush(core->state, err);
	core_unlock(core);
	return r;
}

int
rule_page_bound(struct core *core, const struct bound *bound, unsigned what,
    char cursor[static NODE_CURSOR_MAX], size_t most, rule_found_fn each, void *context, struct err *err)
{
	struct page page = { core->reader, bound, NULL, what, most, each, context, err };
	int r;

	assert(core->reader);
	if ((r = reader_begin(core->reader, err)) < 0)
		return r;
	r = look(&page, cursor);
	reader_end(core->reader);
	return r;
}

int
rule_page_found(struct core *core, const struct rule *rule, unsigned what, char cursor[static NODE_CURSOR_MAX],
    size_t most, rule_found_fn each, void *context, struct err *err)
{
	AUTO(bind_done) struct bound bound = { .terms = NULL };
	int r = bind_now(core, rule, !*cursor, &bound, err);

	return r < 0 ? r : rule_page_bound(core, &bound, what, cursor, most, each, context, err);
}

static int
keep_id(const struct found *found, void *context)
{
	return ids_add(found->id, context);
}

int
rule_page(struct core *core, const struct rule *rule, char cursor[static NODE_CURSOR_MAX], size_t most,
    state_name_fn each, void *context, struct err *err)
{
	AUTO(ids_done) struct ids ids = { .err = err };
	char end[NODE_CURSOR_MAX];
	int r, told;

	snprintf(end, sizeof(end), "%s", cursor);
	if ((r = rule_page_found(core, rule, 0, end, most, keep_id, &ids, err)) < 0)
		return r;
	for (size_t i = 0; i < ids.count; i++) {
		if ((told = each(ids.list[i], context)) != 0)
			return told;
		snprintf(cursor, NODE_CURSOR_MAX, "%s", ids.list[i]);
	}
	strcpy(cursor, end);
	return r;
}
