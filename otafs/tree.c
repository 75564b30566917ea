#include "otafs/tree.h"

#include "otafs/rows.h"

/* No path of one area matches a row of another, so their order is only that of a listing. */
const struct table *const tree_tables[] = {
	&tree_top,
	&tree_repo,
	&tree_packages,
	&tree_devices,
	&tree_director,
	&tree_gate,
	&tree_enroll,
	&tree_est,
	&tree_csv,
	&tree_events,
	&tree_query,
	&tree_prefix,
	&tree_groups,
	&tree_access,
};
const size_t tree_table_count = sizeof(tree_tables) / sizeof(tree_tables[0]);
