#include "otafs/user.h"

#include <pwd.h>
#include <stdio.h>

#include "lib/name.h"
#include "lib/steady.h"

/** What getpwuid_r() takes for an entry; a longer one has no name here. */
#define ENTRY_MAX 4096

static void
look_up(uid_t uid, char who[static STATE_WHO_MAX])
{
	char room[ENTRY_MAX], shown[STATE_WHO_MAX - sizeof("uid 4294967295 ()") + 1];
	struct passwd entry, *found = NULL;

	if (getpwuid_r(uid, &entry, room, sizeof(room), &found) == 0 && found)
		snprintf(who, STATE_WHO_MAX, "uid %u (%s)", uid,
		    name_printable(entry.pw_name, shown, sizeof(shown)));
	else
		snprintf(who, STATE_WHO_MAX, "uid %u", uid);
}

const char *
user_who(struct user_names *names, uid_t uid)
{
	int64_t now = steady_seconds();
	unsigned i;

	for (i = 0; i < USER_NAMES_MAX; i++)
		if (names->list[i].uid == uid && names->list[i].until > now)
			return names->list[i].who;
	i = names->next++ % USER_NAMES_MAX;
	names->list[i].uid = uid;
	names->list[i].until = now + USER_NAME_SECONDS;
	look_up(uid, names->list[i].who);
	return names->list[i].who;
}
