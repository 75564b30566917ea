#include "otafs/told.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/name.h"

/** A counter of more digits is none. */
#define COUNTER_DIGITS_MAX 18

static const char *
text_or_none(const json_t *object, const char *name)
{
	const char *text = json_text(object, name);

	return text ? text : "";
}

/* A decimal string, as aktualizr writes it, or a number. */
static int64_t
read_counter(const json_t *body)
{
	const json_t *counter = json_object_get(body, "report_counter");
	const char *text = json_string_value(counter);

	if (json_is_integer(counter))
		return json_integer_value(counter) >= 0 ? json_integer_value(counter) : -1;
	if (!text || !*text || strlen(text) > COUNTER_DIGITS_MAX || strspn(text, "0123456789") != strlen(text))
		return -1;
	return strtoll(text, NULL, 10);
}

static int
read_ecu(const char *serial, const json_t *envelope, struct told_ecu *out, struct err *err)
{
	const json_t *body = json_object_get(envelope, "signed"),
		     *info = json_object_get(body, "installed_image");
	const json_t *hashes = json_object_get(json_object_get(info, "fileinfo"), "hashes");
	unsigned char hash[DIGEST_SHA256_BYTES];
	const char *file, *sha256;
	char what[NAME_ECU_MAX + 1];
	int r;

	out->envelope = envelope;
	/* In an array each has only the name that it says itself. */
	out->serial = serial ? serial : text_or_none(body, "ecu_serial");
	name_printable(out->serial, what, sizeof(what));
	if ((r = json_need_text(body, "ecu_serial", what, &out->named, err)) < 0 ||
	    (r = json_need_text(info, "filepath", what, &file, err)) < 0 ||
	    (r = json_need_text(hashes, "sha256", what, &sha256, err)) < 0)
		return r;
	if (strlen(file) > NAME_TARGET_MAX || digest_unhex(sha256, hash, sizeof(hash)) < 0)
		return err_set(err, EBADMSG, "%s: filepath is too long, or sha256 is not 64 digits", what);
	name_printable(file, out->file, sizeof(out->file));
	digest_hex(hash, sizeof(hash), out->sha256);
	name_printable(text_or_none(body, "attacks_detected"), out->attacks, sizeof(out->attacks));
	out->counter = read_counter(body);
	out->operation = json_object_get(json_object_get(body, "custom"), "operation_result");
	return 0;
}

/* @serial is NULL in an array. */
static int
add_ecu(struct told *told, const char *serial, const json_t *envelope, struct err *err)
{
	struct told_ecu *one = &told->ecus[told->count];
	int r = read_ecu(serial, envelope, one, err);

	if (r < 0)
		return r;
	if (told_of(told, one->serial))
		return err_set(err, EBADMSG, "an ECU is told of twice");
	told->count++;
	return 0;
}

static int
read_ecus(struct told *told, const json_t *body, struct err *err)
{
	json_t *object = json_object_get(body, "ecu_version_manifests"), *one;
	const json_t *array = json_object_get(body, "ecu_version_manifest");
	size_t count = json_is_object(object) ? json_object_size(object) : json_array_size(array), i;
	const char *serial;
	int r;

	if (!json_is_object(object) && !json_is_array(array))
		return err_set(err, EBADMSG, "ecu_version_manifests is missing");
	if (count > STATE_ECUS_MAX)
		return err_set(err, EBADMSG, "%zu ECUs, a device has at most %d", count, STATE_ECUS_MAX);
	told->ecus = calloc(count ? count : 1, sizeof(*told->ecus));
	if (!told->ecus)
		return err_set(err, ENOMEM, "no memory for a manifest");
	if (!json_is_object(object)) {
		json_array_foreach(array, i, one) if ((r = add_ecu(told, NULL, one, err)) < 0) return r;
		return 0;
	}
	json_object_foreach(object, serial, one) if ((r = add_ecu(told, serial, one, err)) < 0) return r;
	return 0;
}

