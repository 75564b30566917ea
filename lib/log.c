#include "lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/** Longest line; what is longer is cut. */
#define LOG_LINE_MAX 1024

void
log_line(int level, const char *format, ...)
{
	char words[LOG_LINE_MAX], line[4 * LOG_LINE_MAX + 8];
	size_t n = 0;
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);

	n = (size_t)snprintf(line, sizeof(line), "<%d>", level);
	for (const char *p = words; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c >= 0x20 && c != 0x7f)
			line[n++] = *p;
		else
			n += (size_t)snprintf(line + n, sizeof(line) - n, "\\x%02x", c);
	}
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nobody is left to tell */
}
