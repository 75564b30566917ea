/** The tables, as numbered steps. */
#ifndef STATE_SCHEMA_H
#define STATE_SCHEMA_H

#include "state/db.h"

/** Brings the schema up to date, one step after the other; a schema that is newer than this program is
 * -ENOTSUP. */
int schema_migrate(struct db *db, struct err *err);

#endif
