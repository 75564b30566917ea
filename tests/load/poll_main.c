/*
 * A crowd of devices before a web server: each has a certificate of its own. What they ask is what aktualizr
 * asks, and as it does: three requests to a poll, each over a new connection. Or they keep their connections,
 * so that what a request costs without TLS's greeting can be told.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/cleanup.h"
#include "sign/key.h"
#include "tests/load/body.h"
#include "tests/load/clocks.h"
#include "tests/load/crowd.h"
#include "tests/load/https.h"

/** Longest request without its body. */
#define HEAD_BYTES 512
/** A crowd that fails does so for one reason. */
#define COMPLAINTS_MAX 5

struct device {
	pthread_mutex_t lock; /* of the connection */
	struct connection connection;
	X509 *certificate;
};

struct poll {
	size_t devices, threads, requests;
	long round, counter;
	const char *path, *change;
	struct image image;
	bool is_plain; /* the server has plain files only */
	struct clocks clocks;
	struct issuer *issuer;
	struct site *site;
	struct device *list;
	atomic_int complaints, reconnections;
};

static const char usage[] =
    "usage: ota-poll [OPTION]... PKI PORT COMMAND\n"
    "PKI is a folder that ota-pki made; the devices are those of ota-load, with certificates (certify).\n"
    "  -n DEVICES  -t THREADS\n"
    "  -r REQUESTS each of them gives REQUESTS requests, or polls\n"
    "  -P PIDS     tells how much processor time these had: 12,34\n"
    "  -w COMMAND  is run by the shell between what is not counted and what is\n"
    "  -o ROUND -c COUNTER -f FILE -s SHA256  of the manifest: see ota-load\n"
    "  -g          the server has plain files: a poll has GET targets.json instead of its PUT\n"
    "commands:\n"
    "  get PATH    each connection is kept, and had one such answer before; another device each request\n"
    "  new PATH    a new connection for each\n"
    "  poll        PUT /director/manifest, GET /director/2.root.json (404), GET /director/targets.json; a new\n"
    "              connection for each\n";

static bool
complain(struct poll *poll, size_t number, const char *what, const char *why)
{
	if (atomic_fetch_add(&poll->complaints, 1) < COMPLAINTS_MAX)
		fprintf(stderr, "load-%zu: %s: %s\n", number, what, why);
	return false;
}

/* Asks once; once more over a new connection, if the server was tired of this one. */
static int
ask_as(struct poll *poll, struct device *device, const char *request, size_t bytes, struct answer *out,
    struct err *err)
{
	int r;

	for (int tries = 0; tries < 2; tries++) {
		bool was_open = device->connection.tls != NULL;

		if ((r = connection_open(&device->connection, poll->site, device->certificate, err)) < 0)
			return r;
		r = connection_ask(&device->connection, request, bytes, out, err);
		if (r != -ECONNRESET || !was_open)
			break;
		atomic_fetch_add(&poll->reconnections, 1);
	}
	return r;
}

static bool
ask(struct poll *poll, size_t number, const char *request, size_t bytes, int status)
{
	struct device *device = &poll->list[number];
	struct answer answer;
	struct err err = { 0 };
	char text[32];
	int r = ask_as(poll, device, request, bytes, &answer, &err);

	if (r < 0)
		return complain(poll, number, "failed", err.text);
	if (answer.is_torn)
		return complain(poll, number, "failed", "torn");
	snprintf(text, sizeof(text), "status %d", answer.status);
	return answer.status == status || complain(poll, number, request, text);
}

static bool
get(struct poll *poll, size_t number, const char *path, int status)
{
	char request[HEAD_BYTES];
	int n = snprintf(request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Aktualizr/load\r\nAccept: */*\r\n\r\n", path);

	return n < HEAD_BYTES && ask(poll, number, request, (size_t)n, status);
}

static bool
put_manifest(struct poll *poll, size_t number, long counter)
{
	AUTO(free_p) char *body = NULL;
	AUTO(free_p) char *request = NULL;
	struct err err = { 0 };
	size_t bytes;
	int n;

	if (body_manifest(number, poll->round, counter, &poll->image, &body, &bytes, &err) < 0)
		return complain(poll, number, "manifest", err.text);
	n = asprintf(&request,
	    "PUT /director/manifest HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Aktualizr/load\r\nAccept: "
	    "*/*\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    bytes, body);
	if (n < 0)
		request = NULL;
	return n > 0 && ask(poll, number, request, (size_t)n, 200);
}

/* ---- what each of the crowd does */

static bool
visit(struct poll *poll, size_t number, bool is_kept)
{
	struct device *device = &poll->list[number % poll->devices];
	bool is_good;

	pthread_mutex_lock(&device->lock);
	is_good = get(poll, number % poll->devices, poll->path, 200);
	if (!is_kept)
		connection_close(&device->connection);
	pthread_mutex_unlock(&device->lock);
	return is_good;
}

static bool
keep(size_t number, void *poll)
{
	return visit(poll, number, true);
}

static bool
renew(size_t number, void *poll)
{
	return visit(poll, number, false);
}

