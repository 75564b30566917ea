#include "lib/login.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/guess.h"
#include "lib/steady.h"

/** Some 10,000 people. */
#define FILE_BYTES_MAX (1024 * 1024)
/** What crypt(3) takes, with its 0. */
#define PASSWORD_SIZE CRYPT_MAX_PASSPHRASE_SIZE
#define PAIR_SIZE (LOGIN_NAME_SIZE + PASSWORD_SIZE)
/** People whose passwords are remembered; more take the slow way again and again. */
#define REMEMBERED_MAX 64
/** Addresses from which people came; who is forgotten can be shut out by who guesses at his name. */
#define KNOWN_MAX 256

/* Hashed when there is no such name, so that this takes as long as a wrong password. */
static const char NOBODYS[] = "$6$notaperson$";

struct remembered {
	unsigned char digest[SHA256_DIGEST_LENGTH]; /* of salt, name and password */
	int64_t until;                              /* of the clock that nobody sets */
};

/* Who once showed the right password from where. */
struct known {
	uint64_t by_name, by_address;
};

struct login {
	char *path;
	pthread_mutex_t
	    hashing;          /* one hash at a time, so that guessing takes one processor; outside the other */
	pthread_mutex_t lock; /* of all below */
	char *text;           /* the file; NULL: there is none */
	struct stat st;       /* of that file */
	struct guesses guesses;
	struct remembered remembered[REMEMBERED_MAX];
	unsigned next; /* is replaced next */
	struct known known[KNOWN_MAX];
	unsigned next_known;
	unsigned char salt[16];
};

/* What a client sent, taken apart. */
struct pair {
	char name[LOGIN_NAME_SIZE];
	char password[PASSWORD_SIZE];
	unsigned char digest[SHA256_DIGEST_LENGTH];
	uint64_t by_name, by_address;
};

struct login *
login_new(const char *path)
{
	struct login *login = calloc(1, sizeof(*login));

	if (!login || !(login->path = strdup(path)) || guesses_init(&login->guesses) < 0 ||
	    RAND_bytes(login->salt, sizeof(login->salt)) != 1) {
		login_free(login);
		return NULL;
	}
	pthread_mutex_init(&login->hashing, NULL);
	pthread_mutex_init(&login->lock, NULL);
	return login;
}

void
login_free(struct login *login)
{
	if (!login)
		return;
	free(login->path);
	free(login->text);
	free(login);
}

void
login_freep(struct login **login)
{
	login_free(*login);
}

/* ---- the file */

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Reads the file when it is another; whoever was remembered has to show the password again. */
static int
look_at_file(struct login *login, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	struct stat st = { 0 };
	size_t bytes;
	int r = stat(login->path, &st) < 0 ? -errno : 0;

	if (r < 0 && r != -ENOENT)
		return err_set(err, -r, "%s: %s", login->path, strerror(-r));
	if (r == 0 && login->text && is_same(&st, &login->st))
		return 0;
	if (r == 0 && (r = file_read(AT_FDCWD, login->path, FILE_BYTES_MAX, &text, &bytes, err)) < 0)
		return r;
	memset(login->remembered, 0, sizeof(login->remembered));
	free(login->text);
	login->text = MOVE(text);
	login->st = st;
	return 0;
}

/* The hash of @name, the first if there are several. */
static bool
find_hash(const struct login *login, const char *name, char hash[static CRYPT_OUTPUT_SIZE])
{
	size_t n = strlen(name);

	for (const char *line = login->text; line && *line;
	     line += strcspn(line, "\n"), line += *line == '\n') {
		size_t bytes = strcspn(line, "\r\n");

		if (bytes <= n + 1 || strncmp(line, name, n) != 0 || line[n] != ':')
			continue;
		bytes -= n + 1;
		/* htpasswd(1) allows for a comment behind a further colon. */
		bytes = strcspn(line + n + 1, ":\r\n") < bytes ? strcspn(line + n + 1, ":\r\n") : bytes;
		if (bytes >= CRYPT_OUTPUT_SIZE)
			return false;
		memcpy(hash, line + n + 1, bytes);
		hash[bytes] = '\0';
		return true;
	}
	return false;
}

