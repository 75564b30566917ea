/** What a name from outside may look like. A name that passes can stand as one path component and in a log
 * line. */
#ifndef LIB_NAME_H
#define LIB_NAME_H

#include <stdbool.h>

#include "lib/err.h"

/** A certificate's CN may be 64 characters long (RFC 5280, ub-common-name). */
#define NAME_DEVICE_MAX 64
/** Serial numbers have at most 20 octets, so 40 hex digits (RFC 5280, 4.1.2.2). */
#define NAME_SERIAL_MAX 40
/** Of an administrator: a certificate's common name, or what an identity provider calls him; also an address.
 */
#define NAME_USER_MAX 64
/** A file name in targets.json is below 254 characters (garage-sign); NAME-VERSION has to fit. */
#define NAME_TARGET_MAX 253
#define NAME_PACKAGE_MAX 128
#define NAME_VERSION_MAX 124
/** Of a group of devices, as people name it; the old server had the same limit. */
#define NAME_GROUP_MAX 100
/** Of a delegation; each is a file name in three sets, and a line of snapshot.json. */
#define NAME_DELEGATION_MAX 50
/** aktualizr takes 0..200 characters; an empty one says nothing. */
#define NAME_HARDWARE_MAX 200
/** aktualizr takes 1..64 characters. */
#define NAME_ECU_MAX 64

/**
 * Each returns 0, or -EINVAL with a reason that names the kind and the cause.
 *
 * device, package, version, group: letters, digits and . _ + : - (a colon in devices only); the first is a
 * letter or digit. user: the same with an @, without a colon. serial: upper-case hex. hardware, ECU: printable
 * ASCII without a slash. delegation: letters, digits and . _ - without a dot first, and no role's name.
 */
int name_check_device(const char *name, struct err *err);
int name_check_user(const char *name, struct err *err);
int name_check_serial(const char *name, struct err *err);
int name_check_package(const char *name, struct err *err);
int name_check_version(const char *name, struct err *err);
int name_check_group(const char *name, struct err *err);
int name_check_delegation(const char *name, struct err *err);
int name_check_hardware(const char *name, struct err *err);
int name_check_ecu(const char *name, struct err *err);

/** The file name of a target: 1 to NAME_TARGET_MAX printable bytes, no "..", no backslash, no slash at an end
 * or doubled. */
int name_check_target(const char *name, struct err *err);

/** Whether @text is printable ASCII, which all programs hash alike. */
bool name_is_printable(const char *text);

/** Copies @name with every byte outside printable ASCII as \xNN, cut to fit, for use in a reason or on a
 * terminal. Returns @out. */
const char *name_printable(const char *name, char *out, unsigned long room);

#endif
