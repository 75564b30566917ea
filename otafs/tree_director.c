/* director/ of a device, in both views: what it should install, signed when it is read. */
#include <errno.h>
#include <stdio.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/director.h"
#include "otafs/names.h"
#include "otafs/rows.h"

static int
exists_director(const struct node *node, struct err *err)
{
	int version = names_root_version(names_last(node));

	/* A device that is told that there is no next root reads targets with the keys of this one. */
	if (version > node->core->roots.count)
		core_look_for_root(node->core);
	if (names_role(names_last(node)) >= 0 || (version >= 0 && version <= node->core->roots.count))
		return 0;
	return err_set(err, ENOENT, "no such document");
}

static int
list_director(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	static const char *const names[] = { "root.json", "targets.json", "snapshot.json", "timestamp.json" };
	char root[32];
	int r = 0;

	(void)err;
	for (size_t i = 0; r == 0 && i < sizeof(names) / sizeof(names[0]); i++)
		r = each(names[i], S_IFREG, context);
	for (int i = 1; r == 0 && i <= node->core->roots.count; i++) {
		snprintf(root, sizeof(root), "%d.root.json", i);
		r = each(root, S_IFREG, context);
	}
	return r;
}

static int
print_director(const struct node *node, FILE *out, struct err *err)
{
	int role = names_role(names_last(node)), version = names_root_version(names_last(node)), r;
	AUTO(free_p) char *text = NULL;
	size_t bytes;

	if (role < 0 && node->core->roots.count == 0)
		return err_set(err, EAGAIN, "the director's root is not known yet");
	if (role < 0)
		return fputs(node->core->roots.texts[(version ? version : node->core->roots.count) - 1], out) <
		       0;
	if ((r = director_document(node->core, &node->device, (enum role)role, &text, &bytes, err)) < 0)
		return r;
	fwrite(text, 1, bytes, out);
	return 0;
}

/* ---- the same in the www view, where the signer is waited for without the lock */

static int
gather_director(const struct node *node, void **source, struct err *err)
{
	int role = names_role(names_last(node));

	return role < 0 ? 0
			: director_gather(node->core, &node->device, (enum role)role,
			      (struct director_source **)source, err);
}

/* With the lock. */
static int
mend(struct core *core, const struct director_source *source, struct err *err)
{
	int r = director_mend(core, source, err);

	core_postpone(core, &core->changes); /* the kernel holds the folder of the name that it looks up */
	return r < 0 ? r : NODE_CHANGED;
}

static int
build_director(struct core *core, void *source, char **content, size_t *bytes, struct err *err)
{
	AUTO(free_p) char *made = NULL;
	int r = director_make(core->signer, source, &made, bytes, err);

	if (r < 0)
		return r;
	if (r == DIRECTOR_OPPOSED || director_is_news(source)) {
		core_lock(core);
		r = r == 0 ? director_hand_out(core, source, utc_now(), err) : mend(core, source, err);
		core_unlock(core);
	}
	if (r == 0)
		*content = MOVE(made);
	return r > 0 ? NODE_CHANGED : r;
}

/* Roots are the same for all devices. */
static int
settle_director(struct node *node, struct err *err)
{
	int version = names_root_version(names_last(node)), r = exists_director(node, err);

	if (r == 0 && version >= 0)
		snprintf(node->shared, sizeof(node->shared), "director/%d.root.json",
		    version ? version : node->core->roots.count);
	return r;
}

static void
discard_director(void *source)
{
	director_discard(source);
}

static int64_t
tag_director(const struct node *node)
{
	int version = names_root_version(names_last(node));
	struct err err;
	int64_t tag = 0;

	if (version >= 0)
		return version ? version : node->core->roots.count;
	return director_version(node->core, &node->device, &tag, &err) < 0 ? 0 : tag;
}

/* ---- the table */

/* clang-format off */
static const struct row rows[] = {
	FOLDER("devices/*/director", VIEW_FULL, NEEDS_DEVICE, .list = list_director),
	TEXT("devices/*/director/*", NEEDS_DEVICE, print_director, .exists = exists_director),
	FOLDER("devices/*/*/director", VIEW_WWW, SPEAKS, .list = list_director, .inode = INODE_DIRECTOR),
	ROW("devices/*/*/director/*", VIEW_WWW, NODE_TEXT, 0444, GROUP_ADMIN, SPEAKS, .settle = settle_director,
	    .inode = INODE_DOCUMENT, .print = print_director, .gather = gather_director, .build = build_director, .discard = discard_director,
	    .tag = tag_director),
};
/* clang-format on */

const struct table tree_director = TABLE(rows);
