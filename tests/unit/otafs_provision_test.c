/* Devices that come in by an enrolment token, and blocked ids. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/utc.h"
#include "otafs/blocked.h"
#include "otafs/device.h"
#include "otafs/enlist.h"
#include "otafs/est.h"
#include "otafs/group.h"
#include "otafs/provision.h"
#include "otafs/token.h"
#include "state/tag.h"
#include "tests/unit/fault.h"
#include "tests/unit/fixture.h"
#include "tests/unit/issuing.h"
#include "tests/unit/requests.h"

static struct err err;

static int
setup(void **state)
{
	AUTO(free_p) char *pem = NULL;
	struct fixture *f;
	size_t bytes;

	ca_key = EVP_EC_gen("P-256");
	issue_answer = issued_count = 0;
	fixture_setup(state);
	f = *state;
	snprintf(f->config.server_ca, sizeof(f->config.server_ca), "%s/server-ca.pem", f->path);
	pem = write_pem(make_certificate("server CA", ca_key, 1, 10), &bytes);
	assert_int_equal(file_replace(AT_FDCWD, f->config.server_ca, pem, bytes, 0644, &err), 0);
	assert_int_equal(token_add(&f->core, "fleet", "anna", &err), 0);
	return 0;
}

static int
teardown(void **state)
{
	EVP_PKEY_free(ca_key);
	return fixture_teardown(state);
}

/* The status of the answer to @body; what it was is in @reply, whose body the caller releases. */
static int
post(struct fixture *f, const char *body, struct reply *reply)
{
	void *work = NULL;
	int r;

	*reply = (struct reply){ 0 };
	r = provision_prepare(&f->core, "fleet", body, strlen(body), &work, reply, &err);
	if (r == 0)
		r = provision_take(&f->core, "fleet", work, reply, &err);
	provision_finish(work);
	return r < 0 ? r : reply->status;
}

static int
ask(struct fixture *f, const char *id)
{
	struct reply reply;
	char body[256];
	int status;

	snprintf(body, sizeof(body), "{\"deviceId\":\"%s\",\"ttl\":\"36000\"}", id);
	status = post(f, body, &reply);
	if (reply.code)
		snprintf(err.text, sizeof(err.text), "%s: %.400s", reply.code, reply.description);
	reply_done(&reply);
	return status;
}

static int
put_together(const char *name, void *out)
{
	strcat(out, name);
	strcat(out, " ");
	return 0;
}

static const char *
certificates_of(struct fixture *f, const char *id)
{
	static char names[256];

	names[0] = '\0';
	assert_int_equal(state_certificates(f->core.state, id, put_together, names, &err), 0);
	return names;
}

static struct token
token_now(struct fixture *f)
{
	struct token token;

	assert_int_equal(token_find(&f->core, "fleet", &token, &err), 0);
	return token;
}

/* ---- what is answered */

static void
the_answer_is_an_archive_with_key_certificate_and_server_ca(void **state)
{
	struct fixture *f = *state;
	const unsigned char *at;
	STACK_OF(X509) *authorities = NULL;
	PKCS12 *archive;
	EVP_PKEY *key = NULL;
	X509 *leaf = NULL;
	struct reply reply;
	char name[64];

	assert_int_equal(post(f, "{\"deviceId\":\"car8\",\"ttl\":365}", &reply), 200);
	assert_string_equal(reply.type, "application/x-pkcs12");
	at = (const unsigned char *)reply.body;
	archive = d2i_PKCS12(NULL, &at, (long)reply.body_bytes);
	assert_non_null(archive);
	assert_int_equal(PKCS12_parse(archive, "", &key, &leaf, &authorities), 1);
	assert_int_equal(X509_check_private_key(leaf, key), 1);
	X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, name, sizeof(name));
	assert_string_equal(name, "car8");
	assert_int_equal(sk_X509_num(authorities), 1);
	X509_NAME_get_text_by_NID(
	    X509_get_subject_name(sk_X509_value(authorities, 0)), NID_commonName, name, sizeof(name));
	assert_string_equal(name, "server CA");
	assert_int_equal(issued_days, 365);
	sk_X509_pop_free(authorities, X509_free);
	X509_free(leaf);
	EVP_PKEY_free(key);
	PKCS12_free(archive);
	reply_done(&reply);
}

