#include "otafs/core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/due.h"
#include "lib/log.h"
#include "lib/steady.h"
#include "lib/utc.h"
#include "otafs/est.h"
#include "otafs/show.h"
#include "otafs/relay.h"
#include "otafs/restore.h"
#include "otafs/trial.h"

#define DAY_SECONDS 86400
/** Between two questions for a new root, which devices cause by the hundred; and after one without an answer.
 */
#define ROOT_ASK_MS 50
#define ROOT_RETRY_MS 60000
/** Some requests of one who reads a file, when nobody else asks for anything. */
#define BREATH_NS 1000000
/** A clock is set back by so much without a word: documents live that much longer. The signer grants a day. */
#define AHEAD_SECONDS 3600

/* Noted before anybody is told, so that the process after this one begins behind it. */
static void
note_generation(struct core *core)
{
	if (core->relay)
		relay_set_generation(core->relay, core->generation);
}

/* What the process before had still to tell the kernel is old in this one. */
static void
begin_generation(struct core *core)
{
	core->generation = (core->relay ? relay_generation(core->relay) : 0) + 1;
	note_generation(core);
}

int
core_open(const struct config *config, struct core *core, struct err *err)
{
	int r;

	core->config = config;
	core->started_at = utc_now();
	begin_generation(core);
	core->signer = client_new(config->sign_socket);
	core->issuer = client_new(config->sign_socket);
	if (!core->signer || !core->issuer)
		return err_set(err, ENOMEM, "no memory for the signer's client");
	if ((r = state_open(config->state, &core->state, err)) < 0 ||
	    (r = reader_open(config->state, &core->reader, err)) < 0 ||
	    (r = restore_follow(config, core->state, core->started_at, err)) < 0 ||
	    (r = pins_init(&core->pins, core->relay ? relay_pins(core->relay) : NULL, err)) < 0 ||
	    (r = image_open(config->repository, &core->image, err)) < 0)
		return r;
	return core_refresh(core, core->started_at, err);
}

void
core_lock(const struct core *core)
{
	if (core->lock)
		turns_take(core->lock);
}

void
core_unlock(const struct core *core)
{
	if (core->lock)
		turns_give(core->lock);
}

void
core_breathe(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = BREATH_NS }, NULL);
}

void
core_end(struct core *core)
{
	reader_free(core->reader);
	state_free(core->state);
}

void
core_close(struct core *core)
{
	for (int i = 0; i < core->roots.count; i++)
		free(core->roots.texts[i]);
	free(core->roots.texts);
	free(core->changes.names);
	trials_free(core);
	est_free(core->est);
	image_free(core->image);
	pins_done(&core->pins);
	core_end(core);
	client_free(core->issuer);
	client_free(core->signer);
}

void
core_refused(struct core *core, const char *path, const char *who, const char *text)
{
	struct refusal *refusal = &core->refusals[core->refused++ % CORE_REFUSALS];

	refusal->at = utc_now();
	snprintf(refusal->who, sizeof(refusal->who), "%s", who);
	name_printable(path, refusal->path, sizeof(refusal->path));
	name_printable(text, refusal->text, sizeof(refusal->text));
	log_line(LOG_NOTICE, "refused path=%s by=\"%s\" reason=\"%s\"", path, who, text);
}

int
core_tell(
    struct core *core, const char *device, const char *who, const char *what, const char *text, struct err *err)
{
	return state_happened(core->state,
	    &(struct happening){ .device = device, .at = utc_now(), .who = who, .what = what, .text = text },
	    err);
}

void
core_changed(struct core *core, const struct inode_id *parent, const char *name)
{
	struct changes *changes = &core->changes;
	struct changed_name *more = realloc(changes->names, (changes->count + 1) * sizeof(*more));

	if (!more) {
		changes->is_all = true; /* the safe side when there is no memory to be exact */
		return;
	}
	changes->names = more;
	more += changes->count++;
	more->parent = *parent;
	snprintf(more->name, sizeof(more->name), "%s", name);
}

