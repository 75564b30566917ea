#include "lib/subject.h"

#include <errno.h>
#include <string.h>

#include "lib/name.h"

/* Whether it is that in the form of RFC 2253, where a plus sign in a name has a backslash before it. */
static int
is_escaped_name(const char *subject, const char *name)
{
	if (strncmp(subject, "CN=", 3))
		return 0;
	for (subject += 3; *name; name++) {
		if (*name == '+' && *subject++ != '\\')
			return 0;
		if (*subject++ != *name)
			return 0;
	}
	return *subject == '\0';
}

/* Whether the text of a subject is the one common name @name, which has passed name_check_device(). */
static int
is_common_name(const char *subject, const char *name)
{
	/* OpenSSL by itself puts a name with a plus sign in quotes; a name that was checked has none of its
	 * own. */
	static const char *const forms[][2] = { { "CN=", "" }, { "CN = ", "" }, { "CN = \"", "\"" } };
	size_t n = strlen(name);

	if (is_escaped_name(subject, name))
		return 1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t before = strlen(forms[i][0]);

		if (!strncmp(subject, forms[i][0], before) && !strncmp(subject + before, name, n) &&
		    !strcmp(subject + before + n, forms[i][1]))
			return 1;
	}
	return 0;
}

int
subject_check(const char *verify, const char *subject, const char *name, struct err *err)
{
	if (strcmp(verify, "SUCCESS"))
		return err_set(err, EACCES, "the client's certificate was not verified");
	if (name_check_device(name, err) < 0)
		return -EACCES;
	if (!is_common_name(subject, name))
		return err_set(err, EACCES, "the certificate's subject is not CN=%s and nothing else", name);
	return 0;
}
