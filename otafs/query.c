#include "otafs/query.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "otafs/flight.h"
#include "otafs/grammar.h"
#include "otafs/rule.h"
#include "otafs/standing.h"
#include "state/find.h"
#include "state/seen.h"

/** Lines of one piece. */
#define PIECE_LINES 500

struct query {
	struct rule *rule;
	char after[NAME_DEVICE_MAX + 1];
	int64_t limit; /**< INT64_MAX: none */
};

static void
query_done(struct query *query)
{
	rule_free(query->rule);
}

/* ---- reading */

static int
read_limit(struct grammar *grammar, int64_t *limit)
{
	const char *word = grammar->token == TOKEN_WORD ? grammar->word : "";
	char *end;

	*limit = strtoll(word, &end, 10);
	if (*word < '0' || *word > '9' || *end || *limit < 1)
		return grammar_refuse(grammar, "a number from 1");
	return grammar_next(grammar);
}

static int
read_after(struct grammar *grammar, struct query *query)
{
	const char *id = "";
	struct err ignored;

	if (grammar->token != TOKEN_WORD || name_check_device(grammar->word, &ignored) < 0)
		return grammar_refuse(grammar, "the id of a device");
	id = grammar->word;
	snprintf(query->after, sizeof(query->after), "%s", id);
	return grammar_next(grammar);
}

static int
read_rest(struct grammar *grammar, struct query *query)
{
	int r = 0;

	while (r == 0 && grammar->token != TOKEN_END) {
		bool is_after = grammar_is(grammar, "after");

		if (!is_after && !grammar_is(grammar, "limit"))
			return grammar_refuse(grammar, "and, or, after, limit or the end");
		if ((r = grammar_next(grammar)) == 0)
			r = is_after ? read_after(grammar, query) : read_limit(grammar, &query->limit);
	}
	return r;
}

static int
read_query(const char *text, struct query *out, struct err *err)
{
	AUTO(grammar_done) struct grammar grammar;
	int r = grammar_start(&grammar, text, err);

	out->limit = INT64_MAX;
	if (r < 0)
		return r;
	r = grammar_is(&grammar, "after") || grammar_is(&grammar, "limit") ? grammar_all(&grammar)
									   : grammar_rule(&grammar);
	if (r < 0 || (r = read_rest(&grammar, out)) < 0)
		return r;
	out->rule = grammar_take(&grammar);
	return 0;
}

/* ---- answering */

struct answer {
	enum query_form form;
	FILE *out;
	int64_t given;
	struct err *err;
};

static void
print_text(const struct found *found, FILE *out)
{
	char seen[UTC_TEXT_SIZE] = "never";

	if (found->seen_at)
		utc_format(found->seen_at, seen);
	fprintf(out, "%s %s %s%s%s\n", found->id, found->status, seen, found->name[0] ? " " : "", found->name);
}

static json_t *
json_tags(const struct found *found)
{
	json_t *tags = json_object();

	for (size_t i = 0; i < found->tags.count; i++)
		json_object_set_new(tags, found->tags.list[i].first, json_string(found->tags.list[i].second));
	return tags;
}

/* Members are called as in device.json. */
static json_t *
json_ecu(const struct found_pair *ecu)
{
	return json_pack("{s:s,s:{s:s?}}", "hardwareId", ecu->first, "installed", "file",
	    ecu->second[0] ? ecu->second : NULL);
}

static json_t *
json_ecus(const struct found *found)
{
	json_t *ecus = json_array();

	for (size_t i = 0; i < found->ecus.count; i++)
		json_array_append_new(ecus, json_ecu(&found->ecus.list[i]));
	return ecus;
}

static json_t *
json_groups(const struct found *found)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < found->groups.count; i++)
		json_array_append_new(groups, json_string(found->groups.list[i].first));
	return groups;
}

static int
print_json(const struct found *found, FILE *out, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	char seen[UTC_TEXT_SIZE];

	if (found->seen_at)
		utc_format(found->seen_at, seen);
	json = json_pack("{s:s,s:s?,s:s,s:s?,s:o,s:o,s:o}", "id", found->id, "name",
	    found->name[0] ? found->name : NULL, "status", found->status, "lastSeen",
	    found->seen_at ? seen : NULL, "tags", json_tags(found), "ecus", json_ecus(found), "groups",
	    json_groups(found));
	text = json ? json_write(json) : NULL;
	if (!text)
		return err_set(err, ENOMEM, "no memory for %s", found->id);
	return fprintf(out, "%s\n", text) < 0 ? err_set(err, ENOMEM, "no memory for %s", found->id) : 0;
}

