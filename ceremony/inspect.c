/* ota-sign inspect, verify, sign: documents of any type. */
#include "ceremony/inspect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/arguments.h"
#include "ceremony/authority.h"
#include "ceremony/change.h"
#include "ceremony/command.h"
#include "ceremony/document.h"
#include "ceremony/form.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/name.h"
#include "lib/utc.h"
#include "sign/envelope.h"

/* -- reading -- */

/* Words of the command: "targets sign" and "delegation sign" take documents of type Targets only. */
static int
check_type(const char *words, const char *file, const json_t *signed_part, struct err *err)
{
	if (strchr(words, ' ') && form_role(signed_part) != ROLE_TARGETS)
		return err_set(err, EBADMSG, "%.200s: is no document of type Targets", file);
	return 0;
}

/* -- inspect: each prints one part -- */

/* What a stranger wrote must not move the cursor. */
static const char *
plain(const char *text, char *out, size_t room)
{
	return name_printable(text ? text : "?", out, room);
}

static void
print_head(const char *file, const json_t *signed_part, int64_t now)
{
	int repository = form_repository(signed_part);
	char type[32], expires[48], when[48] = "";
	struct err ignored;
	int64_t seconds;

	printf("%s: %s", file, plain(json_text(signed_part, "_type"), type, sizeof(type)));
	if (repository >= 0)
		printf(" of the %s%s", repository_name((enum repository)repository),
		    repository == REPOSITORY_IMAGE ? " repository" : "");
	printf(
	    "\n%-11s%lld\n", "version", (long long)json_integer_value(json_object_get(signed_part, "version")));
	if (envelope_expires(signed_part, file, &seconds, &ignored) == 0)
		change_when(seconds, now, when);
	printf("%-11s%s%s%s\n", "expires", plain(json_text(signed_part, "expires"), expires, sizeof(expires)),
	    *when ? ", " : "", when);
}

static void
print_list(const json_t *list)
{
	char shown[NAME_TARGET_MAX + 1];

	for (size_t i = 0; i < json_array_size(list); i++)
		printf(" %s", plain(json_string_value(json_array_get(list, i)), shown, sizeof(shown)));
}

static void
print_target(const char *file, const json_t *target)
{
	json_t *custom = json_object_get(target, "custom"), *ecus = json_object_get(custom, "ecuIdentifiers"),
	       *ecu;
	const char *hash = json_text(json_object_get(target, "hashes"), "sha256"), *serial;
	char shown[NAME_TARGET_MAX + 1], format[16], digest[80], hardware[128];

	printf("  %-32s %-6s %10lld %s", plain(file, shown, sizeof(shown)),
	    plain(json_text(custom, "targetFormat"), format, sizeof(format)),
	    (long long)json_integer_value(json_object_get(target, "length")),
	    plain(hash, digest, sizeof(digest)));
	print_list(json_object_get(custom, "hardwareIds"));
	json_object_foreach(ecus, serial, ecu)
	{
		printf(" %s (%s)", plain(serial, shown, sizeof(shown)),
		    plain(json_text(ecu, "hardwareId"), hardware, sizeof(hardware)));
	}
	putchar('\n');
}

static void
print_targets(const json_t *signed_part)
{
	json_t *targets = json_object_get(signed_part, "targets"), *target;
	const char *file;

	printf("%-11s%zu\n", "targets", json_object_size(targets));
	json_object_foreach(targets, file, target)
	{
		print_target(file, target);
	}
}

static void
print_delegation(const json_t *role, const json_t *keys)
{
	const json_t *ids = json_object_get(role, "keyids");
	char name[64], kind[24], id[80];

	printf("  %s: %lld of %zu%s, paths", plain(json_text(role, "name"), name, sizeof(name)),
	    (long long)json_integer_value(json_object_get(role, "threshold")), json_array_size(ids),
	    json_is_true(json_object_get(role, "terminating")) ? ", terminating" : "");
	print_list(json_object_get(role, "paths"));
	putchar('\n');
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *keyid = json_string_value(json_array_get(ids, i)) ?: "";

		printf("    %s  %s\n", plain(keyid, id, sizeof(id)), change_key_kind(keys, keyid, kind));
	}
}

static void
print_delegations(const json_t *signed_part)
{
	const json_t *delegations = json_object_get(signed_part, "delegations");
	const json_t *roles = json_object_get(delegations, "roles");

	if (json_array_size(roles) > 0)
		puts("delegations");
	for (size_t i = 0; i < json_array_size(roles); i++)
		print_delegation(json_array_get(roles, i), json_object_get(delegations, "keys"));
}

static void
print_meta(const json_t *signed_part)
{
	json_t *meta = json_object_get(signed_part, "meta"), *entry;
	const char *name;
	char shown[80], digest[80];

	json_object_foreach(meta, name, entry)
	{
		const char *hash = json_text(json_object_get(entry, "hashes"), "sha256");

		printf("  %-32s version %lld  %s\n", plain(name, shown, sizeof(shown)),
		    (long long)json_integer_value(json_object_get(entry, "version")),
		    hash ? plain(hash, digest, sizeof(digest)) : "");
	}
}

