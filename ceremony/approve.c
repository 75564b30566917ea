/* ota-sign root: shows the draft of a root to those who sign it, signs, assembles, and walks a chain of roots.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ceremony/arguments.h"
#include "ceremony/change.h"
#include "ceremony/command.h"
#include "ceremony/confirm.h"
#include "ceremony/document.h"
#include "ceremony/signer.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/draft.h"
#include "sign/envelope.h"
#include "sign/root.h"

static const json_t *
current_of(const struct draft *draft)
{
	return json_object_get(draft->current, "signed");
}

/* -- showing -- */

/* A draft says itself what the current root is. Who has an own copy of a root can hold that against it. */
static int
check_trusted(const struct draft *draft, const char *file, struct err *err)
{
	AUTO(json_decref_p) json_t *trusted = NULL;
	int r, version;

	if (!file)
		return 0;
	if ((r = document_read(file, &trusted, NULL, err)) < 0 ||
	    (r = envelope_version(json_object_get(trusted, "signed"), file, &version, err)) < 0)
		return r;
	if (version != draft->version - 1)
		return err_set(err, EBADMSG, "%.200s: is version %d; the draft follows version %d", file,
		    version, draft->version - 1);
	if (!json_equal(json_object_get(trusted, "signed"), current_of(draft)))
		return err_set(err, EBADMSG,
		    "%.200s: is another root of version %d than the draft's current.json", file, version);
	return 0;
}

static void
print_draft(const struct draft *draft, int64_t now)
{
	printf("%s root, %s\n", repository_name(draft->repository),
	    draft->current ? "a draft that follows current.json" : "a draft of the first one");
	change_print(stdout, current_of(draft), draft->next, now);
}

static int
run_show(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "trusted=", NULL };
	AUTO(draft_done) struct draft draft = { 0 };
	struct arguments arguments;
	int r;

	if ((r = arguments_parse(argc, argv, names, 1, 1, &arguments, err)) < 0 ||
	    (r = draft_read(AT_FDCWD, arguments.words[0], utc_now(), &draft, err)) < 0 ||
	    (r = check_trusted(&draft, arguments_text(&arguments, "trusted"), err)) < 0)
		return r;
	print_draft(&draft, utc_now());
	change_print_signatures(stdout, &draft);
	return 0;
}

/* -- signing -- */

/* Adds the signature of @signer under @keyid unless it is there: an interrupted run may have left it. */
static int
sign_as(struct draft *draft, const char *folder, struct signer *signer, const char *keyid, size_t *added,
    struct err *err)
{
	AUTO(json_decref_p) json_t *signature = NULL;
	AUTO(free_p) char *canonical = NULL;
	size_t bytes;
	int r;

	if (draft_has_signed(draft, keyid)) {
		err_set(err, EEXIST, "key %s has signed already", keyid);
		return 0;
	}
	++*added;
	if ((r = canonical_write(draft->next, &canonical, &bytes, err)) < 0 ||
	    (r = signer_sign_as(signer, keyid, canonical, bytes, &signature, err)) < 0)
		return r;
	return draft_add_signature(draft, AT_FDCWD, folder, signature, err);
}

/* The key may have one id in the current root and another in the next: then each needs its signature. */
static int
sign_with(struct draft *draft, const char *folder, struct signer *signer, const char *name, size_t *added,
    struct err *err)
{
	const char *public_id = public_key_id(signer_public(signer));
	const char *next = root_id_of(draft->next, ROLE_ROOT, public_id);
	const char *current = draft->current ? root_id_of(current_of(draft), ROLE_ROOT, public_id) : NULL;
	int r = 0;

	if (!next && !current)
		return err_set(err, EACCES,
		    "key %.64s (%.12s...) is no root key, neither of the current root nor of the next", name,
		    public_id);
	if (next)
		r = sign_as(draft, folder, signer, next, added, err);
	if (r == 0 && current && (!next || strcmp(current, next) != 0))
		r = sign_as(draft, folder, signer, current, added, err);
	return r;
}

static int
sign_all(struct draft *draft, const struct arguments *arguments, struct err *err)
{
	const struct signer_options options = arguments_signer(arguments);
	const char *name;
	size_t at = 0, added = 0;
	int r = 0;

	while (r == 0 && (name = arguments_next(arguments, "key", &at))) {
		AUTO(signer_freep) struct signer *signer = NULL;

		if ((r = signer_open(&options, name, &signer, err)) == 0)
			r = sign_with(draft, arguments->words[0], signer, name, &added, err);
	}
	/* With the words of the last one that had. */
	return r == 0 && added == 0 ? -EEXIST : r;
}

static int
run_sign(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "key=+", "keys=", "passphrase-file=", "trusted=", "yes", NULL };
	AUTO(draft_done) struct draft draft = { 0 };
	struct arguments arguments;
	const char *key;
	int r;

	if ((r = arguments_parse(argc, argv, names, 1, 1, &arguments, err)) < 0 ||
	    (r = arguments_need(&arguments, "key", &key, err)) < 0 ||
	    (r = draft_read(AT_FDCWD, arguments.words[0], utc_now(), &draft, err)) < 0 ||
	    (r = check_trusted(&draft, arguments_text(&arguments, "trusted"), err)) < 0)
		return r;
	print_draft(&draft, utc_now());
	fflush(stdout);
	if ((!arguments_text(&arguments, "yes") && (r = confirm("Sign this root?", err)) < 0) ||
	    (r = sign_all(&draft, &arguments, err)) < 0)
		return r;
	change_print_signatures(stdout, &draft);
	return 0;
}