void
core_device_named(struct core *core, const char *id)
{
	core_changed(core, &(struct inode_id){ .kind = INODE_DEVICES }, id);
}

/* What the kernel remembers below is of the certificate's number, and not found again when the name comes back.
 */
void
core_certificate_changed(struct core *core, const char *device, const char *serial)
{
	struct inode_id parent = { .kind = INODE_DEVICE };
	struct device row = { .number = 0 };
	struct err err;
	int r = state_device(core->state, device, &row, &err);

	parent.number = (uint32_t)row.number;
	if (r == 0)
		core_changed(core, &parent, serial);
	else
		core->changes.is_all = true; /* it was there a moment ago */
}

static int
note_documents(int64_t certificate, void *context)
{
	static const char *const names[] = { "targets.json", "snapshot.json", "timestamp.json" };
	const struct inode_id parent = { .kind = INODE_DIRECTOR, .number = (uint32_t)certificate };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		core_changed(context, &parent, names[i]);
	return 0;
}

int
core_device_changed(struct core *core, const char *device, struct err *err)
{
	return state_certificate_numbers(core->state, device, note_documents, core, err);
}

void
core_take_changes(struct core *core, struct changes *out)
{
	if (core->changes.is_all) {
		core->generation++;
		note_generation(core);
	}
	*out = core->changes;
	out->generation = core->generation;
	core->changes = (struct changes){ 0 };
}

static int
add_root(struct roots *roots, char *text, struct err *err)
{
	char **texts = realloc(roots->texts, (size_t)(roots->count + 1) * sizeof(*texts));

	if (!texts)
		return err_set(err, ENOMEM, "no memory for a root");
	roots->texts = texts;
	texts[roots->count++] = text;
	return 0;
}

static int
refresh_roots(struct core *core, struct err *err)
{
	for (;;) {
		AUTO(free_p) char *text = NULL;
		int r;

		r = client_root(core->signer, REPOSITORY_DIRECTOR, core->roots.count + 1, &text, NULL, err);
		if (r != 0)
			return r == CLIENT_NO_ROOT ? 0
						   : err_context(err, r, "roots of the director repository");
		if ((r = add_root(&core->roots, text, err)) < 0)
			return r;
		text = NULL;
		core->changes.is_all = true;
		log_line(LOG_NOTICE, "root repository=director version=%d", core->roots.count);
	}
}

/*
 * Documents live director_targets_days from the moment their epoch was raised: new ones are due when half of
 * that is over, and when the clock was ahead at that moment. But maybe it is behind now: then the signer signs
 * nothing, and what there is is served on.
 */
static bool
is_due(struct core *core, int64_t raised_at, int64_t now)
{
	int64_t life = core->config->director_targets_days * DAY_SECONDS;
	struct err why;

	if (now >= raised_at + life / 2)
		return true;
	if (raised_at <= now + AHEAD_SECONDS)
		return false;
	core->is_waiting = client_check_clock(core->signer, &why) < 0;
	return !core->is_waiting;
}

/* What is part of all documents: they are due at once when it is another. */
static void
write_basis(const struct core *core, char basis[static STATE_BASIS_SIZE])
{
	int64_t size = core->config->director_size_kb;
	int n = snprintf(basis, STATE_BASIS_SIZE, "days=%lld root=%d",
	    (long long)core->config->director_targets_days, core->roots.count);

	if (size)
		snprintf(basis + n, STATE_BASIS_SIZE - (size_t)n, " kb=%lld", (long long)size);
}

/* Raises the epoch, and tells why. */
static int
raise_epoch(struct core *core, int64_t epoch, const char *basis, int64_t now, struct err *err)
{
	char text[STATE_BASIS_SIZE + 64];
	int r;

	snprintf(text, sizeof(text), "all director documents are made anew, epoch %lld: %s",
	    (long long)epoch + 1, basis);
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_raise_epoch(core->state, 1, now, basis, err)) == 0)
		r = state_happened(core->state,
		    &(struct happening){
			.device = "", .at = now, .who = STATE_WHO_OTAFS, .what = "epoch_raised", .text = text },
		    err);
	return state_end(core->state, r, err);
}

