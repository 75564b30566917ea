#include "otafs/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "otafs/event.h"
#include "otafs/mask.h"
#include "otafs/silence.h"
#include "otafs/standing.h"

/** What is larger is shown without indentation, which could make it many times as large. */
#define PRETTY_BYTES_MAX (256 * 1024)
/** Events that are printed at a time: a megabyte of the largest. */
#define EVENTS_PAGE 64

static int
store(struct core *core, const struct device *device, const char *kind, const char *body, size_t bytes,
    struct err *err)
{
	int64_t now = utc_now();
	int r;

	if ((r = state_begin(core->state, err)) < 0)
		return r;
	r = state_report_put(core->state, device->id, kind, body, bytes, now, err);
	if (r == 0)
		r = standing_seen(core, device, now, err);
	return state_end(core->state, r < 0 ? r : 0, err);
}

/* What is made of a body without the lock. */
struct work {
	char *masked;   /* a configuration; NULL: the body itself */
	json_t *events; /* NULL: it is no events */
};

static void
work_freep(struct work **work)
{
	if (!*work)
		return;
	free((*work)->masked);
	json_decref((*work)->events);
	free(*work);
}

void
report_finish(void *work)
{
	struct work *done = work;

	work_freep(&done);
}

int
report_prepare(
    const char *kind, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(work_freep) struct work *ready = calloc(1, sizeof(*ready));
	bool is_config = !strcmp(kind, "config");

	reply->status = 200;
	if (!is_config && json_read(body, bytes, kind, &json, err) < 0) {
		reply_refuse(reply, 400, "invalid_report", err->text);
		return 1;
	}
	if (ready && is_config)
		ready->masked = mask_secrets(body, bytes);
	if (!ready || (is_config && !ready->masked))
		return err_set(err, ENOMEM, "%s: no memory", kind);
	*work = MOVE(ready);
	return 0;
}

int
report_take(struct core *core, const struct device *device, const char *kind, const char *body, size_t bytes,
    const void *work, struct err *err)
{
	const char *masked = ((const struct work *)work)->masked;

	return store(core, device, kind, masked ? masked : body, masked ? strlen(masked) : bytes, err);
}

int
report_commit(struct core *core, const struct device *device, const char *kind, const char *body, size_t bytes,
    struct reply *reply, struct err *err)
{
	void *work = NULL;
	int r = report_prepare(kind, body, bytes, &work, reply, err);

	if (r)
		return r < 0 ? r : 0;
	r = report_take(core, device, kind, body, bytes, work, err);
	report_finish(work);
	return r;
}

static int
note(struct core *core, struct happening *happening, struct err *err)
{
	happening->who = STATE_WHO_DEVICE;
	happening->is_chatter = true;
	return state_happened(core->state, happening, err);
}

static int
tell_event(
    struct core *core, const struct device *device, const struct event *event, int64_t now, struct err *err)
{
	bool is_ours = event->ecu && strlen(event->ecu) <= NAME_ECU_MAX;
	char line[512], shown[512];

	snprintf(line, sizeof(line), "event %.64s%s%.64s%s", event->type ? event->type : "of no type",
	    event->ecu ? " of ECU " : "", event->ecu ? event->ecu : "",
	    event->success == 0   ? ", failed"
	    : event->success == 1 ? ", succeeded"
				  : "");
	return note(core,
	    &(struct happening){ .device = device->id,
		.at = now,
		.what = "event",
		.text = name_printable(line, shown, sizeof(shown)),
		.ecu = is_ours ? event->ecu : NULL,
		.correlation = event->correlation },
	    err);
}

