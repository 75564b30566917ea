/* ota-sign key: keys in files and tokens. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ceremony/backup.h"
#include "ceremony/command.h"
#include "ceremony/keys.h"
#include "ceremony/prompt.h"
#include "ceremony/secret_file.h"
#include "ceremony/signer.h"
#include "ceremony/token.h"
#include "lib/cleanup.h"
#include "lib/json.h"

/* What the commands take. */
struct arguments {
	struct signer_options where;
	const char *type, *keyid, *private, *form; /* of --type, --keyid, --private, --form */
	const char *new_passphrase_file, *pem_passphrase_file;
	bool is_pem;
	int count;
	char **words; /* what is no option */
};

static const struct option options[] = {
	{ "keys", required_argument, NULL, 'k' },
	{ "passphrase-file", required_argument, NULL, 'p' },
	{ "type", required_argument, NULL, 't' },
	{ "keyid", required_argument, NULL, 'i' },
	{ "pem", no_argument, NULL, 'm' },
	{ "private", required_argument, NULL, 's' },
	{ "form", required_argument, NULL, 'f' },
	{ "new-passphrase-file", required_argument, NULL, 'n' },
	{ "pem-passphrase-file", required_argument, NULL, 'e' },
	{ 0 },
};

static void
take_option(struct arguments *arguments, int option)
{
	switch (option) {
	case 'k':
		arguments->where.folder = optarg;
		break;
	case 'p':
		arguments->where.passphrase_file = optarg;
		break;
	case 't':
		arguments->type = optarg;
		break;
	case 'i':
		arguments->keyid = optarg;
		break;
	case 'm':
		arguments->is_pem = true;
		break;
	case 's':
		arguments->private = optarg;
		break;
	case 'f':
		arguments->form = optarg;
		break;
	case 'n':
		arguments->new_passphrase_file = optarg;
		break;
	default:
		arguments->pem_passphrase_file = optarg;
	}
}

static const char *
option_name(int letter)
{
	size_t i = 0;

	while (options[i].val != letter)
		i++;
	return options[i].name;
}

/* @allowed: the letters of options that the command has; @words: how many other arguments at most, and @least.
 */
static int
parse(int argc, char **argv, const char *allowed, int least, int words, struct arguments *arguments,
    struct err *err)
{
	int option;

	memset(arguments, 0, sizeof(*arguments));
	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (option == ':')
			return err_set(err, EINVAL, "%s: %.32s needs a value", argv[0], argv[optind - 1]);
		if (option == '?')
			return err_set(err, EINVAL, "%s: option %.32s is unknown", argv[0], argv[optind - 1]);
		if (!strchr(allowed, option))
			return err_set(err, EINVAL, "%s: has no option --%s", argv[0], option_name(option));
		take_option(arguments, option);
	}
	arguments->count = argc - optind;
	arguments->words = argv + optind;
	if (arguments->count < least || arguments->count > words)
		return err_set(err, EINVAL, "%s: %s; see ota-sign --help", argv[0],
		    arguments->count < least ? "something is missing" : "too many arguments");
	return 0;
}

