/**
 * How an area of the table writes its rows. Each area is a file tree_AREA.c with its table at the end; tree.c
 * has the list of them. An area includes no other: what two of them need is here or in names.h.
 */
#ifndef OTAFS_ROWS_H
#define OTAFS_ROWS_H

#include "otafs/tree.h"

extern const struct table tree_top;
extern const struct table tree_repo;
extern const struct table tree_packages;
extern const struct table tree_devices;
extern const struct table tree_director;
extern const struct table tree_gate;
extern const struct table tree_enroll;
extern const struct table tree_est;
extern const struct table tree_csv;
extern const struct table tree_events;
extern const struct table tree_query;
extern const struct table tree_prefix;
extern const struct table tree_groups;
extern const struct table tree_access;

#define BOTH (VIEW_FULL | VIEW_WWW)
#define SPEAKS (NEEDS_DEVICE | NEEDS_CERTIFICATE)

/* clang-format off */
#define ROW(path, view, what, permissions, who, need, ...)                                                              \
	{ .pattern = path, .views = view, .kind = what, .mode = permissions, .group = who, .needs = need, __VA_ARGS__ }
#define FOLDER(path, view, need, ...) ROW(path, view, NODE_FOLDER, 0750, GROUP_ADMIN, need, __VA_ARGS__)
/* A folder in which administrators make and delete. */
#define OPEN_FOLDER(path, need, ...) ROW(path, VIEW_FULL, NODE_FOLDER, 0770, GROUP_ADMIN, need, __VA_ARGS__)
#define TEXT(path, need, printer, ...)                                                                                  \
	ROW(path, VIEW_FULL, NODE_TEXT, 0640, GROUP_ADMIN, need, .print = printer, __VA_ARGS__)
/* One write is one command. */
#define CONTROL(path, need, printer, writer, size, ...)                                                                 \
	ROW(path, VIEW_FULL, NODE_CONTROL, 0660, GROUP_ADMIN, need, .print = printer, .write = writer, .room = size,     \
	    __VA_ARGS__)
#define STREAM(path, need, streamer, ...)                                                                               \
	ROW(path, VIEW_FULL, NODE_STREAM, 0640, GROUP_ADMIN, need, .stream = streamer, __VA_ARGS__)
#define LINK(path, need, ...) ROW(path, VIEW_FULL, NODE_LINK, 0777, GROUP_ADMIN, need, __VA_ARGS__)
#define TABLE(rows) { rows, sizeof(rows) / sizeof((rows)[0]) }
/* clang-format on */

#endif
