/*
 * How fast director documents are signed: signing FOLDER [COUNT [THREADS]]. ota-signd's server runs in a
 * process of its own with new keys in FOLDER, which is empty; this one asks it through the socket. For each
 * number of threads that ask, or THREADS, one line of microseconds for a document, medians of rounds in which
 * libsodium signs as many of the same length in turn:
 *
 *     THREADS LIBSODIUM SIGNER BOTH LIBSODIUM-GONE GONE
 *
 * processor time of libsodium, of the signer, of it and who asks; and the time that went by with either.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/chain.h"
#include "sign/client.h"
#include "sign/key.h"
#include "sign/server.h"

#define HASH "a1%062d"
/** Targets of a document, of two ECUs each: it has 1.3 KiB. */
#define TARGETS 3
#define ROUNDS 5
#define THREADS_MAX 64

/* Documents that one thread has signed, one after the other. */
struct load {
	struct client *client;
	char **texts;
	size_t *bytes;
	int count;
};

static void
must(int r, const struct err *err)
{
	if (r == 0)
		return;
	fprintf(stderr, "signing: %d: %s\n", r, err->text);
	exit(1);
}

/* -- the signer -- */

static void
make_root(struct keyring *keyring, enum repository repository)
{
	AUTO(json_decref_p) json_t *nothing = json_object();
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *envelope = NULL;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t n;

	must(keyring_begin(keyring, repository, nothing, NULL, false, utc_now(), &root, &err), &err);
	file = json_pack("{s:[],s:O}", "signatures", "signed", root);
	text = json_write(file);
	must(keyring_finish(keyring, repository, text, strlen(text), utc_now(), &envelope, &n, &err), &err);
}

static void
serve_until(int dir, int fd, int end)
{
	struct policy policy = { .signer = { getuid(), getuid() } };
	const struct journal_limits limits = { CHAIN_FILE_MAX, 4LL * CHAIN_FILE_MAX };
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = end, .events = POLLIN } };
	struct keyring *keyring;
	struct ledger *ledger;
	struct journal *journal;
	struct issuer *issuer;
	struct server *server;
	struct err err = { 0 };

	for (int i = 0; i < REPOSITORY_COUNT; i++)
		for (int role = 0; role < ROLE_COUNT; role++)
			policy.days[i][role] = 31;
	must(keyring_open(dir, 365, &keyring, &err), &err);
	must(ledger_open(dir, &ledger, &err), &err);
	must(journal_open(dir, &limits, utc_now(), &journal, &err), &err);
	must(issuer_open(dir, &issuer, &err), &err);
	must(server_new(fd, &policy, keyring, ledger, journal, issuer, &server, &err), &err);
	make_root(keyring, REPOSITORY_IMAGE);
	make_root(keyring, REPOSITORY_DIRECTOR);
	server_renew(server);
	for (;;) {
		poll(fds, 2, 500);
		server_tick(server);
		if (fds[1].revents)
			_exit(0);
		if (fds[0].revents)
			server_accept(server);
	}
}

static int
listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

/* -- documents -- */

static json_t *
image_targets(const char *expires)
{
	json_t *targets = json_object();

	for (int i = 0; i < TARGETS; i++) {
		char name[32], hash[72];

		snprintf(name, sizeof(name), "application-%d-2.0", i);
		snprintf(hash, sizeof(hash), HASH, i);
		json_object_set_new(targets, name,
		    json_pack("{s:i,s:{s:s},s:{s:[s],s:s}}", "length", 0, "hashes", "sha256", hash, "custom",
			"hardwareIds", "qemux86-64", "targetFormat", "OSTREE"));
	}
	return json_pack(
	    "{s:s,s:s,s:i,s:o}", "_type", "Targets", "expires", expires, "version", 1, "targets", targets);
}

/* Has the image repository signed and shown, so that the director may name its targets. */
static void
publish(struct client *client, const char *expires)
{
	AUTO(json_decref_p) json_t *targets = image_targets(expires);
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t bytes;

	must(client_sign(client, REPOSITORY_IMAGE, ROLE_TARGETS, targets, &text, &bytes, &err), &err);
	must(json_read(text, bytes, "targets", &file, &err), &err);
	must(client_show(client, "targets", file, &err), &err);
	must(client_show(client, NULL, NULL, &err), &err);
}

static void
add_target(json_t *targets, int device, int number)
{
	char name[32], hash[72], ecu[80], second[80];

	snprintf(name, sizeof(name), "application-%d-2.0", number);
	snprintf(hash, sizeof(hash), HASH, number);
	snprintf(ecu, sizeof(ecu), "vehicle-%08d-primary-ecu-%032d", device, 2 * number);
	snprintf(second, sizeof(second), "vehicle-%08d-primary-ecu-%032d", device, 2 * number + 1);
	json_object_set_new(targets, name,
	    json_pack("{s:i,s:{s:s},s:{s:{s:{s:s},s:{s:s}},s:s,s:n}}", "length", 0, "hashes", "sha256", hash,
		"custom", "ecuIdentifiers", ecu, "hardwareId", "qemux86-64", second, "hardwareId", "qemux86-64",
		"targetFormat", "OSTREE", "uri"));
}

