/** Whose certificate a client of a web server showed. */
#ifndef LIB_SUBJECT_H
#define LIB_SUBJECT_H

#include "lib/err.h"

/**
 * Checks what the web server says of the client's certificate: verified, and a subject that consists of the
 * common name @name and nothing else. A name has the form of a device id (name.h). -EACCES with words.
 *
 * @subject: the whole subject as text, "CN=x" (Apache, nginx; a plus sign in x has a backslash before
 *           it), "CN = x" or, with a plus sign in x, "CN = \"x\"" (lighttpd).
 */
int subject_check(const char *verify, const char *subject, const char *name, struct err *err);

#endif