/* ---- what was sent */

/* RFC 7617: the name has no colon, neither has a control character. */
static bool
split(const unsigned char *text, size_t bytes, struct pair *pair)
{
	const unsigned char *colon = memchr(text, ':', bytes);
	size_t name = colon ? (size_t)(colon - text) : 0, password = colon ? bytes - name - 1 : 0;

	if (name == 0 || name >= sizeof(pair->name) || password >= sizeof(pair->password))
		return false;
	for (size_t i = 0; i < bytes; i++)
		if (text[i] < 0x20 || text[i] == 0x7f)
			return false;
	memcpy(pair->name, text, name);
	pair->name[name] = '\0';
	memcpy(pair->password, colon + 1, password);
	pair->password[password] = '\0';
	return true;
}

static bool
parse(const char *authorization, struct pair *pair)
{
	unsigned char text[PAIR_SIZE];
	size_t bytes = sizeof(text);
	bool is_one = false;

	if (strncasecmp(authorization, "Basic ", 6) != 0)
		return false;
	authorization += 6;
	authorization += strspn(authorization, " ");
	if (digest_unbase64(authorization, text, &bytes) == 0)
		is_one = split(text, bytes, pair);
	explicit_bzero(text, sizeof(text));
	return is_one;
}

static void
make_keys(const struct login *login, const char *address, struct pair *pair)
{
	unsigned char text[sizeof(login->salt) + PAIR_SIZE];
	size_t name = strlen(pair->name) + 1, password = strlen(pair->password);

	memcpy(text, login->salt, sizeof(login->salt));
	memcpy(text + sizeof(login->salt), pair->name, name);
	memcpy(text + sizeof(login->salt) + name, pair->password, password);
	SHA256(text, sizeof(login->salt) + name + password, pair->digest);
	explicit_bzero(text, sizeof(text));
	pair->by_name = guess_of_name(&login->guesses, pair->name);
	pair->by_address = guess_of_address(&login->guesses, address);
}

/* ---- what is remembered; with the lock */

static bool
is_remembered(const struct login *login, const struct pair *pair, int64_t now)
{
	bool found = false;

	for (unsigned i = 0; i < REMEMBERED_MAX; i++)
		if (login->remembered[i].until > now)
			found |=
			    CRYPTO_memcmp(login->remembered[i].digest, pair->digest, sizeof(pair->digest)) == 0;
	return found;
}

static bool
is_known(const struct login *login, const struct pair *pair)
{
	for (unsigned i = 0; i < KNOWN_MAX; i++)
		if (login->known[i].by_name == pair->by_name && login->known[i].by_address == pair->by_address)
			return true;
	return false;
}

static void
remember(struct login *login, const struct pair *pair, int64_t now)
{
	struct remembered *slot = &login->remembered[login->next++ % REMEMBERED_MAX];

	memcpy(slot->digest, pair->digest, sizeof(slot->digest));
	slot->until = now + LOGIN_SECONDS;
	if (!is_known(login, pair))
		login->known[login->next_known++ % KNOWN_MAX] =
		    (struct known){ pair->by_name, pair->by_address };
}

static int
refuse_too_many(struct err *err)
{
	err_set(err, EAGAIN, "too many wrong passwords; wait for %d seconds", LOGIN_PAUSE_SECONDS);
	return LOGIN_TOO_MANY;
}

static int
refuse(struct err *err)
{
	err_set(err, EACCES, "wrong name or password");
	return LOGIN_NOBODY;
}

/** It takes a hash to know. */
#define UNKNOWN 3

/*
 * 0: remembered; LOGIN_TOO_MANY, UNKNOWN, or -errno. A name that somebody guesses at is not closed to who knows
 * its password and showed it lately, nor to an address that it came from before: an address that guesses is.
 */
static int
look_up(struct login *login, const struct pair *pair, struct err *err)
{
	int64_t now = steady_seconds();
	int r;

	if (guess_count(&login->guesses, pair->by_address, now) >= LOGIN_FAILURES)
		return refuse_too_many(err);
	if ((r = look_at_file(login, err)) < 0)
		return r;
	if (is_remembered(login, pair, now))
		return 0;
	if (guess_count(&login->guesses, pair->by_name, now) < LOGIN_FAILURES || is_known(login, pair))
		return UNKNOWN;
	guess_was_wrong(&login->guesses, pair->by_address, now, LOGIN_PAUSE_SECONDS);
	return refuse_too_many(err);
}

