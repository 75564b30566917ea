#include "sign/form.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/name.h"
#include "lib/utc.h"

/* Where reading is. After what does not fit it stays there, and gives empty texts and zeros. */
struct reader {
	char *at;
	bool is_bad;
};

static void
skip(struct reader *reader, const char *literal)
{
	size_t bytes = strlen(literal);

	if (reader->is_bad || strncmp(reader->at, literal, bytes))
		reader->is_bad = true;
	else
		reader->at += bytes;
}

/* Skips @literal if it is there. */
static bool
skips(struct reader *reader, const char *literal)
{
	size_t bytes = strlen(literal);
	bool is_there = !reader->is_bad && !strncmp(reader->at, literal, bytes);

	if (is_there)
		reader->at += bytes;
	return is_there;
}

/* A text, whose closing quote becomes the 0. */
static const char *
take_text(struct reader *reader)
{
	char *from = reader->at + 1, *to = from, *at = from;

	if (reader->is_bad || *reader->at != '"') {
		reader->is_bad = true;
		return "";
	}
	for (; *at != '"'; at++) {
		bool is_escape = *at == '\\';

		at += is_escape;
		if (*at < 0x20 || *at > 0x7e || (is_escape && *at != '"' && *at != '\\')) {
			reader->is_bad = true;
			return "";
		}
		*to++ = *at;
	}
	*to = '\0';
	reader->at = at + 1;
	return from;
}

static int64_t
take_number(struct reader *reader)
{
	const char *from = reader->at;
	int64_t number = 0;

	while (!reader->is_bad && *reader->at >= '0' && *reader->at <= '9') {
		int digit = *reader->at++ - '0';

		reader->is_bad = number > (INT64_MAX - digit) / 10;
		number = reader->is_bad ? 0 : 10 * number + digit;
	}
	/* No digit, or a zero before others. */
	reader->is_bad |= reader->at == from || (*from == '0' && reader->at != from + 1);
	return number;
}

static const char *
take_hash(struct reader *reader)
{
	const char *hash;

	skip(reader, "\"hashes\":{\"sha256\":");
	hash = take_text(reader);
	skip(reader, "},\"length\":");
	reader->is_bad |= !digest_is_sha256_hex(hash);
	return hash;
}

static int
take_version(struct reader *reader)
{
	int64_t version;

	skip(reader, "\"version\":");
	version = take_number(reader);
	reader->is_bad |= version < 1 || version > INT32_MAX;
	return reader->is_bad ? 0 : (int)version;
}

/* Names of members come in order, and so none twice. */
static const char *
take_name(struct reader *reader, const char *before)
{
	const char *name = take_text(reader);

	reader->is_bad |= before && strcmp(before, name) >= 0;
	skip(reader, ":{");
	return name;
}

static void
take_ecus(struct reader *reader, struct form *form, struct form_target *target)
{
	const char *serial = NULL;

	target->hardware = form->hardware + form->ecus;
	target->ecus = 0;
	do {
		serial = take_name(reader, serial);
		skip(reader, "\"hardwareId\":");
		reader->is_bad |= form->ecus >= FORM_ECUS_MAX;
		if (reader->is_bad)
			return;
		form->hardware[form->ecus++] = take_text(reader);
		target->ecus++;
		skip(reader, "}");
	} while (skips(reader, ","));
}

static void
take_target(struct reader *reader, struct form *form, struct form_target *target)
{
	skip(reader, "\"custom\":{\"ecuIdentifiers\":{");
	take_ecus(reader, form, target);
	skip(reader, "},\"targetFormat\":");
	target->format = take_text(reader);
	skip(reader, ",\"uri\":null},");
	target->sha256 = take_hash(reader);
	target->length = take_number(reader);
	skip(reader, "}");
}

static void
take_targets(struct reader *reader, struct form *form)
{
	const char *file = NULL;

	skip(reader, "\"targets\":{");
	form->count = form->ecus = 0;
	while (!reader->is_bad && *reader->at != '}') {
		struct form_target *target = &form->targets[form->count];

		if (file)
			skip(reader, ",");
		reader->is_bad |= form->count >= FORM_ECUS_MAX;
		if (reader->is_bad)
			return;
		target->file = file = take_name(reader, file);
		take_target(reader, form, target);
		form->count++;
	}
	skip(reader, "},");
}

static void
take_meta(struct reader *reader, const char *file)
{
	skip(reader, file);
	skip(reader, ":{");
	take_hash(reader);
	take_number(reader);
	skip(reader, ",");
	take_version(reader);
	skip(reader, "}");
}

static void
take_metas(struct reader *reader, enum role role)
{
	skip(reader, "\"meta\":{");
	if (role == ROLE_SNAPSHOT) {
		take_meta(reader, "\"root.json\"");
		skip(reader, ",");
	}
	take_meta(reader, role == ROLE_SNAPSHOT ? "\"targets.json\"" : "\"snapshot.json\"");
	skip(reader, "},");
}

static void
take_head(struct reader *reader, enum role role, bool *has_correlation, struct form *form)
{
	skip(reader, "{\"_type\":\"");
	skip(reader, role_type(role));
	skip(reader, "\",\"custom\":{");
	*has_correlation = skips(reader, "\"correlationId\":");
	if (*has_correlation) {
		take_text(reader);
		skip(reader, ",");
	}
	skip(reader, "\"deviceId\":");
	form->device = take_text(reader);
	skip(reader, "},\"expires\":");
	if (utc_parse(take_text(reader), &form->expires) < 0)
		reader->is_bad = true;
	skip(reader, ",");
}

int
form_read(enum role role, char *text, struct form *out, struct err *err)
{
	struct reader reader = { .at = text };
	char shown[64];
	bool has_correlation;

	out->count = out->ecus = 0;
	take_head(&reader, role, &has_correlation, out);
	if (role == ROLE_TARGETS)
		take_targets(&reader, out);
	else
		take_metas(&reader, role);
	out->version = take_version(&reader);
	skip(&reader, "}");
	if (!reader.is_bad && !*reader.at && has_correlation == (out->count > 0))
		return 0;
	name_printable(reader.at, shown, 32);
	return err_set(err, EINVAL, "%s: is not of the form that is signed, from byte %td on: %s",
	    role_name(role), reader.at - text + 1, shown);
}
