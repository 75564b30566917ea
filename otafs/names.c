#include "otafs/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/role.h"

const char *
names_last(const struct node *node)
{
	const char *slash = strrchr(node->path, '/');

	return slash ? slash + 1 : node->path;
}

int
names_pass(const char *name, void *context)
{
	struct names *names = context;

	return names->each(name, names->mode, names->context);
}

int
names_page_pass(const char *name, void *context)
{
	struct names_page *page = context;
	int r = names_pass(name, &page->names);

	snprintf(page->cursor, NODE_CURSOR_MAX, "%s", name);
	page->count++;
	return r;
}

int
names_page_end(const struct names_page *page, int r)
{
	return r < 0 ? r : page->count == NAMES_PAGE;
}

int
names_root_version(const char *name)
{
	char *end;
	long version;

	if (!strcmp(name, "root.json"))
		return 0;
	if (*name < '1' || *name > '9')
		return -1;
	version = strtol(name, &end, 10);
	return !strcmp(end, ".root.json") && version < INT32_MAX ? (int)version : -1;
}

int
names_role(const char *name)
{
	for (enum role role = ROLE_TARGETS; role < ROLE_COUNT; role++) {
		size_t n = strlen(role_name(role));

		if (!strncmp(name, role_name(role), n) && !strcmp(name + n, ".json"))
			return (int)role;
	}
	return -1;
}
