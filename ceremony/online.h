/**
 * What the commands that keep ota-signd share: its settings, its socket, and the next root as it is asked for.
 */
#ifndef CEREMONY_ONLINE_H
#define CEREMONY_ONLINE_H

#include <jansson.h>
#include <stdbool.h>

#include "ceremony/arguments.h"
#include "lib/config.h"
#include "lib/err.h"
#include "lib/role.h"
#include "sign/client.h"

struct online {
	struct config config;
	struct client *client;
};

/** Parses the arguments as arguments_parse() does; @names has "config=". Reads the settings; no connection is
 * made yet. */
int online_open(int argc, char **argv, const char *const *names, size_t least, size_t most,
    struct arguments *arguments, struct online *online, struct err *err);
void online_done(struct online *online);

/** "image" or "director" as a repository, a role's name as a role; -EINVAL. */
int online_repository(const char *name, enum repository *repository, struct err *err);
int online_role(const char *name, enum role *role, struct err *err);

/** A repository of ota-signd as it is now. */
struct present {
	enum repository repository;
	json_t *keys; /**< see client_keys() */
	json_t *file; /**< the newest root, an envelope; NULL: there is none yet */
	json_t *root; /**< its "signed" part, borrowed; NULL: there is none yet */
	int version;
};

/** @needs_root: -ENOENT with the way out when there is none. */
int present_read(
    struct online *online, enum repository repository, bool needs_root, struct present *out, struct err *err);
void present_done(struct present *present);

/** How many of the role's keys are "here", "elsewhere" or "lost". */
int present_count(const struct present *present, enum role role, const char *where);

/** Whether ota-signd has enough keys of the root to sign the next one. */
bool present_has_root_keys(const struct present *present);

/** -ENOKEY with the way out unless it has. @roles: what was to be changed, see keyring_begin(); NULL: this or
 * that. */
int present_need_root_keys(const struct present *present, const json_t *roles, struct err *err);

/** The keys that the newest root gives to the role, without that called @but (NULL: all), in the form that
 * client_begin() takes. NULL: no memory. */
json_t *present_role_keys(const struct present *present, enum role role, const char *but);

/** Whether @roles give the image repository's targets to keys elsewhere: then the root is held back until
 * targets come that these signed. */
bool online_holds_back(const struct present *present, const json_t *roles);

/** Prints what @next changes, what of it devices notice, and what is signed anew. @is_held_back: see
 * online_holds_back(). */
void online_show(const struct present *present, bool is_held_back, const json_t *next);

/**
 * The common end of a command that needs a root that ota-signd can sign alone: shows it, and unless --preview
 * was given, asks (not with --yes) and has it made. @roles: see keyring_begin().
 */
int online_change(struct online *online, const struct arguments *arguments, const struct present *present,
    const json_t *roles, struct err *err);

/** Has ota-signd take the root @next with @signatures (NULL: none) and those of its own keys. */
int online_finish(struct online *online, enum repository repository, const json_t *next,
    const json_t *signatures, struct err *err);

/* -- commands in files of their own -- */

int rotate_run(int argc, char **argv, struct err *err);
int revoke_run(int argc, char **argv, struct err *err);
int begin_run(int argc, char **argv, struct err *err);
int finish_run(int argc, char **argv, struct err *err);
int init_run(int argc, char **argv, struct err *err);
int move_run(int argc, char **argv, struct err *err);

#endif
