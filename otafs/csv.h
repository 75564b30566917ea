/**
 * Tables as spreadsheets read and write them: lines of fields.  (RFC 4180, with the separator of the header)
 *
 * A record is one line: a line end within a field is written \n, so that grep, sort and head work on tables
 * too.
 */
#ifndef OTAFS_CSV_H
#define OTAFS_CSV_H

#include <stddef.h>
#include <stdio.h>

#include "lib/err.h"

/** Fields of a line: more columns than that are no table that a person looks at. */
#define CSV_FIELDS_MAX 1000

/** The separator of a table with this header: ',' if that comes first in it, else ';'. */
char csv_separator(const char *header);

/**
 * Splits @line in place, without its line end, into up to CSV_FIELDS_MAX @fields. Blanks around a field are
 * dropped, unless it stands in quotes. Returns how many there are, or -EINVAL.
 */
int csv_split(char *line, char separator, char *fields[static CSV_FIELDS_MAX], struct err *err);

/** Prints a field that has no line end, in quotes where it needs them. */
void csv_print(const char *field, char separator, FILE *out);

/** Texts of several lines as a field: line ends, tabs and backslashes become \n, \r, \t and \\, and back.
 * csv_unescape() works in place; -EINVAL for another letter after a backslash. */
void csv_print_escaped(const char *text, char separator, FILE *out);
int csv_unescape(char *text, struct err *err);

#endif
