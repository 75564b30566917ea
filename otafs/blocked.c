#include "otafs/blocked.h"

#include <errno.h>

#include "lib/utc.h"

static int
tell(struct core *core, const char *id, const char *who, const char *what, struct err *err)
{
	char text[256];

	snprintf(text, sizeof(text), "%s %s for devices that come in by themselves, by %s", id, what, who);
	return core_tell(core, id, who, what, text, err);
}

int
blocked_add(struct core *core, const char *id, const char *who, struct err *err)
{
	int r;

	if ((r = name_check_device(id, err)) < 0 || (r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_blocked_add(core->state, id, who, utc_now(), err)) == 0)
		r = tell(core, id, who, "blocked", err);
	r = state_end(core->state, r, err);
	return r == STATE_EXISTS ? err_set(err, EEXIST, "%s: is blocked", id) : r;
}

int
blocked_remove(struct core *core, const char *id, const char *who, struct err *err)
{
	int r;

	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_blocked_remove(core->state, id, err)) == 0)
		r = tell(core, id, who, "unblocked", err);
	r = state_end(core->state, r, err);
	return r == STATE_NONE ? err_set(err, ENOENT, "%s: is not blocked", id) : r;
}

int
blocked_find(struct core *core, const char *id, struct err *err)
{
	struct blocked blocked;
	int r = state_blocked(core->state, id, &blocked, err);

	return r == STATE_NONE ? err_set(err, ENOENT, "%s: is not blocked", id) : r;
}

int
blocked_print(struct core *core, const char *id, FILE *out, struct err *err)
{
	struct blocked blocked;
	char since[UTC_TEXT_SIZE];
	int r = state_blocked(core->state, id, &blocked, err);

	if (r)
		return r < 0 ? r : err_set(err, ENOENT, "%s: is not blocked", id);
	utc_format(blocked.created_at, since);
	fprintf(out, "since %s by %s\n", since, blocked.who);
	return 0;
}
