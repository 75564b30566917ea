/** The parts that make the list of lifetime.h. */
#ifndef OTAFS_LIFETIME_PART_H
#define OTAFS_LIFETIME_PART_H

#include "otafs/lifetime.h"

/** Adds an entry of that name, all else of it 0. */
int lifetime_add(struct lifetimes *list, struct lifetime **out, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** What is in a file of certificates, or why it cannot be read. */
int lifetime_add_file(const struct source_file *file, struct lifetimes *out, struct err *err);
/** Enrolment tokens that end, or have since a month before @now. */
int lifetime_add_tokens(struct core *core, int64_t now, struct lifetimes *out, struct err *err);
/** Device certificates, in sum. */
int lifetime_add_devices(const struct lifetime_devices *devices, struct lifetimes *out, struct err *err);

#endif
