#include "sign/delegation.h"

#include <fnmatch.h>
#include <stddef.h>

bool
delegation_allows(const json_t *role, const char *file)
{
	const json_t *paths = json_object_get(role, "paths");

	for (size_t i = 0; i < json_array_size(paths); i++) {
		const char *path = json_string_value(json_array_get(paths, i));

		if (path && fnmatch(path, file, 0) == 0)
			return true;
	}
	return false;
}
