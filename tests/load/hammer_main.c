/*
 * Readers before a web server while the assignments of the same devices change as fast as they can be changed.
 * No answer may be torn (its length, its signature, the bytes of its version), nor stale: older than a change
 * that was acknowledged before the request was sent. That an ETag still holds is an answer like any other.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/key.h"
#include "tests/load/body.h"
#include "tests/load/crowd.h"
#include "tests/load/https.h"
#include "tests/load/seen.h"

#define PATH_BYTES 512
#define HEAD_BYTES 512
#define TEXT_BYTES 65536
#define WRITERS_MAX 16
#define COMPLAINTS_MAX 10
/** Ends an update, though the device may have read of it. */
#define CANCEL "cancel!\n"

/** A device that is written to. A change is an assignment or the end of it, and raises the version by one. */
struct device {
	X509 *certificate;
	struct seen *seen;
	long first;          /* its version before the first change */
	atomic_long version; /* of the last change that was acknowledged */
	atomic_long highest; /* that somebody was given */
};

struct reader {
	pthread_mutex_t lock;
	struct connection connection;
	char etag[HTTPS_ETAG_SIZE];
	long version; /* what the ETag stands for */
	bool is_asking_again;
};

struct hammer {
	const char *mount, *what;
	size_t devices, readers, writers;
	struct issuer *issuer;
	struct site *site;
	json_t *root; /* the "signed" part */
	struct device *list;
	struct reader *reading;
	atomic_bool is_over, has_failed;
	atomic_int complaints;
	atomic_long torn, stale, back, failed, same;
};

struct writer {
	struct hammer *hammer;
	size_t number;
};

static const char usage[] = "usage: ota-hammer [OPTION]... MOUNT PKI PORT PACKAGE VERSION\n"
			    "The devices are those of ota-load, registered and with certificates, to whom the "
			    "package can be assigned.\n"
			    "  -n DEVICES (8)  -t READERS (16)  -w WRITERS (2)  -r GETS (100000)\n"
			    "Ends with 1 when an answer was torn or stale.\n";

static void
complain(struct hammer *hammer, size_t number, const char *what, const char *why)
{
	if (atomic_fetch_add(&hammer->complaints, 1) < COMPLAINTS_MAX)
		fprintf(stderr, "load-%zu: %s: %s\n", number, what, why);
}

/* ---- writers */

static int
write_assign(const struct hammer *hammer, size_t number, const char *text, struct err *err)
{
	char path[PATH_BYTES], id[BODY_ID_SIZE];
	AUTO(close_p) int fd = -1;
	size_t bytes = strlen(text);

	body_id(number, id);
	snprintf(path, sizeof(path), "%s/devices/%s/assign", hammer->mount, id);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, bytes) != (ssize_t)bytes)
		return err_sys(err, "%s", path);
	return 0;
}

static int
read_once_more(const char *path, char *text, size_t room, struct err *err)
{
	AUTO(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, room - 1);

	if (n < 0)
		return err_sys(err, "%s", path);
	text[n] = '\0';
	return (int)n;
}

/* Where otafs was killed between the open and the read, it is opened anew. */
static int
read_file(const char *path, char *text, size_t room, struct err *err)
{
	int r;

	do
		r = read_once_more(path, text, room, err);
	while (r == -ESTALE);
	return r;
}

/* The version that the device has now. */
static int
look(const struct hammer *hammer, size_t number, long *version, struct err *err)
{
	char path[PATH_BYTES], id[BODY_ID_SIZE], text[TEXT_BYTES];
	int n;

	body_id(number, id);
	snprintf(path, sizeof(path), "%s/devices/%s/director/targets.json", hammer->mount, id);
	n = read_file(path, text, sizeof(text), err);
	if (n < 0)
		return n;
	*version = seen_version(text, (size_t)n);
	return *version > 0 ? 0 : err_set(err, EBADMSG, "%s: no version", path);
}

/* Where otafs was killed meanwhile (-ESTALE) the version tells what became of the write. */
static int
make_change(struct hammer *hammer, size_t number, const char *text, struct err *err)
{
	long version = hammer->list[number].version, now = version;
	int r;

	while ((r = write_assign(hammer, number, text, err)) == -ESTALE) {
		r = look(hammer, number, &now, err);
		if (r < 0 || now > version)
			return r;
	}
	return r;
}

static void *
write_on(void *argument)
{
	const struct writer *writer = argument;
	struct hammer *hammer = writer->hammer;
	struct err err = { 0 };

	for (long round = 0; !hammer->is_over; round++)
		for (size_t i = writer->number; i < hammer->devices && !hammer->is_over; i += hammer->writers) {
			const char *text = round % 2 ? CANCEL : hammer->what;

			if (make_change(hammer, i, text, &err) < 0) {
				complain(hammer, i, "assign", err.text);
				hammer->has_failed = true;
				return NULL;
			}
			atomic_fetch_add(&hammer->list[i].version, 1);
		}
	return NULL;
}

