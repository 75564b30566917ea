/*
 * Whatever happens to a device in whatever order, against a small model of it: what is open, scheduled and
 * followed, what commands answer, the status, the counter and the number of installations.
 *
 * SEED=N in the environment runs that one only; each run also tries one that nobody has seen, and prints it.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/assign.h"
#include "otafs/device.h"
#include "otafs/follow.h"
#include "otafs/schedule.h"
#include "otafs/standing.h"
#include "otafs/withdrawn.h"
#include "state/follow.h"
#include "state/schedule.h"
#include "tests/unit/fixture.h"

#define HOUR 3600
#define STEPS 250
#define SEEDS 5
#define NONE 0
#define VERSIONS 3 /* 1 and 2 are always published, 3 comes and goes */

static const char *const packages[ECUS] = { "app", "fw", "fw" };
static const char *const hashes[2][VERSIONS] = {
	{ APP_1, APP_2, "a300000000000000000000000000000000000000000000000000000000000000" },
	{ FW_1, FW_2, "f300000000000000000000000000000000000000000000000000000000000000" },
};

/* A version for each ECU; NONE: none. */
struct lines {
	int version[ECUS];
};

struct plan {
	int hour;
	char command[64];
};

struct model {
	int ecus; /* registered, the first ones */
	struct lines runs, open;
	bool is_in_flight, is_failed, is_seen;
	bool follows[2]; /* app, fw */
	bool was_refused[ECUS][VERSIONS + 1];
	bool is_3_published;
	struct plan plans[SCHEDULE_DEVICE_MAX];
	size_t plan_count;
	int hour;
	int64_t counter;
	int installations;
};

static struct model m;
static struct fixture *f;
static unsigned seed, state_of_random;
static char trace[1024 * 1024];
static int publications;

static int
dice(int sides)
{
	return (int)((unsigned)rand_r(&state_of_random) % (unsigned)sides);
}

static void
note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(trace + strlen(trace), sizeof(trace) - strlen(trace), format, args);
	va_end(args);
}

static void
failed(void)
{
	fputs(trace, stderr);
	fail_msg("SEED=%u shows it again", seed);
}

#define CHECK(condition, ...)                                                                                  \
	do {                                                                                                   \
		if (!(condition)) {                                                                            \
			note(__VA_ARGS__);                                                                     \
			failed();                                                                              \
		}                                                                                              \
	} while (0)

/* ---- the model */

static bool
is_idle(void)
{
	for (int i = 0; i < ECUS; i++)
		if (m.open.version[i])
			return false;
	return true;
}

static void
model_end(int ecu, bool is_refused)
{
	m.was_refused[ecu][m.open.version[ecu]] |= is_refused;
	m.open.version[ecu] = NONE;
	m.installations++;
}

static void
model_end_all(bool is_refused)
{
	for (int i = 0; i < ECUS; i++)
		if (m.open.version[i])
			model_end(i, is_refused);
	m.counter++;
}

static void
model_begin(const struct lines *lines)
{
	m.open = *lines;
	m.is_in_flight = m.is_failed = false;
	m.counter++;
}

/* What one line "PACKAGE VERSION [ECU]" adds. */
static int
model_line(char *line, bool is_later, struct lines *out)
{
	char package[8], serial[8] = "";
	int version, found = 0;

	sscanf(line, "%7s %d.0 %7s", package, &version, serial);
	if (version > 2 && !m.is_3_published)
		return -ENOENT;
	if (m.ecus == 0)
		return -ENXIO;
	for (int i = 0; i < m.ecus; i++) {
		if (*serial && strcmp(serial, fixture_serials[i]))
			continue;
		found |= 1;
		if (strcmp(packages[i], package))
			continue;
		found |= 2;
		if (!is_later && m.runs.version[i] == version)
			return -EEXIST;
		if (out->version[i])
			return -EINVAL;
		out->version[i] = version;
	}
	return found & 2 ? 0 : found || !*serial ? -EINVAL : -ENOENT;
}

static int
model_lines(const char *command, bool is_later, struct lines *out)
{
	char copy[64], *rest = copy, *line;

	snprintf(copy, sizeof(copy), "%s", command);
	*out = (struct lines){ 0 };
	if (!is_later && !is_idle())
		return -EBUSY;
	while ((line = strsep(&rest, "\n"))) {
		int r = model_line(line, is_later, out);

		if (r < 0)
			return r;
	}
	return 0;
}

