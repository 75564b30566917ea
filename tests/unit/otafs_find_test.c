/* Which devices a rule means: the answer along indexes and in pages is that of looking at each one naively. */
#include "otafs/rule.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "otafs/bind.h"
#include "otafs/source.h"
#include "otafs/standing.h"
#include "state/group.h"
#include "state/seen.h"
#include "state/standing.h"
#include "state/tag.h"
#include "tests/unit/fixture.h"

/** More than two slices, so that pages end in the middle. */
#define CARS 2300
#define RULES 150
#define RULE_ROOM 4096

/* What the test knows of a device; NULL: it has none. */
static struct car {
	char id[16];
	const char *status, *region, *hardware[2], *file[2];
	int64_t seen_at;
	bool is_in_a, is_in_b;
} cars[CARS];

static const char *const statuses[] = { STANDING_NOT_SEEN, STANDING_UP_TO_DATE, STANDING_IN_FLIGHT,
	STANDING_ERROR };
static const char *const regions[] = { "EU", "eu", "US", "US east", "\xc3\x9cS", NULL };
static const char *const files[] = { "", "app-1.0", "app-2.0", "fw-1.0", "duo-1.0", "old-9", "strange" };

static unsigned long long seed;

static unsigned
any(unsigned below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(seed >> 33) % below;
}
#define ANY(list) ((list)[any(sizeof(list) / sizeof((list)[0]))])

/* ---- the fleet */

static void
store_ecu(struct state *state, const struct car *car, int i)
{
	struct ecu ecu = { .key = "{}", .report_counter = -1 };
	struct err err = { 0 };

	snprintf(ecu.serial, sizeof(ecu.serial), "ecu%d", i);
	snprintf(ecu.hardware, sizeof(ecu.hardware), "%s", car->hardware[i]);
	snprintf(ecu.installed, sizeof(ecu.installed), "%s", car->file[i]);
	assert_int_equal(state_ecu_put(state, car->id, &ecu, i, &err), 0);
	assert_int_equal(state_ecu_installed(state, car->id, &ecu, &err), 0);
}

static void
store(struct state *state, const struct car *car)
{
	struct err err = { 0 };
	char vin[32];

	assert_int_equal(state_device_add(state, car->id, 1, &err), 0);
	assert_int_equal(state_standing(state, car->id, STANDING_NOT_SEEN, car->status, &err), 0);
	assert_int_equal(state_device_seen(state, car->id, car->seen_at, &err), 0);
	if (car->region)
		assert_int_equal(state_tag_put(state, car->id, "region", car->region, &err), 0);
	snprintf(vin, sizeof(vin), "VIN-%.15s", car->id);
	assert_int_equal(state_tag_put(state, car->id, "Vin", vin, &err), 0);
	for (int i = 0; i < 2 && car->hardware[i]; i++)
		store_ecu(state, car, i);
	if (car->is_in_a)
		assert_int_equal(state_member_add(state, "a", car->id, &err), 0);
	if (car->is_in_b)
		assert_int_equal(state_member_add(state, "b", car->id, &err), 0);
}

static void
invent(struct car *car, int number)
{
	snprintf(car->id, sizeof(car->id), "%s%05d", number % 3 ? "Car-" : "truck", number * 7919 % 100000);
	car->status = ANY(statuses);
	car->region = ANY(regions);
	car->hardware[0] = any(2) ? "hw-a" : "HW-b";
	car->hardware[1] = any(2) ? "HW-b" : NULL;
	car->file[0] = any(2) ? "app-1.0" : ANY(files);
	car->file[1] = any(2) ? "app-1.0" : ANY(files);
	car->seen_at = any(4) ? 1000000 + any(1000) : 0;
	car->is_in_a = any(10) == 0;
	car->is_in_b = any(2);
}

static void
add_group(struct state *state, const char *name, const char *rule)
{
	struct err err = { 0 };

	assert_int_equal(state_group_add(state, name, 1, &err), 0);
	assert_int_equal(state_group_rule(state, name, rule, &err), 0);
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct car *)a)->id, ((const struct car *)b)->id);
}

static int
setup(void **state)
{
	int r = fixture_setup(state);
	struct fixture *f = *state;
	struct err err = { 0 };

	seed = 20261127;
	assert_int_equal(state_begin(f->core.state, &err), 0);
	assert_int_equal(state_device_remove(f->core.state, "car7", &err), 0);
	add_group(f->core.state, "a", "");
	add_group(f->core.state, "b", "");
	add_group(f->core.state, "smart", "tag(region) is us");
	add_group(f->core.state, "smarter", "group is smart and not (group is a and status is Error)");
	for (int i = 0; i < CARS; i++) {
		invent(&cars[i], i);
		store(f->core.state, &cars[i]);
	}
	assert_int_equal(state_end(f->core.state, 0, &err), 0);
	qsort(cars, CARS, sizeof(cars[0]), by_id);
	return r;
}

