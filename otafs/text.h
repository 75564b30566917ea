/** Printing into the files of the tree. */
#ifndef OTAFS_TEXT_H
#define OTAFS_TEXT_H

/** A state_name_fn that prints each name on a line of its own to @out, a FILE. */
int text_line(const char *line, void *out);

#endif
