#include "store/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/json.h"
#include "store/image.h"

struct chain {
	int set; /* published/N */
	chain_bad_fn *bad;
	void *data;
};

static void __attribute__((format(printf, 3, 4)))
tell(struct chain *chain, const char *name, const char *format, ...)
{
	char words[ERR_TEXT_MAX], path[300];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	snprintf(path, sizeof(path), "published/current/%s", name);
	chain->bad(chain->data, path, words);
}

/* A document as bytes and as JSON; *json stays NULL, and is told, if it is none. -errno when it cannot be read.
 */
static int
read_document(struct chain *chain, const char *name, char **text, size_t *bytes, json_t **json, struct err *err)
{
	int r = file_read(chain->set, name, IMAGE_TARGETS_MAX, text, bytes, err);

	*json = NULL;
	if (r == -ENOENT || r == -EFBIG || r == -EINVAL)
		tell(chain, name, "%s", err->text);
	else if (r == 0 && json_read_loosely(*text, *bytes, name, json, err) < 0)
		tell(chain, name, "%s", err->text);
	return r == -ENOENT || r == -EFBIG || r == -EINVAL ? 0 : r;
}

/* Compares a document with what @meta, of the document above it, says of it. */
static void
compare(struct chain *chain, const char *name, const json_t *meta, const char *text, size_t bytes,
    const json_t *document)
{
	const json_t *version = json_object_get(meta, "version"), *length = json_object_get(meta, "length");
	const char *sha256 = json_text(json_object_get(meta, "hashes"), "sha256");
	char found[DIGEST_HEX_SIZE];

	digest_sha256_hex(text, bytes, found);
	if (sha256 && strcmp(sha256, found))
		tell(chain, name, "has SHA-256 %s, the document above says %.64s", found, sha256);
	if (length && json_integer_value(length) != (json_int_t)bytes)
		tell(chain, name, "has %zu bytes, the document above says %lld", bytes,
		    (long long)json_integer_value(length));
	if (!json_equal(version, json_object_get(json_object_get(document, "signed"), "version")))
		tell(chain, name, "has another version than the document above says");
}

/* Reads document @name and compares it; *out gets its "signed" part, or NULL. */
static int
check_document(struct chain *chain, const char *name, const json_t *meta, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = read_document(chain, name, &text, &bytes, &json, err);

	*out = NULL;
	if (r < 0 || !json)
		return r;
	if (meta)
		compare(chain, name, meta, text, bytes, json);
	*out = json_incref(json_object_get(json, "signed"));
	if (!*out)
		tell(chain, name, "has no signed part");
	return 0;
}

/* Delegations are files in a folder of their own. */
static void
file_of(const char *name, char path[static 300])
{
	bool is_own = !strcmp(name, "targets.json") || !strcmp(name, "root.json");

	snprintf(path, 300, "%s%s", is_own ? "" : "delegations/", name);
}

static int
check_set(struct chain *chain, struct err *err)
{
	AUTO(json_decref_p) json_t *timestamp = NULL;
	AUTO(json_decref_p) json_t *snapshot = NULL;
	const json_t *meta;
	const char *name;
	json_t *entry;
	int r;

	r = check_document(chain, "timestamp.json", NULL, &timestamp, err);
	if (r < 0 || !timestamp)
		return r;
	meta = json_object_get(json_object_get(timestamp, "meta"), "snapshot.json");
	if (!meta)
		tell(chain, "timestamp.json", "names no snapshot.json");
	r = check_document(chain, "snapshot.json", meta, &snapshot, err);
	if (r < 0 || !snapshot)
		return r;
	if (!json_object_get(json_object_get(snapshot, "meta"), "targets.json"))
		tell(chain, "snapshot.json", "names no targets.json");
	json_object_foreach(json_object_get(snapshot, "meta"), name, entry)
	{
		AUTO(json_decref_p) json_t *document = NULL;
		char path[300];

		file_of(name, path);
		if ((r = check_document(chain, path, entry, &document, err)) < 0)
			return r;
	}
	return 0;
}

int
chain_check(int repository, chain_bad_fn *bad, void *data, struct err *err)
{
	struct chain chain = { .bad = bad, .data = data };
	/* By descriptor: all documents are of one set, whatever is published meanwhile. */
	AUTO(close_p) int set = openat(repository, "published/current", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (set < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return err_sys(err, "published/current");
		bad(data, "published/current", "nothing is published");
		return 0;
	}
	chain.set = set;
	return check_set(&chain, err);
}
