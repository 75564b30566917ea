/** Looks for bytes in all memory of this process. */
#ifndef TESTS_UNIT_MEMORY_H
#define TESTS_UNIT_MEMORY_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/** Larger areas are shadow memory of the sanitizers. */
#define MEMORY_AREA_MAX (64UL << 20)
/** Longest bytes looked for. */
#define MEMORY_BYTES_MAX 128

static inline int
memory_count_page(const unsigned char *page, size_t bytes, const unsigned char *masked, size_t n)
{
	int found = 0;

	for (size_t i = 0; i + n <= bytes; i++) {
		size_t same = 0;

		while (same < n && (page[i + same] ^ masked[same]) == 0xff)
			same++;
		found += same == n;
	}
	return found;
}

/**
 * How often the bytes stand in memory that can be read and written, or -1. @masked: each byte ^ 0xff, so that
 * the question itself is not found.
 */
static inline int
memory_count(const unsigned char *masked, size_t n)
{
	/* The end of one page is kept before the next, for what lies across. */
	static unsigned char window[MEMORY_BYTES_MAX + 4096];
	FILE *maps = fopen("/proc/self/maps", "r");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC), found = 0;
	unsigned long from, to;
	char line[512], mode[8];

	if (!maps || mem < 0 || n > MEMORY_BYTES_MAX)
		return -1;
	while (fgets(line, sizeof(line), maps)) {
		size_t kept = 0;

		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || strncmp(mode, "rw", 2) != 0 ||
		    to - from > MEMORY_AREA_MAX)
			continue;
		for (; from < to; from += 4096) {
			/* What is looked through must not be found in the window. */
			if (from + 4096 > (unsigned long)(uintptr_t)window &&
			    from < (unsigned long)(uintptr_t)window + sizeof(window))
				continue;
			if (pread(mem, window + kept, 4096, (off_t)from) != 4096) {
				kept = 0;
				continue;
			}
			found += memory_count_page(window, kept + 4096, masked, n);
			memmove(window, window + kept + 4096 - (n - 1), n - 1);
			kept = n - 1;
		}
	}
	memset(window, 0, sizeof(window));
	fclose(maps);
	close(mem);
	return found;
}

#endif
