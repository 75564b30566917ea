#include "lib/config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/cleanup.h"
#include "lib/file.h"

/** A settings file has some fifty lines; this bounds what is read. */
#define CONFIG_FILE_MAX (64 * 1024)

struct setting {
	const char *name;
	size_t offset;
	const char *text;       /* default of a text setting; NULL: the setting is a number */
	int64_t number, lo, hi; /* default and range of a number */
};

#define TEXT(field, value)                                                                                     \
	{                                                                                                      \
#field, offsetof(struct config, field), value, 0, 0, 0                                         \
	}
#define NUMBER(field, value, lo, hi)                                                                           \
	{                                                                                                      \
#field, offsetof(struct config, field), NULL, value, lo, hi                                    \
	}

static const struct setting settings[] = {
	TEXT(mount, "/srv/ota"),
	TEXT(www, "/run/otafs/web/www"),
	TEXT(spool, "/var/spool/otafs"),
	TEXT(repository, "/var/lib/otafs/repository"),
	TEXT(state, "/var/lib/otafs/state/otafs.db"),
	TEXT(keys, "/var/lib/otafs/keys"),
	TEXT(sign_socket, "/run/otafs/sign.sock"),
	TEXT(gate_socket, "/run/otafs/gate.sock"),
	TEXT(fleet, "/var/lib/otafs/fleet"),
	TEXT(user_sign, "ota-sign"),
	TEXT(user_otafs, "otafs"),
	TEXT(user_watcher, "ota-watcher"),
	TEXT(user_gate, "ota-gate"),
	TEXT(user_www, "www-data"),
	TEXT(user_build, "ota-build-web"),
	TEXT(user_admin, "ota-admin-gate"),
	TEXT(user_admin_web, "ota-admin-web"),
	TEXT(group_admin, "ota-admin"),
	NUMBER(sandbox, 1, 0, 1),
	TEXT(device_address, "0.0.0.0"),
	NUMBER(device_port, 8443, 1, 65535),
	TEXT(device_ca, "/etc/otafs/device-ca.pem"),
	TEXT(device_crl, "-"),
	TEXT(server_certificate, "/etc/otafs/server.pem"),
	TEXT(server_key, "/etc/otafs/server.key"),
	TEXT(server_ca, "/etc/otafs/server-ca.pem"),
	TEXT(fleet_ca, "-"),
	NUMBER(device_requests_per_minute, 240, 1, 1000000),
	NUMBER(device_connections, 8192, 16, 1000000),
	NUMBER(client_seconds, 60, 5, 3600),
	NUMBER(manifest_kb, 1024, 16, 1024),
	NUMBER(ecus_kb, 1024, 16, 1024),
	NUMBER(events_kb, 1024, 16, 1024),
	NUMBER(system_info_kb, 4096, 16, 4096),
	NUMBER(network_kb, 64, 4, 64),
	NUMBER(config_kb, 256, 4, 256),
	NUMBER(installed_kb, 4096, 16, 4096),
	NUMBER(gate_memory_mb, 64, 8, 65536),
	NUMBER(certificate_days, 7300, 1, 36500),
	NUMBER(certificate_overlap_days, 7, 0, 3650),
	TEXT(build_socket, "/run/otafs/build.sock"),
	TEXT(build_address, "0.0.0.0"),
	NUMBER(build_port, 8444, 1, 65535),
	TEXT(build_ca, "/etc/otafs/build-ca.pem"),
	TEXT(build_passwords, "/etc/otafs/build.htpasswd"),
	TEXT(build_owners, "-"),
	TEXT(build_refs, "/etc/otafs/build-refs"),
	TEXT(build_limits, "/etc/otafs/build-limits"),
	TEXT(admin_socket, "/run/otafs/admin.sock"),
	TEXT(admin_address, "127.0.0.1"),
	NUMBER(admin_port, 8445, 1, 65535),
	TEXT(admin_ca, "/etc/otafs/admin-ca.pem"),
	TEXT(admin_passwords, "/etc/otafs/admin.htpasswd"),
	TEXT(admin_oidc, "-"),
	NUMBER(root_days, 365, 1, 3650),
	NUMBER(image_targets_days, 31, 1, 3650),
	NUMBER(director_targets_days, 7, 1, 3650),
	NUMBER(snapshot_days, 7, 1, 3650),
	NUMBER(timestamp_days, 1, 1, 3650),
	NUMBER(sign_log_mb, 4096, 0, 1000000000),
	NUMBER(ecu_replacement, 1, 0, 1),
	NUMBER(unresponsive_polls, 10, 1, 1000000),
	NUMBER(director_size_kb, 0, 0, 64),
	NUMBER(document_cache_mb, 16, 1, 65536),
	NUMBER(spool_quiet_seconds, 2, 0, 3600),
	NUMBER(spool_incomplete_seconds, 20, 1, 86400),
	NUMBER(store_quota_mb, 0, 0, 1000000000),
	NUMBER(disk_reserve_mb, 256, 0, 1000000000),
	NUMBER(keep_versions, 0, 0, 100000),
	NUMBER(gc_seconds, 86400, 0, 31536000),
	NUMBER(gc_grace_seconds, 604800, 0, 31536000),
	NUMBER(deltas_mb, 1024, 0, 1000000000),
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static int
set_value(struct config *config, const struct setting *setting, const char *value, struct err *err)
{
	char *field = (char *)config + setting->offset;
	char *end;
	long long number;

	if (setting->text) {
		if (*value == '\0' || strlen(value) >= CONFIG_VALUE_MAX)
			return err_set(err, EINVAL, "%s: 1 to %d characters are allowed", setting->name,
			    CONFIG_VALUE_MAX - 1);
		strcpy(field, value);
		return 0;
	}
	errno = 0;
	number = strtoll(value, &end, 10);
	if (errno || end == value || *end || number < setting->lo || number > setting->hi)
		return err_set(err, EINVAL, "%s: \"%.32s\" is no number from %lld to %lld", setting->name,
		    value, (long long)setting->lo, (long long)setting->hi);
	*(int64_t *)(void *)field = number;
	return 0;
}

static void
set_defaults(struct config *config)
{
	memset(config, 0, sizeof(*config));
	for (size_t i = 0; i < SETTINGS; i++) {
		char *field = (char *)config + settings[i].offset;

		if (settings[i].text)
			strcpy(field, settings[i].text);
		else
			*(int64_t *)(void *)field = settings[i].number;
	}
}

/* Takes white space off both ends, in place. */
static char *
trim(char *text)
{
	size_t n;

	text += strspn(text, " \t\r");
	for (n = strlen(text); n && strchr(" \t\r", text[n - 1]); n--)
		;
	text[n] = '\0';
	return text;
}

static int
read_line(struct config *config, char *line, unsigned char *seen, struct err *err)
{
	char *name = trim(line), *equals;

	if (*name == '\0' || *name == '#')
		return 0;
	equals = strchr(name, '=');
	if (!equals)
		return err_set(err, EINVAL, "\"%.64s\" is not \"name = value\"", name);
	*equals = '\0';
	name = trim(name);
	for (size_t i = 0; i < SETTINGS; i++) {
		if (strcmp(settings[i].name, name))
			continue;
		if (seen[i]++)
			return err_set(err, EINVAL, "%s: given twice", name);
		return set_value(config, &settings[i], trim(equals + 1), err);
	}
	return err_set(err, EINVAL, "\"%.64s\" is no setting; otafs.conf(5) lists them", name);
}

int
config_read(const char *path, struct config *config, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	unsigned char seen[SETTINGS] = { 0 };
	char *rest, *line;
	size_t bytes;
	int r, number = 0;

	set_defaults(config);
	r = file_read(AT_FDCWD, path, CONFIG_FILE_MAX, &text, &bytes, err);
	if (r < 0)
		return r;
	if (strlen(text) != bytes)
		return err_set(err, EINVAL, "%s: has a 0 byte, which would hide what follows it", path);
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		number++;
		r = read_line(config, line, seen, err);
		if (r < 0)
			return err_context(err, r, "%s, line %d", path, number);
	}
	return 0;
}

