#include "sign/certify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/name.h"
#include "lib/utc.h"
#include "sign/client.h"

/* The reason why there is no issuing CA becomes the payload. */
static int
say_none(const struct err *why, char **payload, size_t *bytes, struct err *err)
{
	*payload = strdup(why->text);
	if (!*payload)
		return err_set(err, ENOMEM, "no memory for an answer");
	*bytes = strlen(*payload);
	return CLIENT_NO_ISSUER;
}

/* The log first: no certificate goes out that is not in it. */
static int
record(const struct book *book, uid_t uid, const char *name, const struct issuer_made *made, int64_t now,
    struct err *err)
{
	const struct journal_certificate line = { .time = now,
		.uid = uid,
		.name = name,
		.serial = made->serial,
		.sha256 = made->sha256,
		.expires_at = made->expires_at };

	return journal_add_certificate(book->journal, &line, err);
}

static int
issue(const struct book *book, uid_t uid, const char *name, const char *public_pem, int64_t days,
    char **payload, size_t *bytes, struct err *err)
{
	AUTO(issuer_made_done) struct issuer_made made = { .pem = NULL };
	int64_t now = utc_now();
	int r = issuer_make(book->issuer, name, public_pem, days, now, &made, err);

	if (r == ISSUER_NONE)
		return say_none(err, payload, bytes, err);
	if (r < 0 || (r = record(book, uid, name, &made, now, err)) < 0)
		return err_context(err, r, "certificate of %s", name);
	*bytes = made.bytes;
	*payload = MOVE(made.pem);
	return 0;
}

int
certify_issue(
    struct book *book, uid_t uid, const json_t *request, char **payload, size_t *bytes, struct err *err)
{
	const char *name, *public_pem;
	int64_t days;
	int r;

	if ((r = policy_check_issuing(book->policy, uid, err)) < 0 ||
	    (r = json_need_text(request, "name", "request", &name, err)) < 0 ||
	    (r = json_need_text(request, "public", "request", &public_pem, err)) < 0 ||
	    (r = json_need_integer(request, "days", "request", INT32_MAX, &days, err)) < 0 ||
	    (r = policy_check_certificate(book->policy, name, days, err)) < 0 ||
	    (r = journal_check_clock(book->journal, utc_now(), err)) < 0)
		return r;
	return issue(book, uid, name, public_pem, days, payload, bytes, err);
}

int
certify_show(
    struct book *book, uid_t uid, const json_t *request, char **payload, size_t *bytes, struct err *err)
{
	int r = issuer_chain(book->issuer, payload, bytes, err);

	(void)uid;
	(void)request;
	return r == ISSUER_NONE ? say_none(err, payload, bytes, err) : r;
}

int
certify_request(
    struct book *book, uid_t uid, const json_t *request, char **payload, size_t *bytes, struct err *err)
{
	const char *name = json_text(request, "name");
	int r = policy_check_administrator(uid, err);

	if (r < 0)
		return r;
	return issuer_request(book->issuer, name ? name : ISSUER_NAME,
	    json_is_true(json_object_get(request, "new_key")), payload, bytes, err);
}

int
certify_install(
    struct book *book, uid_t uid, const json_t *request, char **payload, size_t *bytes, struct err *err)
{
	int64_t now = utc_now();
	char told[ERR_TEXT_MAX];
	const char *chain;
	int r;

	if ((r = policy_check_administrator(uid, err)) < 0 ||
	    (r = json_need_text(request, "chain", "request", &chain, err)) < 0 ||
	    (r = issuer_install(book->issuer, chain, strlen(chain), now, told, err)) < 0)
		return r;
	log_line(LOG_NOTICE, "issuing CA installed %s", told);
	if ((r = journal_tell(book->journal, now, uid, "issuer", told, err)) < 0)
		return r;
	*payload = strdup("");
	*bytes = 0;
	return *payload ? 0 : err_set(err, ENOMEM, "no memory for an answer");
}

/* The texts of @serials, borrowed, in @list. */
static int
read_serials(const json_t *serials, const char ***list, struct err *err)
{
	const json_t *serial;
	size_t i;
	int r = 0;

	if (!json_is_array(serials))
		return err_set(err, EINVAL, "request: has no serials");
	if (!(*list = calloc(json_array_size(serials) + 1, sizeof(**list))))
		return err_set(err, ENOMEM, "no memory for a revocation list");
	json_array_foreach(serials, i, serial)
	{
		(*list)[i] = json_string_value(serial) ?: "";
		if (r == 0)
			r = name_check_serial((*list)[i], err);
	}
	return r;
}

int
certify_revoke(
    struct book *book, uid_t uid, const json_t *request, char **payload, size_t *bytes, struct err *err)
{
	const json_t *serials = json_object_get(request, "serials");
	AUTO(free_p) const char **list = NULL;
	AUTO(free_p) char *pem = NULL;
	int64_t now = utc_now(), days;
	char told[128];
	int r;

	if ((r = policy_check_administrator(uid, err)) < 0 ||
	    (r = json_need_integer(request, "days", "request", CERTIFY_CRL_DAYS_MAX, &days, err)) < 0 ||
	    (r = read_serials(serials, &list, err)) < 0 ||
	    (r = journal_check_clock(book->journal, now, err)) < 0)
		return r;
	r = issuer_revoke(book->issuer, list, json_array_size(serials), days, now, &pem, bytes, err);
	if (r == ISSUER_NONE)
		return say_none(err, payload, bytes, err);
	snprintf(told, sizeof(told), "revocation list of %zu certificates for %lld days",
	    json_array_size(serials), (long long)days);
	if (r < 0 || (r = journal_tell(book->journal, now, uid, "issuer", told, err)) < 0)
		return r;
	*payload = MOVE(pem);
	return 0;
}
