#include "otafs/provision.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/certificate.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "otafs/admit.h"
#include "otafs/bundle.h"
#include "otafs/issue.h"

struct provision {
	char id[NAME_DEVICE_MAX + 1];
	int64_t days;
	char has[NAME_SERIAL_MAX + 1]; /* admit_check() */
	struct bundle *bundle;
	char *public_pem;
	struct issued issued;
	char *archive; /* secret */
	size_t archive_bytes;
};

void
provision_finish(void *work)
{
	struct provision *provision = work;

	if (!provision)
		return;
	bundle_free(provision->bundle);
	free(provision->public_pem);
	free(provision->issued.chain);
	if (provision->archive)
		explicit_bzero(provision->archive, provision->archive_bytes);
	free(provision->archive);
	free(provision);
}

static void
provision_freep(struct provision **provision)
{
	provision_finish(*provision);
}

/* A whole number of days from 1 on, as JSON or as text; 0 when it is neither. */
static int64_t
read_days(const json_t *ttl)
{
	const char *text = json_string_value(ttl);

	if (json_is_integer(ttl))
		return json_integer_value(ttl) > 0 ? json_integer_value(ttl) : 0;
	if (!text || !*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)
		return 0;
	return atoll(text);
}

/* 0, or -EBADMSG. */
static int
read_body(const char *body, size_t bytes, struct provision *out, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	const json_t *ttl;
	const char *id;
	int r;

	if ((r = json_read(body, bytes, "POST /devices", &json, err)) < 0 ||
	    (r = json_need_text(json, "deviceId", "POST /devices", &id, err)) < 0)
		return r;
	/* What is too long is refused as an id, not cut to be another one. */
	if ((r = name_check_device(id, err)) < 0)
		return r;
	snprintf(out->id, sizeof(out->id), "%s", id);
	ttl = json_object_get(json, "ttl");
	if (ttl && !json_is_null(ttl) && (out->days = read_days(ttl)) == 0)
		return err_set(err, EBADMSG, "POST /devices: ttl is no number of days");
	return 0;
}

static int
refuse_body(int r, struct reply *reply, const struct err *why)
{
	reply_refuse(reply, 400, r == -EINVAL ? "invalid_device_id" : "invalid_body", why->text);
	return 1;
}

static int
certify(struct core *core, struct provision *provision, struct reply *reply, struct err *err)
{
	int64_t most = core->config->certificate_days;
	int64_t days = provision->days && provision->days < most ? provision->days : most;
	int r = bundle_new(&provision->bundle, &provision->public_pem, err);

	return r < 0 ? r
		     : issue_or_refuse(
			   core, provision->id, provision->public_pem, days, &provision->issued, reply, err);
}

static int
pack(struct core *core, struct provision *provision, struct reply *reply, struct err *err)
{
	AUTO(free_p) char *authorities = NULL;
	size_t bytes;
	int r = file_read(AT_FDCWD, core->config->server_ca, CERTIFICATE_FILE_MAX, &authorities, &bytes, err);

	if (r == 0)
		r = bundle_write(provision->bundle, provision->issued.chain, authorities, &provision->archive,
		    &provision->archive_bytes, err);
	if (r == 0 || r == -ENOMEM)
		return r;
	reply_refuse(reply, 503, "no_server_ca", err->text);
	return 1;
}

int
provision_prepare(struct core *core, const char *token, const char *body, size_t bytes, void **work,
    struct reply *reply, struct err *err)
{
	AUTO(provision_freep) struct provision *provision = calloc(1, sizeof(*provision));
	int r;

	if (!provision)
		return err_set(err, ENOMEM, "no memory for credentials");
	if ((r = read_body(body, bytes, provision, err)) < 0)
		return refuse_body(r, reply, err);
	if ((r = admit_check(core, token, provision->id, provision->has, reply, err)) != 0 ||
	    (r = certify(core, provision, reply, err)) != 0 || (r = pack(core, provision, reply, err)) != 0)
		return r;
	*work = MOVE(provision);
	return 0;
}

int
provision_take(struct core *core, const char *token, void *work, struct reply *reply, struct err *err)
{
	struct provision *provision = work;
	int r = admit(core, token, provision->id, provision->has, &provision->issued, reply, err);

	if (r != 0)
		return r < 0 ? r : 0;
	reply->type = "application/x-pkcs12";
	reply->body = MOVE(provision->archive);
	reply->body_bytes = provision->archive_bytes;
	return 0;
}
