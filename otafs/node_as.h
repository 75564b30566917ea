/** as/: the tree once more, acted on by an administrator (access.h). What node_find() needs of it. */
#ifndef OTAFS_NODE_AS_H
#define OTAFS_NODE_AS_H

#include <stdbool.h>
#include <sys/types.h>

#include "otafs/node.h"

/** Finds out who acts on the node of the full tree that @uid asked for; as/WHO/PATH becomes PATH. -EACCES. */
int node_enter(struct node *node, uid_t uid, struct err *err);

/** Whether he may know that there is such a path. -EACCES; it is remembered. */
int node_pass(const struct node *node, struct err *err);

/** Whether @row is the way of somebody else, who does not come through as/WHO/. */
bool node_is_others(const struct node *node, const struct row *row);

#endif
