#include "otafs/show.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "lib/log.h"

struct showing {
	struct client *signer;
	struct err *err;
};

static int
show_one(const char *name, const json_t *file, void *context)
{
	struct showing *showing = context;
	int r = client_show(showing->signer, name, file, showing->err);

	if (r >= 0 || r == -EAGAIN || r == -ENOMEM || !strcmp(name, "targets"))
		return r < 0 ? r : 0;
	log_line(
	    LOG_WARNING, "delegation not taken by the signer name=%s reason=\"%s\"", name, showing->err->text);
	return 0;
}

int
show_publication(struct core *core, struct err *err)
{
	struct showing showing = { core->signer, err };
	int r;

	if (image_number(core->image) == 0)
		return err_set(err, EAGAIN, "nothing was published yet");
	if ((r = image_each_document(core->image, show_one, &showing)) < 0 ||
	    (r = client_show(core->signer, NULL, NULL, err)) < 0)
		return err_context(
		    err, r, "publication %lld is not shown", (long long)image_number(core->image));
	core->shown = image_number(core->image);
	return 0;
}

void
show_if_new(struct core *core)
{
	struct err err = { 0 };

	if (core->shown != image_number(core->image) && show_publication(core, &err) < 0)
		log_line(LOG_WARNING, "%s", err.text);
}
