/* push.json is written by builders; what comes out of it goes into signed documents and file names. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "lib/cleanup.h"
#include "watcher/push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int
read_commit(void *data, const char *checksum, struct commit_info *info, struct err *err)
{
	(void)data;
	(void)err;
	assert(digest_is_sha256_hex(checksum));
	info->version = json_string("1.0");
	return 0;
}

/* What a release promises to those who publish it. */
static void
check(const struct release *release)
{
	char target[NAME_TARGET_MAX + 1];
	struct err err;

	release_target(release, target);
	assert(strlen(target) == strlen(release->name) + 1 + strlen(release->version));
	assert(!strchr(target, '/'));
	assert(name_check_package(release->name, &err) == 0 && name_check_version(release->version, &err) == 0);
	assert(digest_is_sha256_hex(release->commit));
	assert(json_array_size(release->hardware) >= 1 &&
	       json_array_size(release->hardware) <= RELEASE_HARDWARE_MAX);
	for (size_t i = 0; i < json_array_size(release->hardware); i++)
		assert(name_check_hardware(json_string_value(json_array_get(release->hardware, i)), &err) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const struct source_ref refs[] = {
		{ "app", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
		{ "board/tool", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" },
	};
	struct releases releases = { 0 };
	struct err err = { 0 };
	int r;

	r = push_plan((const char *)data, bytes, refs, 2, read_commit, NULL, &releases, &err);
	assert(r == 0 || (r == DROP_BAD && *err.text));
	if (r == 0)
		assert(releases.count >= 1);
	for (size_t i = 0; r == 0 && i < releases.count; i++)
		check(&releases.list[i]);
	releases_done(&releases);
	return 0;
}