static int
run_new(int argc, char **argv, struct err *err)
{
	AUTO(signer_freep) struct signer *signer = NULL;
	enum private_type type = PRIVATE_ED25519;
	struct arguments arguments;
	int r;

	if ((r = parse(argc, argv, "kpt", 1, 1, &arguments, err)) < 0 ||
	    (arguments.type && (r = private_type(arguments.type, &type, err)) < 0) ||
	    (r = signer_new_of(&arguments.where, arguments.words[0], type, &signer, err)) < 0)
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
	struct arguments arguments;
	const json_t *name;
	size_t i;
	int r;

	if ((r = parse(argc, argv, "kp", 0, 1, &arguments, err)) < 0)
		return r;
	if (arguments.count && token_is_uri(arguments.words[0]))
		return token_list(arguments.words[0], print_seen, NULL, err);
	if (arguments.count)
		return err_set(err, EINVAL, "key list: \"%.32s\" is no \"pkcs11:\" URI", arguments.words[0]);
	if ((r = keys_open(arguments.where.folder, false, &keys, err)) < 0 ||
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
find_public_in_token(const struct arguments *arguments, const char *uri, struct public_key **out,
    char keyid[static DIGEST_HEX_SIZE], struct err *err)
{
	AUTO(token_freep) struct token *token = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	int r = token_open(uri, arguments->where.passphrase_file, &token, err);

	if (r < 0)
		return r;
	json = public_key_json(token_public(token));
	snprintf(keyid, DIGEST_HEX_SIZE, "%s", public_key_id(token_public(token)));
	return public_key_read(json, uri, out, err);
}

/* The public half of a key, and the id it was given. */
static int
find_public(const struct arguments *arguments, const char *name, struct public_key **out,
    char keyid[static DIGEST_HEX_SIZE], struct err *err)
{
	AUTO(keys_freep) struct keys *keys = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	const char *id;
	int r;

	if (token_is_uri(name))
		return find_public_in_token(arguments, name, out, keyid, err);
	if ((r = keys_open(arguments->where.folder, false, &keys, err)) < 0 ||
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
	struct arguments arguments;
	int r;

	if ((r = parse(argc, argv, "kp", 1, 1, &arguments, err)) < 0 ||
	    (r = find_public(&arguments, arguments.words[0], &public, keyid, err)) < 0 ||
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
	struct arguments arguments;
	int r;

	if ((r = parse(argc, argv, "kp", 1, 1, &arguments, err)) < 0 ||
	    (r = signer_open(&arguments.where, arguments.words[0], &signer, err)) < 0 ||
	    (r = signer_sign(signer, nothing, strlen(nothing), &signature, err)) < 0)
		return r;
	printf(
	    "%s signs: %s %s\n", arguments.words[0], public_key_kind(signer_public(signer)), signer_id(signer));
	return 0;
}

static int
print_public(const struct arguments *arguments, struct err *err)
{
	AUTO(public_key_freep) struct public_key *public = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	char keyid[DIGEST_HEX_SIZE];
	int r = find_public(arguments, arguments->words[0], &public, keyid, err);

	if (r < 0)
		return r;
	if (arguments->is_pem) {
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
load(const struct arguments *arguments, bool for_writing, const char *name, struct keys **keys,
    struct private_key **out, char keyid[static DIGEST_HEX_SIZE], struct err *err)
{
	AUTO(secret_freep) struct secret *passphrase = NULL, *container = NULL;
	char what[KEYS_NAME_MAX + 32];
	int r;

	snprintf(what, sizeof(what), "passphrase of key %.*s", KEYS_NAME_MAX, name);
	if ((r = keys_open(arguments->where.folder, for_writing, keys, err)) < 0 ||
	    (r = keys_container(*keys, name, &container, err)) < 0 ||
	    (r = prompt_secret(arguments->where.passphrase_file, what, &passphrase, err)) < 0)
		return r;
	return keys_load(*keys, name, passphrase, out, keyid, err);
}

static int
export_private(const struct arguments *arguments, struct err *err)
{
	AUTO(keys_freep) struct keys *keys = NULL;
	AUTO(private_freep) struct private_key *key = NULL;
	AUTO(secret_freep) struct secret *text = NULL;
	bool is_json = arguments->form && !strcmp(arguments->form, "garage-sign");
	char keyid[DIGEST_HEX_SIZE];
	int r;

	if (arguments->form && !is_json && strcmp(arguments->form, "pkcs8") != 0)
		return err_set(err, EINVAL, "form \"%.32s\" is neither pkcs8 nor garage-sign", arguments->form);
	if ((r = load(arguments, false, arguments->words[0], &keys, &key, keyid, err)) < 0 ||
	    (r = is_json ? private_json(key, &text, err) : private_pem(key, &text, err)) < 0 ||
	    (r = secret_file_make(arguments->private, text, err)) < 0)
		return r;
	fprintf(stderr, "ota-sign: %s holds the private key without a passphrase\n", arguments->private);
	return 0;
}

static int
run_export(int argc, char **argv, struct err *err)
{
	struct arguments arguments;
	int r = parse(argc, argv, "kpmsf", 1, 1, &arguments, err);

	if (r < 0)
		return r;
	if (arguments.form && !arguments.private)
		return err_set(err, EINVAL, "--form is the form of a private key (--private FILE)");
	return arguments.private ? export_private(&arguments, err) : print_public(&arguments, err);
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
read_import(const struct arguments *arguments, struct private_key **out, struct err *err)
{
	AUTO(secret_freep) struct secret *text = NULL;
	struct pem pem = { arguments->words[1], arguments->pem_passphrase_file };
	int r = secret_file_read(AT_FDCWD, pem.path, PRIVATE_FILE_MAX, false, &text, err);

	return r < 0 ? r : private_read(text, pem.path, ask_pem, &pem, out, err);
}

static int
run_import(int argc, char **argv, struct err *err)
{
	AUTO(keys_freep) struct keys *keys = NULL;
	AUTO(private_freep) struct private_key *key = NULL;
	AUTO(secret_freep) struct secret *passphrase = NULL;
	struct arguments arguments;
	char what[KEYS_NAME_MAX + 32];
	int r;

	if ((r = parse(argc, argv, "kpie", 2, 2, &arguments, err)) < 0 ||
	    (r = keys_check_name(arguments.words[0], err)) < 0)
		return r;
	if (arguments.keyid && !digest_is_sha256_hex(arguments.keyid))
		return err_set(err, EINVAL, "--keyid: a key id has 64 hex digits in lower case");
	snprintf(what, sizeof(what), "passphrase of key %s", arguments.words[0]);
	if ((r = keys_open(arguments.where.folder, true, &keys, err)) < 0 ||
	    (r = keys_check_free(keys, arguments.words[0], err)) < 0 ||
	    (r = read_import(&arguments, &key, err)) < 0 ||
	    (r = prompt_new_secret(arguments.where.passphrase_file, what, &passphrase, err)) < 0 ||
	    (r = keys_add(keys, arguments.words[0], key, arguments.keyid, passphrase, err)) < 0)
		return r;
	puts(arguments.keyid ? arguments.keyid : public_key_id(private_public(key)));
	return 0;
}

static int
run_backup(int argc, char **argv, struct err *err)
{
	AUTO(keys_freep) struct keys *keys = NULL;
	AUTO(secret_freep) struct secret *passphrase = NULL;
	struct arguments arguments;
	struct stat st;
	int r, count;

	if ((r = parse(argc, argv, "kp", 1, 1, &arguments, err)) < 0 ||
	    (r = keys_open(arguments.where.folder, false, &keys, err)) < 0)
		return r;
	if (lstat(arguments.words[0], &st) == 0)
		return err_set(err, EEXIST, "%s: exists already; it is not touched", arguments.words[0]);
	if ((r = prompt_new_secret(
		 arguments.where.passphrase_file, "passphrase of the backup", &passphrase, err)) < 0 ||
	    (r = backup_make(keys, passphrase, arguments.words[0], &count, err)) < 0)
		return r;
	printf("%s: %d keys, written, read back and compared\n", arguments.words[0], count);
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
	struct arguments arguments;
	int r;

	if ((r = parse(argc, argv, "kp", 1, 1, &arguments, err)) < 0 ||
	    (r = prompt_secret(arguments.where.passphrase_file, "passphrase of the backup", &passphrase, err)) <
		0 ||
	    (r = keys_open(arguments.where.folder, true, &keys, err)) < 0)
		return r;
	return backup_restore(keys, passphrase, arguments.words[0], tell_restored, err);
}

static int
run_passphrase(int argc, char **argv, struct err *err)
{
	AUTO(keys_freep) struct keys *keys = NULL;
	AUTO(private_freep) struct private_key *key = NULL;
	AUTO(secret_freep) struct secret *passphrase = NULL;
	char keyid[DIGEST_HEX_SIZE], what[KEYS_NAME_MAX + 32];
	struct arguments arguments;
	int r;

	if ((r = parse(argc, argv, "kpn", 1, 1, &arguments, err)) < 0 ||
	    (r = load(&arguments, true, arguments.words[0], &keys, &key, keyid, err)) < 0)
		return r;
	snprintf(what, sizeof(what), "passphrase of key %s", arguments.words[0]);
	if ((r = prompt_new_secret(arguments.new_passphrase_file, what, &passphrase, err)) < 0)
		return r;
	return keys_reseal(keys, arguments.words[0], key, keyid, passphrase, err);
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
