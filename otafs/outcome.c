#include "otafs/outcome.h"

static enum outcome
of_old(const struct outcome_facts *facts)
{
	/* It could be of an earlier try. */
	if (!facts->is_in_flight)
		return OUTCOME_OPEN;
	if (facts->old == OUTCOME_FAILURE)
		return OUTCOME_FAILED;
	if (facts->old == OUTCOME_CANCELLED)
		return OUTCOME_ENDED;
	return facts->old == OUTCOME_SUCCESS && facts->runs == OUTCOME_OTHER ? OUTCOME_DOUBTED : OUTCOME_OPEN;
}

/* Of an update that failed no ECU is left to be installed alone, whatever it says itself. */
static enum outcome
of_failed(const struct outcome_facts *facts)
{
	if (facts->ecu == OUTCOME_CANCELLED)
		return OUTCOME_ENDED;
	if (facts->ecu == OUTCOME_FAILURE)
		return OUTCOME_FAILED;
	return facts->update == OUTCOME_CANCELLED ? OUTCOME_ENDED : OUTCOME_FAILED;
}

static enum outcome
of_success(const struct outcome_facts *facts)
{
	if (facts->ecu == OUTCOME_FAILURE || facts->ecu == OUTCOME_CANCELLED)
		return of_failed(facts);
	if (facts->ecu == OUTCOME_UNFINISHED)
		return OUTCOME_OPEN;
	return facts->runs == OUTCOME_OTHER ? OUTCOME_DOUBTED : OUTCOME_OPEN;
}

enum outcome
outcome_of(const struct outcome_facts *facts)
{
	/* What an ECU runs counts more than any report. */
	if (facts->runs == OUTCOME_TARGET)
		return OUTCOME_INSTALLED;
	if (!facts->is_new)
		return OUTCOME_OPEN;
	switch (facts->update) {
	case OUTCOME_SUCCESS:
		return of_success(facts);
	case OUTCOME_FAILURE:
	case OUTCOME_CANCELLED:
		return of_failed(facts);
	case OUTCOME_UNFINISHED:
		return OUTCOME_OPEN;
	default:
		return of_old(facts);
	}
}
