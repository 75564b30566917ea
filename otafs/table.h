/**
 * csv/devices.csv and csv/tags.csv: the fleet as tables.
 *
 *     DeviceID;Name;Notes;TAG;...       devices.csv: a device that is not there is made
 *     DeviceID;TAG;...                  tags.csv: of devices that are there
 *
 * What a line says is so afterwards: an empty field takes the name, notes or tag away; a column that the table
 * does not have leaves it as it is. A tag of the name Name or Notes is in tags.csv alone.
 */
#ifndef OTAFS_TABLE_H
#define OTAFS_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include "otafs/node.h"

/** Bytes of a line: notes, 64 tags and a name, of which every character may take two. */
#define TABLE_LINE_MAX (128 * 1024)

enum table_kind { TABLE_DEVICES, TABLE_TAGS };

/** Prints the header or the next devices, as a stream of otafs/tree.h does. -ESTALE: there are other tags than
 * when the header was printed. */
int table_print(
    struct core *core, enum table_kind kind, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err);

/** Takes @lines, in one transaction, up to the one that is refused, which @err names. */
int table_take(struct core *core, enum table_kind kind, const char *header, const char *lines, int64_t first,
    const char *who, struct err *err);

#endif
