/* Certificates for requests: devices/ID/csr for administrators, and EST for devices. */
#include "otafs/credential.h"
#include "otafs/csr.h"
#include "otafs/est.h"
#include "otafs/renewal.h"
#include "otafs/rows.h"

static struct renewal
asked_here(const struct node *node)
{
	return (struct renewal){ node->core, node->args[0], node->who, CREDENTIAL_REQUEST, NULL };
}

static struct renewal
asked_itself(const struct node *node)
{
	return (
	    struct renewal){ node->core, node->args[0], STATE_WHO_DEVICE, CREDENTIAL_RENEWAL, node->args[1] };
}

static int
prepare_request(
    const struct node *node, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	const struct renewal renewal = asked_here(node);

	return renewal_prepare(&renewal, body, bytes, work, reply, err);
}

static int
commit_request(const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	const struct renewal renewal = asked_here(node);

	(void)body;
	(void)bytes;
	return renewal_take(&renewal, node->work, reply, err);
}

static int
prepare_renewal(
    const struct node *node, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	const struct renewal renewal = asked_itself(node);

	return renewal_prepare(&renewal, body, bytes, work, reply, err);
}

static int
commit_renewal(const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	const struct renewal renewal = asked_itself(node);

	(void)body;
	(void)bytes;
	return renewal_take(&renewal, node->work, reply, err);
}

/* ---- the CAs: the same bytes for all devices */

static int
settle_cacerts(struct node *node, struct err *err)
{
	snprintf(node->shared, sizeof(node->shared), "est/cacerts");
	return est_exists(node->core, err);
}

static int
print_cacerts(const struct node *node, FILE *out, struct err *err)
{
	return est_print(node->core, out, err);
}

static int64_t
tag_cacerts(const struct node *node)
{
	return est_tag(node->core);
}

/* ---- the table */

/* clang-format off */
static const struct row rows[] = {
	ROW("devices/*/csr", VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_ADMIN, NEEDS_DEVICE, .flags = ROW_KEYS, .commit = commit_request,
	    .room = CSR_BYTES_MAX, .prepare = prepare_request, .finish = renewal_finish),
	ROW("gate/*/*/simplereenroll", VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_GATE, SPEAKS, .commit = commit_renewal,
	    .room = CSR_BYTES_MAX, .prepare = prepare_renewal, .finish = renewal_finish),
	FOLDER("devices/*/*/est", VIEW_WWW, SPEAKS, .inode = INODE_EST),
	ROW("devices/*/*/est/cacerts", VIEW_WWW, NODE_TEXT, 0444, GROUP_ADMIN, SPEAKS, .flags = ROW_ASKED,
	    .settle = settle_cacerts, .print = print_cacerts, .tag = tag_cacerts),
};
/* clang-format on */

const struct table tree_est = TABLE(rows);
