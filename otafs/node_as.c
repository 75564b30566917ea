#include "otafs/node_as.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "otafs/tree.h"

/* as/WHO/PATH becomes PATH, on which WHO acts. */
static int
enter_as(struct node *node, uid_t uid, struct err *err)
{
	const char *who = node->asked + strlen("as/"), *rest;
	int r;

	if (uid != node->core->web_uid)
		return err_set(err, EACCES, "as/ is for ota-admin-gate");
	if ((r = access_find(node->core, who, strcspn(who, "/"), &node->access, err)) < 0) {
		strcpy(node->path, "as"); /* who it was, with the digest of a token, is not for the log */
		return r;
	}
	rest = who + strcspn(who, "/");
	memmove(node->path, rest + (*rest == '/'), strlen(rest + (*rest == '/')) + 1);
	access_who(&node->access, node->who);
	return 0;
}

int
node_enter(struct node *node, uid_t uid, struct err *err)
{
	/* Nobody yet, who may see that nothing is listed there. */
	if (!strcmp(node->asked, "as"))
		node->access = (struct access){ .is_there = true, .role = ACCESS_VIEW };
	if (!strncmp(node->asked, "as/", 3))
		return enter_as(node, uid, err);
	snprintf(node->who, sizeof(node->who), "%s", user_who(&node->core->users, uid));
	return 0;
}

int
node_pass(const struct node *node, struct err *err)
{
	int r = node->row->flags & ROW_OWN ? 0 : access_may_pass(&node->access, node->path, err);

	if (r < 0)
		core_refused(node->core, node->path, node->who, err->text);
	return r;
}

bool
node_is_others(const struct node *node, const struct row *row)
{
	return node->access.name[0] && row->group != GROUP_ADMIN;
}

static int
may(const struct node *node, const char *path, enum access_role role, struct err *err)
{
	struct err ignored;
	int r = node->row->flags & ROW_OWN ? 0 : access_may(&node->access, path, role, err);

	if (r < 0)
		core_refused(node->core, path, node->who, err->text);
	else
		access_note(node->core, &node->access, &ignored);
	return r;
}

int
node_may_read(const struct node *node, struct err *err)
{
	return may(node, node->path, ACCESS_VIEW, err);
}

static enum access_role
role_for(const struct row *row)
{
	return row->flags & ROW_KEYS ? ACCESS_KEYS : ACCESS_OPERATE;
}

int
node_may_write(const struct node *node, struct err *err)
{
	return may(node, node->path, role_for(node->row), err);
}

int
node_may_put(const struct node *folder, const char *path, struct err *err)
{
	return may(folder, path, role_for(folder->row), err);
}