/* Each request over a connection of its own, as aktualizr has it. */
static bool
poll_once(struct poll *poll, size_t number, long counter)
{
	struct connection *connection = &poll->list[number].connection;
	bool is_good;

	is_good = poll->is_plain ? get(poll, number, "/director/targets.json", 200)
				 : put_manifest(poll, number, counter);
	connection_close(connection);
	is_good = get(poll, number, "/director/2.root.json", 404) && is_good;
	connection_close(connection);
	is_good = get(poll, number, "/director/targets.json", 200) && is_good;
	connection_close(connection);
	return is_good;
}

static bool
poll_quietly(size_t number, void *context)
{
	struct poll *poll = context;
	size_t i = number % poll->devices;
	bool is_good;

	pthread_mutex_lock(&poll->list[i].lock);
	is_good = poll_once(poll, i, poll->counter + (long)(number / poll->devices));
	pthread_mutex_unlock(&poll->list[i].lock);
	return is_good;
}

/* ---- the crowd */

static int
gather(struct poll *poll, struct err *err)
{
	poll->list = calloc(poll->devices, sizeof(*poll->list));
	if (!poll->list)
		return err_set(err, ENOMEM, "no memory for %zu devices", poll->devices);
	for (size_t i = 0; i < poll->devices; i++) {
		char id[BODY_ID_SIZE];
		int r;

		body_id(i, id);
		pthread_mutex_init(&poll->list[i].lock, NULL);
		if ((r = issuer_issue(poll->issuer, id, &poll->list[i].certificate, err)) < 0)
			return r;
	}
	return 0;
}

static void
dismiss(struct poll *poll)
{
	for (size_t i = 0; poll->list && i < poll->devices; i++) {
		connection_done(&poll->list[i].connection);
		X509_free(poll->list[i].certificate);
	}
	free(poll->list);
	site_free(poll->site);
	issuer_free(poll->issuer);
}

static int
run(struct poll *poll, const char *name, crowd_fn each)
{
	size_t count = poll->devices * poll->requests, good;
	double seconds = 0;
	long long us;

	if (poll->change && system(poll->change) != 0) {
		fprintf(stderr, "ota-poll: %s: failed\n", poll->change);
		return 1;
	}
	clocks_begin(&poll->clocks);
	good = crowd_run(count, poll->threads, each, poll, &seconds);
	us = clocks_us(&poll->clocks);
	printf("%s: %zu of %zu in %.2f s: %.0f/s, %.1f us each, %d reconnections\n", name, good, count, seconds,
	    (double)good / seconds, (double)us / (double)count, poll->reconnections);
	return good < count;
}

/* First each device connects and has an answer; the change comes after that. */
static int
run_kept(struct poll *poll)
{
	double seconds;

	if (crowd_run(poll->devices, poll->threads, keep, poll, &seconds) < poll->devices)
		return 1;
	return run(poll, "get", keep);
}

static int
command(struct poll *poll, const char *name, const char *path)
{
	poll->path = path;
	if (!strcmp(name, "get") && path)
		return run_kept(poll);
	if (!strcmp(name, "new") && path)
		return run(poll, name, renew);
	if (!strcmp(name, "poll"))
		return run(poll, name, poll_quietly);
	fputs(usage, stderr);
	return 2;
}

static bool
read_option(struct poll *poll, int option)
{
	switch (option) {
	case 'n':
		return (poll->devices = strtoul(optarg, NULL, 10)) > 0;
	case 't':
		return (poll->threads = strtoul(optarg, NULL, 10)) > 0;
	case 'r':
		return (poll->requests = strtoul(optarg, NULL, 10)) > 0;
	case 'P':
		clocks_add(&poll->clocks, optarg);
		return true;
	case 'w':
		poll->change = optarg;
		return true;
	case 'o':
		poll->round = strtol(optarg, NULL, 10);
		return true;
	case 'c':
		poll->counter = strtol(optarg, NULL, 10);
		return true;
	case 'f':
		poll->image.file = optarg;
		return true;
	case 's':
		poll->image.sha256 = optarg;
		return true;
	case 'g':
		poll->is_plain = true;
		return true;
	default:
		return false;
	}
}

static int
begin(struct poll *poll, char **arguments, struct err *err)
{
	const struct rlimit files = { poll->devices + 64, poll->devices + 64 };
	int r;

	signal(SIGPIPE, SIG_IGN);
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		return err_sys(err, "%zu connections", poll->devices);
	if ((r = key_start(err)) < 0 || (r = issuer_open(arguments[0], &poll->issuer, err)) < 0 ||
	    (r = site_open(arguments[0], atoi(arguments[1]), poll->issuer, &poll->site, err)) < 0)
		return r;
	return gather(poll, err);
}

int
main(int argc, char **argv)
{
	struct poll poll = { .devices = 100, .threads = 8, .requests = 1, .round = 1, .counter = 1 };
	struct err err = { 0 };
	int option, r;

	while ((option = getopt(argc, argv, "n:t:r:P:w:o:c:f:s:g")) != -1)
		if (!read_option(&poll, option)) {
			fputs(usage, stderr);
			return 2;
		}
	if (argc - optind < 3) {
		fputs(usage, stderr);
		return 2;
	}
	if (begin(&poll, argv + optind, &err) < 0) {
		fprintf(stderr, "ota-poll: %s\n", err.text);
		r = 1;
	} else {
		r = command(&poll, argv[optind + 2], argv[optind + 3]);
	}
	dismiss(&poll);
	return r;
}
