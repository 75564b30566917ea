#include "store/release.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
release_target(const struct release *release, char target[static NAME_TARGET_MAX + 1])
{
	if (*release->target)
		snprintf(target, NAME_TARGET_MAX + 1, "%s", release->target);
	else
		snprintf(target, NAME_TARGET_MAX + 1, "%s-%s", release->name, release->version);
}

struct release *
releases_add(struct releases *releases)
{
	struct release *list = realloc(releases->list, (releases->count + 1) * sizeof(*list));

	if (!list)
		return NULL;
	releases->list = list;
	memset(&list[releases->count], 0, sizeof(*list));
	return &list[releases->count++];
}

void
releases_done(struct releases *releases)
{
	for (size_t i = 0; i < releases->count; i++) {
		json_decref(releases->list[i].hardware);
		json_decref(releases->list[i].comment);
		json_decref(releases->list[i].custom);
		json_decref(releases->list[i].uri);
	}
	free(releases->list);
	*releases = (struct releases){ 0 };
}
