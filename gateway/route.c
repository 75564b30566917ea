#include "gateway/route.h"

#include <errno.h>
#include <string.h>

#include "lib/name.h"
#include "lib/subject.h"

#define KIB 1024

#define SETTING(name) offsetof(struct config, name), 0
/** {"deviceId": ..., "ttl": ...} */
#define DEVICES_BYTES_MAX (4 * KIB)
/** A signing request has some 500 bytes; with an RSA key of 8192 bits and long names 4 KiB. */
#define EST_BYTES_MAX (16 * KIB)

/* /core/system_info is what clients before 2019.x used. */
static const struct route routes[] = {
	{ "/director/manifest", "PUT", "manifest", SETTING(manifest_kb) },
	{ "/director/ecus", "POST", "ecus", SETTING(ecus_kb) },
	{ "/system_info", "PUT POST", "system_info", SETTING(system_info_kb) },
	{ "/core/system_info", "PUT POST", "system_info", SETTING(system_info_kb) },
	{ "/system_info/network", "PUT POST", "network", SETTING(network_kb) },
	{ "/system_info/config", "PUT POST", "config", SETTING(config_kb) },
	{ "/core/installed", "PUT POST", "installed", SETTING(installed_kb) },
	{ "/events", "PUT POST", "events", SETTING(events_kb) },
	{ "/devices", "POST", "devices", 0, DEVICES_BYTES_MAX },
	{ "/.well-known/est/simpleenroll", "POST", "simpleenroll", 0, EST_BYTES_MAX },
	{ "/.well-known/est/simplereenroll", "POST", "simplereenroll", 0, EST_BYTES_MAX },
};

/* Whether the request target is the path, apart from doubled slashes and one at the end. */
static int
is_path(const char *path, const char *target)
{
	for (;;) {
		if (*target == '/')
			while (target[1] == '/')
				target++;
		if (*target == '\0' || *target == '?' ||
		    (*target == '/' && (target[1] == '\0' || target[1] == '?')))
			return *path == '\0';
		if (*path == '\0' || *path++ != *target++)
			return 0;
	}
}

static int
has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	if (n == 0 || strchr(word, ' '))
		return 0;
	for (const char *at = words; (at = strstr(at, word)); at += n)
		if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
			return 1;
	return 0;
}

int
route_find(const char *method, const char *target, const struct route **out)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (!is_path(routes[i].path, target))
			continue;
		*out = &routes[i];
		return has_word(routes[i].methods, method) ? 0 : ROUTE_NO_METHOD;
	}
	return ROUTE_NO_PATH;
}

uint64_t
route_limit(const struct route *route, const struct config *config)
{
	int64_t kb;

	if (!route->setting)
		return route->limit;
	memcpy(&kb, (const char *)config + route->setting, sizeof(kb));
	return (uint64_t)kb * KIB;
}

int
route_identify(const char *verify, const char *subject, const char *name, const char *serial, struct err *err)
{
	int r = subject_check(verify, subject, name, err);

	return r < 0 ? r : name_check_serial(serial, err) < 0 ? -EACCES : 0;
}