/* -- assembling -- */

static int
check_complete(const struct draft *draft, struct err *err)
{
	const struct {
		const json_t *root;
		const char *name;
	} roots[] = { { current_of(draft), "current" }, { draft->next, "next" } };

	for (size_t i = 0; i < 2; i++) {
		int need = roots[i].root ? root_threshold(roots[i].root, ROLE_ROOT) : 0;
		int have = roots[i].root ? draft_count(draft, roots[i].root) : 0;

		if (have < need)
			return err_set(err, EBADMSG,
			    "TUF 1.0, 5.3: role root: %d of %d needed keys of the %s root have signed; "
			    "--incomplete assembles it nevertheless",
			    have, need, roots[i].name);
	}
	return 0;
}

static int
run_assemble(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "incomplete", NULL };
	AUTO(draft_done) struct draft draft = { 0 };
	AUTO(free_p) char *text = NULL;
	struct arguments arguments;
	struct stat st;
	size_t bytes;
	int r;

	if ((r = arguments_parse(argc, argv, names, 2, 2, &arguments, err)) < 0 ||
	    (r = draft_read(AT_FDCWD, arguments.words[0], utc_now(), &draft, err)) < 0 ||
	    (!arguments_text(&arguments, "incomplete") && (r = check_complete(&draft, err)) < 0) ||
	    (r = draft_assemble(&draft, &text, &bytes, err)) < 0)
		return r;
	if (lstat(arguments.words[1], &st) == 0)
		return err_set(err, EEXIST, "%.200s: exists already; it is not touched", arguments.words[1]);
	return file_replace(AT_FDCWD, arguments.words[1], text, bytes, 0644, err);
}

/* -- a chain -- */

static int
read_root(const char *file, int64_t now, json_t **out, int *version, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	if ((r = file_read(AT_FDCWD, file, DOCUMENT_BYTES_MAX, &text, &bytes, err)) < 0)
		return r;
	if ((r = root_read(text, bytes, now, out, err)) < 0 ||
	    (r = envelope_version(json_object_get(*out, "signed"), "root", version, err)) < 0)
		return err_context(err, r, "%.200s", file);
	return 0;
}

/* One step as a device makes it.  (aktualizr-wire 2.2) */
static int
check_step(const json_t *before, int version_before, const json_t *root, int version, const char *file,
    struct err *err)
{
	int r;

	if (before && version != version_before + 1)
		return err_set(err, EBADMSG, "%.200s: TUF 1.0, 5.3: version %d does not follow version %d",
		    file, version, version_before);
	if (before && (r = envelope_verify_role(root, json_object_get(before, "signed"), ROLE_ROOT,
			   "signed by the root before", err)) < 0)
		return err_context(err, r, "%.200s", file);
	r = envelope_verify_role(root, json_object_get(root, "signed"), ROLE_ROOT, "signed by itself", err);
	return r < 0 ? err_context(err, r, "%.200s", file) : 0;
}

static int
run_verify(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "expired", NULL };
	AUTO(json_decref_p) json_t *before = NULL;
	int64_t now;
	int r, version = 0, version_before = 0, first = 0;
	struct arguments arguments;

	if ((r = arguments_parse(argc, argv, names, 1, ARGUMENTS_MAX, &arguments, err)) < 0)
		return r;
	for (size_t i = 0; i < arguments.word_count; i++) {
		bool is_last = i + 1 == arguments.word_count;
		AUTO(json_decref_p) json_t *root = NULL;

		/* Devices take expired roots on the way, not at its end; with --expired another is to follow.
		 */
		now = is_last && !arguments_text(&arguments, "expired") ? utc_now() : INT64_MIN;
		if ((r = read_root(arguments.words[i], now, &root, &version, err)) < 0 ||
		    (r = check_step(before, version_before, root, version, arguments.words[i], err)) < 0)
			return r;
		first = first ? first : version;
		json_decref(before);
		before = MOVE(root);
		version_before = version;
	}
	printf("good: roots %d to %d; the last one expires %s\n", first, version,
	    json_text(json_object_get(before, "signed"), "expires"));
	if (first != 1)
		printf("the chain of a new device begins with version 1\n");
	return 0;
}

const struct command approve_commands[] = {
	{ "root show", "DRAFT [--trusted ROOT.json]", "what a draft changes, and who has signed it", run_show },
	{ "root sign", "DRAFT --key NAME|pkcs11:URI... [--trusted ROOT.json] [--yes]",
	    "shows what a draft changes, asks, and signs it", run_sign },
	{ "root assemble", "DRAFT OUT.json [--incomplete]", "makes the root of a draft that enough have signed",
	    run_assemble },
	{ "root verify", "[--expired] 1.root.json 2.root.json...", "walks a chain of roots as devices do",
	    run_verify },
	{ 0 },
};
