/** Names of the tree, as several areas of its table take them apart and pass them on. */
#ifndef OTAFS_NAMES_H
#define OTAFS_NAMES_H

#include "otafs/node.h"

/** The last part of the node's path. */
const char *names_last(const struct node *node);

/** What names_pass() needs to pass names on to a node_list_fn. */
struct names {
	node_list_fn each;
	void *context;
	mode_t mode; /* S_IFDIR or S_IFREG, the same for all */
};

/** For functions of the state that list: @context is a struct names. */
int names_pass(const char *name, void *context);

/** Names of a folder that is read piece by piece: so many at once, short enough to hold up nobody. */
#define NAMES_PAGE 1000

/** The same for one page: names_page_pass() also moves the cursor, and counts. */
struct names_page {
	struct names names;
	char *cursor;
	int count;
};
int names_page_pass(const char *name, void *context);
/** What a page function returns, of which the list returned @r: -errno, 1: there may be more, 0: that was all.
 */
int names_page_end(const struct names_page *page, int r);

/** The version in "7.root.json", 0 for "root.json", -1 for any other name. */
int names_root_version(const char *name);

/** The role of "targets.json", "snapshot.json" or "timestamp.json", or -1. */
int names_role(const char *name);

#endif
