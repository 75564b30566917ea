/* enroll/: how devices come in by themselves, and which may not; and ota-gate's way to that. */
#include <stdio.h>
#include <string.h>

#include "otafs/blocked.h"
#include "otafs/csr.h"
#include "otafs/enlist.h"
#include "otafs/moment.h"
#include "otafs/names.h"
#include "otafs/provision.h"
#include "otafs/rows.h"
#include "otafs/token.h"

/* ---- enroll/tokens/ */

static int
list_token(const struct token *token, void *names)
{
	return names_pass(token->name, names);
}

static int
list_tokens(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	struct names names = { each, context, S_IFDIR };

	return state_tokens(node->core->state, list_token, &names, err);
}

static int
make_token(const struct node *node, const char *name, struct err *err)
{
	return token_add(node->core, name, node->who, err);
}

static int
exists_token(const struct node *node, struct err *err)
{
	struct token token;

	return token_find(node->core, node->args[0], &token, err);
}

static int
remove_token(const struct node *node, struct err *err)
{
	return token_remove(node->core, node->args[0], node->who, err);
}

static int
write_expires(const struct node *node, const char *text, struct err *err)
{
	return token_write_expires(node->core, node->args[0], text, node->who, err);
}

static int
write_limit(const struct node *node, const char *text, struct err *err)
{
	return token_write_limit(node->core, node->args[0], text, node->who, err);
}

static int
write_group(const struct node *node, const char *text, struct err *err)
{
	return token_write_group(node->core, node->args[0], text, node->who, err);
}

static int
write_tags(const struct node *node, const char *text, struct err *err)
{
	return token_write_tags(node->core, node->args[0], text, node->who, err);
}

/* Each file by its name. */
static int
print_token(const struct node *node, FILE *out, struct err *err)
{
	const char *file = names_last(node);
	struct token token;
	int r = token_find(node->core, node->args[0], &token, err);

	if (r < 0)
		return r;
	if (!strcmp(file, "expires"))
		token_print_expires(&token, out);
	else if (!strcmp(file, "limit"))
		token_print_limit(&token, out);
	else if (!strcmp(file, "group"))
		fprintf(out, "%s%s", token.group, token.group[0] ? "\n" : "");
	else if (!strcmp(file, "tags"))
		fputs(token.tags, out);
	else if (!strcmp(file, "used"))
		fprintf(out, "%lld\n", (long long)token.used);
	else
		token_print_status(&token, out);
	return 0;
}

static int
prepare_csr(
    const struct node *node, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	return token_prepare(node->core, node->args[0], body, bytes, work, reply, err);
}

static int
commit_csr(const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	(void)body, (void)bytes;
	return token_take(node->core, node->args[0], node->work, node->who, reply, err);
}

/* ---- enroll/blocked/ */

static int
page_blocked(const struct node *node, char cursor[static NODE_CURSOR_MAX], node_list_fn each, void *context,
    struct err *err)
{
	struct names_page page = { { each, context, S_IFDIR }, cursor, 0 };
	char after[NODE_CURSOR_MAX];

	memcpy(after, cursor, sizeof(after));
	return names_page_end(
	    &page, state_blocked_page(node->core->state, after, NAMES_PAGE, names_page_pass, &page, err));
}

static int
make_blocked(const struct node *node, const char *name, struct err *err)
{
	return blocked_add(node->core, name, node->who, err);
}

static int
exists_blocked(const struct node *node, struct err *err)
{
	return blocked_find(node->core, node->args[0], err);
}

static int
remove_blocked(const struct node *node, struct err *err)
{
	return blocked_remove(node->core, node->args[0], node->who, err);
}

static int
print_blocked(const struct node *node, FILE *out, struct err *err)
{
	return blocked_print(node->core, node->args[0], out, err);
}

/* ---- gate/TOKEN/SERIAL/ */

static int
exists_certified(const struct node *node, struct err *err)
{
	return token_check_serial(node->core, node->args[0], node->args[1], err);
}

static int
prepare_devices(
    const struct node *node, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	return provision_prepare(node->core, node->args[0], body, bytes, work, reply, err);
}

static int
commit_devices(const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	(void)body, (void)bytes;
	return provision_take(node->core, node->args[0], node->work, reply, err);
}

static int
prepare_enlistment(
    const struct node *node, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	return enlist_prepare(node->core, node->args[0], body, bytes, work, reply, err);
}

static int
commit_enlistment(const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	(void)body, (void)bytes;
	return enlist_take(node->core, node->args[0], node->work, reply, err);
}

/* ---- the table */

/* clang-format off */
#define TOKEN_CONTROL(name, writer, size)                                                                               \
	CONTROL("enroll/tokens/*/" name, NEEDS_NOTHING, print_token, writer, size, .flags = ROW_SHOWN | ROW_KEYS,                   \
	    .exists = exists_token)
#define TOKEN_TEXT(name)                                                                                                \
	TEXT("enroll/tokens/*/" name, NEEDS_NOTHING, print_token, .flags = ROW_SHOWN, .exists = exists_token)

static const struct row rows[] = {
	FOLDER("enroll", VIEW_FULL, NEEDS_NOTHING),
	OPEN_FOLDER("enroll/tokens", NEEDS_NOTHING, .flags = ROW_KEYS, .list = list_tokens, .make = make_token),
	OPEN_FOLDER("enroll/tokens/*", NEEDS_NOTHING, .flags = ROW_KEYS, .exists = exists_token,
	    .remove = remove_token),
	TOKEN_CONTROL("expires", write_expires, MOMENT_BYTES_MAX),
	TOKEN_CONTROL("limit", write_limit, TOKEN_BYTES_MAX),
	TOKEN_CONTROL("group", write_group, TOKEN_BYTES_MAX),
	TOKEN_CONTROL("tags", write_tags, STATE_TOKEN_TAGS_MAX),
	TOKEN_TEXT("used"),
	TOKEN_TEXT("status"),
	ROW("enroll/tokens/*/csr", VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_ADMIN, NEEDS_NOTHING,
	    .flags = ROW_SHOWN | ROW_KEYS, .exists = exists_token, .prepare = prepare_csr, .commit = commit_csr, .finish = token_finish,
	    .room = CSR_BYTES_MAX),
	OPEN_FOLDER("enroll/blocked", NEEDS_NOTHING, .flags = ROW_KEYS, .page = page_blocked, .make = make_blocked),
	OPEN_FOLDER("enroll/blocked/*", NEEDS_NOTHING, .flags = ROW_KEYS, .exists = exists_blocked,
	    .remove = remove_blocked),
	TEXT("enroll/blocked/*/status", NEEDS_NOTHING, print_blocked, .flags = ROW_SHOWN, .exists = exists_blocked),

	ROW("gate/*/*/devices", VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_GATE, NEEDS_NOTHING, .exists = exists_certified,
	    .prepare = prepare_devices, .commit = commit_devices, .finish = provision_finish,
	    .room = PROVISION_BYTES_MAX),
	ROW("gate/*/*/simpleenroll", VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_GATE, NEEDS_NOTHING, .exists = exists_certified,
	    .prepare = prepare_enlistment, .commit = commit_enlistment, .finish = enlist_finish, .room = CSR_BYTES_MAX),
};
/* clang-format on */

const struct table tree_enroll = TABLE(rows);
