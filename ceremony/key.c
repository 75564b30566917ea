/* ota-sign key: keys in files and tokens. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ceremony/arguments.h"
#include "ceremony/backup.h"
#include "ceremony/command.h"
#include "ceremony/keys.h"
#include "ceremony/prompt.h"
#include "ceremony/secret_file.h"
#include "ceremony/signer.h"
#include "ceremony/token.h"
#include "lib/cleanup.h"
#include "lib/json.h"

/** The options of all commands here. */
#define WHERE "keys=", "passphrase-file="

static const char *const where_names[] = { WHERE, NULL };

/* What a command was given. */
struct given {
	struct arguments arguments;
	struct signer_options where;
	const char *name; /* the first word; NULL: there is none */
};

static int
parse(int argc, char **argv, const char *const *names, size_t least, size_t most, struct given *given,
    struct err *err)
{
	int r = arguments_parse(argc, argv, names, least, most, &given->arguments, err);

	if (r < 0)
		return r;
	given->where = arguments_signer(&given->arguments);
	given->name = given->arguments.word_count ? given->arguments.words[0] : NULL;
	return 0;
}

static const char *
option(const struct given *given, const char *name)
{
	return arguments_text(&given->arguments, name);
}

static int
run_new(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { WHERE, "type=", NULL };
	AUTO(signer_freep) struct signer *signer = NULL;
	enum private_type type = PRIVATE_ED25519;
	struct given given;
	int r;

	if ((r = parse(argc, argv, names, 1, 1, &given, err)) < 0 ||
	    (option(&given, "type") && (r = private_type(option(&given, "type"), &type, err)) < 0) ||
	    (r = signer_new_of(&given.where, given.name, type, &signer, err)) < 0)
		return r;
	puts(signer_id(signer));
	return 0;
}

static void
print_key(const struct keys *keys, const char *name)
{
	AUTO(public_key_freep) struct public_key *public = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	const char *id;
	struct err err;

	if (keys_public(keys, name, &json, &err) < 0 || public_key_read(json, name, &public, &err) < 0 ||
	    json_need_text(json, "keyid", name, &id, &err) < 0)
		printf("%-24s -        (%s)\n", name, err.text);
	else
		printf("%-24s %-8s %s\n", name, public_key_kind(public), id);
}

static void
print_seen(const char *uri, const struct public_key *public, const char *problem, void *context)
{
	(void)context;
	if (public)
		printf("%s %s %s\n", uri, public_key_kind(public), public_key_id(public));
	else
		printf("%s - (%s)\n", uri, problem);
}

static int
run_list(int argc, char **argv, struct err *err)
{
	AUTO(keys_freep) struct keys *keys = NULL;
	AUTO(json_decref_p) json_t *names = NULL;
	struct given given;
	const json_t *name;
	size_t i;
	int r;

	if ((r = parse(argc, argv, where_names, 0, 1, &given, err)) < 0)
		return r;
	if (given.name && token_is_uri(given.name))
		return token_list(given.name, print_seen, NULL, err);
	if (given.name)
		return err_set(err, EINVAL, "key list: \"%.32s\" is no \"pkcs11:\" URI", given.name);
	if ((r = keys_open(given.where.folder, false, &keys, err)) < 0 ||
	    (r = keys_names(keys, &names, err)) < 0)
		return r;
	json_array_foreach(names, i, name)
	{
		print_key(keys, json_string_value(name));
	}
	return 0;
}

/* Opens the token with its PIN, since only that finds the key which signs. */
static int
find_public_in_token(const struct given *given, const char *uri, struct public_key **out,
    char keyid[static DIGEST_HEX_SIZE], struct err *err)
{
	AUTO(token_freep) struct token *token = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	int r = token_open(uri, given->where.passphrase_file, &token, err);

	if (r < 0)
		return r;
	json = public_key_json(token_public(token));
	snprintf(keyid, DIGEST_HEX_SIZE, "%s", public_key_id(token_public(token)));
	return public_key_read(json, uri, out, err);
}

/* The public half of a key, and the id it was given. */
static int
find_public(const struct given *given, const char *name, struct public_key **out,
    char keyid[static DIGEST_HEX_SIZE], struct err *err)
{
	AUTO(keys_freep) struct keys *keys = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	const char *id;
	int r;

	if (token_is_uri(name))
		return find_public_in_token(given, name, out, keyid, err);
	if ((r = keys_open(given->where.folder, false, &keys, err)) < 0 ||
	    (r = keys_public(keys, name, &json, err)) < 0 ||
	    (r = json_need_text(json, "keyid", name, &id, err)) < 0)
		return r;
	snprintf(keyid, DIGEST_HEX_SIZE, "%s", id);
	return public_key_read(json, name, out, err);
}

