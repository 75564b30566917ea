/** Random UUIDs.  (RFC 4122, section 4.4) */
#ifndef LIB_UUID_H
#define LIB_UUID_H

/** 36 characters and the 0. */
#define UUID_SIZE 37

void uuid_make(char text[static UUID_SIZE]);

#endif
