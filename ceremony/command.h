/**
 * The commands of ota-sign(1), each named by one or two words: "inspect", "key new", "root sign".
 */
#ifndef CEREMONY_COMMAND_H
#define CEREMONY_COMMAND_H

#include "lib/err.h"

struct command {
	const char *words;     /**< "key new"; NULL ends a table */
	const char *arguments; /**< as help shows them */
	const char *summary;   /**< one line */
	/** @argv[0] is the words, the rest what followed, for arguments_parse(). 0 or -errno with words. */
	int (*run)(int argc, char **argv, struct err *err);
};

/** Keys in files and tokens. (key.c) */
extern const struct command key_commands[];
/** Drafts of roots: made and changed (root.c), shown, signed and assembled (approve.c). */
extern const struct command root_commands[], approve_commands[];
/** Targets of the image repository, delegations, and documents of any type. (targets.c, delegation.c,
 * inspect.c) */
extern const struct command targets_commands[], delegation_commands[], document_commands[];
/** The keys and roots of ota-signd, on its machine. (online.c) */
extern const struct command online_commands[];

/** The log of signatures, and what the administrator tells ota-signd. (log.c) */
extern const struct command log_commands[];

/** The issuing CA of ota-signd. (issuer.c) */
extern const struct command issuer_commands[];

#endif