static int
run_show(int argc, char **argv, struct err *err)
{
	AUTO(public_key_freep) struct public_key *public = NULL;
	char keyid[DIGEST_HEX_SIZE], aktualizr[DIGEST_HEX_SIZE];
	AUTO(free_p) char *pem = NULL;
	struct given given;
	int r;

	if ((r = parse(argc, argv, where_names, 1, 1, &given, err)) < 0 ||
	    (r = find_public(&given, given.name, &public, keyid, err)) < 0 ||
	    (r = public_key_aktualizr_id(public, aktualizr, err)) < 0 ||
	    (r = public_key_pem(public, &pem, err)) < 0)
		return r;
	printf("type          %s\nid            %s\nota-tuf id    %s\naktualizr id  %s\n%s",
	    public_key_kind(public), keyid, public_key_id(public), aktualizr, pem);
	return 0;
}

/* Signs something that no document is, which tells that passphrase or PIN and key are right. */
static int
run_check(int argc, char **argv, struct err *err)
{
	static const char nothing[] = "ota-sign key check";
	AUTO(signer_freep) struct signer *signer = NULL;
	AUTO(json_decref_p) json_t *signature = NULL;
	struct given given;
	int r;

	if ((r = parse(argc, argv, where_names, 1, 1, &given, err)) < 0 ||
	    (r = signer_open(&given.where, given.name, &signer, err)) < 0 ||
	    (r = signer_sign(signer, nothing, strlen(nothing), &signature, err)) < 0)
		return r;
	printf("%s signs: %s %s\n", given.name, public_key_kind(signer_public(signer)), signer_id(signer));
	return 0;
}

static int
print_public(const struct given *given, struct err *err)
{
	AUTO(public_key_freep) struct public_key *public = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	char keyid[DIGEST_HEX_SIZE];
	int r = find_public(given, given->name, &public, keyid, err);

	if (r < 0)
		return r;
	if (option(given, "pem")) {
		if ((r = public_key_pem(public, &text, err)) == 0)
			fputs(text, stdout);
		return r;
	}
	json = keys_public_json(public, keyid);
	if (!json || !(text = json_write(json)))
		return err_set(err, ENOMEM, "no memory");
	puts(text);
	return 0;
}

/* Opens key @name of the folder with its passphrase. */
static int
load(const struct given *given, bool for_writing, const char *name, struct keys **keys,
    struct private_key **out, char keyid[static DIGEST_HEX_SIZE], struct err *err)
{
	AUTO(secret_freep) struct secret *passphrase = NULL, *container = NULL;
	char what[KEYS_NAME_MAX + 32];
	int r;

	snprintf(what, sizeof(what), "passphrase of key %.*s", KEYS_NAME_MAX, name);
	if ((r = keys_open(given->where.folder, for_writing, keys, err)) < 0 ||
	    (r = keys_container(*keys, name, &container, err)) < 0 ||
	    (r = prompt_secret(given->where.passphrase_file, what, &passphrase, err)) < 0)
		return r;
	return keys_load(*keys, name, passphrase, out, keyid, err);
}

static int
export_private(const struct given *given, struct err *err)
{
	AUTO(keys_freep) struct keys *keys = NULL;
	AUTO(private_freep) struct private_key *key = NULL;
	AUTO(secret_freep) struct secret *text = NULL;
	const char *path = option(given, "private"), *form = option(given, "form");
	bool is_json = form && !strcmp(form, "garage-sign");
	char keyid[DIGEST_HEX_SIZE];
	int r;

	if (form && !is_json && strcmp(form, "pkcs8") != 0)
		return err_set(err, EINVAL, "form \"%.32s\" is neither pkcs8 nor garage-sign", form);
	if ((r = load(given, false, given->name, &keys, &key, keyid, err)) < 0 ||
	    (r = is_json ? private_json(key, &text, err) : private_pem(key, &text, err)) < 0 ||
	    (r = secret_file_make(path, text, err)) < 0)
		return r;
	fprintf(stderr, "ota-sign: %s holds the private key without a passphrase\n", path);
	return 0;
}

static int
run_export(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { WHERE, "pem", "private=", "form=", NULL };
	struct given given;
	int r = parse(argc, argv, names, 1, 1, &given, err);

	if (r < 0)
		return r;
	if (option(&given, "form") && !option(&given, "private"))
		return err_set(err, EINVAL, "--form is the form of a private key (--private FILE)");
	if (option(&given, "private") && token_is_uri(given.name))
		return err_set(err, EINVAL, "a private key does not come out of its token");
	return option(&given, "private") ? export_private(&given, err) : print_public(&given, err);
}

/* What ask_pem() needs. */
struct pem {
	const char *path, *passphrase_file;
};

static int
ask_pem(void *context, struct secret **out, struct err *err)
{
	const struct pem *pem = context;
	char what[128];

	snprintf(what, sizeof(what), "passphrase of %s", pem->path);
	return prompt_secret(pem->passphrase_file, what, out, err);
}

static int
read_import(const struct given *given, struct private_key **out, struct err *err)
{
	AUTO(secret_freep) struct secret *text = NULL;
	struct pem pem = { given->arguments.words[1], option(given, "pem-passphrase-file") };
	int r = secret_file_read(AT_FDCWD, pem.path, PRIVATE_FILE_MAX, false, &text, err);

	return r < 0 ? r : private_read(text, pem.path, ask_pem, &pem, out, err);
}

