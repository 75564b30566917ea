#include "lib/utc.h"

#include <errno.h>
#include <string.h>
#include <time.h>

void
utc_format(int64_t seconds, char text[static UTC_TEXT_SIZE])
{
	time_t time = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&time, &tm) || strftime(text, UTC_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		strcpy(text, "9999-12-31T23:59:59Z");
}

int
utc_parse(const char *text, int64_t *seconds)
{
	char back[UTC_TEXT_SIZE];
	struct tm tm = { 0 };
	const char *end;

	if (strlen(text) != UTC_TEXT_SIZE - 1)
		return -EINVAL;
	end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!end || *end)
		return -EINVAL;
	*seconds = timegm(&tm);
	utc_format(*seconds, back);
	return strcmp(back, text) ? -EINVAL : 0;
}

int64_t
utc_now(void)
{
	return time(NULL);
}
