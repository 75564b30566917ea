#include "gateway/admin_who.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/digest.h"
#include "lib/subject.h"

/** "ota_", 8 digits, "_", 64 digits. */
#define TOKEN_BYTES (4 + 8 + 1 + 64)
#define HEX "0123456789abcdef"

static int
take_name(const char *name, const char *by, struct admin_who *who, struct err *err)
{
	if (name_check_user(name, err) < 0)
		return -EACCES;
	snprintf(who->as, sizeof(who->as), "%s", name);
	who->by = by;
	return 0;
}

static int
take_certificate(const struct scgi *scgi, struct admin_who *who, struct err *err)
{
	const char *name = scgi_get(scgi, "SSL_CLIENT_S_DN_CN");

	if (subject_check("SUCCESS", scgi_get(scgi, "SSL_CLIENT_S_DN"), name, err) < 0)
		return -EACCES;
	return take_name(name, "certificate", who, err);
}

static int
take_token(const char *token, const char *address, struct login *login, struct admin_who *who, struct err *err)
{
	char digest[DIGEST_HEX_SIZE];

	if (login_is_paused(login, address)) {
		err_set(err, EAGAIN, "too many wrong passwords or tokens; wait for %d seconds",
		    LOGIN_PAUSE_SECONDS);
		return ADMIN_TOO_MANY;
	}
	if (strlen(token) != TOKEN_BYTES || strncmp(token, "ota_", 4) || strspn(token + 4, HEX) != 8 ||
	    token[12] != '_' || strspn(token + 13, HEX) != 64) {
		login_failed(login, address);
		err_set(err, EACCES, "this is no token");
		return ADMIN_NOBODY;
	}
	digest_sha256_hex(token, TOKEN_BYTES, digest);
	snprintf(who->as, sizeof(who->as), ".%.8s.%s", token + 4, digest);
	who->by = "token";
	return 0;
}

static int
take_password(
    const char *authorization, const char *address, struct login *login, struct admin_who *who, struct err *err)
{
	char name[LOGIN_NAME_SIZE];
	int r = login_check(login, authorization, address, name, err);

	if (r != 0)
		return r < 0 ? r : r == LOGIN_TOO_MANY ? ADMIN_TOO_MANY : ADMIN_NOBODY;
	return take_name(name, "password", who, err);
}

int
admin_identify(const struct scgi *scgi, struct login *login, struct admin_who *who, struct err *err)
{
	const char *authorization = scgi_get(scgi, "HTTP_AUTHORIZATION"), *user = scgi_get(scgi, "REMOTE_USER"),
		   *address = scgi_get(scgi, "REMOTE_ADDR");

	/* First: lighttpd passes on a 0 in a CN, and what follows it reads like a variable. */
	if (!strcmp(scgi_get(scgi, "SSL_CLIENT_VERIFY"), "SUCCESS"))
		return take_certificate(scgi, who, err);
	if (*user)
		return take_name(user, "oidc", who, err);
	if (!strncasecmp(authorization, "Bearer ", 7))
		return take_token(authorization + 7, address, login, who, err);
	return take_password(authorization, address, login, who, err);
}

static bool
is_safe(const char *method)
{
	return !strcmp(method, "GET") || !strcmp(method, "HEAD");
}

/* An origin (RFC 6454, 6.1) is of this listener when it names the host that was asked. */
static bool
is_own(const char *origin, const char *host)
{
	return !strncmp(origin, "https://", 8) && *host && !strcasecmp(origin + 8, host);
}

int
admin_check_origin(const struct scgi *scgi, struct err *err)
{
	const char *origin = scgi_get(scgi, "HTTP_ORIGIN"), *site = scgi_get(scgi, "HTTP_SEC_FETCH_SITE");

	if (is_safe(scgi_get(scgi, "REQUEST_METHOD")))
		return 0;
	if (strcmp(scgi_get(scgi, "HTTP_X_OTA_ADMIN"), "1"))
		return err_set(err, EACCES, "what changes something needs the header X-OTA-Admin: 1");
	if (*origin && !is_own(origin, scgi_get(scgi, "HTTP_HOST")))
		return err_set(err, EACCES, "the header Origin names another site");
	if (*site && strcmp(site, "same-origin") && strcmp(site, "none"))
		return err_set(err, EACCES, "the header Sec-Fetch-Site says that another site sent this");
	return 0;
}