/* ---- readers */

static void
raise_to(atomic_long *highest, long version)
{
	long now = *highest;

	while (now < version && !atomic_compare_exchange_weak(highest, &now, version))
		;
}

static void
judge(struct hammer *hammer, size_t number, long version, long floor, long highest)
{
	char text[96];

	if (version < floor) {
		atomic_fetch_add(&hammer->stale, 1);
		snprintf(text, sizeof(text), "%ld, after %ld was acknowledged", version, floor);
		complain(hammer, number, "stale", text);
	} else if (version < highest) {
		atomic_fetch_add(&hammer->back, 1);
	}
	raise_to(&hammer->list[number].highest, version);
}

static bool
take(struct hammer *hammer, size_t number, struct reader *reader, const struct answer *answer)
{
	struct err err = { 0 };

	if (answer->status == 304) {
		atomic_fetch_add(&hammer->same, 1);
		return true;
	}
	if (answer->status != 200) {
		snprintf(err.text, sizeof(err.text), "status %d", answer->status);
		complain(hammer, number, "failed", err.text);
		atomic_fetch_add(&hammer->failed, 1);
		return false;
	}
	if (answer->is_torn || seen_check(hammer->list[number].seen, answer->body, answer->bytes, &err) < 0) {
		complain(hammer, number, "torn", answer->is_torn ? "its length" : err.text);
		atomic_fetch_add(&hammer->torn, 1);
		return false;
	}
	memcpy(reader->etag, answer->etag, sizeof(reader->etag));
	reader->version = seen_version(answer->body, answer->bytes);
	return true;
}

static int
exchange(struct hammer *hammer, size_t number, struct reader *reader, struct answer *answer, struct err *err)
{
	bool is_conditional = reader->is_asking_again && *reader->etag;
	char request[HEAD_BYTES];
	int n = snprintf(request, sizeof(request),
	    "GET /director/targets.json HTTP/1.1\r\nHost: localhost\r\n%s%s%s\r\n",
	    is_conditional ? "If-None-Match: " : "", is_conditional ? reader->etag : "",
	    is_conditional ? "\r\n" : "");
	int r;

	reader->is_asking_again = !reader->is_asking_again;
	/* A server that closes a kept connection is asked again over another. */
	for (int tries = 0; tries < 2; tries++) {
		r = connection_open(&reader->connection, hammer->site, hammer->list[number].certificate, err);
		if (r == 0)
			r = connection_ask(&reader->connection, request, (size_t)n, answer, err);
		if (r != -ECONNRESET)
			break;
	}
	return r;
}

static bool
read_once(size_t number, void *context)
{
	struct hammer *hammer = context;
	size_t lane = number % hammer->readers, i = lane % hammer->devices;
	struct reader *reader = &hammer->reading[lane];
	struct answer answer;
	struct err err = { 0 };
	long floor, highest;
	bool is_good;

	pthread_mutex_lock(&reader->lock);
	highest = hammer->list[i].highest;
	floor = hammer->list[i].version;
	is_good = exchange(hammer, i, reader, &answer, &err) == 0;
	if (!is_good) {
		complain(hammer, i, "failed", err.text);
		atomic_fetch_add(&hammer->failed, 1);
	}
	is_good = is_good && take(hammer, i, reader, &answer);
	if (is_good)
		judge(hammer, i, reader->version, floor, highest);
	pthread_mutex_unlock(&reader->lock);
	return is_good;
}

/* ---- before and after */

static int
read_root(struct hammer *hammer, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	char path[PATH_BYTES], text[TEXT_BYTES];
	int r;

	snprintf(path, sizeof(path), "%s/devices/load-0/director/root.json", hammer->mount);
	if ((r = read_file(path, text, sizeof(text), err)) < 0 ||
	    (r = json_read(text, (size_t)r, path, &json, err)) < 0)
		return r;
	hammer->root = json_incref(json_object_get(json, "signed"));
	return hammer->root ? 0 : err_set(err, EBADMSG, "%s: is no root", path);
}

static int
gather_one(struct hammer *hammer, size_t number, struct err *err)
{
	struct device *device = &hammer->list[number];
	char id[BODY_ID_SIZE];
	int r;

	body_id(number, id);
	write_assign(hammer, number, CANCEL, err); /* what a run before this left; there may be nothing */
	if ((r = look(hammer, number, &device->first, err)) < 0 ||
	    (r = seen_new(hammer->root, device->first, &device->seen, err)) < 0)
		return r;
	device->version = device->first;
	return issuer_issue(hammer->issuer, id, &device->certificate, err);
}

