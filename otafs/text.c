#include "otafs/text.h"

#include <stdio.h>

int
text_line(const char *line, void *out)
{
	fprintf(out, "%s\n", line);
	return 0;
}
