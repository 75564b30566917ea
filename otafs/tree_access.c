/* as/, the way in of the admin listener; and access/: who comes in, and what he may do. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "otafs/access_token.h"
#include "otafs/names.h"
#include "otafs/rows.h"

static struct access_asker
asker_of(const struct node *node)
{
	return (struct access_asker){ &node->access, node->who };
}

/* ---- access/administrators/ */

static int
list_administrators(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	struct names names = { each, context, S_IFREG };

	return state_administrators(node->core->state, names_pass, &names, err);
}

/* There is a file for everybody who may become one, since a shell cannot write to one that is not there. */
static int
exists_name(const struct node *node, struct err *err)
{
	return name_check_user(node->args[0], err) < 0 ? err_set(err, ENOENT, "no administrator's name") : 0;
}

static int
print_role(const struct node *node, FILE *out, struct err *err)
{
	return access_print_role(node->core, node->args[0], out, err);
}

static int
write_role(const struct node *node, const char *text, struct err *err)
{
	const struct access_asker asker = asker_of(node);

	return access_write_role(node->core, node->args[0], text, &asker, err);
}

static int
remove_administrator(const struct node *node, struct err *err)
{
	const struct access_asker asker = asker_of(node);

	return access_remove(node->core, node->args[0], &asker, err);
}

/* ---- access/tokens/ */

struct seen_by {
	const struct node *node;
	struct access_asker asker;
	struct names names;
};

static int
list_token(const char *id, void *context)
{
	const struct seen_by *seen_by = context;
	struct err ignored;

	if (access_token_find(seen_by->node->core, id, &seen_by->asker, &ignored) < 0)
		return 0;
	return seen_by->names.each(id, S_IFREG, seen_by->names.context);
}

static int
list_tokens(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	struct seen_by seen_by = { node, asker_of(node), { each, context, S_IFREG } };

	return state_access_list(node->core->state, list_token, &seen_by, err);
}

static int
exists_token(const struct node *node, struct err *err)
{
	const struct access_asker asker = asker_of(node);

	return access_token_find(node->core, node->args[0], &asker, err);
}

static int
print_token(const struct node *node, FILE *out, struct err *err)
{
	const struct access_asker asker = asker_of(node);

	return access_token_print(node->core, node->args[0], &asker, out, err);
}

static int
revoke_token(const struct node *node, struct err *err)
{
	const struct access_asker asker = asker_of(node);

	return access_token_revoke(node->core, node->args[0], &asker, err);
}

/* What the asker may not have, or wrote wrong, he is told; what failed here is a failure. */
static int
refuse_token(int r, struct reply *reply, const struct err *err)
{
	switch (-r) {
	case EINVAL:
		return reply_refuse(reply, 400, "invalid", err->text);
	case EACCES:
	case ENOENT:
		return reply_refuse(reply, 403, "forbidden", err->text);
	case ENOSPC:
		return reply_refuse(reply, 409, "too_many", err->text);
	}
	return r;
}

static int
commit_token(const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	const struct access_asker asker = asker_of(node);
	char text[ACCESS_TEXT_SIZE];
	int r, n;

	if (strlen(body) != bytes)
		return reply_refuse(reply, 400, "invalid", "a request is text, this has a 0 byte");
	if ((r = access_token_make(node->core, body, &asker, text, err)) < 0)
		return refuse_token(r, reply, err);
	reply->status = 201;
	reply->type = "text/plain";
	n = asprintf(&reply->body, "%s\n", text);
	explicit_bzero(text, sizeof(text));
	if (n < 0)
		return err_set(err, ENOMEM, "no memory for a token");
	reply->body_bytes = (size_t)n;
	return 0;
}

/* ---- the table */

/* clang-format off */
static const struct row rows[] = {
	/* What is below is found by node_find(). */
	ROW("as", VIEW_FULL, NODE_FOLDER, 0700, GROUP_WEB, NEEDS_NOTHING, .list = NULL),

	FOLDER("access", VIEW_FULL, NEEDS_NOTHING, .flags = ROW_OWN),
	OPEN_FOLDER("access/administrators", NEEDS_NOTHING, .flags = ROW_KEYS, .list = list_administrators),
	CONTROL("access/administrators/*", NEEDS_NOTHING, print_role, write_role, ACCESS_ROLE_BYTES_MAX, .flags = ROW_KEYS,
	    .exists = exists_name, .unlink = remove_administrator),
	OPEN_FOLDER("access/tokens", NEEDS_NOTHING, .flags = ROW_OWN, .list = list_tokens),
	ROW("access/tokens/new", VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_ADMIN, NEEDS_NOTHING, .flags = ROW_OWN,
	    .commit = commit_token, .room = ACCESS_REQUEST_MAX),
	TEXT("access/tokens/*", NEEDS_NOTHING, print_token, .flags = ROW_OWN, .exists = exists_token, .unlink = revoke_token),
};
/* clang-format on */

const struct table tree_access = TABLE(rows);
