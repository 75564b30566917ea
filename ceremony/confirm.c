#include "ceremony/confirm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

int
confirm(const char *question, struct err *err)
{
	AUTO(fclose_p) FILE *terminal = fopen("/dev/tty", "r+e");
	char answer[16];

	if (!terminal)
		return err_set(err, ENOTTY, "there is no terminal to ask on; --yes says yes");
	fprintf(terminal, "%s Type yes: ", question);
	fflush(terminal);
	if (fgets(answer, sizeof(answer), terminal) && !strcmp(answer, "yes\n"))
		return 0;
	return err_set(err, ECANCELED, "not confirmed; nothing was done");
}