static void
print_signatures(const json_t *envelope, const struct authority *authority)
{
	const json_t *signatures = json_object_get(envelope, "signatures");

	printf("%-11s%zu", "signatures", json_array_size(signatures));
	if (authority->document)
		printf(", %d of %d needed", authority_count(authority, envelope), authority->threshold);
	putchar('\n');
	for (size_t i = 0; i < json_array_size(signatures); i++) {
		const json_t *signature = json_array_get(signatures, i);
		char id[80], method[32];

		printf("  %s  %s%s\n", plain(json_text(signature, "keyid"), id, sizeof(id)),
		    plain(json_text(signature, "method"), method, sizeof(method)),
		    !authority->document                        ? ""
		    : authority_accepts(authority, envelope, i) ? "  good"
								: "  not good");
	}
}

static void
print_body(const json_t *signed_part)
{
	switch (form_role(signed_part)) {
	case ROLE_ROOT:
		change_print_roles(stdout, signed_part, signed_part);
		break;
	case ROLE_TARGETS:
		print_targets(signed_part);
		print_delegations(signed_part);
		break;
	default:
		print_meta(signed_part);
	}
}

static int
print_warnings(const json_t *envelope, int64_t now, struct err *err)
{
	AUTO(json_decref_p) json_t *lines = json_array();
	char shown[512];
	int r = form_warn(envelope, now, lines, err);

	for (size_t i = 0; i < json_array_size(lines); i++)
		printf(
		    "warning: %s\n", plain(json_string_value(json_array_get(lines, i)), shown, sizeof(shown)));
	return r;
}

int
inspect_show(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "root=", "parent=", "delegation=", NULL };
	AUTO(authority_done) struct authority authority = { 0 };
	AUTO(json_decref_p) json_t *envelope = NULL;
	struct arguments arguments;
	const json_t *signed_part;
	int64_t now = utc_now();
	const char *file;
	size_t bytes;
	int r;

	if ((r = arguments_parse(argc, argv, names, 1, 1, &arguments, err)) < 0 ||
	    (r = document_read(file = arguments.words[0], &envelope, &bytes, err)) < 0)
		return r;
	signed_part = json_object_get(envelope, "signed");
	if ((r = check_type(argv[0], file, signed_part, err)) < 0)
		return r;
	print_head(file, signed_part, now);
	print_body(signed_part);
	if ((r = authority_open(&arguments, file, envelope, &authority, err)) < 0)
		return r;
	print_signatures(envelope, &authority);
	if ((r = print_warnings(envelope, now, err)) < 0)
		return r;
	fflush(stdout);
	r = form_check(envelope, bytes, now, file, err);
	return r < 0 ? err_context(err, r, "devices or other programs would refuse it") : 0;
}

/* -- verify -- */

static int
check_role(const struct arguments *arguments, const char *file, const json_t *signed_part, struct err *err)
{
	const char *role = arguments_text(arguments, "role");
	int wanted = role_of(role);

	if (role && wanted < 0)
		return err_set(err, EINVAL, "--role is root, targets, snapshot or timestamp");
	if (role && form_role(signed_part) != wanted)
		return err_set(err, EBADMSG, "%.200s: _type is \"%.32s\", not %s", file,
		    json_text(signed_part, "_type") ?: "", role_type((enum role)wanted));
	return 0;
}

/* Devices take an expired root on the way to the next one, and nothing else under it. */
static int
check_expired(const struct arguments *arguments, const json_t *signed_part, struct err *err)
{
	const char *file = arguments_text(arguments, "root");
	AUTO(json_decref_p) json_t *root = NULL;
	int r;

	if (!file || form_role(signed_part) == ROLE_ROOT)
		return 0;
	r = document_read(file, &root, NULL, err);
	return r < 0 ? r : form_check(root, 0, utc_now(), file, err);
}

/* A root is signed by the root before it and by itself, and follows it. */
static int
verify_root(const struct arguments *arguments, const char *file, const json_t *envelope, struct err *err)
{
	const json_t *signed_part = json_object_get(envelope, "signed");
	AUTO(json_decref_p) json_t *before = NULL;
	int r, version, version_before;

	if (!arguments_text(arguments, "root"))
		return 0;
	if ((r = envelope_verify_role(envelope, signed_part, ROLE_ROOT, file, err)) < 0 ||
	    (r = document_read(arguments_text(arguments, "root"), &before, NULL, err)) < 0 ||
	    (r = envelope_version(signed_part, file, &version, err)) < 0 ||
	    (r = envelope_version(json_object_get(before, "signed"), "root", &version_before, err)) < 0)
		return r;
	if (version != version_before + 1 && !json_equal(signed_part, json_object_get(before, "signed")))
		return err_set(err, EBADMSG, "%.200s: TUF 1.0, 5.3: version %d does not follow version %d",
		    file, version, version_before);
	return 0;
}

