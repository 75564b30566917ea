/** Users of this machine by name, for the history. */
#ifndef OTAFS_USER_H
#define OTAFS_USER_H

#include <stdint.h>
#include <sys/types.h>

#include "state/state.h"

/** More administrators than that at once are looked up again and again. */
#define USER_NAMES_MAX 16
/** A user who gets another name is called by the old one for so long. */
#define USER_NAME_SECONDS 300

/** Names that were looked up lately; all 0: none. */
struct user_names {
	struct {
		uid_t uid;
		int64_t until; /**< of the clock that nobody sets; 0: nothing is here */
		char who[STATE_WHO_MAX];
	} list[USER_NAMES_MAX];
	unsigned next; /**< is replaced next */
};

/** Who @uid is: "uid 1000 (anna)", or "uid 1000" when this machine does not know. */
const char *user_who(struct user_names *names, uid_t uid);

#endif