static int
refresh_epoch(struct core *core, int64_t now, struct err *err)
{
	char basis[STATE_BASIS_SIZE], was[STATE_BASIS_SIZE];
	int64_t epoch, raised_at;
	bool is_other;
	int r;

	if ((r = state_epoch(core->state, &epoch, &raised_at, err)) < 0 ||
	    (r = state_basis(core->state, was, err)) < 0)
		return r;
	write_basis(core, basis);
	/* Without a root there are no documents. */
	if (core->roots.count == 0)
		strcpy(basis, was);
	is_other = strcmp(basis, was) != 0;
	/* However the clock jumps to and fro. */
	if (!is_other && (!is_due(core, raised_at, now) || !due_may(&core->raises, steady_seconds())))
		return 0;
	if ((r = raise_epoch(core, epoch, basis, now, err)) < 0)
		return r;
	core->changes.is_all = true;
	log_line(LOG_NOTICE, "epoch raised epoch=%lld basis=\"%s\"", (long long)epoch + 1, basis);
	return 0;
}

/* Names cannot be forgotten while one is being looked up. */
static void
forget_soon(struct core *core)
{
	const uint64_t one = 1;

	core->is_forgetting_due = true;
	if (core->wake && write(core->wake, &one, sizeof(one)) < 0)
		log_line(LOG_WARNING, "main loop not woken reason=\"%s\"", strerror(errno));
}

void
core_postpone(struct core *core, struct changes *changes)
{
	if (changes->is_all || changes->count)
		forget_soon(core);
	free(changes->names);
	*changes = (struct changes){ 0 };
}

int
core_follow_root(struct core *core, struct err *err)
{
	bool is_all = core->changes.is_all;
	int r;

	if ((r = refresh_roots(core, err)) == 0)
		r = refresh_epoch(core, utc_now(), err);
	core->changes.is_all = is_all;
	forget_soon(core);
	return r;
}

/* Whether the signer is to be asked for @next: not by all who ask meanwhile. */
static bool
is_root_asked(struct core *core, int version, int *next)
{
	*next = core->roots.count + 1;
	if (version < *next || steady_ms() < core->root_ask_ms)
		return false;
	core->root_ask_ms = steady_ms() + ROOT_ASK_MS;
	return true;
}

void
core_look_for_root(struct core *core, int version)
{
	AUTO(free_p) char *text = NULL;
	struct err err;
	bool is_asked;
	int next, r;

	core_lock(core);
	is_asked = is_root_asked(core, version, &next);
	core_unlock(core);
	if (!is_asked || (r = client_root(core->signer, REPOSITORY_DIRECTOR, next, &text, NULL, &err)) > 0)
		return;
	core_lock(core);
	/* One that hangs is left alone for as long as core_refresh() does. */
	if (r < 0)
		core->root_ask_ms = steady_ms() + ROOT_RETRY_MS;
	else if (core_follow_root(core, &err) < 0)
		log_line(LOG_WARNING, "root not followed yet reason=\"%s\"", err.text);
	core_unlock(core);
}

int
core_refresh(struct core *core, int64_t now, struct err *err)
{
	int r;

	core->is_waiting = false;
	/* Without the signer all but new documents can still be served. */
	r = refresh_roots(core, err);
	if (r < 0 && strcmp(err->text, core->roots_why.text))
		log_line(LOG_WARNING, "roots not refreshed reason=\"%s\"", err->text);
	core->roots_why = r < 0 ? *err : (struct err){ 0 };
	if ((r = refresh_epoch(core, now, err)) < 0)
		return r;
	/* Names of the image repository are asked for at each use: nothing has to be forgotten. */
	r = image_refresh(core->image, err);
	core->is_waiting |= core->roots.count == 0;
	show_if_new(core);
	return r < 0 ? r : 0;
}
