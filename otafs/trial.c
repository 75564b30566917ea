#include "otafs/trial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/name.h"
#include "lib/utc.h"

int
trial_open(struct core *core, const char *path, const char *who, const char *command, struct trial *out,
    struct err *err)
{
	char now[UTC_TEXT_SIZE], line[128], shown[256];

	*out = (struct trial){ .core = core, .path = path };
	out->told = open_memstream(&out->text, &out->bytes);
	if (!out->told)
		return err_set(err, ENOMEM, "no memory for a trial");
	utc_format(utc_now(), now);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(command, "\n"), command);
	fprintf(out->told, "%s %s: %s%s\n", now, who, name_printable(line, shown, sizeof(shown)),
	    strchr(command, '\n') && strchr(command, '\n')[1] ? " ..." : "");
	return 0;
}

int
trial_close(struct trial *trial, int r, const struct err *err)
{
	struct trials *trials = &trial->core->trials;
	size_t place = 0;

	if (r < 0)
		fprintf(trial->told, "would be refused: %s\n", err->text);
	fclose(trial->told);
	while (place < TRIALS_MAX && strcmp(trials->list[place].path, trial->path))
		place++;
	if (place == TRIALS_MAX)
		place = trials->next++ % TRIALS_MAX;
	free(trials->list[place].text);
	snprintf(trials->list[place].path, sizeof(trials->list[place].path), "%s", trial->path);
	trials->list[place].text = MOVE(trial->text);
	return r;
}

int
trial_print(const struct core *core, const char *path, FILE *out)
{
	for (size_t i = 0; i < TRIALS_MAX; i++)
		if (core->trials.list[i].text && !strcmp(core->trials.list[i].path, path))
			fputs(core->trials.list[i].text, out);
	return 0;
}

void
trials_free(struct core *core)
{
	for (size_t i = 0; i < TRIALS_MAX; i++)
		free(core->trials.list[i].text);
}
