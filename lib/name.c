#include "lib/name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/role.h"

#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

struct kind {
	const char *title;   /* in reasons */
	const char *first;   /* allowed as the first character */
	const char *allowed; /* allowed anywhere; NULL: printable ASCII but the slash */
	size_t max;          /* longest, in bytes */
};

static const struct kind device = { "device id", LETTERS_AND_DIGITS, LETTERS_AND_DIGITS "._+:-",
	NAME_DEVICE_MAX };
static const struct kind user = { "administrator's name", LETTERS_AND_DIGITS, LETTERS_AND_DIGITS "._+@-",
	NAME_USER_MAX };
static const struct kind serial = { "certificate serial", "0123456789ABCDEF", "0123456789ABCDEF",
	NAME_SERIAL_MAX };
static const struct kind package = { "package name", LETTERS_AND_DIGITS, LETTERS_AND_DIGITS "._+-",
	NAME_PACKAGE_MAX };
static const struct kind version = { "package version", LETTERS_AND_DIGITS, LETTERS_AND_DIGITS "._+-",
	NAME_VERSION_MAX };
static const struct kind group = { "group name", LETTERS_AND_DIGITS, LETTERS_AND_DIGITS "._+-",
	NAME_GROUP_MAX };
static const struct kind delegation = { "delegation", LETTERS_AND_DIGITS "_-", LETTERS_AND_DIGITS "_.-",
	NAME_DELEGATION_MAX };
static const struct kind hardware = { "hardware id", NULL, NULL, NAME_HARDWARE_MAX };
static const struct kind ecu = { "ECU serial", NULL, NULL, NAME_ECU_MAX };

const char *
name_printable(const char *name, char *out, unsigned long room)
{
	size_t n = 0;

	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;
		bool is_plain = c >= 0x20 && c < 0x7f;

		if (n + (is_plain ? 1 : 4) >= room)
			break;
		if (is_plain)
			out[n++] = *name;
		else
			n += (size_t)snprintf(out + n, room - n, "\\x%02x", c);
	}
	out[n] = '\0';
	return out;
}

static int
is_allowed(const struct kind *kind, const char *at, const char *set)
{
	if (!kind->allowed)
		return *at >= 0x20 && *at < 0x7f && *at != '/';
	return strchr(set, *at) != NULL;
}

static int
check(const struct kind *kind, const char *name, struct err *err)
{
	char shown[NAME_TARGET_MAX];
	size_t bytes = strlen(name);

	name_printable(name, shown, 64);
	if (bytes == 0)
		return err_set(err, EINVAL, "%s is empty", kind->title);
	if (bytes > kind->max)
		return err_set(err, EINVAL, "%s \"%s...\" has %zu bytes, at most %zu are allowed", kind->title,
		    shown, bytes, kind->max);
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return err_set(err, EINVAL, "%s \"%s\" is a path, not a name", kind->title, shown);
	for (const char *p = name; *p; p++)
		if (!is_allowed(kind, p, p == name ? kind->first : kind->allowed))
			return err_set(err, EINVAL, "%s \"%s\": character %td (0x%02x) is not allowed there",
			    kind->title, shown, p - name + 1, (unsigned char)*p);
	return 0;
}

int
name_check_device(const char *name, struct err *err)
{
	return check(&device, name, err);
}

int
name_check_user(const char *name, struct err *err)
{
	return check(&user, name, err);
}

int
name_check_serial(const char *name, struct err *err)
{
	return check(&serial, name, err);
}

int
name_check_package(const char *name, struct err *err)
{
	return check(&package, name, err);
}

int
name_check_version(const char *name, struct err *err)
{
	return check(&version, name, err);
}

int
name_check_group(const char *name, struct err *err)
{
	return check(&group, name, err);
}

int
name_check_delegation(const char *name, struct err *err)
{
	if (role_of(name) >= 0)
		return err_set(err, EINVAL, "delegation \"%s\": a delegation's name is no role's", name);
	return check(&delegation, name, err);
}

int
name_check_hardware(const char *name, struct err *err)
{
	return check(&hardware, name, err);
}

int
name_check_ecu(const char *name, struct err *err)
{
	return check(&ecu, name, err);
}

bool
name_is_printable(const char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

int
name_check_target(const char *name, struct err *err)
{
	char shown[64];

	name_printable(name, shown, sizeof(shown));
	if (!*name)
		return err_set(err, EINVAL, "the target's file name is empty");
	if (strlen(name) > NAME_TARGET_MAX)
		return err_set(err, EINVAL,
		    "target \"%s...\": the file name has %zu bytes, at most %d are allowed", shown,
		    strlen(name), NAME_TARGET_MAX);
	if (!name_is_printable(name) || strchr(name, '\\'))
		return err_set(err, EINVAL,
		    "target \"%s\": the file name is not printable ASCII without backslashes", shown);
	if (strstr(name, "..") || strstr(name, "//") || *name == '/' || name[strlen(name) - 1] == '/')
		return err_set(err, EINVAL,
		    "target \"%s\": the file name has \"..\", or a slash at an end, or two together", shown);
	return 0;
}