static int
print_found(const struct found *found, void *context)
{
	struct answer *answer = context;

	answer->given++;
	if (answer->form == QUERY_JSON)
		return print_json(found, answer->out, answer->err);
	if (answer->form == QUERY_TEXT)
		print_text(found, answer->out);
	return 0;
}

/* ---- pieces: the cursor is how many were given, a space, and the device that was looked at last */

/* Only at the start, so that a group that is removed meanwhile does not break an answer off. */
static int
check(struct core *core, const struct query *query, struct err *err)
{
	int r;

	flight_flush(core); /* the answer says which status each has */
	core_lock(core);
	if ((r = rule_check(core, query->rule, "", err)) == 0)
		r = state_seen_flush(core->state, err); /* the answer says when each was seen */
	core_unlock(core);
	return r == -ENOENT || r == -ELOOP ? -EINVAL : r;
}

static int
start(struct core *core, const struct query *query, const char *cursor, int64_t *given,
    char last[static NODE_CURSOR_MAX], struct err *err)
{
	const char *space = strchr(cursor, ' ');

	*given = strtoll(cursor, NULL, 10);
	snprintf(last, NODE_CURSOR_MAX, "%s", space ? space + 1 : query->after);
	return space ? 0 : check(core, query, err);
}

static size_t
room(const struct query *query, enum query_form form, int64_t given)
{
	int64_t left = query->limit - given, most = form == QUERY_COUNT ? RULE_SLICE : PIECE_LINES;

	return (size_t)(left < most ? left : most);
}

int
query_print(struct core *core, enum query_form form, const char *text, char cursor[static NODE_CURSOR_MAX],
    FILE *out, struct err *err)
{
	AUTO(query_done) struct query query = { .rule = NULL };
	struct answer answer = { .form = form, .out = out, .err = err };
	static const unsigned of_form[] = { [QUERY_TEXT] = FOUND_ROW,
		[QUERY_JSON] = FOUND_ROW | FOUND_TAGS | FOUND_ECUS | FOUND_GROUPS,
		[QUERY_COUNT] = 0 };
	char last[NODE_CURSOR_MAX];
	int r;

	if ((r = read_query(text, &query, err)) < 0 ||
	    (r = start(core, &query, cursor, &answer.given, last, err)) < 0)
		return r;
	r = rule_page_found(
	    core, query.rule, of_form[form], last, room(&query, form, answer.given), print_found, &answer, err);
	if (r < 0)
		return r;
	if (answer.given >= query.limit)
		r = 0;
	if (r == 0 && form == QUERY_COUNT)
		fprintf(out, "%" PRId64 "\n", answer.given);
	snprintf(cursor, NODE_CURSOR_MAX, "%" PRId64 " %.64s", answer.given, last);
	return r;
}

/* ---- README */

static const char readme[] =
    "The devices that a rule means:\n"
    "\n"
    "  cat 'query/text/RULE'        a line each: id, status, when last seen, name\n"
    "  cat 'query/json/RULE'        a line of JSON each\n"
    "  cat 'query/count/RULE'       how many\n"
    "\n"
    "A rule is made of\n"
    "\n"
    "  deviceid contains X          deviceid is X          deviceid position(1) is C\n"
    "  name contains X              name is X              name position(1) is C\n"
    "  tag(NAME) contains X         tag(NAME) is X         tag(NAME) position(1) is C\n"
    "  hardware is X                hardware contains X    one of its ECUs\n"
    "  package is NAME [VERSION]    version is VERSION     one of its ECUs runs that\n"
    "  status is STATUS             group is NAME          all\n"
    "  lastseen before 2026-11-27   lastseen after 2026-11-27T12:00:00Z\n"
    "  lastseen older than 7d       lastseen newer than 2h\n"
    "\n"
    "with \"is not\" for \"is\", and with not, and, or, and parentheses; \"and\" binds closer than \"or\".\n"
    "A value with a space stands in quotes, \"...\" or '...'. Upper and lower case are the same, but in names "
    "of\n"
    "groups. A slash cannot stand in the name of a file: use \"contains\" with what is beside it.\n"
    "\n"
    "Behind it, or alone: after ID, limit N. Devices come in the order of their ids.\n"
    "\n"
    "  cat 'query/text/status is Error and tag(region) is EU'\n"
    "  cat 'query/json/package is app 1.0 and lastseen newer than 7d limit 100' | jq -r .id\n"
    "\n"
    "\"Invalid argument\" means that a rule is not understood: the last line of the file why at the top says "
    "where.\n"
    "\n"
    "STATUS is one of";

int
query_print_readme(FILE *out)
{
	fputs(readme, out);
	for (size_t i = 0; i < standing_name_count; i++)
		fprintf(out, " %s", standing_names[i]);
	return fputc('\n', out) < 0 ? -ENOMEM : 0;
}
