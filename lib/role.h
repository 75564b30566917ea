/** The four roles of the two repositories.  (TUF 1.0, 2.1; Uptane 2.1, 5.1) */
#ifndef LIB_ROLE_H
#define LIB_ROLE_H

enum role { ROLE_ROOT, ROLE_TARGETS, ROLE_SNAPSHOT, ROLE_TIMESTAMP, ROLE_COUNT };
enum repository { REPOSITORY_IMAGE, REPOSITORY_DIRECTOR, REPOSITORY_COUNT };

/** "root", "targets", ... */
const char *role_name(enum role role);

/** "Root", "Targets", ...: the _type that clients expect, with its capital letter. */
const char *role_type(enum role role);

/** "image" or "director" */
const char *repository_name(enum repository repository);

/** The role or repository of a name, or -1. */
int role_of(const char *name);
int repository_of(const char *name);

#endif
