#include "sign/issuer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "sign/x509.h"

#define CHAIN_FILE "chain.pem"
#define PENDING_FILE "pending"
/** PKCS #8 of EC P-256 has 250 bytes. */
#define KEY_FILE_MAX 8192
#define KEY_NAME_SIZE (DIGEST_HEX_SIZE + 4)
#define DAY_SECONDS 86400
/** For servers whose clock is a little behind. */
#define BEFORE_SECONDS 300

struct issuer {
	int dir; /* of the issuer; -1: there is none yet */
	int above;
	EVP_PKEY *key;                    /* NULL: nothing can be issued */
	EVP_PKEY *pending;                /* NULL: none */
	char pending_name[KEY_NAME_SIZE]; /* as the file has it, while it is loaded */
	struct x509_chain chain;
};

/* -- keys on disk -- */

static void
name_key(const char *id, char name[static KEY_NAME_SIZE])
{
	snprintf(name, KEY_NAME_SIZE, "%s.key", id);
}

static int
load_key(const struct issuer *issuer, const char *name, EVP_PKEY **out, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = file_read_plain(issuer->dir, name, KEY_FILE_MAX, &text, &bytes, err);

	if (r < 0)
		return r;
	r = x509_key_read(text, bytes, name, out, err);
	explicit_bzero(text, bytes);
	return r;
}

/* The key first: one that nobody names is deleted. */
static int
save_pending(const struct issuer *issuer, const EVP_PKEY *key, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	char id[DIGEST_HEX_SIZE], name[KEY_NAME_SIZE];
	size_t bytes;
	int r;

	if ((r = x509_key_id(key, id, err)) < 0 || (r = x509_key_write(key, &text, &bytes, err)) < 0)
		return r;
	name_key(id, name);
	r = file_replace(issuer->dir, name, text, bytes, 0600, err);
	explicit_bzero(text, bytes);
	return r < 0 ? r : file_replace(issuer->dir, PENDING_FILE, name, strlen(name), 0600, err);
}

static bool
is_key_name(const char *name)
{
	return strlen(name) == KEY_NAME_SIZE - 1 && strspn(name, "0123456789abcdef") == DIGEST_HEX_SIZE - 1 &&
	       !strcmp(name + DIGEST_HEX_SIZE - 1, ".key");
}

