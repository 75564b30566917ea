#include "otafs/admit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/device.h"
#include "otafs/group.h"
#include "otafs/tag.h"
#include "otafs/token.h"
#include "state/blocked.h"

/* Who comes in, by what. */
struct arrival {
	struct core *core;
	const char *id;
	struct token token;
	char who[STATE_WHO_MAX]; /* "token NAME": the maker of the device, and the source of its certificate */
	bool is_known;           /* it comes again */
	char has[NAME_SERIAL_MAX + 1]; /* its certificate then, or "" */
	struct reply *reply;
};

/* The refusal is set: 1. */
static int
refuse(struct arrival *arrival, int status, const char *code, const char *description)
{
	reply_refuse(arrival->reply, status, code, description);
	return 1;
}

static int
check_token(struct arrival *arrival)
{
	const struct token *token = &arrival->token;
	char text[128];

	if (token->expires_at && token->expires_at <= utc_now()) {
		snprintf(text, sizeof(text), "enrolment token %s has expired", token->name);
		return refuse(arrival, 403, "token_expired", text);
	}
	if (!arrival->is_known && token->most && token->used >= token->most) {
		snprintf(text, sizeof(text), "enrolment token %s has made %lld of %lld devices", token->name,
		    (long long)token->used, (long long)token->most);
		return refuse(arrival, 403, "token_used_up", text);
	}
	return 0;
}

/* Its answer may have been lost: it came in by the same token, and nothing was heard of it since. */
static int
may_come_again(struct arrival *arrival, const struct device *device, struct err *err)
{
	int r;

	if (device->seen_at || device->activated_at)
		return 0;
	r = state_certificates_unused(arrival->core->state, device->id, arrival->who, err);
	return r < 0 ? r : r == 0;
}

static int
copy_name(const char *name, void *out)
{
	snprintf(out, NAME_SERIAL_MAX + 1, "%s", name);
	return 1;
}

static int
check_device(struct arrival *arrival, struct err *err)
{
	struct blocked blocked;
	struct device device;
	int r = state_device(arrival->core->state, arrival->id, &device, err);

	if (r == 0 && (r = may_come_again(arrival, &device, err)) >= 0) {
		arrival->is_known = r == 1;
		return r == 1 ? 0
			      : refuse(arrival, 409, "device_already_registered",
				    "there is such a device, and it has not come in by this token just now");
	}
	if (r < 0 || (r = state_blocked(arrival->core->state, arrival->id, &blocked, err)) < 0)
		return r;
	return r == STATE_NONE
		   ? 0
		   : refuse(arrival, 403, "device_blocked",
			 "this id is blocked, as that of a deleted device is; an administrator may unblock it");
}

/* 0: it may; 1: it is refused; or -errno. */
static int
check(struct arrival *arrival, const char *token, struct err *err)
{
	struct err why;
	int r;

	if (name_check_device(arrival->id, &why) < 0)
		return refuse(arrival, 400, "invalid_device_id", why.text);
	if ((r = token_find(arrival->core, token, &arrival->token, err)) < 0)
		return r;
	snprintf(arrival->who, sizeof(arrival->who), "token %s", arrival->token.name);
	if ((r = check_device(arrival, err)) != 0 || (r = check_token(arrival)) != 0)
		return r;
	if (arrival->is_known)
		r = state_certificates(arrival->core->state, arrival->id, copy_name, arrival->has, err);
	return r < 0 ? r : 0;
}

int
admit_check(struct core *core, const char *token, const char *device, char has[static NAME_SERIAL_MAX + 1],
    struct reply *reply, struct err *err)
{
	struct arrival arrival = { .core = core, .id = device, .reply = reply };
	int r;

	core_lock(core);
	r = check(&arrival, token, err);
	core_unlock(core);
	strcpy(has, arrival.has);
	return r;
}

/* ---- letting it in */