static void
the_device_is_made_with_its_certificate(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *why = NULL;
	struct device device;
	int64_t expires_at;

	assert_int_equal(ask(f, "car8"), 200);
	assert_int_equal(state_device(f->core.state, "car8", &device, &err), 0);
	assert_string_equal(certificates_of(f, "car8"), "4101 ");
	assert_int_equal(state_certificate(f->core.state, "car8", "4101", &expires_at, &err), 0);
	assert_true(expires_at > utc_now());
	assert_int_equal(token_now(f).used, 1);
}

static void
days_are_a_number_or_a_text_and_bounded(void **state)
{
	static const struct {
		const char *ttl;
		int days; /* 0: refused */
	} tries[] = { { "\"ttl\":30,", 30 }, { "\"ttl\":\"30\",", 30 }, { "\"ttl\":36000,", 7300 },
		{ "\"ttl\":\"36000\",", 7300 }, { "\"ttl\":null,", 7300 }, { "", 7300 }, { "\"ttl\":0,", 0 },
		{ "\"ttl\":-1,", 0 }, { "\"ttl\":\"-1\",", 0 }, { "\"ttl\":1.5,", 0 }, { "\"ttl\":\"\",", 0 },
		{ "\"ttl\":\"1 day\",", 0 }, { "\"ttl\":\"99999999999999999999\",", 0 }, { "\"ttl\":[],", 0 },
		{ "\"ttl\":9223372036854775807,", 7300 } };
	struct fixture *f = *state;
	struct reply reply;
	char body[128];

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		snprintf(body, sizeof(body), "{%s\"deviceId\":\"n%zu\"}", tries[i].ttl, i);
		assert_int_equal(post(f, body, &reply), tries[i].days ? 200 : 400);
		if (tries[i].days)
			assert_int_equal(issued_days, tries[i].days);
		else
			assert_string_equal(reply.description, "POST /devices: ttl is no number of days");
		reply_done(&reply);
	}
}

static void
a_bad_body_is_refused(void **state)
{
	static const struct {
		const char *body, *code, *why;
	} tries[] = { { "", "invalid_body", "POST /devices" }, { "{", "invalid_body", "POST /devices" },
		{ "[]", "invalid_body", "deviceId" }, { "{\"deviceId\":7}", "invalid_body", "deviceId" },
		{ "{\"deviceId\":\"\"}", "invalid_body", "deviceId" },
		{ "{\"deviceId\":\"a/b\"}", "invalid_device_id", "character 2" },
		{ "{\"deviceId\":\"../a\"}", "invalid_device_id", "character 1" },
		{ "{\"deviceId\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
		    "invalid_device_id", "65" } };
	struct fixture *f = *state;
	struct reply reply;

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		assert_int_equal(post(f, tries[i].body, &reply), 400);
		assert_string_equal(reply.code, tries[i].code);
		assert_non_null(strstr(reply.description, tries[i].why));
	}
	assert_int_equal(issued_count, 0);
}

/* ---- EST, and the token's own certificate */

/* The status of the answer to a request with the subject CN=@name, or none ("") */
static int
hand_in_request(struct fixture *f, const char *name, struct reply *reply)
{
	struct request request = request_make(*name ? name : NULL, ca_key, REQUEST_BASE64);
	void *work = NULL;
	int r;

	*reply = (struct reply){ 0 };
	r = enlist_prepare(&f->core, "fleet", request.text, request.bytes, &work, reply, &err);
	if (r == 0)
		r = enlist_take(&f->core, "fleet", work, reply, &err);
	enlist_finish(work);
	request_free(&request);
	return r < 0 ? r : reply->status;
}