static void
model_schedule(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < m.plan_count; i++) {
		struct plan plan = m.plans[i];
		struct lines lines;
		int r = plan.hour <= m.hour ? model_lines(plan.command, false, &lines) : -EBUSY;

		if (r == -EBUSY)
			m.plans[kept++] = plan;
		else if (r == 0)
			model_begin(&lines);
	}
	m.plan_count = kept;
}

static void
model_follow(void)
{
	struct lines lines = { 0 };
	bool is_more = false;

	for (int i = 0; i < m.ecus && is_idle(); i++) {
		if (!m.follows[i > 0] || !m.runs.version[i])
			continue;
		for (int v = m.is_3_published ? 3 : 2; v > m.runs.version[i] && !lines.version[i]; v--) {
			if (!m.was_refused[i][v])
				lines.version[i] = v;
			/* What it runs is not published: nobody knows what is older. */
			if (m.runs.version[i] == 3 && !m.is_3_published)
				break;
		}
		is_more |= lines.version[i] != NONE;
	}
	if (is_more)
		model_begin(&lines);
}

static const char *
model_status(void)
{
	if (!m.is_seen)
		return STANDING_NOT_SEEN;
	if (m.ecus == 0)
		return STANDING_NOT_REGISTERED;
	if (!is_idle())
		return m.is_in_flight ? STANDING_IN_FLIGHT : STANDING_UPDATE_PENDING;
	if (m.is_failed)
		return STANDING_ERROR;
	return m.plan_count ? STANDING_UPDATE_SCHEDULED : STANDING_UP_TO_DATE;
}

/* ---- held against the real one */

static int
ecu_of(const char *serial)
{
	for (int i = 0; i < ECUS; i++)
		if (!strcmp(serial, fixture_serials[i]))
			return i;
	return -1;
}

static void
compare_open(void)
{
	AUTO(free_p) struct assignment *open = NULL;
	struct lines real = { 0 };
	struct err err = { 0 };
	size_t count;

	assert_int_equal(state_assignments(f->core.state, "car7", &open, &count, &err), 0);
	for (size_t i = 0; i < count; i++) {
		real.version[ecu_of(open[i].ecu)] = open[i].target[strlen(open[i].target) - 3] - '0';
		CHECK(
		    (open[i].in_flight_at > 0) == m.is_in_flight, "! in flight should be %d\n", m.is_in_flight);
		CHECK(!strcmp(open[i].correlation, open[0].correlation), "! two updates are open\n");
	}
	for (int i = 0; i < ECUS; i++)
		CHECK(real.version[i] == m.open.version[i], "! %s: open is %d, should be %d\n",
		    fixture_serials[i], real.version[i], m.open.version[i]);
}

static int
count_one(const struct installation *one, void *context)
{
	(void)one;
	++*(int *)context;
	return 0;
}

static void
compare(void)
{
	AUTO(free_p) struct follow *follows = NULL;
	struct schedule *plans;
	struct err err = { 0 };
	int installations = 0;
	size_t count;

	compare_open();
	assert_int_equal(state_schedules(f->core.state, "car7", &plans, &count, &err), 0);
	state_schedules_free(plans, count);
	CHECK(count == m.plan_count, "! %zu scheduled, should be %zu\n", count, m.plan_count);
	assert_int_equal(state_follows(f->core.state, "car7", &follows, &count, &err), 0);
	CHECK(count == (size_t)m.follows[0] + m.follows[1], "! %zu followed\n", count);
	assert_int_equal(state_installations(f->core.state, "car7", count_one, &installations, &err), 0);
	CHECK(installations == m.installations, "! %d installations, should be %d\n", installations,
	    m.installations);
	CHECK(f->device.counter == m.counter, "! counter %lld, should be %lld\n", (long long)f->device.counter,
	    (long long)m.counter);
	CHECK(!strcmp(f->device.status, model_status()), "! status %s, should be %s\n", f->device.status,
	    model_status());
}

/* ---- what happens */

static int
command(const char *text)
{
	struct err err = { 0 };
	int r = fixture_assign(f, text, &err);

	note("%s = %d %s\n", text, r, r ? err.text : "");
	return r;
}

static void
expect(int got, int expected)
{
	CHECK(got == expected, "! should be %d\n", expected);
}