int
told_read(const char *body, size_t bytes, struct told **out, struct err *err)
{
	AUTO(told_freep) struct told *told = calloc(1, sizeof(*told));
	int r;

	if (!told)
		return err_set(err, ENOMEM, "no memory for a manifest");
	if ((r = json_read(body, bytes, "manifest", &told->json, err)) < 0)
		return r;
	digest_sha256_hex(body, bytes, told->digest);
	*out = MOVE(told);
	return 0;
}

int
told_parse(struct told *told, struct err *err)
{
	const json_t *signed_part = json_object_get(told->json, "signed");
	json_t *report = json_object_get(json_object_get(signed_part, "installation_report"), "report");
	int r;

	if (!json_is_object(signed_part))
		return err_set(err, EBADMSG, "manifest: is no {\"signatures\":[...],\"signed\":{...}}");
	if ((r = json_need_text(signed_part, "primary_ecu_serial", "manifest", &told->primary, err)) < 0 ||
	    (r = read_ecus(told, signed_part, err)) < 0)
		return r;
	told->report = json_is_object(json_object_get(report, "result")) ? report : NULL;
	name_printable(text_or_none(report, "correlation_id"), told->correlation, sizeof(told->correlation));
	return 0;
}

void
told_free(struct told *told)
{
	if (!told)
		return;
	json_decref(told->json);
	free(told->ecus);
	free(told);
}

void
told_freep(struct told **told)
{
	told_free(*told);
}

const struct told_ecu *
told_of(const struct told *told, const char *serial)
{
	for (size_t i = 0; i < told->count; i++)
		if (!strcmp(told->ecus[i].serial, serial))
			return &told->ecus[i];
	return NULL;
}

/* A device's code is one word, or a list: "hw-a:INSTALL_FAILED|hw-b:OK". */
static bool
has_code(const char *code, const char *word)
{
	const char *at = strcasestr(code, word);

	return at && (at == code || at[-1] == ':') && (at[strlen(word)] == '\0' || at[strlen(word)] == '|');
}

static void
read_result(const json_t *result, const char *otherwise, struct told_result *out)
{
	*out = (struct told_result){ .is_success = json_is_true(json_object_get(result, "success")),
		.code = text_or_none(result, "code"),
		.text = text_or_none(result, "description") };
	if (!*out->text)
		out->text = otherwise;
	out->is_cancelled = !out->is_success && has_code(out->code, "OPERATION_CANCELLED");
	out->is_unfinished = !out->is_success && !strcasecmp(out->code, "NEED_COMPLETION");
}

bool
told_result(const struct told *told, struct told_result *out)
{
	if (!told->report)
		return false;
	read_result(json_object_get(told->report, "result"), text_or_none(told->report, "raw_report"), out);
	return true;
}

/* One for each ECU: what follows more would be looked through for each ECU anew. */
bool
told_item(const struct told *told, const char *serial, struct told_result *out)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(told->report, "items"), i, one)
	{
		if (i == STATE_ECUS_MAX)
			break;
		if (strcmp(text_or_none(one, "ecu"), serial) != 0)
			continue;
		read_result(json_object_get(one, "result"), "", out);
		return true;
	}
	return false;
}

void
told_operation(const json_t *operation, struct told_result *out, const char **file)
{
	const json_t *number = json_object_get(operation, "result_code");

	/* 0: OK, 1: it was installed already; of text in later clients. */
	*out = (struct told_result){ .is_success = json_is_integer(number) && json_integer_value(number) <= 1 &&
						   json_integer_value(number) >= 0,
		.code = json_is_integer(number) ? "" : text_or_none(operation, "result_code"),
		.text = text_or_none(operation, "result_text") };
	if (!strcasecmp(out->code, "OK") || !strcasecmp(out->code, "ALREADY_PROCESSED"))
		out->is_success = true;
	out->is_cancelled = !out->is_success && has_code(out->code, "OPERATION_CANCELLED");
	out->is_unfinished = !strcasecmp(out->code, "NEED_COMPLETION");
	*file = text_or_none(operation, "id");
}
