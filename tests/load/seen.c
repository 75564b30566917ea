#include "tests/load/seen.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "sign/envelope.h"

struct sum {
	char sha256[DIGEST_HEX_SIZE]; /* "": not seen */
};

struct seen {
	pthread_mutex_t lock;
	const json_t *root;
	long first;
	struct sum *sums; /* of version first, first + 1, ... */
	size_t room, count;
};

int
seen_new(const json_t *root, long first, struct seen **out, struct err *err)
{
	struct seen *seen = calloc(1, sizeof(*seen));

	if (!seen)
		return err_set(err, ENOMEM, "no memory for what was seen");
	pthread_mutex_init(&seen->lock, NULL);
	seen->root = root;
	seen->first = first;
	*out = seen;
	return 0;
}

void
seen_free(struct seen *seen)
{
	if (!seen)
		return;
	free(seen->sums);
	free(seen);
}

long
seen_version(const char *body, size_t bytes)
{
	static const char name[] = "\"version\":";
	const char *at = body + bytes;

	while (at-- > body)
		if (*at == '"' && !strncmp(at, name, sizeof(name) - 1))
			return strtol(at + sizeof(name) - 1, NULL, 10);
	return -1;
}

/* The sum of @version, which may be empty yet; NULL: none that can be. Called with the lock. */
static struct sum *
sum_of(struct seen *seen, long version)
{
	size_t i = (size_t)(version - seen->first), room = i + 1 > 1024 ? 2 * (i + 1) : 1024;
	struct sum *more;

	if (version < seen->first || i >= SEEN_VERSIONS_MAX)
		return NULL;
	if (i < seen->room)
		return &seen->sums[i];
	more = realloc(seen->sums, room * sizeof(*more));
	if (!more)
		return NULL;
	memset(more + seen->room, 0, (room - seen->room) * sizeof(*more));
	seen->sums = more;
	seen->room = room;
	return &more[i];
}

static int
verify(const struct seen *seen, const char *body, size_t bytes, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	int r = json_read(body, bytes, "targets.json", &json, err);

	return r < 0 ? -EBADMSG : envelope_verify_role(json, seen->root, ROLE_TARGETS, "targets.json", err);
}

int
seen_check(struct seen *seen, const char *body, size_t bytes, struct err *err)
{
	long version = seen_version(body, bytes);
	char sha256[DIGEST_HEX_SIZE];
	struct sum *sum;
	int r = 0;

	digest_sha256_hex(body, bytes, sha256);
	pthread_mutex_lock(&seen->lock);
	sum = sum_of(seen, version);
	if (!sum) {
		r = err_set(err, EBADMSG, "version %ld cannot be", version);
	} else if (*sum->sha256) {
		if (strcmp(sum->sha256, sha256))
			r = err_set(err, EBADMSG, "version %ld has other bytes than before", version);
	} else if ((r = verify(seen, body, bytes, err)) == 0) {
		memcpy(sum->sha256, sha256, sizeof(sha256));
		seen->count++;
	}
	pthread_mutex_unlock(&seen->lock);
	return r;
}

size_t
seen_count(const struct seen *seen)
{
	return seen->count;
}