static int
run_import(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { WHERE, "keyid=", "pem-passphrase-file=", NULL };
	AUTO(keys_freep) struct keys *keys = NULL;
	AUTO(private_freep) struct private_key *key = NULL;
	AUTO(secret_freep) struct secret *passphrase = NULL;
	const char *keyid;
	struct given given;
	char what[KEYS_NAME_MAX + 32];
	int r;

	if ((r = parse(argc, argv, names, 2, 2, &given, err)) < 0 || (r = keys_check_name(given.name, err)) < 0)
		return r;
	keyid = option(&given, "keyid");
	if (keyid && !digest_is_sha256_hex(keyid))
		return err_set(err, EINVAL, "--keyid: a key id has 64 hex digits in lower case");
	snprintf(what, sizeof(what), "passphrase of key %s", given.name);
	if ((r = keys_open(given.where.folder, true, &keys, err)) < 0 ||
	    (r = keys_check_free(keys, given.name, err)) < 0 || (r = read_import(&given, &key, err)) < 0 ||
	    (r = prompt_new_secret(given.where.passphrase_file, what, &passphrase, err)) < 0 ||
	    (r = keys_add(keys, given.name, key, keyid, passphrase, err)) < 0)
		return r;
	puts(keyid ? keyid : public_key_id(private_public(key)));
	return 0;
}

static int
run_backup(int argc, char **argv, struct err *err)
{
	AUTO(keys_freep) struct keys *keys = NULL;
	AUTO(secret_freep) struct secret *passphrase = NULL;
	struct given given;
	struct stat st;
	int r, count;

	if ((r = parse(argc, argv, where_names, 1, 1, &given, err)) < 0 ||
	    (r = keys_open(given.where.folder, false, &keys, err)) < 0)
		return r;
	if (lstat(given.name, &st) == 0)
		return err_set(err, EEXIST, "%s: exists already; it is not touched", given.name);
	if ((r = prompt_new_secret(given.where.passphrase_file, "passphrase of the backup", &passphrase, err)) <
		0 ||
	    (r = backup_make(keys, passphrase, given.name, &count, err)) < 0)
		return r;
	printf("%s: %d keys, written, read back and compared\n", given.name, count);
	return 0;
}

static void
tell_restored(const char *name, int is_new)
{
	printf("%s: %s\n", name, is_new ? "restored" : "was here already");
}

static int
run_restore(int argc, char **argv, struct err *err)
{
	AUTO(keys_freep) struct keys *keys = NULL;
	AUTO(secret_freep) struct secret *passphrase = NULL;
	struct given given;
	int r;

	if ((r = parse(argc, argv, where_names, 1, 1, &given, err)) < 0 ||
	    (r = prompt_secret(given.where.passphrase_file, "passphrase of the backup", &passphrase, err)) <
		0 ||
	    (r = keys_open(given.where.folder, true, &keys, err)) < 0)
		return r;
	return backup_restore(keys, passphrase, given.name, tell_restored, err);
}

static int
run_passphrase(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { WHERE, "new-passphrase-file=", NULL };
	AUTO(keys_freep) struct keys *keys = NULL;
	AUTO(private_freep) struct private_key *key = NULL;
	AUTO(secret_freep) struct secret *passphrase = NULL;
	char keyid[DIGEST_HEX_SIZE], what[KEYS_NAME_MAX + 32];
	struct given given;
	int r;

	if ((r = parse(argc, argv, names, 1, 1, &given, err)) < 0 ||
	    (r = load(&given, true, given.name, &keys, &key, keyid, err)) < 0)
		return r;
	snprintf(what, sizeof(what), "passphrase of key %s", given.name);
	if ((r = prompt_new_secret(option(&given, "new-passphrase-file"), what, &passphrase, err)) < 0)
		return r;
	return keys_reseal(keys, given.name, key, keyid, passphrase, err);
}

const struct command key_commands[] = {
	{ "key new", "NAME [--type ed25519|rsa2048|rsa3072|rsa4096]", "makes a key", run_new },
	{ "key list", "[pkcs11:...]", "the keys of the folder, or of tokens", run_list },
	{ "key show", "NAME|pkcs11:...", "a key's type and ids, and its public half", run_show },
	{ "key check", "NAME|pkcs11:...", "whether the key signs with that passphrase or PIN", run_check },
	{ "key export", "NAME|pkcs11:... [--pem] [--private FILE [--form pkcs8|garage-sign]]",
	    "the public half, for others; or the private key, without a passphrase", run_export },
	{ "key import", "NAME FILE [--keyid ID]", "takes a private key from a PEM, garage-sign or ota-signd",
	    run_import },
	{ "key backup", "FILE", "all keys of the folder, encrypted", run_backup },
	{ "key restore", "FILE", "the keys of a backup that are not in the folder", run_restore },
	{ "key passphrase", "NAME", "gives a key another passphrase", run_passphrase },
	{ 0 },
};
