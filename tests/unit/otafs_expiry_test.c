/* What expires: the list, what the log says when, and what makes an instance unwell. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/utc.h"
#include "otafs/expiry.h"
#include "otafs/status.h"
#include "state/token.h"
#include "tests/unit/fault.h"
#include "tests/unit/fixture.h"
#include "tests/unit/pki.h"

#define HOUR 3600
#define DAY 86400
#define NOW 1900000000

/* ---- an instance with files of its own */

static const char *
path_of(const struct fixture *f, const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	return path;
}

static void
open_guardian(struct fixture *f)
{
	struct err err = { 0 };

	snprintf(f->config.server_certificate, CONFIG_VALUE_MAX, "%s/server.pem", f->path);
	snprintf(f->config.device_ca, CONFIG_VALUE_MAX, "%s/device-ca.pem", f->path);
	snprintf(f->config.build_ca, CONFIG_VALUE_MAX, "%s/build-ca.pem", f->path);
	snprintf(f->config.build_passwords, CONFIG_VALUE_MAX, "%s/htpasswd", f->path);
	assert_int_equal(expiry_open(&f->core, &err), 0);
}

static int
setup(void **state)
{
	int r = fixture_setup(state);

	open_guardian(*state);
	return r;
}

static int
setup_with_signer(void **state)
{
	int r = fixture_setup_with_signer(state);

	open_guardian(*state);
	return r;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	expiry_close(&f->core);
	return fixture_teardown(state);
}

static void
write_document(struct fixture *f, int number, const char *name, int64_t expires_at, json_t *more)
{
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *text = NULL;
	char path[160], expires[UTC_TEXT_SIZE];
	struct err err = { 0 };

	utc_format(expires_at, expires);
	file = json_pack("{s:[],s:{s:s,s:i}}", "signatures", "signed", "expires", expires, "version", 1);
	if (more)
		json_object_update(json_object_get(file, "signed"), more);
	json_decref(more);
	text = json_write(file);
	snprintf(path, sizeof(path), "%s/published/%d/%s.json", f->path, number, name);
	assert_int_equal(file_replace(AT_FDCWD, path, text, strlen(text), 0644, &err), 0);
}

/* A publication whose documents expire then; @targets are what targets.json has besides. */
static void
publish(struct fixture *f, int number, int64_t root, int64_t targets, int64_t snapshot, int64_t timestamp,
    json_t *more)
{
	struct err err = { 0 };

	fixture_publish(f, number, NULL);
	write_document(f, number, "root", root, NULL);
	write_document(f, number, "targets", targets, more);
	write_document(f, number, "snapshot", snapshot, NULL);
	write_document(f, number, "timestamp", timestamp, NULL);
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
}

/* ---- what it says */