/* Lines of an update; one form is of the wrong ECU. */
static void
make_lines(char text[static 64])
{
	static const char *const ends[] = { "", "", " sec-1", " sec-2", " sec-1" };
	int form = dice(7), a = 1 + dice(VERSIONS), b = 1 + dice(VERSIONS);

	if (form > 4)
		snprintf(text, 64, "app %d.0\nfw %d.0%s", a, b, form == 5 ? " sec-2" : "");
	else
		snprintf(text, 64, "%s %d.0%s", form == 0 || form == 4 ? "app" : "fw", a, ends[form]);
}

static void
do_assign(void)
{
	struct lines lines;
	char text[64];
	int r;

	make_lines(text);
	r = model_lines(text, false, &lines);
	expect(command(text), r);
	if (r == 0)
		model_begin(&lines);
}

static void
do_cancel(void)
{
	bool is_forced = dice(3) == 0, was_idle = is_idle();
	int r = !is_forced && !was_idle && m.is_in_flight ? -EBUSY
		: was_idle && m.plan_count == 0           ? -ENODATA
							  : 0;

	expect(command(is_forced ? "cancel!" : "cancel"), r);
	if (r < 0)
		return;
	m.plan_count = 0;
	if (!was_idle)
		model_end_all(true);
}

/* The device reads its targets. */
static void
do_read(void)
{
	struct err err = { 0 };

	note("read\n");
	fixture_read(f, utc_now());
	assert_int_equal(standing_update(&f->core, "car7", &err), 0);
	m.is_in_flight |= !is_idle();
}

static json_t *
make_report(int kind)
{
	AUTO(free_p) struct assignment *open = NULL;
	struct err err = { 0 };
	char unknown[64];
	size_t count;

	assert_int_equal(state_assignments(f->core.state, "car7", &open, &count, &err), 0);
	snprintf(unknown, sizeof(unknown), "urn:here-ota:mtu:unknown-%d", dice(1000000));
	return kind == 0 ? NULL
			 : fixture_result(kind == 1, kind == 3 || count == 0 ? unknown : open[0].correlation);
}

static void
do_manifest(void)
{
	int report = dice(4); /* none, success, failure, failure of another update */
	json_t *reports = json_object();
	bool is_ended = false;
	struct reply reply;
	char file[16];

	if (m.ecus == 0) {
		json_decref(reports);
		return;
	}
	for (int i = 0; i < m.ecus; i++) {
		int chance = dice(6);

		if (chance == 0)
			m.runs.version[i] = 1 + dice(VERSIONS);
		else if (chance < 3 && m.open.version[i])
			m.runs.version[i] = m.open.version[i];
		if (!m.runs.version[i])
			continue;
		snprintf(file, sizeof(file), "%s-%d.0", packages[i], m.runs.version[i]);
		note("%s runs %s, ", fixture_serials[i], file);
		json_object_set_new(reports, fixture_serials[i],
		    fixture_runs(f, i, file, hashes[i > 0][m.runs.version[i] - 1]));
	}
	note("report %d\n", report);
	assert_int_equal(fixture_send(f, fixture_manifest(f, reports, make_report(report)), &reply), 200);
	for (int i = 0; i < m.ecus; i++) {
		bool is_installed = m.runs.version[i] && m.runs.version[i] == m.open.version[i];

		if (!m.open.version[i] || (!is_installed && report != 2))
			continue;
		m.is_failed |= !is_installed;
		model_end(i, !is_installed);
		is_ended = true;
	}
	m.counter += is_ended;
}

static void
do_register(void)
{
	int count = 1 + dice(ECUS);
	bool is_ended = false;
	struct reply reply;
	struct err err = { 0 };

	note("register %d\n", count);
	assert_int_equal(fixture_enroll(f, fixture_ecus(f, (size_t)count), &reply, &err), 0);
	assert_true(reply.status == 200 || reply.status == 201);
	for (int i = count; i < ECUS; i++) {
		m.runs.version[i] = NONE;
		if (!m.open.version[i])
			continue;
		model_end(i, false);
		is_ended = true;
	}
	m.ecus = count;
	m.is_seen = true;
	m.counter += is_ended;
}

