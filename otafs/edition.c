#include "otafs/edition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"

/* A text in quotes. Names hardly ever have characters that JSON writes otherwise. */
static void
put_text(FILE *out, const char *text)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *escaped = NULL;

	if (!strpbrk(text, "\"\\")) {
		putc_unlocked('"', out);
		fputs_unlocked(text, out);
		putc_unlocked('"', out);
		return;
	}
	json = json_string(text);
	escaped = json ? json_write(json) : NULL;
	/* Without it the signer refuses what is no document then. */
	fputs_unlocked(escaped ? escaped : "", out);
}

static void
put_number(FILE *out, int64_t number)
{
	fprintf(out, "%lld", (long long)number);
}

#define PUT(literal) fwrite_unlocked(literal, 1, sizeof(literal) - 1, out)

/* By file, and of each file by ECU. */
static int
compare(const void *a, const void *b)
{
	const struct assignment *const *x = a, *const *y = b;
	int r = strcmp((*x)->target, (*y)->target);

	return r ? r : strcmp((*x)->ecu, (*y)->ecu);
}

static void
put_ecu(FILE *out, const struct assignment *a)
{
	put_text(out, a->ecu);
	PUT(":{\"hardwareId\":");
	put_text(out, a->hardware);
	PUT("}");
}

/* What the entry of a file has after its ECUs. */
static void
put_file(FILE *out, const struct assignment *a)
{
	PUT("},\"targetFormat\":");
	put_text(out, a->format);
	PUT(",\"uri\":null},\"hashes\":{\"sha256\":");
	put_text(out, a->sha256);
	PUT("},\"length\":");
	put_number(out, a->length);
	PUT("}");
}

/* Several ECUs may get the same file, in one entry. */
static void
put_files(FILE *out, const struct assignment *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct assignment *before = i ? list[i - 1] : NULL;
		const struct assignment *after = i + 1 < count ? list[i + 1] : NULL;

		if (!before || strcmp(before->target, list[i]->target) != 0) {
			if (before)
				PUT(",");
			put_text(out, list[i]->target);
			PUT(":{\"custom\":{\"ecuIdentifiers\":{");
		} else {
			PUT(",");
		}
		put_ecu(out, list[i]);
		if (!after || strcmp(after->target, list[i]->target) != 0)
			put_file(out, list[i]);
	}
}

static void
put_device(FILE *out, const struct edition *edition)
{
	/* An empty document is bound to its device too, so that nobody can hand it to another.
	 * (Uptane 2.1, 5.3.2.1) */
	PUT("\"deviceId\":");
	put_text(out, edition->device);
	PUT("},\"expires\":");
	put_text(out, edition->expires);
}

/* The end of each document. */
static int
finish(FILE *out, const struct edition *edition, char **text, struct err *err)
{
	int is_bad;

	PUT("},\"version\":");
	put_number(out, edition->version);
	PUT("}");
	is_bad = ferror(out);
	if (!fclose(out) && !is_bad)
		return 0;
	free(*text);
	*text = NULL;
	return err_set(err, ENOMEM, "%s: no memory for a document", edition->device);
}

static FILE *
start(char **text, size_t *bytes, struct err *err)
{
	FILE *out = open_memstream(text, bytes);

	if (!out)
		err_set(err, ENOMEM, "no memory for a document");
	return out;
}

int
edition_targets(const struct edition *edition, const struct assignment *list, size_t count, char **text,
    size_t *bytes, struct err *err)
{
	AUTO(free_p) const struct assignment **order = calloc(count + 1, sizeof(*order));
	FILE *out;

	if (!order)
		return err_set(err, ENOMEM, "%s: no memory for targets", edition->device);
	if (!(out = start(text, bytes, err)))
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		order[i] = &list[i];
	qsort(order, count, sizeof(*order), compare);
	PUT("{\"_type\":\"Targets\",\"custom\":{");
	if (count) {
		PUT("\"correlationId\":");
		put_text(out, list[0].correlation);
		PUT(",");
	}
	put_device(out, edition);
	PUT(",\"targets\":{");
	put_files(out, order, count);
	return finish(out, edition, text, err);
}

/* The entry of one file in a "meta" member. */
static void
put_meta(FILE *out, const char *name, const char *text, size_t bytes, int64_t version)
{
	char hex[DIGEST_HEX_SIZE];

	digest_sha256_hex(text, bytes, hex);
	fprintf(out, "\"%s\":{\"hashes\":{\"sha256\":\"%s\"},\"length\":%zu,\"version\":%lld}", name, hex,
	    bytes, (long long)version);
}

int
edition_snapshot(const struct edition *edition, const char *root, int root_version, const char *targets,
    size_t targets_bytes, char **text, size_t *bytes, struct err *err)
{
	FILE *out = start(text, bytes, err);

	if (!out)
		return -ENOMEM;
	PUT("{\"_type\":\"Snapshot\",\"custom\":{");
	put_device(out, edition);
	PUT(",\"meta\":{");
	put_meta(out, "root.json", root, strlen(root), root_version);
	PUT(",");
	put_meta(out, "targets.json", targets, targets_bytes, edition->version);
	return finish(out, edition, text, err);
}

int
edition_timestamp(const struct edition *edition, const char *snapshot, size_t snapshot_bytes, char **text,
    size_t *bytes, struct err *err)
{
	FILE *out = start(text, bytes, err);

	if (!out)
		return -ENOMEM;
	PUT("{\"_type\":\"Timestamp\",\"custom\":{");
	put_device(out, edition);
	PUT(",\"meta\":{");
	put_meta(out, "snapshot.json", snapshot, snapshot_bytes, edition->version);
	return finish(out, edition, text, err);
}
