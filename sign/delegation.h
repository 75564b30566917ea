/** Delegations, as devices follow them.  (TUF 1.0, 4.5; aktualizr-wire 2.9) */
#ifndef SIGN_DELEGATION_H
#define SIGN_DELEGATION_H

#include <jansson.h>
#include <stdbool.h>

/** Whether a path of @role, an entry of "roles" in the delegations of a document, matches @file. */
bool delegation_allows(const json_t *role, const char *file);

#endif