static void
a_device_may_come_in_with_a_key_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct reply reply;

	assert_int_equal(hand_in_request(f, "car8", &reply), 200);
	assert_string_equal(reply.type, EST_TYPE);
	assert_true(reply.body_bytes > 100);
	reply_done(&reply);
	assert_string_equal(certificates_of(f, "car8"), "4101 ");
	assert_int_equal(token_now(f).used, 1);
	assert_int_equal(hand_in_request(f, "car8", &reply), 200);
	reply_done(&reply);
	assert_string_equal(certificates_of(f, "car8"), "4102 ");
	assert_int_equal(hand_in_request(f, "car7", &reply), 409);
	assert_string_equal(reply.code, "device_already_registered");
	assert_int_equal(hand_in_request(f, "", &reply), 400);
	assert_string_equal(reply.code, "wrong_subject");
	issue_answer = ISSUE_NO_CA;
	assert_int_equal(hand_in_request(f, "car9", &reply), 503);
	assert_string_equal(reply.code, "no_issuing_ca");
	issue_answer = -EINVAL;
	assert_int_equal(hand_in_request(f, "car9", &reply), 400);
	assert_string_equal(reply.code, "bad_request");
}

static int
certify_token(struct fixture *f, const char *name, struct reply *reply)
{
	struct request request = request_make(*name ? name : NULL, ca_key, REQUEST_BASE64);
	void *work = NULL;
	int r;

	*reply = (struct reply){ 0 };
	r = token_prepare(&f->core, "fleet", request.text, request.bytes, &work, reply, &err);
	if (r == 0)
		r = token_take(&f->core, "fleet", work, "anna", reply, &err);
	token_finish(work);
	request_free(&request);
	reply_done(reply);
	return r < 0 ? r : reply->status;
}

static void
another_certificate_takes_the_place_of_the_tokens(void **state)
{
	struct fixture *f = *state;
	struct reply reply;

	assert_int_equal(token_check_serial(&f->core, "fleet", "", &err), -ENOENT);
	assert_int_equal(certify_token(f, "fleet", &reply), 200);
	assert_int_equal(token_check_serial(&f->core, "fleet", "4101", &err), 0);
	assert_int_equal(certify_token(f, "", &reply), 200);
	assert_int_equal(token_check_serial(&f->core, "fleet", "4102", &err), 0);
	assert_int_equal(token_check_serial(&f->core, "fleet", "4101", &err), -ENOENT);
	assert_reason(err, "fleet: has no certificate 4101");
	assert_int_equal(certify_token(f, "car8", &reply), 400);
	assert_string_equal(reply.code, "wrong_subject");
	assert_string_equal(reply.description, "the request is for \"car8\", the token is fleet");
}

/* ---- who comes in */

static void
a_device_that_is_there_is_already_registered(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "car7"), 409);
	assert_reason(err, "device_already_registered: there is such a device");
	/* Made by an administrator, and never heard of: certificates come from him. */
	assert_int_equal(device_add(&f->core, "car9", "anna", &err), 0);
	assert_int_equal(ask(f, "car9"), 409);
	assert_string_equal(certificates_of(f, "car9"), "");
	assert_int_equal(issued_count, 0);
}

static void
whose_answer_was_lost_is_answered_anew(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "car8"), 200);
	assert_int_equal(ask(f, "car8"), 200);
	assert_string_equal(certificates_of(f, "car8"), "4102 ");
	assert_int_equal(token_now(f).used, 1);
}

static void
not_by_another_token(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "car8"), 200);
	assert_int_equal(token_remove(&f->core, "fleet", "anna", &err), 0);
	assert_int_equal(ask(f, "car8"), -ENOENT);
	assert_reason(err, "fleet: no such token");
	/* The name is what was noted: this is the same token for it, so the row is changed by hand. */
	assert_int_equal(token_add(&f->core, "fleet", "anna", &err), 0);
	assert_int_equal(state_certificate_source(f->core.state, "car8", "4101", "token other", &err), 0);
	assert_int_equal(ask(f, "car8"), 409);
}

static void
nor_once_it_has_spoken(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "car8"), 200);
	assert_int_equal(state_device_activated(f->core.state, "car8", 5, &err), 0);
	assert_int_equal(ask(f, "car8"), 409);
	assert_string_equal(certificates_of(f, "car8"), "4101 ");
}

static void
nor_when_its_certificate_was_revoked(void **state)
{
	struct fixture *f = *state;
	struct device device;

	assert_int_equal(ask(f, "car8"), 200);
	assert_int_equal(state_device(f->core.state, "car8", &device, &err), 0);
	assert_int_equal(device_certificate_remove(&f->core, &device, "4101", "anna", &err), 0);
	assert_int_equal(ask(f, "car8"), 409);
	assert_string_equal(certificates_of(f, "car8"), "");
}