/* ---- the slow way */

/* -ENOMEM, or whether it is the password. A hash of a kind that is too weak to be used is nobody's. */
static int
is_password(const char *password, const char *hash)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char *made;
	int r = 0;

	if (!data)
		return -ENOMEM;
	if (crypt_checksalt(hash) != CRYPT_SALT_OK) {
		crypt_r(password, NOBODYS, data);
	} else if ((made = crypt_r(password, hash, data))) {
		size_t n = strlen(made);

		r = made[0] != '*' && n == strlen(hash) && CRYPTO_memcmp(made, hash, n) == 0;
	}
	explicit_bzero(data, sizeof(*data));
	free(data);
	return r;
}

static int
settle(struct login *login, const struct pair *pair, bool is_right, const char *hash, struct err *err)
{
	int64_t now = steady_seconds();
	char present[CRYPT_OUTPUT_SIZE];

	/* The file may be another meanwhile. */
	if (is_right && find_hash(login, pair->name, present) && !strcmp(present, hash)) {
		remember(login, pair, now);
		return 0;
	}
	guess_was_wrong(&login->guesses, pair->by_name, now, LOGIN_PAUSE_SECONDS);
	guess_was_wrong(&login->guesses, pair->by_address, now, LOGIN_PAUSE_SECONDS);
	return refuse(err);
}

/* With the lock of hashing: who waited for it may find it done. */
static int
hash_it(struct login *login, const struct pair *pair, struct err *err)
{
	char hash[CRYPT_OUTPUT_SIZE];
	int r, is_right;

	pthread_mutex_lock(&login->lock);
	r = look_up(login, pair, err);
	if (r == UNKNOWN && !find_hash(login, pair->name, hash))
		strcpy(hash, "*");
	pthread_mutex_unlock(&login->lock);
	if (r != UNKNOWN)
		return r;
	is_right = is_password(pair->password, hash);
	if (is_right < 0)
		return err_set(err, ENOMEM, "no memory to check a password");
	pthread_mutex_lock(&login->lock);
	r = settle(login, pair, is_right, hash, err);
	pthread_mutex_unlock(&login->lock);
	return r;
}

static int
check(struct login *login, const struct pair *pair, struct err *err)
{
	int r;

	pthread_mutex_lock(&login->lock);
	r = look_up(login, pair, err);
	pthread_mutex_unlock(&login->lock);
	if (r != UNKNOWN)
		return r;
	pthread_mutex_lock(&login->hashing);
	r = hash_it(login, pair, err);
	pthread_mutex_unlock(&login->hashing);
	return r;
}

int
login_check(struct login *login, const char *authorization, const char *address,
    char name[static LOGIN_NAME_SIZE], struct err *err)
{
	struct pair pair;
	int r;

	if (!parse(authorization, &pair)) {
		err_set(err, EACCES, "no name and password");
		return LOGIN_NOBODY;
	}
	make_keys(login, address, &pair);
	r = check(login, &pair, err);
	if (r == 0)
		memcpy(name, pair.name, LOGIN_NAME_SIZE);
	explicit_bzero(&pair, sizeof(pair));
	return r;
}

/* ---- other credentials */

void
login_failed(struct login *login, const char *address)
{
	pthread_mutex_lock(&login->lock);
	guess_was_wrong(
	    &login->guesses, guess_of_address(&login->guesses, address), steady_seconds(), LOGIN_PAUSE_SECONDS);
	pthread_mutex_unlock(&login->lock);
}

int
login_is_paused(struct login *login, const char *address)
{
	int count;

	pthread_mutex_lock(&login->lock);
	count = guess_count(&login->guesses, guess_of_address(&login->guesses, address), steady_seconds());
	pthread_mutex_unlock(&login->lock);
	return count >= LOGIN_FAILURES;
}

uint64_t
login_source(const struct login *login, const char *address)
{
	return guess_of_address(&login->guesses, address);
}
