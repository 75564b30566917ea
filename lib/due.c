#include "lib/due.h"

void
due_in(struct due *due, int64_t now, int64_t seconds)
{
	*due = (struct due){ now, now + seconds };
}

bool
due_is(const struct due *due, int64_t now)
{
	return now >= due->at || now < due->set_at;
}

bool
due_may(struct due_pace *pace, int64_t steady)
{
	if (pace->next > steady + (DUE_PACE_BURST - 1) * DUE_PACE_SECONDS)
		return false;
	pace->next = (pace->next > steady ? pace->next : steady) + DUE_PACE_SECONDS;
	return true;
}
