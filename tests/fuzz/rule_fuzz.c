/* Rules of groups and queries. */
#include "tests/fuzz/body.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "otafs/bind.h"
#include "otafs/rule.h"
#include "otafs/term.h"

/* An image repository in which nothing was published yet. */
static struct core *
core_with_image(void)
{
	struct core *core = body_core();
	char folder[] = "/tmp/otafs-fuzz.XXXXXX", path[64];
	struct err err;

	if (core->image)
		return core;
	assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/published", folder);
	assert(mkdir(path, 0700) == 0);
	snprintf(path, sizeof(path), "%s/ostree", folder);
	assert(mkdir(path, 0700) == 0);
	assert(image_open(folder, &core->image, &err) == 0);
	snprintf(path, sizeof(path), "rm -rf %s", folder);
	assert(system(path) == 0);
	return core;
}

/* A device of which each kind of term can be true. */
static void
follow(const struct rule *rule, struct core *core)
{
	static struct found_pair tags[] = { { "region", "EU \xc3\xa4" } }, ecus[] = { { "hw", "app-1.0" } },
				 groups[] = { { "a", "" } };
	static const struct found found = { .id = "car7",
		.name = "my car",
		.status = "Error",
		.seen_at = 86400,
		.tags = { tags, 1 },
		.ecus = { ecus, 1 },
		.groups = { groups, 1 } };
	AUTO(bind_done) struct bound bound = { .terms = NULL };
	struct err err = { 0 };
	int r = bind_rule(core, rule, "", false, &bound, &err);

	assert(r == 0);
	assert(term_holds(&bound, NULL, &found) || term_needs(&bound, NULL) != ~0U);
	for (size_t i = 0; i < rule->count; i++)
		assert(rule->terms[i].kind != TERM_FIELD || *rule->terms[i].value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	AUTO(free_p) char *text = strndup((const char *)data, bytes);
	AUTO(rule_freep) struct rule *rule = NULL;
	struct core *core = core_with_image();
	struct err err = { 0 };
	int r = rule_parse(text, &rule, &err);

	assert(r == (rule ? 0 : -EINVAL) && (rule || *err.text));
	if (rule)
		follow(rule, core);
	return 0;
}
