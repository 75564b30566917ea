/**
 * What all parts of otafs work on. One lock guards all of it; node.c's callers hold it.
 */
#ifndef OTAFS_CORE_H
#define OTAFS_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/config.h"
#include "lib/due.h"
#include "lib/err.h"
#include "otafs/image.h"
#include "otafs/inode_id.h"
#include "otafs/pin.h"
#include "otafs/requests.h"
#include "otafs/turns.h"
#include "otafs/user.h"
#include "sign/client.h"
#include "state/assignment.h"
#include "state/certificate.h"
#include "state/device.h"
#include "state/ecu.h"
#include "state/find.h"
#include "state/history.h"
#include "state/report.h"
#include "state/seen.h"

/** A name below devices/ of the www view that stands for something else now, or for nothing. */
struct changed_name {
	struct inode_id parent; /* the folder, in whatever generation */
	char name[NAME_DEVICE_MAX + 1];
};

/**
 * Names that the kernel has to forget before the change is acknowledged.
 *
 * When that is more than anybody wants to name, all below devices/ gets another generation: devices is a link
 * to the folder generations/N, and the kernel forgets the link alone, whatever it remembers below the old
 * folder. Nobody comes there any more, and the kernel lets it go when it needs the room.
 */
struct changes {
	struct changed_name *names; /**< in generation @generation */
	size_t count;
	bool is_all;         /**< every name below devices/ */
	uint32_t generation; /**< the one at that moment: devices has to lead there, or to a later one */
};

/** Refusals that are remembered; older ones are in the log. */
#define CORE_REFUSALS 16

/** A write that was refused, for the file "why" at the top. */
struct refusal {
	int64_t at;
	char who[STATE_WHO_MAX];
	char path[256];
	char text[ERR_TEXT_MAX];
};

/** The director repository's roots, as the signer holds them. */
struct roots {
	char **texts; /* texts[0] is 1.root.json */
	int count;
};

/** Devices that are remembered one by one, because something of them ended. */
#define PLANS_NOTED_MAX 256

/** What begins by itself: what is scheduled (schedule.h) and what is followed (follow.h). All 0 at the start:
 * all is to be looked at. */
struct plans {
	char noted[PLANS_NOTED_MAX][NAME_DEVICE_MAX + 1]; /**< may get a newer version now */
	size_t noted_count;
	char cursor[NAME_DEVICE_MAX + 1]; /**< the last device of this round through all that follow */
	bool is_round_due, is_in_round;
	int64_t publication;  /**< the last one that a round began for */
	bool is_schedule_set; /**< schedule_at is known */
	int64_t schedule_at;  /**< when to look for what is due; 0: nothing is scheduled */
};

/** Files "assign.check" whose last trial is remembered (trial.h). */
#define TRIALS_MAX 16

struct trials {
	struct {
		char path[256];
		char *text; /* NULL: none yet */
	} list[TRIALS_MAX];
	size_t next; /* is overwritten next, counted on and on */
};

struct batch;
struct est;
struct expiry;
struct fleet;
struct orders;
struct relay;
struct retirements;