static char *
director_targets(int device, int version, const char *expires, size_t *bytes)
{
	json_t *targets = json_object();
	AUTO(json_decref_p) json_t *json = NULL;
	struct err err = { 0 };
	char id[32], *text;

	snprintf(id, sizeof(id), "vehicle-%08d", device);
	for (int i = 0; i < TARGETS; i++)
		add_target(targets, device, i);
	json = json_pack("{s:s,s:{s:s,s:s},s:s,s:o,s:i}", "_type", "Targets", "custom", "correlationId",
	    "urn:here-ota:mtu:0f8b7ad0-5b51-4d6a-8a3e-7c6f1a2b3c4d", "deviceId", id, "expires", expires,
	    "targets", targets, "version", version);
	must(canonical_write(json, &text, bytes, &err), &err);
	return text;
}

/* -- measuring -- */

/* Seconds. */
struct moment {
	double own, signer; /* processor time */
	double gone;
};

/* The same for one document, in microseconds, with libsodium and with the signer. */
struct figures {
	double raw, signer, both, raw_gone, gone;
};

/* Processor time of a process, its threads included. */
static double
cpu_of(pid_t pid)
{
	struct timespec at;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &at) < 0)
		return 0;
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static struct moment
now(pid_t signer)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (struct moment){ cpu_of(0), signer ? cpu_of(signer) : 0,
		(double)at.tv_sec + (double)at.tv_nsec / 1e9 };
}

static void
sign_raw(char **texts, const size_t *bytes, int count)
{
	unsigned char public[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
	unsigned char signature[crypto_sign_BYTES];

	crypto_sign_keypair(public, secret);
	for (int i = 0; i < count; i++)
		crypto_sign_detached(signature, NULL, (unsigned char *)texts[i], bytes[i], secret);
}

static void *
ask(void *argument)
{
	struct load *load = argument;
	const struct client_basis basis = { 1, 0 };
	struct err err = { 0 };

	for (int i = 0; i < load->count; i++) {
		AUTO(free_p) char *envelope = NULL;

		must(client_sign_text(load->client, ROLE_TARGETS, &basis, load->texts[i], load->bytes[i],
			 &envelope, NULL, &err),
		    &err);
	}
	return NULL;
}

static void
sign_by(struct client *client, int threads, char **texts, size_t *bytes, int count)
{
	pthread_t ids[THREADS_MAX];
	struct load loads[THREADS_MAX];

	for (int i = 0; i < threads; i++) {
		int first = count / threads * i;

		loads[i] = (struct load){ client, texts + first, bytes + first, count / threads };
		pthread_create(&ids[i], NULL, ask, &loads[i]);
	}
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
}

/* One round: documents of version @version are made before, since it is not that which is measured. */
static struct figures
measure(struct client *client, pid_t signer, const char *expires, int version, int threads, int count)
{
	AUTO(free_p) char **texts = calloc((size_t)count, sizeof(*texts));
	AUTO(free_p) size_t *bytes = calloc((size_t)count, sizeof(*bytes));
	struct moment at[3];

	for (int i = 0; i < count; i++)
		texts[i] = director_targets(i, version, expires, &bytes[i]);
	at[0] = now(0);
	sign_raw(texts, bytes, count);
	at[1] = now(signer);
	sign_by(client, threads, texts, bytes, count);
	at[2] = now(signer);
	for (int i = 0; i < count; i++)
		free(texts[i]);
	return (struct figures){ (at[1].own - at[0].own) / count * 1e6,
		(at[2].signer - at[1].signer) / count * 1e6,
		(at[2].signer - at[1].signer + at[2].own - at[1].own) / count * 1e6,
		(at[1].gone - at[0].gone) / count * 1e6, (at[2].gone - at[1].gone) / count * 1e6 };
}

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
median(const struct figures *figures, size_t offset)
{
	double values[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		memcpy(&values[i], (const char *)&figures[i] + offset, sizeof(double));
	qsort(values, ROUNDS, sizeof(double), by_size);
	return values[ROUNDS / 2];
}

static void
tell(struct client *client, pid_t signer, const char *expires, int threads, int count)
{
	static int version;
	struct figures figures[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		figures[i] = measure(client, signer, expires, ++version, threads, count);
	printf("%d %.1f %.1f %.1f %.1f %.1f\n", threads, median(figures, offsetof(struct figures, raw)),
	    median(figures, offsetof(struct figures, signer)), median(figures, offsetof(struct figures, both)),
	    median(figures, offsetof(struct figures, raw_gone)),
	    median(figures, offsetof(struct figures, gone)));
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	static const int threads[] = { 1, 8, THREADS_MAX };
	char path[64], expires[UTC_TEXT_SIZE];
	AUTO(client_freep) struct client *client = NULL;
	int dir = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1,
	    count = argc > 2 ? atoi(argv[2]) : 6400;
	int fd, end[2];
	struct err err = { 0 };
	pid_t signer;

	if (dir < 0 || count < THREADS_MAX || pipe(end) < 0) {
		fprintf(stderr, "usage: signing FOLDER [COUNT [THREADS]]\n");
		return 2;
	}
	count -= count % THREADS_MAX;
	must(key_start(&err), &err);
	snprintf(path, sizeof(path), "%.50s/sign.sock", argv[1]);
	fd = listen_at(path);
	if ((signer = fork()) == 0) {
		close(end[1]);
		serve_until(dir, fd, end[0]);
	}
	close(end[0]);
	utc_format(utc_now() + 86400, expires);
	client = client_new(path);
	publish(client, expires);
	for (size_t i = 0; i < sizeof(threads) / sizeof(*threads); i++)
		if (argc < 4 || atoi(argv[3]) == threads[i])
			tell(client, signer, expires, threads[i], count);
	close(end[1]);
	waitpid(signer, NULL, 0);
	return 0;
}