/* Calls @each for every key file but that of @but (NULL: none). */
static int
each_key(struct issuer *issuer, const EVP_PKEY *but,
    int (*each)(struct issuer *issuer, const char *name, struct err *err), struct err *err)
{
	int fd = openat(issuer->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	AUTO(closedir_p) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char id[DIGEST_HEX_SIZE], own[KEY_NAME_SIZE] = "";
	const struct dirent *entry;

	if (!dir) {
		close_p(&fd);
		return err_sys(err, "%s: cannot be listed", ISSUER_FOLDER);
	}
	if (but && (r = x509_key_id(but, id, err)) == 0)
		name_key(id, own);
	while (r == 0 && (entry = readdir(dir)))
		if (is_key_name(entry->d_name) && strcmp(entry->d_name, own))
			r = each(issuer, entry->d_name, err);
	return r;
}

static int
remove_key(struct issuer *issuer, const char *name, struct err *err)
{
	if (unlinkat(issuer->dir, name, 0) < 0 && errno != ENOENT)
		return err_sys(err, "%s/%s", ISSUER_FOLDER, name);
	log_line(LOG_NOTICE, "private key deleted issuer file=%s", name);
	return 0;
}

/* Of a request that was not answered, or left by a crash. */
static int
sort_key(struct issuer *issuer, const char *name, struct err *err)
{
	if (strcmp(name, issuer->pending_name) != 0)
		return remove_key(issuer, name, err);
	return load_key(issuer, name, &issuer->pending, err);
}

static int
read_pending(struct issuer *issuer, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = file_read_plain(issuer->dir, PENDING_FILE, KEY_NAME_SIZE, &text, &bytes, err);

	if (r == 0)
		snprintf(issuer->pending_name, sizeof(issuer->pending_name), "%s", text);
	return r == -ENOENT ? 0 : r;
}

/* -- opening -- */

static int
load_chain(struct issuer *issuer, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = file_read_plain(issuer->dir, CHAIN_FILE, X509_CHAIN_BYTES_MAX, &text, &bytes, err);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : x509_chain_read(text, bytes, &issuer->chain, err);
}

/* The key that the chain's first certificate is for. */
static int
load_own(struct issuer *issuer, struct err *err)
{
	char id[DIGEST_HEX_SIZE], name[KEY_NAME_SIZE];
	int r;

	if (issuer->chain.count == 0)
		return 0;
	if ((r = x509_key_id(X509_get0_pubkey(issuer->chain.list[0]), id, err)) < 0)
		return r;
	name_key(id, name);
	return load_key(issuer, name, &issuer->key, err);
}

/* With a damaged chain nobody knows which key is good: none is touched. */
static void
load(struct issuer *issuer)
{
	struct err err;
	const EVP_PKEY *own;

	issuer->dir = openat(issuer->above, ISSUER_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (issuer->dir < 0)
		return;
	if (load_chain(issuer, &err) < 0 || load_own(issuer, &err) < 0) {
		log_line(LOG_ERR, "issuing CA damaged, nothing is issued reason=\"%s\": restore keys/%s",
		    err.text, ISSUER_FOLDER);
		return;
	}
	own = issuer->chain.count ? X509_get0_pubkey(issuer->chain.list[0]) : NULL;
	if (read_pending(issuer, &err) < 0 || each_key(issuer, own, sort_key, &err) < 0)
		log_line(LOG_ERR, "request of an issuing CA damaged reason=\"%s\"", err.text);
}

int
issuer_open(int dir, struct issuer **out, struct err *err)
{
	struct issuer *issuer = calloc(1, sizeof(*issuer));

	if (!issuer)
		return err_set(err, ENOMEM, "no memory for the issuing CA");
	x509_start();
	issuer->above = dir;
	load(issuer);
	*out = issuer;
	return 0;
}

void
issuer_free(struct issuer *issuer)
{
	if (!issuer)
		return;
	EVP_PKEY_free(issuer->key);
	EVP_PKEY_free(issuer->pending);
	x509_chain_done(&issuer->chain);
	close_p(&issuer->dir);
	free(issuer);
}

void
issuer_freep(struct issuer **issuer)
{
	issuer_free(*issuer);
}

/* -- the request and its answer -- */

static int
make_folder(struct issuer *issuer, struct err *err)
{
	if (issuer->dir >= 0)
		return 0;
	if (mkdirat(issuer->above, ISSUER_FOLDER, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "%s", ISSUER_FOLDER);
	issuer->dir = openat(issuer->above, ISSUER_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return issuer->dir < 0 ? err_sys(err, "%s", ISSUER_FOLDER) : file_sync_folder(issuer->above, ".", err);
}

/* The key that the next request is for: one that waits, the one that issues, or a new one. */
static int
key_to_certify(struct issuer *issuer, bool is_new_key, EVP_PKEY **out, struct err *err)
{
	AUTO(x509_key_freep) EVP_PKEY *key = NULL;
	int r;

	*out = issuer->pending ? issuer->pending : is_new_key ? NULL : issuer->key;
	if (*out)
		return 0;
	if ((r = make_folder(issuer, err)) < 0 || (r = x509_key_new(&key, err)) < 0 ||
	    (r = save_pending(issuer, key, err)) < 0)
		return r;
	*out = issuer->pending = MOVE(key);
	return 0;
}

int
issuer_request(
    struct issuer *issuer, const char *name, bool is_new_key, char **pem, size_t *bytes, struct err *err)
{
	EVP_PKEY *key;
	int r;

	if (!*name || strlen(name) > ISSUER_NAME_MAX || !name_is_printable(name))
		return err_set(err, EINVAL, "a CA's name has 1 to %d printable characters", ISSUER_NAME_MAX);
	r = key_to_certify(issuer, is_new_key, &key, err);
	return r < 0 ? r : x509_request(key, name, pem, bytes, err);
}

/* Whose certificate the chain begins with: a borrowed place, which holds the key. */
static EVP_PKEY **
holder_of(struct issuer *issuer, const struct x509_chain *chain)
{
	EVP_PKEY *public = X509_get0_pubkey(chain->list[0]);

	if (issuer->key && EVP_PKEY_eq(issuer->key, public) == 1)
		return &issuer->key;
	return issuer->pending && EVP_PKEY_eq(issuer->pending, public) == 1 ? &issuer->pending : NULL;
}

/* What cannot be deleted now is at the next start. */
static void
adopt(struct issuer *issuer, EVP_PKEY **holder, struct x509_chain *chain)
{
	EVP_PKEY *key = *holder;
	struct err err;

	*holder = NULL;
	EVP_PKEY_free(issuer->key);
	EVP_PKEY_free(issuer->pending);
	issuer->key = key;
	issuer->pending = NULL;
	x509_chain_done(&issuer->chain);
	issuer->chain = *chain;
	chain->count = 0;
	if (each_key(issuer, key, remove_key, &err) < 0)
		log_line(LOG_ERR, "private key not deleted reason=\"%s\"", err.text);
}

static int
tell(const struct x509_chain *chain, char told[static ERR_TEXT_MAX], struct err *err)
{
	char name[X509_NAME_SIZE], sha256[DIGEST_HEX_SIZE], end[UTC_TEXT_SIZE];
	int r = x509_digest(chain->list[0], sha256, err);

	utc_format(x509_end(chain->list[0]), end);
	snprintf(told, ERR_TEXT_MAX, "%s until %s, SHA-256 %s", x509_name(chain->list[0], name), end, sha256);
	return r;
}

int
issuer_install(struct issuer *issuer, const char *pem, size_t bytes, int64_t now,
    char told[static ERR_TEXT_MAX], struct err *err)
{
	AUTO(x509_chain_done) struct x509_chain chain = { .count = 0 };
	AUTO(free_p) char *text = NULL;
	EVP_PKEY **holder;
	int r;

	if ((r = x509_chain_read(pem, bytes, &chain, err)) < 0 || (r = x509_chain_check(&chain, now, err)) < 0)
		return err_context(err, r, "chain of the issuing CA");
	holder = holder_of(issuer, &chain);
	if (!holder)
		return err_set(err, ENOKEY,
		    "chain of the issuing CA: its first certificate is not for a key of ota-signd: sign what "
		    "\"ota-sign issuer request\" prints");
	/* Without what else stood in the file. */
	if ((r = tell(&chain, told, err)) < 0 ||
	    (r = x509_write(chain.list, chain.count, &text, &bytes, err)) < 0 ||
	    (r = file_replace(issuer->dir, CHAIN_FILE, text, bytes, 0600, err)) < 0)
		return r;
	adopt(issuer, holder, &chain);
	return 0;
}

/* -- issuing -- */

static int
need_chain(const struct issuer *issuer, struct err *err)
{
	if (issuer->key && issuer->chain.count)
		return 0;
	err_set(err, ENOKEY, "%s",
	    issuer->chain.count ? "the issuing CA's key is lost: restore keys/issuer from the backup"
				: "there is no issuing CA: ota-sign issuer request, and install, make one");
	return ISSUER_NONE;
}

int
issuer_chain(const struct issuer *issuer, char **pem, size_t *bytes, struct err *err)
{
	int r = need_chain(issuer, err);

	return r ? r : x509_write(issuer->chain.list, issuer->chain.count, pem, bytes, err);
}

void
issuer_made_done(struct issuer_made *made)
{
	free(MOVE(made->pem));
}

static int
describe(const struct issuer *issuer, X509 *x509, struct issuer_made *out, struct err *err)
{
	X509 *list[X509_CHAIN_MAX] = { x509 };
	int r;

	memcpy(list + 1, issuer->chain.list, (size_t)(issuer->chain.count - 1) * sizeof(list[0]));
	out->expires_at = x509_end(x509);
	if ((r = x509_serial(x509, out->serial, sizeof(out->serial), err)) < 0 ||
	    (r = x509_digest(x509, out->sha256, err)) < 0)
		return r;
	return x509_write(list, issuer->chain.count, &out->pem, &out->bytes, err);
}

int
issuer_make(const struct issuer *issuer, const char *name, const char *public_pem, int64_t days, int64_t now,
    struct issuer_made *out, struct err *err)
{
	AUTO(x509_key_freep) EVP_PKEY *key = NULL;
	AUTO(x509_freep) X509 *x509 = NULL;
	struct x509_wish wish = { .name = name, .from = now - BEFORE_SECONDS, .end = now + days * DAY_SECONDS };
	int64_t end;
	int r = need_chain(issuer, err);

	if (r || (r = x509_public_read(public_pem, &key, err)) < 0)
		return r;
	end = x509_chain_end(&issuer->chain);
	if (end <= now)
		return err_set(err, EKEYEXPIRED, "a CA of \"ota-sign issuer show\" has expired");
	wish.key = key;
	wish.end = wish.end < end ? wish.end : end;
	wish.issuer = issuer->chain.list[0];
	wish.issuer_key = issuer->key;
	r = x509_make(&wish, &x509, err);
	return r < 0 ? r : describe(issuer, x509, out, err);
}

int
issuer_revoke(const struct issuer *issuer, const char *const *serials, size_t count, int64_t days, int64_t now,
    char **pem, size_t *bytes, struct err *err)
{
	struct x509_revocation list = { serials, count, now, now + days * DAY_SECONDS, issuer->chain.list[0],
		issuer->key };
	int r = need_chain(issuer, err);

	return r ? r : x509_revoke(&list, pem, bytes, err);
}
