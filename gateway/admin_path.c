#include "gateway/admin_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/uri.h"

#define TREE "/tree"
/** Digits of ?from=N. */
#define DIGITS_MAX 18

/* Up to the query. */
static int
decode(const char *at, char out[static ADMIN_PATH_SIZE], struct err *err)
{
	size_t n = 0;

	while (*at && *at != '?' && *at != '#') {
		int byte = uri_byte(&at);

		if (byte < 0x20 || byte == 0x7f)
			return err_set(err, EINVAL, "the path has a byte that no name has");
		if (byte == '/' && (n == 0 || out[n - 1] == '/'))
			continue;
		if (n + 1 >= ADMIN_PATH_SIZE)
			return err_set(
			    err, ENAMETOOLONG, "the path is longer than %d bytes", ADMIN_PATH_SIZE - 1);
		out[n++] = (char)byte;
	}
	while (n && out[n - 1] == '/')
		n--;
	out[n] = '\0';
	return uri_has_dots(out) ? err_set(err, EINVAL, "the path has a part that is no name") : 0;
}

static int
parse_query(const char *query, struct admin_target *out, struct err *err)
{
	size_t digits;

	if (!strcmp(query, "link")) {
		out->is_link = true;
		return 0;
	}
	digits = strncmp(query, "from=", 5) ? 0 : strspn(query + 5, "0123456789");
	if (digits == 0 || digits > DIGITS_MAX || query[5 + digits])
		return err_set(err, EINVAL, "the query is neither \"link\" nor \"from=N\"");
	out->from = strtoll(query + 5, NULL, 10);
	return 0;
}

/* Below /tree, or there itself. */
static bool
is_tree(const char *target)
{
	size_t n = strlen(TREE);

	return !strncmp(target, TREE, n) && (target[n] == '/' || target[n] == '?' || target[n] == '\0');
}

int
admin_target_parse(const char *target, struct admin_target *out, struct err *err)
{
	const char *query;
	int r;

	*out = (struct admin_target){ .place = ADMIN_NOWHERE };
	while (target[0] == '/' && target[1] == '/')
		target++;
	if (!strcmp(target, "/whoami"))
		out->place = ADMIN_WHOAMI;
	if (!is_tree(target))
		return 0;
	out->place = ADMIN_TREE;
	if ((r = decode(target + strlen(TREE), out->path, err)) < 0)
		return r;
	query = strchr(target, '?');
	return query && query[1] ? parse_query(query + 1, out, err) : 0;
}

int
admin_destination_parse(const char *value, struct admin_target *out, struct err *err)
{
	const char *host = strncmp(value, "https://", 8) ? NULL : value + 8;
	int r = admin_target_parse(host ? host + strcspn(host, "/") : value, out, err);

	if (r == 0 && out->place != ADMIN_TREE)
		return err_set(err, EINVAL, "the header Destination is no path below /tree/");
	return r;
}
