/* Requests of the admin listener: anybody writes path and headers. The input is an SCGI head without the
 * netstring, and what comes of it is a folder below as/, and a path that stays below that. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "gateway/admin_path.h"
#include "gateway/admin_who.h"
#include "lib/scgi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
check_target(int r, const struct admin_target *target, const struct err *err)
{
	if (r < 0) {
		assert((r == -EINVAL || r == -ENAMETOOLONG) && *err->text);
		return;
	}
	assert(strlen(target->path) < ADMIN_PATH_SIZE && target->path[0] != '/' && !strstr(target->path, "//"));
	assert(strcmp(target->path, "..") && strncmp(target->path, "../", 3) && !strstr(target->path, "/../"));
	assert(target->from >= 0);
	for (const char *p = target->path; *p; p++)
		assert((unsigned char)*p >= 0x20 && *p != 0x7f);
}

/* One path component: a name, or a token without its secret. */
static void
check_who(const struct scgi *scgi, struct login *login)
{
	struct admin_who who = { 0 };
	struct err err = { 0 };
	int r = admin_identify(scgi, login, &who, &err);

	if (r != 0) {
		assert(r == ADMIN_NOBODY || r == ADMIN_TOO_MANY || r == -EACCES);
		assert(*err.text);
		return;
	}
	assert(*who.as && !strchr(who.as, '/') && strcmp(who.as, "..") && strcmp(who.as, "."));
	assert((who.as[0] == '.') == !strcmp(who.by, "token"));
	assert(strcmp(who.by, "password")); /* nobody has one */
}

static void
check_origin(const struct scgi *scgi)
{
	const char *method = scgi_get(scgi, "REQUEST_METHOD");
	struct err err = { 0 };

	if (admin_check_origin(scgi, &err) == 0)
		assert(!strcmp(method, "GET") || !strcmp(method, "HEAD") ||
		       !strcmp(scgi_get(scgi, "HTTP_X_OTA_ADMIN"), "1"));
	else
		assert(*err.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct login *login;
	static struct scgi scgi;
	struct admin_target target;
	struct err err = { 0 };
	int r;

	if (!login)
		login = login_new("/nonexistent/otafs");
	if (bytes > SCGI_HEAD_MAX)
		return 0;
	memcpy(scgi.head, data, bytes);
	scgi.bytes = bytes;
	if (scgi_parse(&scgi, &err) < 0)
		return 0;
	r = admin_target_parse(scgi_get(&scgi, "REQUEST_URI"), &target, &err);
	check_target(r, &target, &err);
	r = admin_destination_parse(scgi_get(&scgi, "HTTP_DESTINATION"), &target, &err);
	check_target(r, &target, &err);
	check_who(&scgi, login);
	check_origin(&scgi);
	return 0;
}