static void
do_schedule(void)
{
	struct plan plan = { .hour = m.hour + 1 + dice(30) };
	char text[128], time[UTC_TEXT_SIZE];
	struct lines lines;
	size_t place = m.plan_count;
	int r;

	for (size_t i = 0; i < m.plan_count; i++)
		if (m.plans[i].hour == plan.hour)
			return;
	make_lines(plan.command);
	utc_format(utc_now() + plan.hour * HOUR, time);
	snprintf(text, sizeof(text), "at %s %s", time, plan.command);
	r = model_lines(plan.command, true, &lines);
	if (r == 0 && m.plan_count == SCHEDULE_DEVICE_MAX)
		r = -EBUSY;
	expect(command(text), r);
	if (r < 0)
		return;
	for (; place > 0 && m.plans[place - 1].hour > plan.hour; place--)
		m.plans[place] = m.plans[place - 1];
	m.plans[place] = plan;
	m.plan_count++;
}

static void
do_wait(void)
{
	m.hour += dice(4);
	note("it is %d o'clock\n", m.hour);
	schedule_run(&f->core, utc_now() + m.hour * HOUR + HOUR / 2);
	model_schedule();
}

static void
do_look(void)
{
	note("look at who follows\n");
	while (follow_run(&f->core))
		;
	model_follow();
}

static void
do_follow(void)
{
	int which = dice(2);
	int r = m.ecus == 0 ? -ENXIO : which == 1 && m.ecus < 2 ? -EINVAL : m.follows[which] ? -EEXIST : 0;

	expect(command(which ? "follow fw" : "follow app"), r);
	if (r < 0)
		return;
	m.follows[which] = true;
	model_follow();
}

static void
do_unfollow(void)
{
	int which = dice(2);

	expect(command(which ? "unfollow fw" : "unfollow app"), m.follows[which] ? 0 : -ENODATA);
	m.follows[which] = false;
}

static void
do_publish(void)
{
	bool is_lost = false;
	json_t *more = json_object();
	struct err err = { 0 };

	m.is_3_published = !m.is_3_published;
	note("3.0 is %spublished\n", m.is_3_published ? "" : "not ");
	if (m.is_3_published) {
		fixture_target(more, "app", "3.0", "OSTREE", hashes[0][2], json_pack("[s]", "hw-a"));
		fixture_target(more, "fw", "3.0", "BINARY", hashes[1][2], json_pack("[s]", "hw-b"));
	}
	fixture_publish(f, ++publications, more);
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	withdrawn_follow(&f->core, utc_now());
	for (int i = 0; i < ECUS; i++)
		is_lost |= m.open.version[i] == 3 && !m.is_3_published;
	if (!is_lost)
		return;
	model_end_all(false);
	m.is_failed = true;
}

static void
do_delete(void)
{
	struct err err = { 0 };

	if (dice(4))
		return;
	note("delete and make\n");
	assert_int_equal(device_remove(&f->core, &f->device, "test", &err), 0);
	assert_int_equal(device_add(&f->core, "car7", "test", &err), 0);
	m = (struct model){ .counter = m.counter + 1, .hour = m.hour, .is_3_published = m.is_3_published };
}

static void
do_restart(void)
{
	note("restart\n");
	fixture_reopen(f);
}

static void (*const events[])(void) = { do_assign, do_assign, do_cancel, do_read, do_manifest, do_manifest,
	do_manifest, do_register, do_schedule, do_wait, do_look, do_follow, do_unfollow, do_publish, do_delete,
	do_restart };

static void
run_seed(unsigned number)
{
	void *state;

	seed = state_of_random = number;
	trace[0] = '\0';
	publications = 1;
	fixture_setup(&state);
	f = state;
	f->config.unresponsive_polls = 0;
	fixture_load(f);
	m = (struct model){ .ecus = ECUS, .is_seen = true, .counter = f->device.counter };
	for (int i = 0; i < STEPS; i++) {
		note("%d ", i);
		events[dice(sizeof(events) / sizeof(events[0]))]();
		note("\n");
		fixture_load(f);
		compare();
	}
	fixture_teardown(&state);
}

static void
does_what_the_model_does_in_any_order(void **unused)
{
	const char *one = getenv("SEED");
	unsigned unseen = (unsigned)utc_now();

	(void)unused;
	if (one) {
		run_seed((unsigned)strtoul(one, NULL, 10));
		return;
	}
	for (unsigned i = 1; i <= SEEDS; i++)
		run_seed(i);
	print_message("# SEED=%u\n", unseen);
	run_seed(unseen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(does_what_the_model_does_in_any_order) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
