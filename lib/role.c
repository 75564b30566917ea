#include "lib/role.h"

#include <stddef.h>
#include <string.h>

static const char *const roles[ROLE_COUNT] = { "root", "targets", "snapshot", "timestamp" };
static const char *const types[ROLE_COUNT] = { "Root", "Targets", "Snapshot", "Timestamp" };
static const char *const repositories[REPOSITORY_COUNT] = { "image", "director" };

const char *
role_name(enum role role)
{
	return roles[role];
}

const char *
role_type(enum role role)
{
	return types[role];
}

const char *
repository_name(enum repository repository)
{
	return repositories[repository];
}

static int
find(const char *const *names, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (name && !strcmp(names[i], name))
			return i;
	return -1;
}

int
role_of(const char *name)
{
	return find(roles, ROLE_COUNT, name);
}

int
repository_of(const char *name)
{
	return find(repositories, REPOSITORY_COUNT, name);
}