/* A whole decimal number, or -1. */
static long
id_number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *text >= '0' && *text <= '9' && *end == '\0' && n < 0x7fffffff ? n : -1;
}

int
config_user(const char *name, uid_t *uid, gid_t *gid, struct err *err)
{
	long number = id_number(name);
	struct passwd *user = number < 0 ? getpwnam(name) : getpwuid((uid_t)number);

	if (!user && number < 0)
		return err_set(err, ENOENT, "user %s: there is no such user", name);
	*uid = user ? user->pw_uid : (uid_t)number;
	*gid = user ? user->pw_gid : (gid_t)number;
	return 0;
}

int
config_group(const char *name, gid_t *gid, struct err *err)
{
	long number = id_number(name);
	struct group *group = number < 0 ? getgrnam(name) : NULL;

	if (!group && number < 0)
		return err_set(err, ENOENT, "group %s: there is no such group", name);
	*gid = group ? group->gr_gid : (gid_t)number;
	return 0;
}

/* -- what can be said of a setting without starting anything -- */

/* "user_" of "user_sign". */
static bool
is_kind(const struct setting *setting, const char *kind)
{
	return !strncmp(setting->name, kind, strlen(kind));
}

/* A path by its default; "-" is none. */
static int
check_path(const struct setting *setting, const char *value, struct err *err)
{
	const struct sockaddr_un *address;
	const char *end = strstr(setting->name, "_socket");

	if (setting->text[0] != '/')
		return 0;
	if (value[0] != '/')
		return err_set(err, EINVAL, "%s: \"%.64s\" does not begin with a slash", setting->name, value);
	if (end && strlen(value) >= sizeof(address->sun_path))
		return err_set(err, ENAMETOOLONG, "%s: a socket's path has at most %zu bytes", setting->name,
		    sizeof(address->sun_path) - 1);
	return 0;
}