struct core {
	const struct config *config;
	struct state *state;
	struct reader
	    *reader; /**< for what takes long (state/find.h); NULL in programs that look for nothing */
	struct image *image;
	struct pins pins;                /**< which publication a device is reading */
	struct fleet *fleet;             /**< what the watcher is told; NULL: nothing (fleet.h) */
	struct retirements *retirements; /**< targets that are to go; NULL: none (retire.h) */
	struct batch *batch;             /**< what waits for the disk together (batch.h); NULL: nothing does */
	struct orders *orders;           /**< to groups (order.h) */
	struct expiry *expiry;           /**< what expires (expiry.h) */
	struct est *est; /**< CAs above what is issued (est.h); NULL: nothing is, or not known yet */
	struct plans plans;
	char owed[NAME_DEVICE_MAX + 1]; /**< the last device that flight_catch_up() has looked at */
	struct trials trials;
	int64_t followed;  /**< the publication that open assignments were held against */
	int64_t follow_at; /**< when they are to be again, since a delegation expires; 0: never */
	int64_t shown;     /**< the publication that the signer was shown last; 0: none */
	struct client *signer;
	/** Another connection, for certificates: who signs documents has the lock, and is not to wait behind
	 * all who enrol. */
	struct client *issuer;
	struct roots roots;
	struct changes changes;
	struct relay *relay; /**< what a process after this one goes on with (relay.h); NULL: there is none */
	uint32_t
	    generation; /**< of all below devices/ of the www view, from 1 on; each process begins another */
	struct refusal refusals[CORE_REFUSALS]; /**< a ring, refused is the number of all */
	size_t refused;
	struct user_names users; /**< who acts */
	struct turns *lock;      /**< guards all of it; NULL in programs of one thread */
	/** Of the mounts; not guarded by the lock. */
	struct requests full_requests, www_requests;
	uid_t uid; /**< otafs's own, the owner of what the mounts show */
	gid_t admin_gid, gate_gid;
	uid_t web_uid; /**< of ota-admin-gate, who alone gets into as/ */
	int64_t started_at;
	int wake; /**< an eventfd that wakes the main loop; 0: there is none */
	int64_t
	    root_ask_ms; /**< the signer is asked for a new root no earlier; of the clock that nobody sets */
	bool is_forgetting_due; /**< all generated names are to be forgotten, by the main loop */
	bool is_alive;          /**< www/alive is there */
	bool is_waiting;        /**< for the signer, its clock or the first root: to be refreshed again soon */
	struct err roots_why; /**< why the signer was not asked for roots, as the log has it; code 0: it was */
	int flight_failure;   /**< why flight.h could not store, as the log has it; 0: it could */
	struct due_pace raises; /**< of the epoch, that the clock asks for */
};

/** Opens state and image repository and fetches the roots. */
int core_open(const struct config *config, struct core *core, struct err *err);
void core_close(struct core *core);
/** Closes the database alone, with the lock, which is not given back: for a process that ends while threads of
 * its mounts still wait for the signer, with what only core_close() frees. */
void core_end(struct core *core);

/** For what is called without the lock: takes it for a moment, in turn with others, and gives it back. */
void core_lock(const struct core *core);
void core_unlock(const struct core *core);

/** To be called without the lock between two turns of long work: lets others go on for a moment. What a person
 * or a program asks for is several requests, one after another, each of which would wait for a turn of its own.
 */
void core_breathe(void);

/** Remembers and logs a refusal; the path is that of the file or folder that was to be written, made or
 * removed. */
void core_refused(struct core *core, const char *path, const char *who, const char *text);

/** Adds to the history of @device ("": of none) what happens at this moment, with nothing more to tell; within
 * the transaction of it. */
int core_tell(struct core *core, const char *device, const char *who, const char *what, const char *text,
    struct err *err);

/** Notes that @name in folder @parent of the www view has changed. */
void core_changed(struct core *core, const struct inode_id *parent, const char *name);

/** Notes that devices/@id of the www view stands for another device now, or for none. What is below it goes
 * with it. */
void core_device_named(struct core *core, const char *id);

/** Notes that the director's documents of @device have changed, for each of its certificates. */
int core_device_changed(struct core *core, const char *device, struct err *err);

/** Leaves @changes, whose names it frees, to the main loop: the kernel cannot forget a name while one is looked
 * up in the same folder. */
void core_postpone(struct core *core, struct changes *changes);

/** Notes that this certificate speaks for @device now, or not any more, and so all that is below it. */
void core_certificate_changed(struct core *core, const char *device, const char *serial);

/** Takes the noted changes out, of which is_all begins the next generation; the caller frees @out->names. */
void core_take_changes(struct core *core, struct changes *out);

/**
 * Fetches the roots of a signer that has newer ones, and raises the epoch for them, in the middle of a lookup:
 * names that are old with it are forgotten later, since the kernel holds their folder.
 */
int core_follow_root(struct core *core, struct err *err);

/**
 * Asks the signer whether the director has a new root, if it was not asked just now and @version is not there
 * yet, and follows it; without the core's lock, which it takes for moments. To be called before a device asks
 * for root @version: what it reads after that may be signed with new keys. Failures are left to core_refresh().
 */
void core_look_for_root(struct core *core, int version);

/**
 * What is due: new publications, new roots, and the epoch before documents expire.  (DESIGN 5.1)
 * To be called at start, when the publication may have changed, and now and then.
 */
int core_refresh(struct core *core, int64_t now, struct err *err);

#endif