/* ---- rules, written and followed by the test itself */

struct said {
	FILE *out;
	const struct car *car; /* NULL: is being written */
};

static bool
is_us(const struct car *car)
{
	return car->region && !strcasecmp(car->region, "us");
}

static bool
runs(const struct car *car, const char *file)
{
	return !strcmp(car->file[0], file) || (car->hardware[1] && !strcmp(car->file[1], file));
}

/* A rule is the sequence of random numbers that it is made of: written once, and followed for each car with the
 * same seed. All choices are made whatever comes of them. */
static bool
leaf(struct said *said)
{
	static const char *const nots[] = { "", "not " };
	const struct car nobody = { .status = "", .hardware = { "" }, .file = { "", "" } };
	const struct car *car = said->car ? said->car : &nobody;
	unsigned what = any(16), number = any(6), is_not = any(2);
	const char *text = statuses[number % 4];

	switch (what) {
	case 0:
		fprintf(said->out, "deviceid contains 'R-%u'", number);
		return car->id[0] == 'C' && car->id[4] == (char)('0' + number);
	case 1:
		fprintf(said->out, "DeviceID position(%u) is %sC", number + 1, nots[is_not]);
		return (number < strlen(car->id) && strchr("cC", car->id[number])) != is_not;
	case 2:
		fprintf(said->out, "tag(Region) is %seu", nots[is_not]);
		return car->region && (strcasecmp(car->region, "eu") == 0) != is_not;
	case 3:
		fprintf(said->out, "tag(region) contains us");
		return car->region && strcasestr(car->region, "us");
	case 4:
		fprintf(said->out, "tag(region) position(2) is %ss", nots[is_not]);
		return car->region && (car->region[1] == 'S' || (unsigned char)car->region[0] > 0x7f) != is_not;
	case 5:
		fprintf(said->out, "hardware is %sHW-B", nots[is_not]);
		return (car->hardware[1] || !strcmp(car->hardware[0], "HW-b")) != is_not;
	case 6:
		fprintf(said->out, "package is %sApp", nots[is_not]);
		return (runs(car, "app-1.0") || runs(car, "app-2.0")) != is_not;
	case 7:
		fprintf(said->out, "package is %sapp 2.0", nots[is_not]);
		return runs(car, "app-2.0") != is_not;
	case 8:
		fprintf(said->out, "version is %s1.0", nots[is_not]);
		return (runs(car, "app-1.0") || runs(car, "fw-1.0") || runs(car, "duo-1.0")) != is_not;
	case 9:
		fprintf(said->out, "package is old 9");
		return runs(car, "old-9");
	case 10:
	case 11:
		fprintf(said->out, "status is %s%s", nots[is_not], text);
		return (strcmp(car->status, text) == 0) != is_not;
	case 12:
		fprintf(said->out, "group is %s%s", nots[is_not], number % 2 ? "a" : "b");
		return (number % 2 ? car->is_in_a : car->is_in_b) != is_not;
	case 13:
		fprintf(said->out, "group is %ssmarter", nots[is_not]);
		return (is_us(car) && !(car->is_in_a && !strcmp(car->status, "Error"))) != is_not;
	case 14:
		fprintf(said->out, "lastseen %s 1970-01-12T13:5%u:00Z", is_not ? "after" : "before", number);
		return (car->seen_at < 1000000 + (int)number * 60 + 200) != is_not;
	default:
		fprintf(said->out, "group is nowhere or all");
		return true;
	}
}

static bool
tree(struct said *said, int depth)
{
	unsigned what = any(depth > 3 ? 1 : 6);
	bool left, right;

	if (what < 2)
		return leaf(said);
	fprintf(said->out, what == 2 ? "not (" : "(");
	left = tree(said, depth + 1);
	if (what == 2) {
		fprintf(said->out, ")");
		return !left;
	}
	fprintf(said->out, what < 5 ? ") and (" : ") or (");
	right = tree(said, depth + 1);
	fprintf(said->out, ")");
	return what < 5 ? left && right : left || right;
}

/* ---- what is found */

struct names {
	char (*list)[16];
	size_t count;
};

static int
keep(const char *id, void *context)
{
	struct names *names = context;

	assert_true(names->count < CARS);
	snprintf(names->list[names->count++], 16, "%s", id);
	return 0;
}