static void
a_token_that_has_expired_makes_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(token_write_expires(&f->core, "fleet", "2026-01-01\n", "anna", &err), 0);
	assert_int_equal(ask(f, "car8"), 403);
	assert_reason(err, "token_expired: enrolment token fleet has expired");
	assert_int_equal(token_write_expires(&f->core, "fleet", "never\n", "anna", &err), 0);
	assert_int_equal(ask(f, "car8"), 200);
}

static void
a_token_that_is_used_up_makes_nothing_but_answers_anew(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(token_write_limit(&f->core, "fleet", "1", "anna", &err), 0);
	assert_int_equal(ask(f, "car8"), 200);
	assert_int_equal(ask(f, "car9"), 403);
	assert_reason(err, "token_used_up: enrolment token fleet has made 1 of 1 devices");
	assert_int_equal(ask(f, "car8"), 200);
	assert_int_equal(token_write_limit(&f->core, "fleet", "2", "anna", &err), 0);
	assert_int_equal(ask(f, "car9"), 200);
}

/* What two of them were told at once may both be true, and only one is let in. */
static void
the_last_one_is_let_in_once(void **state)
{
	static const char *const bodies[] = { "{\"deviceId\":\"car8\"}", "{\"deviceId\":\"car9\"}" };
	struct fixture *f = *state;
	struct reply replies[2] = { { 0 } };
	void *work[2] = { NULL, NULL };

	assert_int_equal(token_write_limit(&f->core, "fleet", "1", "anna", &err), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(provision_prepare(&f->core, "fleet", bodies[i], strlen(bodies[i]), &work[i],
				     &replies[i], &err),
		    0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(provision_take(&f->core, "fleet", work[i], &replies[i], &err), 0);
		provision_finish(work[i]);
	}
	assert_int_equal(replies[0].status, 200);
	assert_int_equal(replies[1].status, 403);
	assert_null(replies[1].body);
	assert_string_equal(replies[1].code, "token_used_up");
	assert_int_equal(state_device(f->core.state, "car9", &f->device, &err), STATE_NONE);
	reply_done(&replies[0]);
}

static void
a_device_that_was_deleted_is_blocked(void **state)
{
	struct fixture *f = *state;
	struct device device;

	assert_int_equal(ask(f, "car8"), 200);
	assert_int_equal(state_device(f->core.state, "car8", &device, &err), 0);
	assert_int_equal(device_remove(&f->core, &device, "anna", &err), 0);
	assert_int_equal(ask(f, "car8"), 403);
	assert_reason(err, "device_blocked: this id is blocked, as that of a deleted device is");
	assert_int_equal(blocked_remove(&f->core, "car8", "anna", &err), 0);
	assert_int_equal(ask(f, "car8"), 200);
	assert_int_equal(token_now(f).used, 2);
}

static void
making_a_device_unblocks_its_id(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(blocked_add(&f->core, "car8", "anna", &err), 0);
	assert_int_equal(blocked_add(&f->core, "car8", "anna", &err), -EEXIST);
	assert_reason(err, "car8: is blocked");
	assert_int_equal(blocked_add(&f->core, "a/b", "anna", &err), -EINVAL);
	assert_int_equal(device_add(&f->core, "car8", "anna", &err), 0);
	assert_int_equal(blocked_find(&f->core, "car8", &err), -ENOENT);
	assert_int_equal(blocked_remove(&f->core, "car8", "anna", &err), -ENOENT);
	assert_reason(err, "car8: is not blocked");
}

/* The device may have given up waiting for the first one, and has read the answer to the second. */
static void
of_two_requests_at_once_the_slower_one_takes_nothing_away(void **state)
{
	static const char body[] = "{\"deviceId\":\"car8\"}";
	struct fixture *f = *state;
	struct reply reply = { 0 };
	void *slow = NULL;

	for (int i = 1; i <= 2; i++) {
		assert_int_equal(
		    provision_prepare(&f->core, "fleet", body, strlen(body), &slow, &reply, &err), 0);
		assert_int_equal(ask(f, "car8"), 200);
		assert_int_equal(provision_take(&f->core, "fleet", slow, &reply, &err), 0);
		provision_finish(slow);
		assert_int_equal(reply.status, 503);
		assert_string_equal(reply.code, "overtaken");
		assert_string_equal(reply.description, "another request of the device was answered meanwhile");
		assert_null(reply.body);
		assert_string_equal(certificates_of(f, "car8"), i == 1 ? "4102 " : "4104 ");
		reply_done(&reply);
		reply = (struct reply){ 0 };
	}
	assert_int_equal(token_now(f).used, 1);
	assert_int_equal(ask(f, "car8"), 200);
}

/* ---- group and tags */

static void
it_gets_the_group_and_the_tags_of_the_token(void **state)
{
	struct fixture *f = *state;
	char value[STATE_TAG_VALUE_MAX + 1];

	assert_int_equal(group_add(&f->core, "cars", "anna", &err), 0);
	assert_int_equal(token_write_group(&f->core, "fleet", "cars\n", "anna", &err), 0);
	assert_int_equal(token_write_tags(&f->core, "fleet", "colour = dark red\nline=4\n\n", "anna", &err), 0);
	assert_int_equal(ask(f, "car8"), 200);
	assert_int_equal(state_member(f->core.state, "cars", "car8", &err), 0);
	assert_int_equal(state_tag(f->core.state, "car8", "colour", value, &err), 0);
	assert_string_equal(value, "dark red");
}

static void
a_group_that_is_gone_keeps_nobody_out(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(group_add(&f->core, "cars", "anna", &err), 0);
	assert_int_equal(token_write_group(&f->core, "fleet", "cars", "anna", &err), 0);
	assert_int_equal(group_remove(&f->core, "cars", "anna", &err), 0);
	assert_int_equal(ask(f, "car8"), 200);
	assert_int_equal(device_print_history(&f->core, &(struct device){ .id = "car8" }, out, &err), 0);
	fclose(out);
	assert_non_null(strstr(text, "device made by token fleet"));
	assert_non_null(strstr(text, "certificate 4101 accepted by token fleet"));
	assert_non_null(strstr(text, "not put into group cars: "));
}

static void
a_token_follows_its_group_to_another_name(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(group_add(&f->core, "cars", "anna", &err), 0);
	assert_int_equal(token_write_group(&f->core, "fleet", "cars", "anna", &err), 0);
	assert_int_equal(group_rename(&f->core, "cars", "vans", "anna", &err), 0);
	assert_string_equal(token_now(f).group, "vans");
	assert_int_equal(ask(f, "car8"), 200);
	assert_int_equal(state_member(f->core.state, "vans", "car8", &err), 0);
}

static void
settings_of_a_token_that_mean_nothing_are_refused(void **state)
{
	static const char *const limits[] = { "0", "-1", "x", "", "1 2", "12345678901" };
	struct fixture *f = *state;
	AUTO(free_p) char *many = calloc(1, 8192);

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		assert_int_equal(token_write_limit(&f->core, "fleet", limits[i], "anna", &err), -EINVAL);
		assert_reason(err, "is no limit");
	}
	assert_int_equal(token_write_expires(&f->core, "fleet", "soon", "anna", &err), -EINVAL);
	assert_reason(err, "\"soon\" is no time");
	assert_int_equal(token_write_group(&f->core, "fleet", "cars", "anna", &err), -ENOENT);
	assert_int_equal(group_add(&f->core, "cars", "anna", &err), 0);
	assert_int_equal(group_write_rule(&f->core, "cars", "hardware is hw-a", "anna", &err), 0);
	assert_int_equal(token_write_group(&f->core, "fleet", "cars", "anna", &err), -EPERM);
	assert_reason(err, "group cars has a rule");
	assert_int_equal(token_write_tags(&f->core, "fleet", "k=v\ncolour\n", "anna", &err), -EINVAL);
	assert_reason(err, "expected \"NAME=VALUE\"");
	assert_int_equal(token_write_tags(&f->core, "fleet", "k=\n", "anna", &err), -EINVAL);
	for (int i = 0; i < 65; i++)
		sprintf(many + strlen(many), "k%d=v\n", i);
	assert_int_equal(token_write_tags(&f->core, "fleet", many, "anna", &err), -ENOSPC);
	assert_reason(err, "at most 64");
	for (int i = 0; i < 25; i++)
		sprintf(many + strlen(many), "%sk%d=%0200d\n", i ? "" : "\n", i, i);
	assert_int_equal(token_write_tags(&f->core, "fleet", strstr(many, "\n\n"), "anna", &err), -ENOSPC);
	assert_reason(err, "more than 4096 bytes");
	assert_string_equal(token_now(f).tags, "");
}

