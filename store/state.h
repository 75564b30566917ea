/**
 * The inside of the image repository, shared by the files that are its parts: image.c, set.c, pushed.c,
 * limits.c. Nobody else includes this.
 */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include <pthread.h>

#include "lib/due.h"
#include "store/image.h"
#include "store/trust.h"

/** Signatures of some keys around the signed part. */
#define STATE_ENVELOPE_ROOM 4096
/** aktualizr reads no larger root, snapshot or timestamp. */
#define STATE_SMALL_MAX (64 * 1024)

struct image {
	pthread_mutex_t lock; /* for all below; every public call takes it */
	const struct config *config;
	struct client *client;
	int repository;      /* the folder */
	int dir;             /* its published/ */
	json_t *targets;     /* the "signed" part of targets.json; an empty list before the first */
	json_t *meta;        /* what snapshot.json says of each file */
	json_t *delegations; /* NAME: the "signed" part that was pushed */
	int version[ROLE_COUNT];
	int64_t expires[ROLE_COUNT]; /* 0 before the first */
	size_t bytes[ROLE_COUNT];    /* of the files */
	image_retired_fn *retired;
	void *retired_data;
	int seen_root;   /* the newest that a renewal looked at; it may be held back from what is published */
	bool is_offline; /* the keys of targets are not here, as of the last renewal */
	char reported[DIGEST_HEX_SIZE];  /* sha256 of report/limits, which is written when it changes */
	char warned[IMAGE_WARNING_SIZE]; /* the limit or expiry that the log knows to be near; "" for none */
	struct err failed; /* why the last renewal did, to be told until the next one; code 0: it did not */
	struct due_pace renewals; /* that the clock asks for */
};

/* What a new set has that the current one has not; all is borrowed. */
struct change {
	json_t *targets; /* a new "signed" part, to be signed; or NULL */

	/* or targets.json as others signed it */
	const char *text;
	size_t bytes;
	const json_t *json;

	/* a delegation, signed by its supplier */
	const char *delegation;
	const char *delegation_text;
	size_t delegation_bytes;
	const json_t *delegation_json;
};

/** set.c: publishes @change (all NULL: the same anew) and makes it the state. 0, DROP_BAD, -ENOKEY, -errno. */
int state_publish(struct image *image, const struct change *change, struct err *err);

/** Asks @judge about each target that is not in both lists as it is: 0, or its answer. */
int state_judge(const struct image_judge *judge, json_t *before, json_t *after, struct err *err);

/** The newest root that ota-signd has: its number, and if @out is not NULL its envelope (a new reference). */
int state_newest_root(struct image *image, int *version, json_t **out, struct err *err);

/** The root that is to be published with targets.json as @json (NULL: as published), which is not signed anew:
 * the newest one with which it verifies, and no older one than the present. */
int state_fitting_root(struct image *image, const json_t *json, int *version, json_t **out, struct err *err);

/** Life of a document of @role that is signed here, in seconds. */
int64_t state_lifetime(const struct image *image, enum role role);

/** image.c: image_renew() with the lock held. */
int state_renew(struct image *image, struct err *err);
/**
 * Whether the document of @role, which is signed here, has to be signed anew: half of its life is over; or it
 * expires later than it may, signed while the clock was ahead; or a higher version was signed and not
 * published, as after a crash, or when the ledger jumped after a restore.
 */
int state_is_stale(struct image *image, enum role role, bool *out, struct err *err);

/** image.c: reads the current set. */
int state_read(struct image *image, struct err *err);

/** The words of -ENOKEY. */
int state_no_key(struct err *err);

/** Lock and its release at the end of the scope: AUTO(state_unlock) struct image *locked = state_lock(image).
 */
struct image *state_lock(struct image *image);
void state_unlock(struct image **image);

/** limits.c: writes report/limits, and a log line when a limit comes near. */
void limits_report(struct image *image);

#endif
