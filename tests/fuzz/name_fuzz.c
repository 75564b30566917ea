/* Names from outside, and paths below both mounts. */
#include "tests/fuzz/body.h"

#include <errno.h>

#include "lib/name.h"
#include "otafs/node.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static int (*const checks[])(const char *, struct err *) = { name_check_device, name_check_serial,
		name_check_package, name_check_version, name_check_group, name_check_delegation,
		name_check_hardware, name_check_ecu };
	AUTO(free_p) char *name = strndup((const char *)data, bytes);
	static struct node node;
	char shown[32];
	struct err err;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (checks[i](name, &err) == 0)
			assert(*name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, ".."));
		else
			assert(err.code == EINVAL);
	}
	name_printable(name, shown, sizeof(shown));
	for (const char *p = shown; *p; p++)
		assert(*p >= 0x20 && *p < 0x7f);
	if (!strncmp(name, "devices", 7) || !strncmp(name, "status", 6)) {
		int r = node_find(body_core(), VIEW_FULL, name, 0, &node, &err);

		assert(r == 0 || r == -ENOENT || r == -ENAMETOOLONG);
	}
	return 0;
}
