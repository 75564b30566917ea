/** Takes out of a device's configuration what only the device should know, before it is stored. */
#ifndef OTAFS_MASK_H
#define OTAFS_MASK_H

#include <stddef.h>

/**
 * Returns @text with each secret as "(masked)", to be freed; NULL: no memory.
 *
 * JSON or TOML; of what is neither, only a comment that says so is left. A secret is all that has a name with
 * pass, pwd, secret, token, api_key or private_key in it, in any case, or stands in a table of such a name: in
 * tables, dotted names, inline tables, arrays, texts of several lines, and comments. So are texts that hold
 * such a name and a '=', and what stands between "://" and '@' in an address.
 */
char *mask_secrets(const char *text, size_t bytes);

#endif