static void
a_name_of_a_token_fits_a_subject_and_a_line(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(token_add(&f->core, "fleet", "anna", &err), -EEXIST);
	assert_int_equal(token_add(&f->core, "a/b", "anna", &err), -EINVAL);
	assert_int_equal(
	    token_add(&f->core, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "anna", &err), -EINVAL);
	assert_reason(err, "at most 50");
}

/* ---- what is missing, and what fails */

static void
without_a_ca_nobody_is_made(void **state)
{
	struct fixture *f = *state;

	issue_answer = ISSUE_NO_CA;
	assert_int_equal(ask(f, "car8"), 503);
	assert_reason(err, "no_issuing_ca: there is no issuing CA");
	issue_answer = -EAGAIN;
	assert_int_equal(ask(f, "car8"), -EAGAIN);
	assert_reason(err, "the signer is away");
	issue_answer = 0;
	assert_int_equal(truncate(f->config.server_ca, 0), 0);
	assert_int_equal(ask(f, "car8"), 503);
	assert_reason(err, "no_server_ca: server_ca: there is no certificate in it");
	assert_int_equal(unlink(f->config.server_ca), 0);
	assert_int_equal(ask(f, "car8"), 503);
	assert_reason(err, "server-ca.pem");
	assert_int_equal(state_device(f->core.state, "car8", &f->device, &err), STATE_NONE);
}