static void
find(struct fixture *f, const char *text, size_t most, struct names *names)
{
	AUTO(rule_freep) struct rule *rule = NULL;
	char cursor[NODE_CURSOR_MAX] = "";
	struct err err = { 0 };
	size_t before;
	int r;

	names->count = 0;
	if (rule_parse(text, &rule, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	do {
		before = names->count;
		r = rule_page(&f->core, rule, cursor, most, keep, names, &err);
		if (r < 0)
			fail_msg("%s: %s", text, err.text);
		assert_true(names->count - before <= most);
	} while (r == 1);
}

static size_t
count(struct fixture *f, const char *text)
{
	AUTO(free_p) void *list = calloc(CARS, 16);
	struct names names = { list, 0 };

	find(f, text, CARS, &names);
	return names.count;
}

static void
compare(struct fixture *f, unsigned long long rule_seed, struct names *names)
{
	AUTO(free_p) char *text = NULL;
	AUTO(fclose_p) FILE *nowhere = fopen("/dev/null", "w");
	size_t bytes, next = 0;
	struct said said = { open_memstream(&text, &bytes), NULL };

	seed = rule_seed;
	tree(&said, 0);
	fclose(said.out);
	if (bytes > RULE_BYTES_MAX)
		return;
	find(f, text, 1 + any(400), names);
	said.out = nowhere;
	for (size_t i = 0; i < CARS; i++) {
		bool is_there = next < names->count && !strcmp(names->list[next], cars[i].id);

		seed = rule_seed;
		said.car = &cars[i];
		if (tree(&said, 0) != is_there)
			fail_msg("%s: %s is %s", text, cars[i].id, is_there ? "there" : "missing");
		next += is_there;
	}
	assert_int_equal(next, names->count);
}

static void
finds_what_looking_at_each_finds(void **state)
{
	AUTO(free_p) void *list = calloc(CARS, 16);
	struct names names = { list, 0 };

	for (unsigned i = 0; i < RULES; i++)
		compare(*state, 1000003ULL * i + 7, &names);
}

/* ---- where it looks */

static void
assert_looks_by(struct fixture *f, const char *text, enum find_by by)
{
	AUTO(rule_freep) struct rule *rule = NULL;
	AUTO(bind_done) struct bound bound = { .terms = NULL };
	AUTO(source_done) struct source source = { .count = 0 };
	struct err err = { 0 };

	assert_int_equal(rule_parse(text, &rule, &err), 0);
	assert_int_equal(bind_rule(&f->core, rule, "", false, &bound, &err), 0);
	assert_int_equal(reader_begin(f->core.reader, &err), 0);
	assert_int_equal(source_choose(f->core.reader, &bound, &source, &err), 0);
	reader_end(f->core.reader);
	if (source.finds[0].by != by)
		fail_msg("%s: looks by %d, not %d", text, source.finds[0].by, by);
}

static void
looks_where_the_fewest_are(void **state)
{
	assert_looks_by(*state, "all", FIND_ALL);
	assert_looks_by(*state, "deviceid contains 7 and status is Error", FIND_STATUS);
	assert_looks_by(*state, "status is Error and group is a", FIND_MEMBER);
	assert_looks_by(*state, "group is a and status is Error", FIND_MEMBER);
	assert_looks_by(*state, "group is b and tag(REGION) is \xc3\x9cs", FIND_TAG);
	assert_looks_by(*state, "group is smart", FIND_TAG);
	assert_looks_by(*state, "group is b and package is old 9", FIND_INSTALLED);
	assert_looks_by(*state, "tag(vin) is vin-car-00000", FIND_TAG_FOLDED);
	assert_looks_by(*state, "hardware is Hw-A", FIND_HARDWARE);
	assert_looks_by(*state, "lastseen before 1970-01-01T00:00:01Z", FIND_SEEN_BEFORE);
	assert_looks_by(*state, "status is not Error", FIND_ALL);
	assert_looks_by(*state, "group is not a", FIND_ALL);
	assert_looks_by(*state, "group is a or status is Error", FIND_ALL);
	assert_looks_by(*state, "not group is a", FIND_ALL);
}

/* More than a slice of rows, some of one device. */
static void
finds_once_who_has_it_twice(void **state)
{
	size_t running = 0, hardware = 0;

	for (size_t i = 0; i < CARS; i++) {
		running += runs(&cars[i], "app-1.0");
		hardware += cars[i].hardware[1] || !strcmp(cars[i].hardware[0], "HW-b");
	}
	assert_true(running > RULE_SLICE && hardware > RULE_SLICE);
	assert_int_equal(count(*state, "package is app 1.0"), running);
	assert_int_equal(count(*state, "hardware is hw-b"), hardware);
}

static void
finds_what_is_another_for_each(void **state)
{
	char text[64];

	snprintf(text, sizeof(text), "tag(vin) is vin-%s", cars[9].id);
	assert_int_equal(count(*state, text), 1);
	assert_int_equal(count(*state, "tag(vin) is vin"), 0);
	assert_int_equal(count(*state, "tag(vin) contains vin-"), CARS);
}

/* ---- one device */

static int
matches(struct fixture *f, const char *text, const char *id, struct err *err)
{
	AUTO(rule_freep) struct rule *rule = NULL;

	assert_int_equal(rule_parse(text, &rule, err), 0);
	return rule_matches(&f->core, rule, id, err);
}

static void
sees_what_the_transaction_has_changed(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	size_t before = count(f, "tag(new) is yes");

	assert_int_equal(state_begin(f->core.state, &err), 0);
	assert_int_equal(state_tag_put(f->core.state, cars[3].id, "new", "yes", &err), 0);
	assert_int_equal(matches(f, "tag(new) is yes", cars[3].id, &err), 1);
	assert_int_equal(matches(f, "tag(new) is yes", cars[4].id, &err), 0);
	assert_int_equal(count(f, "tag(new) is yes"), before);
	assert_int_equal(state_end(f->core.state, 0, &err), 0);
	assert_int_equal(count(f, "tag(new) is yes"), before + 1);
	assert_int_equal(matches(f, "all", "nobody", &err), 0);
}

static void
knows_when_devices_were_seen_just_now(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(count(f, "lastseen after 2020-01-01"), 0);
	assert_int_equal(state_device_seen(f->core.state, cars[5].id, INT64_C(1700000000), &err), 0);
	assert_int_equal(matches(f, "lastseen after 2020-01-01", cars[5].id, &err), 1);
	assert_int_equal(matches(f, "lastseen newer than 7d", cars[5].id, &err), 0);
	assert_int_equal(count(f, "lastseen after 2020-01-01"), 1);
}

/* ---- groups of groups */

static int
check(struct fixture *f, const char *text, const char *group, struct err *err)
{
	AUTO(rule_freep) struct rule *rule = NULL;

	assert_int_equal(rule_parse(text, &rule, err), 0);
	return rule_check(&f->core, rule, group, err);
}

static void
refuses_rules_that_go_in_circles(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(check(f, "group is smarter", "b", &err), 0);
	assert_int_equal(check(f, "group is nowhere", "b", &err), -ENOENT);
	assert_reason(err, "there is no group nowhere");
	assert_int_equal(check(f, "not group is a", "a", &err), -ELOOP);
	assert_reason(err, "group a: its rule leads to itself");
	assert_int_equal(check(f, "group is smarter", "a", &err), -ELOOP);
	assert_reason(err, "group smarter: group a: its rule leads to itself");
	assert_int_equal(check(f, "group is smarter", "smarter", &err), -ELOOP);
}

static void
bounds_how_often_groups_name_groups(void **state)
{
	static const char thrice[] = "group is %1$s or group is %1$s or group is %1$s";
	struct fixture *f = *state;
	struct err err = { 0 };
	char name[16] = "a", text[200];

	for (int i = 0; i < 6; i++) {
		snprintf(text, sizeof(text), thrice, name);
		snprintf(name, sizeof(name), "many%d", i);
		add_group(f->core.state, name, text);
	}
	assert_int_equal(check(f, "group is many1", "", &err), 0);
	assert_int_equal(check(f, "group is many5", "", &err), -ELOOP);
	assert_reason(err, "rules name groups more than 8 deep or 100 times");
}

/* ---- pages */

static int
stop_at_third(const char *id, void *context)
{
	struct names *names = context;

	return names->count == 2 ? -EINTR : keep(id, names);
}

static void
a_page_that_was_broken_off_goes_on_there(void **state)
{
	AUTO(free_p) void *list = calloc(CARS, 16);
	AUTO(rule_freep) struct rule *rule = NULL;
	struct fixture *f = *state;
	struct names names = { list, 0 };
	char cursor[NODE_CURSOR_MAX] = "";
	struct err err = { 0 };

	assert_int_equal(rule_parse("all", &rule, &err), 0);
	assert_int_equal(rule_page(&f->core, rule, cursor, 10, stop_at_third, &names, &err), -EINTR);
	assert_string_equal(cursor, cars[1].id);
	names.count = 0;
	assert_int_equal(rule_page(&f->core, rule, cursor, 2, keep, &names, &err), 1);
	assert_string_equal(names.list[0], cars[2].id);
	assert_string_equal(names.list[1], cars[3].id);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_looking_at_each_finds),
		cmocka_unit_test(looks_where_the_fewest_are),
		cmocka_unit_test(finds_once_who_has_it_twice),
		cmocka_unit_test(finds_what_is_another_for_each),
		cmocka_unit_test(sees_what_the_transaction_has_changed),
		cmocka_unit_test(knows_when_devices_were_seen_just_now),
		cmocka_unit_test(refuses_rules_that_go_in_circles),
		cmocka_unit_test(bounds_how_often_groups_name_groups),
		cmocka_unit_test(a_page_that_was_broken_off_goes_on_there),
	};

	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
