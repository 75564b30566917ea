/** Where to look for the devices of a rule: the index that has the fewest of which all could be, or all
 * devices. */
#ifndef OTAFS_SOURCE_H
#define OTAFS_SOURCE_H

#include "otafs/ids.h"
#include "otafs/term.h"

/** Values of a tag, or files of a package, that are looked for one beside the other. */
#define SOURCE_FINDS_MAX 64

struct source {
	struct find finds[SOURCE_FINDS_MAX]; /**< a device that is meant is found by one of them */
	size_t count;
	const struct bound_term *sure; /**< of which that is true then; NULL: none */
	struct found_pairs values;     /* of tags and hardware, what the finds point into */
};

/** Between reader_begin() and reader_end(). @bound has to live as long as @out, which the caller ends by
 * source_done() either way. */
int source_choose(struct reader *reader, const struct bound *bound, struct source *out, struct err *err);
void source_done(struct source *source);

/** The first @most ids behind @after, in order, each once. Fewer: there are no more. */
int source_next(struct reader *reader, const struct source *source, const char *after, size_t most,
    struct ids *out, struct err *err);

#endif
