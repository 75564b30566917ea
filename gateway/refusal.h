/** Why a request is refused, on the way to its answer. */
#ifndef GATEWAY_REFUSAL_H
#define GATEWAY_REFUSAL_H

#include "lib/err.h"

struct refusal {
	const char *status; /**< NULL: there is none */
	const char *code;   /**< for programs */
	struct err err;     /**< for people */
};

/** Sets what is to be answered; refusal->err has the words already. Returns -1. */
int refuse(struct refusal *refusal, const char *status, const char *code);

/** The same with words. */
int refuse_with(struct refusal *refusal, const char *status, const char *code, const char *text);

#endif