/* Called within a transaction; 1 when the event was left out. */
static int
store_event(struct core *core, const struct device *device, const json_t *json, int64_t now, struct err *err)
{
	AUTO(free_p) char *text = json_write_as(json, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
	struct event event;
	int r;

	if (!text)
		return err_set(err, ENOMEM, "no memory for an event");
	event_read(json, &event);
	if (!event.id || !*event.id || strlen(event.id) > 128 || strlen(text) > REPORT_EVENT_BYTES_MAX)
		return 1;
	if ((r = state_event_add(core->state, device->id, event.id, text, now, err)) != 0)
		return r < 0 ? r : 0;
	if (event.correlation && (r = silence_end(core, device, event.correlation, err)) < 0)
		return r;
	return tell_event(core, device, &event, now, err);
}

static int
store_events(struct core *core, const struct device *device, const json_t *events, struct err *err)
{
	int64_t now = utc_now();
	int r = 0, left_out = 0;
	const json_t *one;
	char text[64];
	size_t i;

	json_array_foreach(events, i, one)
	{
		if ((r = store_event(core, device, one, now, err)) < 0)
			return r;
		left_out += r;
	}
	snprintf(text, sizeof(text), "%d events without an id, or too large, were left out", left_out);
	if (left_out && (r = note(core,
			     &(struct happening){
				 .device = device->id, .at = now, .what = "events_left_out", .text = text },
			     err)) < 0)
		return r;
	if ((r = state_events_trim(core->state, device->id, err)) < 0)
		return r;
	return standing_seen(core, device, now, err);
}

/* Bytes that are no UTF-8 in one event must not cost the others. The caller frees it; NULL: no memory. */
static char *
without_odd_bytes(const char *text, size_t bytes)
{
	char *copy = malloc(bytes + 1);

	if (!copy)
		return NULL;
	for (size_t i = 0; i < bytes; i++)
		copy[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	copy[bytes] = '\0';
	return copy;
}

/* 0, 1 when the answer is set, or -ENOMEM. */
static int
read_events(const char *body, size_t bytes, json_t **events, struct reply *reply, struct err *err)
{
	AUTO(free_p) char *copy = NULL;

	if (body[strspn(body, " \t\r\n")] != '[') {
		reply_refuse(reply, 400, "invalid_events", "events: is no array");
		return 1;
	}
	if (json_read_loosely(body, bytes, "events", events, err) == 0)
		return 0;
	copy = without_odd_bytes(body, bytes);
	if (!copy)
		return err_set(err, ENOMEM, "no memory for events");
	if (json_read_loosely(copy, bytes, "events", events, err) == 0)
		return 0;
	reply_refuse(reply, 413, "unreadable_events", err->text);
	return 1;
}

int
report_events_prepare(const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	AUTO(work_freep) struct work *ready = calloc(1, sizeof(*ready));
	int r;

	if (!ready)
		return err_set(err, ENOMEM, "no memory for events");
	reply->status = 200;
	if ((r = read_events(body, bytes, &ready->events, reply, err)) != 0)
		return r;
	if (json_array_size(ready->events) > REPORT_EVENTS_MAX) {
		err_set(err, EFBIG, "events: %zu at once, at most %d are taken", json_array_size(ready->events),
		    REPORT_EVENTS_MAX);
		reply_refuse(reply, 413, "too_many_events", err->text);
		return 1;
	}
	*work = MOVE(ready);
	return 0;
}

int
report_events_take(struct core *core, const struct device *device, const void *work, struct err *err)
{
	int r;

	if ((r = state_begin(core->state, err)) < 0)
		return r;
	r = store_events(core, device, ((const struct work *)work)->events, err);
	return state_end(core->state, r < 0 ? r : 0, err);
}

int
report_events_commit(struct core *core, const struct device *device, const char *body, size_t bytes,
    struct reply *reply, struct err *err)
{
	void *work = NULL;
	int r = report_events_prepare(body, bytes, &work, reply, err);

	if (r)
		return r < 0 ? r : 0;
	r = report_events_take(core, device, work, err);
	report_finish(work);
	return r;
}

/* Kinds are called as aktualizr calls them; files as people would look for them. */
static const struct {
	const char *kind, *file;
} renamed[] = { { "system_info", "hardware" }, { "installed", "packages" } };

const char *
report_file(const char *kind)
{
	for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++)
		if (!strcmp(renamed[i].kind, kind))
			return renamed[i].file;
	return kind;
}

const char *
report_kind(const char *file)
{
	for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++)
		if (!strcmp(renamed[i].file, file))
			return renamed[i].kind;
	return file;
}

/* A terminal must not obey what a device wrote. */
static void
print_escaped(const char *text, FILE *out)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t')
			fputc(c, out);
		else
			fprintf(out, "\\x%02x", c);
	}
}

int
report_print(struct core *core, const struct device *device, const char *kind, FILE *out, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *body = NULL;
	int64_t received_at;
	size_t bytes;
	int r = state_report(core->state, device->id, kind, &body, &bytes, &received_at, err);

	if (r != 0)
		return r == STATE_NONE ? 0 : r;
	if (!strcmp(kind, "config") || json_read(body, bytes, kind, &json, err) < 0) {
		print_escaped(body, out);
		return 0;
	}
	json_dumpf(
	    json, out, JSON_ENSURE_ASCII | JSON_ENCODE_ANY | (bytes <= PRETTY_BYTES_MAX ? JSON_INDENT(2) : 0));
	fputc('\n', out);
	return 0;
}

struct page {
	FILE *out;
	int64_t last; /* number */
	int count;
};

static int
print_event(const char *body, const char *unused, int64_t number, void *context)
{
	struct page *page = context;

	(void)unused;
	fprintf(page->out, "%s\n", body);
	page->last = number;
	page->count++;
	return 0;
}

int
report_events_print(struct core *core, const struct device *device, char cursor[static NODE_CURSOR_MAX],
    FILE *out, struct err *err)
{
	struct page page = { out, strtoll(cursor, NULL, 10), 0 };
	int r = state_events(core->state, device->id, page.last, EVENTS_PAGE, print_event, &page, err);

	snprintf(cursor, NODE_CURSOR_MAX, "%lld", (long long)page.last);
	return r < 0 ? r : page.count == EVENTS_PAGE;
}