/* Looks, and keeps what is logged meanwhile in a file. */
static char *
look(struct fixture *f, int64_t now)
{
	AUTO(close_p) int before = dup(STDERR_FILENO);
	AUTO(close_p) int log = open(path_of(f, "log"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct err err = { 0 };
	char *text = NULL;
	size_t bytes;

	dup2(log, STDERR_FILENO);
	expiry_look(&f->core, now);
	dup2(before, STDERR_FILENO);
	assert_int_equal(file_read(AT_FDCWD, path_of(f, "log"), 1 << 20, &text, &bytes, &err), 0);
	return text;
}

/* Looks; how many lines have @words, and as level @level if that is not 0. */
static int
logged(struct fixture *f, int64_t now, int level, const char *words)
{
	AUTO(free_p) char *text = look(f, now);
	char *rest = text, *line, start[8] = "<";
	int n = 0;

	if (level)
		snprintf(start, sizeof(start), "<%d>", level);
	while ((line = strsep(&rest, "\n")))
		n += !strncmp(line, start, strlen(start)) && strstr(line, words);
	return n;
}

static json_t *
list(struct fixture *f, int64_t now)
{
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	json_t *json = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(expiry_print_json(&f->core, now, out, &err), 0);
	fclose(out);
	assert_int_equal(json_read(text, bytes, "expiring", &json, &err), 0);
	return json;
}

/* The member @member of the entry of @what; "" if there is none. */
static const char *
says(struct fixture *f, int64_t now, const char *what, const char *member)
{
	AUTO(json_decref_p) json_t *json = list(f, now);
	static char text[2048];
	const json_t *entry;
	size_t i;

	*text = '\0';
	json_array_foreach(json_object_get(json, "entries"), i, entry)
	{
		AUTO(free_p) char *value = NULL;

		if (strcmp(json_text(entry, "what"), what) != 0 || !json_object_get(entry, member))
			continue;
		value = json_write(json_object_get(entry, member));
		snprintf(text, sizeof(text), "%s", json_text(entry, member) ? json_text(entry, member) : value);
	}
	return text;
}

static char *
printed(struct fixture *f, int64_t now, int (*print)(struct core *, int64_t, FILE *, struct err *))
{
	struct err err = { 0 };
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(print(&f->core, now, out, &err), 0);
	fclose(out);
	return text;
}

static void
health(struct fixture *f, int64_t now, json_t **problems, json_t **warnings)
{
	struct err err = { 0 };

	*problems = json_array();
	*warnings = json_array();
	assert_int_equal(expiry_tell(&f->core, now, *problems, *warnings, &err), 0);
}

/* How many sentences have @words. */
static int
count(const json_t *sentences, const char *words)
{
	const json_t *one;
	int n = 0;
	size_t i;

	json_array_foreach(sentences, i, one) n += strstr(json_string_value(one), words) != NULL;
	return n;
}

/* ---- tests */

static void
lists_what_expires_first_at_the_top(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *json = NULL;
	const char *const expected[] = { "build_ca", "director root", "image timestamp",
		"server_certificate CN=ota", "image snapshot", "image targets", "device_ca CN=A",
		"image root" };

	pki_certificate(path_of(f, "server.pem"), "ota", "CA", NOW + 2 * DAY);
	pki_certificate(path_of(f, "device-ca.pem"), "A", "A", NOW + 100 * DAY);
	publish(f, 2, NOW + 300 * DAY, NOW + 20 * DAY, NOW + 6 * DAY, NOW + DAY, NULL);
	free(look(f, NOW));
	json = list(f, NOW);
	assert_int_equal(json_array_size(json_object_get(json, "entries")), 8);
	for (size_t i = 0; i < 8; i++)
		assert_string_equal(
		    json_text(json_array_get(json_object_get(json, "entries"), i), "what"), expected[i]);
	assert_string_equal(says(f, NOW, "image timestamp", "expires"), "2030-03-18T17:46:40Z");
	assert_string_equal(says(f, NOW, "image snapshot", "daysLeft"), "6");
	assert_string_equal(says(f, NOW + 6 * DAY + 1, "image snapshot", "daysLeft"), "-1");
	assert_string_equal(says(f, NOW, "image snapshot", "state"), "fine");
	assert_string_equal(says(f, NOW, "server_certificate CN=ota", "state"), "due");
	assert_string_equal(says(f, NOW, "build_ca", "state"), "not known");
	assert_string_equal(says(f, NOW, "director root", "command"), "ota-sign init");
}

static void
goes_from_fine_to_soon_to_due_to_expired(void **state)
{
	struct fixture *f = *state;
	const char *what = "server_certificate CN=ota";
	int64_t end = NOW + 100 * DAY;

	pki_certificate(path_of(f, "server.pem"), "ota", "CA", end);
	free(look(f, NOW));
	assert_string_equal(says(f, end - 30 * DAY - 1, what, "state"), "fine");
	assert_string_equal(says(f, end - 30 * DAY, what, "state"), "soon");
	assert_string_equal(says(f, end - 7 * DAY - 1, what, "state"), "soon");
	assert_string_equal(says(f, end - 7 * DAY, what, "state"), "due");
	assert_string_equal(says(f, end - 1, what, "state"), "due");
	assert_string_equal(says(f, end, what, "state"), "EXPIRED");
}

static void
logs_once_at_30_14_7_3_and_1_days_and_at_the_end(void **state)
{
	struct fixture *f = *state;
	int64_t end = NOW + 40 * DAY;
	int days[40] = { 0 }, n = 0;

	pki_certificate(path_of(f, "server.pem"), "ota", "CA", end);
	for (int i = 0; i < 40; i++)
		for (int hour = 0; hour < 24; hour += 6)
			days[i] += logged(f, NOW + i * DAY + hour * HOUR, 0, "expires what=\"server");
	for (int i = 0; i < 40; i++)
		n += days[i];
	assert_int_equal(n, 5);
	assert_int_equal(days[10] + days[26] + days[33] + days[37] + days[39], 5);
	assert_int_equal(logged(f, end, 3, "expired what=\"server_certificate CN=ota\""), 1);
	assert_int_equal(logged(f, end + 10 * DAY, 0, "server_certificate"), 0);
}

static void
logs_errors_from_3_days_on_with_the_command(void **state)
{
	struct fixture *f = *state;
	int64_t end = NOW + 40 * DAY;

	pki_certificate(path_of(f, "server.pem"), "ota", "CA", end);
	assert_int_equal(logged(f, end - 7 * DAY, 4, "left=\"7 days\" command=\"ota-pki --renew server /"), 1);
	assert_int_equal(logged(f, end - 3 * DAY, 3, "renewed_by=\"who has the key of CN=CA;"), 1);
}

static void
tells_the_present_state_once_after_a_restart(void **state)
{
	struct fixture *f = *state;
	int64_t end = NOW + 5 * DAY;
	struct err err = { 0 };

	pki_certificate(path_of(f, "server.pem"), "ota", "CA", end);
	assert_int_equal(logged(f, NOW, 4, "expires what=\"server"), 1);
	assert_int_equal(logged(f, NOW + HOUR, 0, "what=\"server"), 0);
	expiry_close(&f->core);
	assert_int_equal(expiry_open(&f->core, &err), 0);
	assert_int_equal(logged(f, NOW + 2 * HOUR, 4, "expires what=\"server"), 1);
	assert_int_equal(logged(f, NOW + 3 * HOUR, 0, "what=\"server"), 0);
}

static void
says_nothing_twice_when_the_clock_goes_back(void **state)
{
	struct fixture *f = *state;

	pki_certificate(path_of(f, "server.pem"), "ota", "CA", NOW + 5 * DAY);
	assert_int_equal(logged(f, NOW, 4, "expires what=\"server"), 1);
	assert_int_equal(logged(f, NOW - 100 * DAY, 0, "what=\"server"), 0);
	assert_int_equal(logged(f, NOW, 0, "what=\"server"), 0);
	assert_int_equal(logged(f, NOW + 3 * DAY, 3, "expires what=\"server"), 1);
}

static void
reads_files_once_a_minute_and_sees_a_renewal(void **state)
{
	struct fixture *f = *state;
	const char *what = "server_certificate CN=ota";

	pki_certificate(path_of(f, "server.pem"), "ota", "CA", NOW + 5 * DAY);
	free(look(f, NOW));
	unlink(path_of(f, "server.pem"));
	pki_certificate(path_of(f, "server.pem"), "ota", "CA", NOW + 500 * DAY);
	assert_int_equal(logged(f, NOW + 59, 0, "renewed"), 0);
	assert_string_equal(says(f, NOW + 59, what, "daysLeft"), "4");
	assert_int_equal(logged(f, NOW + 60, 5, "renewed what=\"server_certificate CN=ota\" expires=20"), 1);
	assert_string_equal(says(f, NOW + 60, what, "daysLeft"), "499");
	/* And the next time it is told anew. */
	assert_int_equal(logged(f, NOW + 490 * DAY, 4, "expires what=\"server"), 1);
}

static void
says_which_file_is_missing_or_damaged(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *problems = NULL;
	AUTO(json_decref_p) json_t *warnings = NULL;
	struct err err = { 0 };

	assert_int_equal(file_replace(AT_FDCWD, path_of(f, "device-ca.pem"), "x", 1, 0644, &err), 0);
	assert_int_equal(logged(f, NOW, 4, "expiry not known what=\"server_certificate\" reason=\""), 1);
	assert_int_equal(logged(f, NOW + HOUR, 0, "what=\"server_certificate"), 0);
	assert_non_null(strstr(says(f, NOW, "server_certificate", "trouble"), "server.pem: No such file"));
	assert_non_null(strstr(says(f, NOW, "device_ca", "trouble"), "device-ca.pem: has no certificate"));
	health(f, NOW, &problems, &warnings);
	assert_int_equal(count(warnings, "server_certificate: it is not known when it expires: "), 1);
	assert_int_equal(count(problems, "certificate"), 0);
	pki_certificate(path_of(f, "server.pem"), "ota", "CA", NOW + 500 * DAY);
	free(look(f, NOW + 2 * HOUR));
	unlink(path_of(f, "server.pem"));
	assert_int_equal(logged(f, NOW + 3 * HOUR, 4, "what=\"server_certificate\" reason="), 1);
}

static void
knows_what_each_file_is_for(void **state)
{
	struct fixture *f = *state;

	pki_certificate(path_of(f, "server.pem"), "ota", "CA", NOW + DAY);
	pki_certificate(path_of(f, "server.pem"), "CA", "CA", NOW + DAY);
	pki_certificate(path_of(f, "device-ca.pem"), "D", "D", NOW + DAY);
	pki_certificate(path_of(f, "build-ca.pem"), "B", "B", NOW + DAY);
	pki_list(path_of(f, "crl.pem"), "D", NOW + DAY);
	snprintf(f->config.device_crl, CONFIG_VALUE_MAX, "%s/crl.pem", f->path);
	assert_int_equal(mkdir(path_of(f, "build.certificates"), 0755), 0);
	pki_certificate(path_of(f, "build.certificates/ci.pem"), "ci", "B", NOW + DAY);
	pki_certificate(path_of(f, "build.certificates/ci.pem.old"), "ci", "B", NOW + DAY);
	pki_certificate(path_of(f, "build.certificates/a b.pem"), "ci", "B", NOW + DAY);
	free(look(f, NOW));
	assert_non_null(
	    strstr(says(f, NOW, "server_certificate CN=ota", "command"), "ota-pki --renew server /"));
	assert_non_null(
	    strstr(says(f, NOW, "server_certificate CN=CA", "command"), "ota-pki --renew server-ca /"));
	assert_non_null(strstr(says(f, NOW, "server_certificate CN=CA", "who"), "devices have to get it"));
	assert_non_null(strstr(says(f, NOW, "device_ca CN=D", "command"), "ota-pki --renew device-ca /"));
	assert_non_null(strstr(says(f, NOW, "build_ca CN=B", "command"), "ota-pki --renew build-ca /"));
	assert_non_null(
	    strstr(says(f, NOW, "device_crl CN=D", "command"), "openssl ca -gencrl -config CA.conf -out /"));
	assert_string_equal(
	    says(f, NOW, "build certificate ci", "command"), "ota-builder --certificate ci CREDENTIALS.zip");
	assert_string_equal(says(f, NOW, "device_crl CN=D", "needed"), "true");
	assert_string_equal(says(f, NOW, "build_ca CN=B", "needed"), "false");
	{
		AUTO(json_decref_p) json_t *json = list(f, NOW);

		assert_int_equal(json_array_size(json_object_get(json, "entries")), 11);
	}
}

static void
knows_the_cas_of_administrators_fleets_clients_and_what_they_let_issue(void **state)
{
	struct fixture *f = *state;

	snprintf(f->config.admin_ca, CONFIG_VALUE_MAX, "%s/admin-ca.pem", f->path);
	snprintf(f->config.server_ca, CONFIG_VALUE_MAX, "%s/server-ca.pem", f->path);
	snprintf(f->config.fleet_ca, CONFIG_VALUE_MAX, "%s/fleet.pem", f->path);
	free(look(f, NOW));
	/* No administrator has a certificate; a fleet's CA that is named has to be there. */
	assert_string_equal(says(f, NOW, "admin_ca", "trouble"), "");
	assert_string_equal(says(f, NOW, "server_ca", "trouble"), "");
	assert_non_null(strstr(says(f, NOW, "fleet_ca", "trouble"), "fleet.pem: No such file"));
	pki_certificate(path_of(f, "admin-ca.pem"), "A", "A", NOW + DAY);
	pki_certificate(path_of(f, "server-ca.pem"), "S", "S", NOW + DAY);
	pki_certificate(path_of(f, "fleet.pem"), "F", "F", NOW + DAY);
	free(look(f, NOW + HOUR));
	assert_non_null(strstr(says(f, NOW, "admin_ca CN=A", "command"), "ota-pki --renew admin-ca /"));
	assert_string_equal(says(f, NOW, "admin_ca CN=A", "needed"), "false");
	assert_non_null(strstr(says(f, NOW, "server_ca CN=S", "command"), "ota-pki --renew server-ca /"));
	assert_string_equal(says(f, NOW, "server_ca CN=S", "needed"), "true");
	assert_non_null(strstr(says(f, NOW, "fleet_ca CN=F", "command"), "# put a new one into /"));
}

static void
tells_of_enrolment_tokens_that_end(void **state)
{
	struct fixture *f = *state;
	struct token tokens[] = { { .name = "ever" }, { .name = "soon", .expires_at = NOW + 20 * DAY },
		{ .name = "over", .expires_at = NOW - 20 * DAY },
		{ .name = "old", .expires_at = NOW - 40 * DAY } };
	struct err err = { 0 };

	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		strcpy(tokens[i].who, "root");
		assert_int_equal(state_token_add(f->core.state, &tokens[i], &err), 0);
	}
	free(look(f, NOW));
	assert_string_equal(says(f, NOW, "enrolment token soon", "state"), "soon");
	assert_string_equal(says(f, NOW, "enrolment token soon", "command"),
	    "# write another end into enroll/tokens/soon/expires");
	assert_string_equal(says(f, NOW, "enrolment token over", "state"), "EXPIRED");
	assert_string_equal(says(f, NOW, "enrolment token over", "needed"), "false");
	assert_string_equal(says(f, NOW, "enrolment token old", "state"), "");
	assert_string_equal(says(f, NOW, "enrolment token ever", "state"), "");
}

static void
leaves_a_ca_alone_that_was_replaced(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *problems = NULL;
	AUTO(json_decref_p) json_t *warnings = NULL;

	pki_certificate(path_of(f, "device-ca.pem"), "D", "D", NOW + 500 * DAY);
	pki_certificate(path_of(f, "device-ca.pem"), "D", "D", NOW - DAY);
	assert_int_equal(logged(f, NOW, 0, "device_ca"), 0);
	assert_string_equal(says(f, NOW, "device_ca CN=D", "state"), "fine");
	assert_string_equal(says(f, NOW, "device_ca CN=D #2", "state"), "fine");
	health(f, NOW, &problems, &warnings);
	assert_int_equal(count(problems, "device_ca") + count(warnings, "device_ca"), 0);
	pki_certificate(path_of(f, "device-ca.pem"), "other", "other", NOW - DAY);
	assert_int_equal(logged(f, NOW + HOUR, 3, "expired what=\"device_ca CN=other\""), 1);
}

static void
is_unwell_when_devices_meet_what_expired(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *problems = NULL;
	AUTO(json_decref_p) json_t *warnings = NULL;

	pki_certificate(path_of(f, "server.pem"), "ota", "CA", NOW - 1);
	pki_certificate(path_of(f, "build-ca.pem"), "B", "B", NOW - 1);
	pki_certificate(path_of(f, "device-ca.pem"), "D", "D", NOW + 20 * DAY);
	publish(f, 2, NOW + 300 * DAY, NOW - DAY, NOW + 6 * DAY, NOW + DAY, NULL);
	free(look(f, NOW));
	health(f, NOW, &problems, &warnings);
	assert_int_equal(json_array_size(problems), 2);
	assert_int_equal(
	    count(problems, "server_certificate CN=ota expired 2030-03-17T17:46:39Z (0 hours ago); renewed by"),
	    1);
	assert_int_equal(count(problems, "image targets expired 2030-03-16T17:46:40Z (24 hours ago)"), 1);
	assert_int_equal(count(warnings, "build_ca CN=B expired"), 1);
	assert_int_equal(count(warnings, "device_ca CN=D expires"), 1);
}

static void
names_the_keys_of_a_delegation(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *problems = NULL;
	AUTO(json_decref_p) json_t *warnings = NULL;
	struct err err = { 0 };

	fixture_delegation(f, 2, "sup", json_object(), NULL, "2030-03-16T17:46:40Z");
	fixture_publish_with(f, 2, NULL,
	    json_pack("[{s:s,s:[s,s],s:i,s:[s]},{s:s,s:[s]}]", "name", "sup", "keyids", "k1", "k2", "threshold",
		2, "paths", "fw-*", "name", "sup", "paths", "x"));
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	assert_int_equal(logged(f, NOW, 3, "expired what=\"delegation sup\""), 1);
	assert_string_equal(
	    says(f, NOW, "delegation sup", "who"), "who has 2 of the keys k1 (elsewhere), k2 (elsewhere)");
	health(f, NOW, &problems, &warnings);
	assert_int_equal(count(problems, "delegation sup expired"), 1);
	/* Listed twice, it is one document. */
	assert_string_equal(says(f, NOW, "delegation sup #2", "state"), "");
}

/* From what the signer says of its keys: they are all here. */
static void
is_quiet_about_what_renews_itself_until_that_is_overdue(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *problems = NULL;
	AUTO(json_decref_p) json_t *warnings = NULL;
	/* A timestamp of a day is renewed when half a day is left. */
	int64_t now = utc_now(), end = now + 12 * HOUR - HOUR;

	publish(f, 2, now + 300 * DAY, now + 20 * DAY, now + 6 * DAY, end, NULL);
	assert_int_equal(logged(f, now, 0, "image"), 0);
	assert_string_equal(says(f, now, "image timestamp", "renewedBy"), "itself");
	assert_string_equal(says(f, now, "image timestamp", "state"), "fine");
	assert_string_equal(says(f, now, "image targets", "renewedBy"), "itself");
	assert_string_equal(says(f, now, "director root", "renewedBy"), "itself");
	assert_string_equal(says(f, now, "director documents", "renewedBy"), "itself");
	/* Whoever wakes up renews first. */
	assert_int_equal(logged(f, now + 1, 0, "image timestamp"), 0);
	assert_int_equal(logged(f, now + 60, 0, "image timestamp"), 0);
	assert_int_equal(logged(f, now + 61, 3, "not renewed what=\"image timestamp\""), 1);
	assert_string_equal(says(f, now + 1, "image timestamp", "overdue"), "true");
	assert_int_equal(logged(f, now + HOUR, 0, "image timestamp"), 0);
	health(f, now + 1, &problems, &warnings);
	assert_int_equal(json_array_size(problems), 1);
	assert_int_equal(count(problems, "image timestamp expires"), 1);
	assert_int_equal(count(problems, "its renewal is overdue"), 1);
	assert_int_equal(logged(f, end, 3, "expired what=\"image timestamp\""), 1);
}

static void
says_nothing_of_a_sleep_after_which_all_is_renewed(void **state)
{
	struct fixture *f = *state;
	int64_t now = utc_now();

	publish(f, 2, now + 300 * DAY, now + 20 * DAY, now + 6 * DAY, now + DAY, NULL);
	assert_int_equal(logged(f, now, 0, "image"), 0);
	/* Three days later. */
	now += 3 * DAY;
	assert_int_equal(logged(f, now, 0, "image"), 0);
	publish(f, 3, now + 300 * DAY, now + 20 * DAY, now + 6 * DAY, now + DAY, NULL);
	assert_int_equal(logged(f, now + 5, 0, "image"), 0);
	assert_int_equal(logged(f, now + 100, 0, "image"), 0);
}

static void
sums_device_certificates_up(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *all = NULL;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	const json_t *json;
	int lines = 0;

	free(look(f, NOW));
	assert_string_equal(says(f, NOW, "device certificates", "state"), "");
	for (int i = 0; i < 40; i++) {
		char serial[8];

		snprintf(serial, sizeof(serial), "%02X", i);
		assert_int_equal(state_certificate_add(f->core.state, "car7", serial, NOW, &err), 0);
		if (i)
			assert_int_equal(
			    state_certificate_expires(f->core.state, "car7", serial, NOW + (i - 2) * DAY, &err),
			    0);
	}
	all = list(f, NOW + 1);
	json = json_object_get(all, "devices");
	assert_int_equal(json_integer_value(json_object_get(json, "certificates")), 40);
	assert_int_equal(json_integer_value(json_object_get(json, "notKnown")), 1);
	assert_int_equal(json_integer_value(json_object_get(json, "expired")), 2);
	assert_int_equal(json_integer_value(json_object_get(json, "expiring")), 30);
	assert_int_equal(json_array_size(json_object_get(json, "next")), 10);
	assert_string_equal(json_text(json_array_get(json_object_get(json, "next"), 0), "serial"), "03");
	/* Each day another one: once a day, not each time. */
	for (int64_t now = NOW + 1; now < NOW + 5 * DAY; now += HOUR)
		lines += logged(f, now, 0, "what=\"device certificates\"");
	assert_in_range(lines, 4, 6);
	assert_string_equal(
	    says(f, NOW + 3 * DAY, "device certificates", "command"), "ota-device-cert car7 OUT");
	text = printed(f, NOW + 3 * DAY, expiry_print);
	assert_non_null(strstr(text, "Device certificates that expire next:\n           2030-"));
}

static void
counts_devices_again_when_one_of_them_changes(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(state_certificate_add(f->core.state, "car7", "AB", NOW, &err), 0);
	free(look(f, NOW));
	assert_string_equal(says(f, NOW, "device certificates", "state"), "not known");
	assert_int_equal(state_certificate_expires(f->core.state, "car7", "AB", NOW + 10 * DAY, &err), 0);
	assert_string_equal(says(f, NOW, "device certificates", "state"), "soon");
	assert_int_equal(state_certificate_remove(f->core.state, "car7", "AB", &err), 0);
	assert_string_equal(says(f, NOW, "device certificates", "state"), "");
}

static void
starts_without_counting_a_fleet(void **state)
{
	struct fixture *f = *state;
	struct state *kept = f->core.state;
	struct err err = { 0 };

	pki_certificate(path_of(f, "server.pem"), "ota", "CA", NOW + 5 * DAY);
	assert_int_equal(state_certificate_add(f->core.state, "car7", "AB", NOW, &err), 0);
	f->core.state = NULL; /* asked for nothing */
	expiry_begin(&f->core, NOW);
	f->core.state = kept;
	assert_string_equal(says(f, NOW, "server_certificate CN=ota", "daysLeft"), "5");
	assert_string_equal(says(f, NOW, "device certificates", "state"), "not known");
}

/* Certificates, as status/expiring tells. */
static json_int_t
counted(struct fixture *f, int64_t now)
{
	AUTO(free_p) char *text = printed(f, now, expiry_print_json);
	AUTO(json_decref_p) json_t *json = json_loads(text, 0, NULL);

	return json_integer_value(json_object_get(json_object_get(json, "devices"), "certificates"));
}

static void
counts_a_fleet_without_the_lock_and_not_for_each_who_asks(void **state)
{
	struct fixture *f = *state;
	struct turns lock = TURNS_INITIALIZER;
	char serial[16];
	struct err err = { 0 };

	f->core.lock = &lock;
	assert_int_equal(state_begin(f->core.state, &err), 0);
	for (int i = 0; i < EXPIRY_MANY; i++) {
		snprintf(serial, sizeof(serial), "%06X", i);
		assert_int_equal(state_certificate_add(f->core.state, "car7", serial, NOW, &err), 0);
	}
	assert_int_equal(state_end(f->core.state, 0, &err), 0);
	free(look(f, NOW));
	assert_int_equal(counted(f, NOW), EXPIRY_MANY);
	assert_int_equal(state_certificate_remove(f->core.state, "car7", "000000", &err), 0);
	assert_int_equal(counted(f, NOW + EXPIRY_MANY_SECONDS - 1), EXPIRY_MANY);
	free(look(f, NOW + 60));
	assert_int_equal(counted(f, NOW + 60), EXPIRY_MANY - 1);
	f->core.lock = NULL;
}

static void
escapes_what_goes_into_a_label(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;

	pki_certificate(path_of(f, "server.pem"), "a\"b", "CA", NOW + DAY);
	free(look(f, NOW));
	text = printed(f, NOW, expiry_print_metrics);
	assert_non_null(
	    strstr(text, "\notafs_expires_seconds{what=\"server_certificate CN=a\\\\\\\"b\"} 1900086400\n"));
	assert_non_null(strstr(text, "\notafs_expiring{state=\"due\"} 1\n"));
	assert_non_null(strstr(text, "\notafs_device_certificates_expiring{days=\"30\"} 0\n"));
}

static void
looks_again_after_memory_ran_out(void **state)
{
	struct fixture *f = *state;
	int is_reached = 1;

	pki_certificate(path_of(f, "server.pem"), "ota", "CA", NOW + 5 * DAY);
	publish(f, 2, NOW + 300 * DAY, NOW + 20 * DAY, NOW + 6 * DAY, NOW + DAY, NULL);
	free(look(f, NOW));
	for (int i = 0; is_reached && i < 2000; i++) {
		int fds = fault_open_fds();

		fault_after(i);
		expiry_look(&f->core, NOW + 60 * (i + 1));
		is_reached = fault_stop();
		assert_int_equal(fault_open_fds(), fds);
	}
	assert_false(is_reached);
	free(look(f, NOW + DAY));
	assert_string_equal(says(f, NOW + DAY, "server_certificate CN=ota", "daysLeft"), "4");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SIGNER_TEST(name) cmocka_unit_test_setup_teardown(name, setup_with_signer, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lists_what_expires_first_at_the_top),
		TEST(goes_from_fine_to_soon_to_due_to_expired),
		TEST(logs_once_at_30_14_7_3_and_1_days_and_at_the_end),
		TEST(logs_errors_from_3_days_on_with_the_command),
		TEST(tells_the_present_state_once_after_a_restart),
		TEST(says_nothing_twice_when_the_clock_goes_back),
		TEST(reads_files_once_a_minute_and_sees_a_renewal),
		TEST(says_which_file_is_missing_or_damaged),
		TEST(knows_what_each_file_is_for),
		TEST(knows_the_cas_of_administrators_fleets_clients_and_what_they_let_issue),
		TEST(tells_of_enrolment_tokens_that_end),
		TEST(leaves_a_ca_alone_that_was_replaced),
		TEST(is_unwell_when_devices_meet_what_expired),
		TEST(names_the_keys_of_a_delegation),
		SIGNER_TEST(is_quiet_about_what_renews_itself_until_that_is_overdue),
		SIGNER_TEST(says_nothing_of_a_sleep_after_which_all_is_renewed),
		TEST(sums_device_certificates_up),
		TEST(counts_devices_again_when_one_of_them_changes),
		TEST(starts_without_counting_a_fleet),
		TEST(counts_a_fleet_without_the_lock_and_not_for_each_who_asks),
		TEST(escapes_what_goes_into_a_label),
		TEST(looks_again_after_memory_ran_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
