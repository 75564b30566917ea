/** The tables, as numbered steps. */
#ifndef STATE_SCHEMA_H
#define STATE_SCHEMA_H

#include "state/db.h"

/** The database's name goes on so in a copy from before an upgrade, then comes the number of its schema. */
#define SCHEMA_COPY ".schema-"

/**
 * Brings the schema up to date, one step after the other; before the first, a copy is kept beside the database.
 * A schema that is newer than this program is -ENOTSUP, with what to do.
 */
int schema_migrate(struct db *db, struct err *err);

#endif