int
inspect_verify(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "root=", "role=", "parent=", "delegation=", NULL };
	AUTO(authority_done) struct authority authority = { 0 };
	AUTO(json_decref_p) json_t *envelope = NULL;
	struct arguments arguments;
	const json_t *signed_part;
	const char *file;
	size_t bytes;
	int r;

	if ((r = arguments_parse(argc, argv, names, 1, 1, &arguments, err)) < 0)
		return r;
	if (!arguments_text(&arguments, "root") && !arguments_text(&arguments, "parent"))
		return err_set(
		    err, EINVAL, "%s: --root ROOT.json or --parent TARGETS.json says who may sign", argv[0]);
	if ((r = document_read(file = arguments.words[0], &envelope, &bytes, err)) < 0)
		return r;
	signed_part = json_object_get(envelope, "signed");
	if ((r = check_type(argv[0], file, signed_part, err)) < 0 ||
	    (r = check_role(&arguments, file, signed_part, err)) < 0 ||
	    (r = form_check(envelope, bytes, utc_now(), file, err)) < 0 ||
	    (r = check_expired(&arguments, signed_part, err)) < 0 ||
	    (r = authority_open(&arguments, file, envelope, &authority, err)) < 0 ||
	    (r = authority_verify(&authority, envelope, file, err)) < 0 ||
	    (form_role(signed_part) == ROLE_ROOT && (r = verify_root(&arguments, file, envelope, err)) < 0))
		return r;
	printf("%s: good: %s version %lld, %d of %d needed signatures, expires %s\n", file,
	    json_text(signed_part, "_type"),
	    (long long)json_integer_value(json_object_get(signed_part, "version")),
	    authority_count(&authority, envelope), authority.threshold, json_text(signed_part, "expires"));
	return 0;
}

/* -- sign -- */

static int
sign_all(
    json_t *envelope, const struct arguments *arguments, const struct authority *authority, struct err *err)
{
	const char *name;
	size_t at = 0;
	int r = 0;

	while (r == 0 && (name = arguments_next(arguments, "key", &at)))
		r = document_sign(envelope, arguments, name, authority->keys, authority->keyids, err);
	return r;
}

static void
tell_signed(const char *file, const json_t *envelope, const struct authority *authority)
{
	int have = authority_count(authority, envelope);

	if (!authority->document)
		printf("%s: %zu signatures\n", file, json_array_size(json_object_get(envelope, "signatures")));
	else
		printf("%s: %d of %d needed signatures%s\n", file, have, authority->threshold,
		    have < authority->threshold ? "; more have to sign" : "");
}

int
inspect_sign(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "key=+",
		"keys=", "passphrase-file=", "root=", "parent=", "delegation=", NULL };
	AUTO(authority_done) struct authority authority = { 0 };
	AUTO(json_decref_p) json_t *envelope = NULL;
	struct arguments arguments;
	const char *key, *file;
	size_t bytes;
	int r, dropped;

	if ((r = arguments_parse(argc, argv, names, 1, 1, &arguments, err)) < 0 ||
	    (r = arguments_need(&arguments, "key", &key, err)) < 0 ||
	    (r = document_read(file = arguments.words[0], &envelope, &bytes, err)) < 0 ||
	    (r = check_type(argv[0], file, json_object_get(envelope, "signed"), err)) < 0 ||
	    (r = form_check(envelope, bytes, utc_now(), file, err)) < 0 ||
	    (r = authority_open(&arguments, file, envelope, &authority, err)) < 0 ||
	    (r = authority_check_paths(&authority, json_object_get(envelope, "signed"), err)) < 0)
		return r;
	dropped = authority_prune(&authority, envelope);
	if (dropped)
		printf(
		    "%s: dropped %d signatures that do not fit the content or are of others\n", file, dropped);
	if ((r = sign_all(envelope, &arguments, &authority, err)) < 0 ||
	    (r = document_write(file, envelope, false, err)) < 0)
		return r;
	tell_signed(file, envelope, &authority);
	return 0;
}

const struct command document_commands[] = {
	{ "inspect", "FILE [--root ROOT.json] [--parent TARGETS.json [--delegation NAME]]",
	    "a document of any type, in words", inspect_show },
	{ "verify", "FILE [--root ROOT.json] [--role ROLE] [--parent TARGETS.json [--delegation NAME]]",
	    "whether devices take a document of any type", inspect_verify },
	{ "sign",
	    "FILE --key NAME|pkcs11:URI... [--root ROOT.json] [--parent TARGETS.json [--delegation NAME]]",
	    "adds signatures to a document of any type", inspect_sign },
	{ 0 },
};
