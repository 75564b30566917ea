#include "ceremony/change.h"

#include <stdbool.h>
#include <string.h>

#include "ceremony/document.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "sign/key.h"
#include "sign/root.h"

void
change_when(int64_t seconds, int64_t now, char text[static 48])
{
	int64_t left = seconds > now ? seconds - now : now - seconds;
	const char *unit = left >= 2 * 86400 ? "days" : left >= 2 * 3600 ? "hours" : "minutes";
	int64_t count = left / (*unit == 'd' ? 86400 : *unit == 'h' ? 3600 : 60);

	snprintf(text, 48, seconds > now ? "in %lld %s" : "%lld %s ago", (long long)count, unit);
}

const char *
change_key_kind(const json_t *keys, const char *keyid, char text[static 24])
{
	AUTO(public_key_freep) struct public_key *key = NULL;
	struct err ignored;

	if (public_key_read(json_object_get(keys, keyid), "key", &key, &ignored) < 0)
		return "unreadable";
	snprintf(text, 24, "%s", public_key_kind(key));
	return text;
}

/* The id by which @root gives @role to the key that @from calls @keyid; NULL: it does not. */
static const char *
id_in(const json_t *root, enum role role, const json_t *from, const char *keyid)
{
	char public_id[DIGEST_HEX_SIZE];

	return root && root_resolve(from, keyid, public_id) ? root_id_of(root, role, public_id) : NULL;
}

/* @before: the id that it had, if it was there. */
static void
print_key(FILE *to, char mark, const json_t *root, const char *keyid, const char *before)
{
	bool is_renamed = before && strcmp(before, keyid) != 0;
	char kind[24];

	fprintf(to, "  %c %s  %s%s%s\n", mark, keyid,
	    change_key_kind(json_object_get(root, "keys"), keyid, kind), is_renamed ? ", was called " : "",
	    is_renamed ? before : "");
}

static void
print_role(FILE *to, const json_t *current, const json_t *next, enum role role)
{
	const json_t *ids = root_keyids(next, role), *before = root_keyids(current, role);

	fprintf(to, "%-10s %d of %zu", role_name(role), root_threshold(next, role), json_array_size(ids));
	if (current && (root_threshold(current, role) != root_threshold(next, role) ||
			   json_array_size(before) != json_array_size(ids)))
		fprintf(to, ", was %d of %zu", root_threshold(current, role), json_array_size(before));
	fputc('\n', to);
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i)) ?: "";
		const char *had = id_in(current, role, next, id);

		print_key(to, had ? ' ' : '+', next, id, had);
	}
	for (size_t i = 0; i < json_array_size(before); i++) {
		const char *id = json_string_value(json_array_get(before, i)) ?: "";

		if (!id_in(next, role, current, id))
			print_key(to, '-', current, id, NULL);
	}
}

void
change_print_roles(FILE *to, const json_t *current, const json_t *next)
{
	for (enum role role = 0; role < ROLE_COUNT; role++)
		print_role(to, current, next, role);
}

static void
print_expiry(FILE *to, const json_t *current, const json_t *next, int64_t now)
{
	struct err ignored;
	int64_t expires;
	char when[48];

	if (envelope_expires(next, "root", &expires, &ignored) < 0)
		return;
	change_when(expires, now, when);
	fprintf(to, "%-10s %s, %s", "expires", json_text(next, "expires"), when);
	if (current)
		fprintf(to, ", was %s", json_text(current, "expires") ?: "?");
	fputc('\n', to);
}

void
change_print(FILE *to, const json_t *current, const json_t *next, int64_t now)
{
	fprintf(to, "%-10s %lld", "version", (long long)json_integer_value(json_object_get(next, "version")));
	if (current)
		fprintf(to, ", was %lld", (long long)json_integer_value(json_object_get(current, "version")));
	fputc('\n', to);
	print_expiry(to, current, next, now);
	change_print_roles(to, current, next);
}

/* One line for the threshold and one for each key. Returns how many are missing. */
static int
print_signers(FILE *to, const struct draft *draft, const json_t *root, const char *which)
{
	const json_t *ids = root_keyids(root, ROLE_ROOT);
	int have = draft_count(draft, root), need = root_threshold(root, ROLE_ROOT);

	fprintf(to, "signatures by root keys of the %s root: %d of %d needed\n", which, have, need);
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i)) ?: "";
		char kind[24];

		fprintf(to, "    %s  %-8s  %s\n", id, change_key_kind(json_object_get(root, "keys"), id, kind),
		    draft_has_signed(draft, id) ? "has signed" : "has not signed");
	}
	return have < need ? need - have : 0;
}

int
change_print_signatures(FILE *to, const struct draft *draft)
{
	int missing = 0;

	if (draft->current)
		missing += print_signers(to, draft, json_object_get(draft->current, "signed"), "current");
	missing += print_signers(to, draft, draft->next, "next");
	fputs(missing ? "more have to sign\n" : "enough have signed\n", to);
	return missing;
}
