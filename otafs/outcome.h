/**
 * What becomes of one open assignment when its device hands in a manifest. outcome_of() is the whole rule;
 * docs/STATES.md has it as a table, from which its test is made.
 */
#ifndef OTAFS_OUTCOME_H
#define OTAFS_OUTCOME_H

#include <stdbool.h>

/** What the manifest says that the assignment's ECU runs. */
enum outcome_runs {
	OUTCOME_NOT_TOLD, /**< the ECU is not listed */
	OUTCOME_OTHER,
	OUTCOME_TARGET, /**< file and hash are those of the assignment */
};

/** What is reported of the assignment's update, or of its ECU alone. */
enum outcome_result {
	OUTCOME_NONE,
	OUTCOME_SUCCESS,
	OUTCOME_FAILURE,
	OUTCOME_CANCELLED, /**< by the device */
	OUTCOME_UNFINISHED,
};

struct outcome_facts {
	bool is_in_flight; /**< the device may have read of it */
	enum outcome_runs runs;
	bool is_new;                /**< the report was not taken before; false too when there is none */
	enum outcome_result update; /**< of the update with this correlation id */
	enum outcome_result ecu;    /**< of this ECU in that report */
	enum outcome_result
	    old; /**< of this target in the form of old clients, which knows no correlation ids */
};

enum outcome {
	OUTCOME_OPEN,
	OUTCOME_DOUBTED, /**< open: success is reported, and the ECU runs something else */
	OUTCOME_INSTALLED,
	OUTCOME_FAILED,
	OUTCOME_ENDED, /**< cancelled by the device */
};

enum outcome outcome_of(const struct outcome_facts *facts);

#endif