static int
add_certificate(const struct arrival *arrival, const struct issued *issued, struct err *err)
{
	struct state *state = arrival->core->state;
	int r;

	if ((r = state_certificate_add(state, arrival->id, issued->serial, utc_now(), err)) != 0)
		return r < 0 ? r : err_set(err, EEXIST, "certificate %s is known", issued->serial);
	if ((r = state_certificate_expires(state, arrival->id, issued->serial, issued->expires_at, err)) < 0 ||
	    (r = state_certificate_source(state, arrival->id, issued->serial, arrival->who, err)) < 0)
		return r;
	core_certificate_changed(arrival->core, arrival->id, issued->serial);
	return 0;
}

static int
tell_certificate(const struct arrival *arrival, const char *serial, const char *why, struct err *err)
{
	char text[256];

	snprintf(text, sizeof(text), "certificate %s accepted by %s%s", serial, arrival->who, why);
	return state_happened(arrival->core->state,
	    &(struct happening){ .device = arrival->id,
		.at = utc_now(),
		.who = arrival->who,
		.what = "certificate_accepted",
		.text = text,
		.is_chatter = arrival->is_known },
	    err);
}

/* What was answered before is good for nothing any more. */
static int
remove_certificates(const struct arrival *arrival, struct err *err)
{
	struct state *state = arrival->core->state;
	char serial[NAME_SERIAL_MAX + 1];
	int r;

	while ((r = state_certificates(state, arrival->id, copy_name, serial, err)) == 1) {
		if ((r = state_certificate_remove(state, arrival->id, serial, err)) < 0)
			return r;
		core_certificate_changed(arrival->core, arrival->id, serial);
	}
	return r;
}

static int
let_in_again(const struct arrival *arrival, const struct issued *issued, struct err *err)
{
	int r;

	if ((r = remove_certificates(arrival, err)) < 0 || (r = add_certificate(arrival, issued, err)) < 0)
		return r;
	return tell_certificate(
	    arrival, issued->serial, ", in place of those before: the device asked again", err);
}

/* That the group is not what it was when the token was given it is no reason to keep a device out. */
static int
join_group(const struct arrival *arrival, struct err *err)
{
	char text[ERR_TEXT_MAX + NAME_GROUP_MAX + 64];
	int r = group_put(arrival->core, arrival->token.group, arrival->id, arrival->who, err);

	if (r != -ENOENT && r != -EPERM && r != -EINVAL)
		return r;
	snprintf(text, sizeof(text), "not put into group %s: %s", arrival->token.group, err->text);
	return core_tell(arrival->core, arrival->id, arrival->who, "group_refused", text, err);
}

static int
let_in(struct arrival *arrival, const struct issued *issued, struct err *err)
{
	struct token *token = &arrival->token;
	struct device made = { 0 };
	int r;

	snprintf(made.id, sizeof(made.id), "%s", arrival->id);
	if ((r = device_add(arrival->core, arrival->id, arrival->who, err)) < 0 ||
	    (r = add_certificate(arrival, issued, err)) < 0 ||
	    (r = tell_certificate(arrival, issued->serial, "", err)) < 0)
		return r;
	if ((token->group[0] && (r = join_group(arrival, err)) < 0) ||
	    (r = tag_write(arrival->core, &made, token->tags, arrival->who, err)) < 0)
		return r;
	token->used++;
	return state_token_put(arrival->core->state, token, err);
}

int
admit(struct core *core, const char *token, const char *device, const char *has, const struct issued *issued,
    struct reply *reply, struct err *err)
{
	struct arrival arrival = { .core = core, .id = device, .reply = reply };
	int r = check(&arrival, token, err);

	if (r != 0)
		return r;
	if (strcmp(arrival.has, has) != 0)
		return refuse(
		    &arrival, 503, "overtaken", "another request of the device was answered meanwhile");
	reply->status = 200;
	return arrival.is_known ? let_in_again(&arrival, issued, err) : let_in(&arrival, issued, err);
}
