#include "otafs/moment.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

int
moment_parse(const char *text, int64_t *seconds)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%SZ%n", "%Y-%m-%d%n",
		"notAfter=%b %d %H:%M:%S %Y GMT%n" };

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, forms[i], &tm);
		int day;

		if (!end || *end)
			continue;
		day = tm.tm_mday;
		*seconds = timegm(&tm);
		/* The 31st of February became another day. */
		return *seconds > 0 && tm.tm_mday == day ? 0 : -EINVAL;
	}
	return -EINVAL;
}