static int
gather(struct hammer *hammer, struct err *err)
{
	int r = read_root(hammer, err);

	hammer->list = calloc(hammer->devices, sizeof(*hammer->list));
	hammer->reading = calloc(hammer->readers, sizeof(*hammer->reading));
	if (!hammer->list || !hammer->reading)
		return err_set(err, ENOMEM, "no memory for the hammer");
	for (size_t i = 0; r == 0 && i < hammer->devices; i++)
		r = gather_one(hammer, i, err);
	for (size_t i = 0; i < hammer->readers; i++)
		pthread_mutex_init(&hammer->reading[i].lock, NULL);
	return r;
}

/* Each change has raised the version by one: otherwise nothing was proved. */
static int
settle(struct hammer *hammer, long *changes, size_t *versions, struct err *err)
{
	*changes = 0;
	*versions = 0;
	for (size_t i = 0; i < hammer->devices; i++) {
		const struct device *device = &hammer->list[i];
		long now;
		int r = look(hammer, i, &now, err);

		if (r < 0)
			return r;
		if (now != device->version)
			return err_set(err, ERANGE, "load-%zu: version %ld after %ld changes of %ld", i, now,
			    device->version - device->first, device->first);
		*changes += device->version - device->first;
		*versions += seen_count(device->seen);
	}
	return 0;
}

static void
report(const struct hammer *hammer, size_t gets, double seconds, long changes, size_t versions)
{
	printf("hammer: %zu GETs in %.1f s: %ld torn, %ld stale, %ld failed; %ld changes (%.0f/s), %zu "
	       "versions seen, %ld "
	       "times 304, %ld times back before acknowledged\n",
	    gets, seconds, hammer->torn, hammer->stale, hammer->failed, changes, (double)changes / seconds,
	    versions, hammer->same, hammer->back);
}

static int
run(struct hammer *hammer, size_t gets, struct err *err)
{
	struct writer writers[WRITERS_MAX];
	pthread_t threads[WRITERS_MAX];
	size_t started = 0, versions;
	double seconds = 0;
	long changes;
	int r;

	while (started < hammer->writers) {
		writers[started] = (struct writer){ hammer, started };
		if (pthread_create(&threads[started], NULL, write_on, &writers[started]) != 0)
			break;
		started++;
	}
	crowd_run(gets, hammer->readers, read_once, hammer, &seconds);
	hammer->is_over = true;
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if ((r = settle(hammer, &changes, &versions, err)) < 0)
		return r;
	if (started < hammer->writers || hammer->has_failed)
		return err_set(err, EIO, "a writer gave up");
	report(hammer, gets, seconds, changes, versions);
	return hammer->torn || hammer->stale || hammer->failed;
}

static void
dismiss(struct hammer *hammer)
{
	for (size_t i = 0; hammer->list && i < hammer->devices; i++) {
		X509_free(hammer->list[i].certificate);
		seen_free(hammer->list[i].seen);
	}
	for (size_t i = 0; hammer->reading && i < hammer->readers; i++)
		connection_done(&hammer->reading[i].connection);
	free(hammer->list);
	free(hammer->reading);
	json_decref(hammer->root);
	site_free(hammer->site);
	issuer_free(hammer->issuer);
}

static bool
read_options(int argc, char **argv, struct hammer *hammer, size_t *gets)
{
	int option;

	while ((option = getopt(argc, argv, "n:t:w:r:")) != -1) {
		size_t n = option == '?' ? 0 : strtoul(optarg, NULL, 10);

		if (n == 0)
			return false;
		*(option == 'n'     ? &hammer->devices
		    : option == 't' ? &hammer->readers
		    : option == 'w' ? &hammer->writers
				    : gets) = n;
	}
	return argc - optind == 5 && hammer->writers <= WRITERS_MAX;
}

int
main(int argc, char **argv)
{
	struct hammer hammer = { .devices = 8, .readers = 16, .writers = 2 };
	char what[PATH_BYTES];
	struct err err = { 0 };
	size_t gets = 100000;
	int r;

	if (!read_options(argc, argv, &hammer, &gets)) {
		fputs(usage, stderr);
		return 2;
	}
	argv += optind;
	signal(SIGPIPE, SIG_IGN);
	snprintf(what, sizeof(what), "%s %s\n", argv[3], argv[4]);
	hammer.mount = argv[0];
	hammer.what = what;
	if ((r = key_start(&err)) < 0 || (r = issuer_open(argv[1], &hammer.issuer, &err)) < 0 ||
	    (r = site_open(argv[1], atoi(argv[2]), hammer.issuer, &hammer.site, &err)) < 0 ||
	    (r = gather(&hammer, &err)) < 0 || (r = run(&hammer, gets, &err)) < 0)
		fprintf(stderr, "ota-hammer: %s\n", err.text);
	dismiss(&hammer);
	return r != 0;
}
