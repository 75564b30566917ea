/* Lines of tables: what is taken is printed so that it is taken as the same, and unescaped likewise. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "otafs/csv.h"

static char *fields[CSV_FIELDS_MAX], *again[CSV_FIELDS_MAX];

static char *
print(int count)
{
	char *line = NULL;
	size_t bytes;
	FILE *out = open_memstream(&line, &bytes);

	for (int i = 0; i < count; i++) {
		if (i)
			fputc(';', out);
		csv_print_escaped(fields[i], ';', out);
	}
	fclose(out);
	return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	AUTO(free_p) char *line = strndup((const char *)data, bytes), *printed = NULL;
	struct err err;
	int count;

	count = csv_split(line, csv_separator(line), fields, &err);
	assert(count > 0 || (count == -EINVAL && err.code == EINVAL));
	if (count < 0)
		return 0;
	printed = print(count);
	assert(!strpbrk(printed, "\r\n"));
	assert(csv_split(printed, ';', again, &err) == count);
	for (int i = 0; i < count; i++) {
		assert(csv_unescape(again[i], &err) == 0);
		assert(!strcmp(again[i], fields[i]));
	}
	return 0;
}
