/**
 * Editing documents of type Targets off line: an image repository's targets.json and its delegations.
 *
 * A document that is signed is finished: the first change to it counts its version up, sets its expiry and
 * drops its signatures. Further changes, until somebody signs, are part of the same edit.
 */
#ifndef CEREMONY_EDIT_H
#define CEREMONY_EDIT_H

#include "lib/err.h"

/* What the commands of the same name of "targets" and of "delegation" do; see struct command. */
int edit_new(int argc, char **argv, struct err *err);
int edit_add(int argc, char **argv, struct err *err);
int edit_remove(int argc, char **argv, struct err *err);
int edit_renew(int argc, char **argv, struct err *err);
int edit_delegate(int argc, char **argv, struct err *err);
int edit_undelegate(int argc, char **argv, struct err *err);

#endif
