/**
 * What a manifest says, in whichever of its forms.  (aktualizr-wire 4.1)
 *
 *     v1   signed.ecu_version_manifest is an array of the ECUs' envelopes
 *     v2   signed.ecu_version_manifests is an object of them, by serial
 *     v3   the same, and signed.installation_report tells how an update went
 *
 * In v1 and v2 an ECU's own part may have custom.operation_result. Nothing here says that any of it is signed.
 */
#ifndef OTAFS_TOLD_H
#define OTAFS_TOLD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "state/assignment.h"
#include "state/ecu.h"

struct told_ecu {
	const json_t *envelope;         /**< signed by the ECU */
	const char *serial;             /**< under which it stands; of the device's own choice */
	const char *named;              /**< that the ECU says itself */
	char file[NAME_TARGET_MAX + 1]; /**< what it runs, printable; hash in lower case */
	char sha256[DIGEST_HEX_SIZE];
	int64_t counter;                     /**< report_counter; -1: none */
	char attacks[STATE_ATTACKS_MAX + 1]; /**< printable; empty: none */
	json_t *operation;                   /**< custom.operation_result; NULL: none */
};

/** How an update, or its part of one ECU, went. The words are of the device's own choice, and never NULL. */
struct told_result {
	bool is_success;
	bool is_cancelled;  /**< by the device: somebody there did not want it */
	bool is_unfinished; /**< installed, and in use after the next start only */
	const char *code, *text;
};

struct told {
	json_t *json;
	char digest[DIGEST_HEX_SIZE]; /**< of the body */
	const char *primary;          /**< primary_ecu_serial */
	struct told_ecu *ecus;
	size_t count;
	json_t *report;                          /**< with a result; NULL: none */
	char correlation[STATE_CORRELATION_MAX]; /**< that the report is of, printable; "" when it does not say
						  */
};

/** Reads a body as JSON, of which nothing is known yet; the caller frees @out. 0, -EBADMSG or -ENOMEM. */
int told_read(const char *body, size_t bytes, struct told **out, struct err *err);
/** Reads what it says: to be called when its signature is good, so that a stranger's is called so. 0, -EBADMSG
 * or -ENOMEM. */
int told_parse(struct told *told, struct err *err);
void told_free(struct told *told);
void told_freep(struct told **told);

/** What is told of ECU @serial; NULL: nothing. */
const struct told_ecu *told_of(const struct told *told, const char *serial);

/** The report's own result, and that of one ECU in it. false: there is none. */
bool told_result(const struct told *told, struct told_result *out);
bool told_item(const struct told *told, const char *serial, struct told_result *out);

/** What an operation_result says, and which target file it is about ("" when it does not say). */
void told_operation(const json_t *operation, struct told_result *out, const char **file);

#endif
