/**
 * Everything of an instance that expires: roots, metadata, certificates, revocation lists. What that means is
 * told by expiry.h.
 */
#ifndef OTAFS_LIFETIME_H
#define OTAFS_LIFETIME_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otafs/core.h"
#include "otafs/sources.h"

/** Device certificates that are named, of those that expire next. */
#define LIFETIME_DEVICES_NAMED 10
/** Device certificates are counted that expire within so many days. */
#define LIFETIME_DEVICE_DAYS 30

enum lifetime_care {
	LIFETIME_ITSELF, /**< the programs renew it, from renew_at on */
	LIFETIME_PERSON, /**< somebody has to */
	LIFETIME_LOST,   /**< nobody can: keys of its role are lost */
};

struct lifetime {
	char what[NAME_TARGET_MAX + 64]; /**< "image targets": unique, and the same after a renewal */
	int64_t expires_at;              /**< 0: not known, @trouble says why */
	int64_t renew_at;                /**< LIFETIME_ITSELF only */
	enum lifetime_care care;
	bool is_needed;             /**< without it devices get nothing, or less */
	bool is_replaced;           /**< another of that name goes on */
	bool is_summary;            /**< stands for many; expires_at is that of the next */
	char trouble[ERR_TEXT_MAX]; /**< empty: none */
	char who[640];              /**< who renews it, in words */
	char command[768];          /**< what renews it; starts with "#" if that is no command of ours */
	json_t *keys;               /**< of a document: {"threshold":N,"keys":[{"keyid","where"}]}, else NULL */
};

struct lifetimes {
	struct lifetime *list;
	size_t count;
};
void lifetimes_free(struct lifetimes *lifetimes);

/** Device certificates, as state_expiry_count() and state_expiry_first() have them at @at. */
struct lifetime_devices {
	int64_t at;
	struct state_expiry_counts counts;
	struct {
		char device[NAME_DEVICE_MAX + 1], serial[NAME_SERIAL_MAX + 1];
		int64_t expires_at;
	} first[LIFETIME_DEVICES_NAMED];
	size_t count;
};
int lifetimes_count_devices(struct state *state, int64_t now, struct lifetime_devices *out, struct err *err);
/** The same by a connection that only reads, without the core's lock. */
int lifetimes_count_apart(struct reader *reader, int64_t now, struct lifetime_devices *out, struct err *err);

/** Makes the list, soonest first, from what was read and what the core knows; lifetimes_free() it either way.
 */
int lifetimes_list(struct core *core, const struct sources *sources, const struct lifetime_devices *devices,
    struct lifetimes *out, struct err *err);

#endif