static int
check_name(const struct setting *setting, const char *value, struct err *err)
{
	uid_t uid;
	gid_t gid;
	int r = 0;

	if (is_kind(setting, "user_"))
		r = config_user(value, &uid, &gid, err);
	else if (is_kind(setting, "group_"))
		r = config_group(value, &gid, err);
	return r < 0 ? err_context(err, r, "%s", setting->name) : 0;
}

/* What one of them gets at is kept from the others by nothing but that. */
static int
check_apart(const struct config *config, struct err *err)
{
	static const struct {
		const char *name;
		size_t offset;
	} users[] = { { "user_sign", offsetof(struct config, user_sign) },
		{ "user_otafs", offsetof(struct config, user_otafs) },
		{ "user_watcher", offsetof(struct config, user_watcher) },
		{ "user_gate", offsetof(struct config, user_gate) },
		{ "user_www", offsetof(struct config, user_www) } };
	enum { COUNT = sizeof(users) / sizeof(users[0]) };

	for (int i = 0; i < COUNT; i++)
		for (int j = 0; j < i; j++)
			if (!strcmp(
				(const char *)config + users[i].offset, (const char *)config + users[j].offset))
				return err_set(
				    err, EINVAL, "%s and %s are the same user", users[j].name, users[i].name);
	return 0;
}

int
config_check(const struct config *config, struct err *err)
{
	int r;

	for (size_t i = 0; i < SETTINGS; i++) {
		const char *value = (const char *)config + settings[i].offset;

		if (settings[i].text && ((r = check_path(&settings[i], value, err)) < 0 ||
					    (r = check_name(&settings[i], value, err)) < 0))
			return r;
	}
	return check_apart(config, err);
}

int
config_become(const char *name, struct err *err)
{
	uid_t uid;
	gid_t gid;
	int r;

	r = config_user(name, &uid, &gid, err);
	if (r < 0)
		return r;
	if (geteuid() != uid) {
		if (geteuid() != 0)
			return err_set(err, EPERM, "start this as root or as user %s", name);
		if ((id_number(name) < 0 ? initgroups(name, gid) : setgroups(0, NULL)) < 0 ||
		    setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
			return err_sys(err, "become user %s", name);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, "no_new_privs");
	return 0;
}