static void
all_or_nothing_whatever_fails(void **state)
{
	struct fixture *f = *state;
	int is_in = 0;

	for (int n = 0; !is_in; n += 7) {
		struct reply reply = { 0 };
		void *work = NULL;
		struct device device;
		int r = state_begin(f->core.state, &err);

		assert_int_equal(r, 0);
		fault_after(n);
		r = provision_prepare(&f->core, "fleet", "{\"deviceId\":\"car8\"}", 19, &work, &reply, &err);
		if (r == 0)
			r = provision_take(&f->core, "fleet", work, &reply, &err);
		fault_stop();
		r = state_end(f->core.state, r == 1 ? 0 : r, &err);
		is_in = r == 0 && reply.status == 200;
		assert_int_equal(state_device(f->core.state, "car8", &device, &err), is_in ? 0 : STATE_NONE);
		assert_int_equal(reply.body != NULL, is_in);
		provision_finish(work);
		reply_done(&reply);
	}
	assert_int_equal(token_now(f).used, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_answer_is_an_archive_with_key_certificate_and_server_ca),
		TEST(the_device_is_made_with_its_certificate),
		TEST(days_are_a_number_or_a_text_and_bounded),
		TEST(a_bad_body_is_refused),
		TEST(a_device_may_come_in_with_a_key_of_its_own),
		TEST(another_certificate_takes_the_place_of_the_tokens),
		TEST(a_device_that_is_there_is_already_registered),
		TEST(whose_answer_was_lost_is_answered_anew),
		TEST(not_by_another_token),
		TEST(nor_once_it_has_spoken),
		TEST(nor_when_its_certificate_was_revoked),
		TEST(a_token_that_has_expired_makes_nothing),
		TEST(a_token_that_is_used_up_makes_nothing_but_answers_anew),
		TEST(the_last_one_is_let_in_once),
		TEST(of_two_requests_at_once_the_slower_one_takes_nothing_away),
		TEST(a_device_that_was_deleted_is_blocked),
		TEST(making_a_device_unblocks_its_id),
		TEST(it_gets_the_group_and_the_tags_of_the_token),
		TEST(a_group_that_is_gone_keeps_nobody_out),
		TEST(a_token_follows_its_group_to_another_name),
		TEST(settings_of_a_token_that_mean_nothing_are_refused),
		TEST(a_name_of_a_token_fits_a_subject_and_a_line),
		TEST(without_a_ca_nobody_is_made),
		TEST(all_or_nothing_whatever_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
