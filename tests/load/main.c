/*
 * A crowd of devices before the tree: they register, hand in manifests at once, and read their documents,
 * through the files that ota-gate and the web server use, or through ota-gate's socket. So what is measured is
 * otafs, or ota-gate and otafs, and neither TLS nor a web server.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sign/key.h"
#include "tests/load/body.h"
#include "tests/load/crowd.h"
#include "tests/load/issue.h"
#include "tests/load/gate.h"

#define ANSWER_BYTES 4096
#define PATH_BYTES 512
/** The serial of every device's certificate. */
#define SERIAL ISSUE_SERIAL_TEXT

struct manifest {
	char *body;
	size_t bytes;
};

struct load {
	const char *mount;
	size_t devices, threads;
	long round, counter;
	struct image image; /* what they run instead */
	FILE *acks;   /* "ID SHA256 READ ANSWERED": a manifest that was taken; both times in microseconds */
	int *open;    /* each device's transaction, written and not read yet */
	bool is_gate; /* @mount is the socket of ota-gate */
	struct manifest *made; /* each device's, to be handed in there */
};

static const char usage[] =
    "usage: ota-load [OPTION]... MOUNT COMMAND\n"
    "  -n DEVICES  -t THREADS\n"
    "  -r ROUND    what the devices run is another in each round\n"
    "  -f FILE -s SHA256  they run this instead\n"
    "  -c COUNTER  number of the report (the round's)\n"
    "  -a FILE     what was taken is added to it, to be verified later\n"
    "  -g          MOUNT is the socket of ota-gate, which takes manifests of those who "
    "have a certificate\n"
    "commands: register; certify; manifests (all are written, or made, before the first is "
    "read, or sent);\n"
    "  get (MOUNT is that of web servers); verify (MOUNT has all that stands in FILE)\n";

static bool
complain(size_t number, const char *what, const char *why)
{
	char id[BODY_ID_SIZE];

	body_id(number, id);
	fprintf(stderr, "%s: %s: %s\n", id, what, why);
	return false;
}

/* Opens transaction @name of a device and writes the body; -1 having complained. */
static int
write_body(const struct load *load, size_t number, const char *name, const char *body, size_t bytes)
{
	char path[PATH_BYTES], id[BODY_ID_SIZE];
	int fd;

	body_id(number, id);
	snprintf(path, sizeof(path), "%s/devices/%s/in/%s", load->mount, id, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && write(fd, body, bytes) == (ssize_t)bytes)
		return fd;
	complain(number, name, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool
is_good(size_t number, const char *name, char *answer, ssize_t bytes)
{
	if (bytes < 0)
		return complain(number, name, strerror(errno));
	answer[bytes] = '\0';
	return !strncmp(answer, "Status: 2", 9) || complain(number, name, answer);
}

/* Reads the answer, and closes. */
static bool
read_answer(size_t number, const char *name, int fd)
{
	char answer[ANSWER_BYTES + 1];
	bool is_taken = is_good(number, name, answer, pread(fd, answer, ANSWER_BYTES, 0));

	close(fd);
	return is_taken;
}

static bool
make_folder(const struct load *load, size_t number, const char *below)
{
	char path[PATH_BYTES], id[BODY_ID_SIZE];

	body_id(number, id);
	snprintf(path, sizeof(path), "%s/devices/%s%s", load->mount, id, below);
	return mkdir(path, 0700) == 0 || errno == EEXIST || complain(number, path, strerror(errno));
}

static bool
enroll(size_t number, void *context)
{
	const struct load *load = context;
	AUTO(free_p) char *body = NULL;
	struct err err = { 0 };
	size_t bytes;
	int fd;

	if (!make_folder(load, number, ""))
		return false;
	if (body_ecus(number, &body, &bytes, &err) < 0)
		return complain(number, "ecus", err.text);
	fd = write_body(load, number, "ecus", body, bytes);
	return fd >= 0 && read_answer(number, "ecus", fd);
}

static bool
certify(size_t number, void *context)
{
	return make_folder(context, number, "/certificates/" SERIAL);
}

static bool
write_manifest(size_t number, void *context)
{
	const struct load *load = context;
	AUTO(free_p) char *body = NULL;
	struct err err = { 0 };
	size_t bytes;

	if (body_manifest(number, load->round, load->counter, &load->image, &body, &bytes, &err) < 0)
		return complain(number, "manifest", err.text);
	if (load->is_gate) {
		load->made[number] = (struct manifest){ MOVE(body), bytes };
		return true;
	}
	load->open[number] = write_body(load, number, "manifest", body, bytes);
	return load->open[number] >= 0;
}

/* Sends it to ota-gate, as a web server does. */
static bool
send_manifest(const struct load *load, size_t number)
{
	const struct manifest *made = &load->made[number];
	char answer[ANSWER_BYTES + 1], id[BODY_ID_SIZE];
	const struct gate_request request = { .method = "PUT",
		.uri = "/director/manifest",
		.name = id,
		.serial = SERIAL,
		.body = made->body,
		.bytes = made->bytes };

	body_id(number, id);
	return is_good(number, "manifest", answer, gate_send(load->mount, &request, answer, ANSWER_BYTES));
}

static bool
read_manifest(size_t number, void *context)
{
	const struct load *load = context;
	long long start = crowd_us();
	char id[BODY_ID_SIZE], sha256[DIGEST_HEX_SIZE];

	if (load->is_gate ? !load->made[number].body || !send_manifest(load, number)
			  : load->open[number] < 0 || !read_answer(number, "manifest", load->open[number]))
		return false;
	body_id(number, id);
	body_installed(number, load->round, sha256);
	if (load->acks)
		fprintf(load->acks, "%s %s %lld %lld\n", id, sha256, start, crowd_us());
	return true;
}

static bool
get(size_t number, void *context)
{
	const struct load *load = context;
	char path[PATH_BYTES], id[BODY_ID_SIZE], text[ANSWER_BYTES];
	ssize_t n;
	int fd;

	body_id(number, id);
	snprintf(path, sizeof(path), "%s/devices/%s/" SERIAL "/director/targets.json", load->mount, id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (n <= 0)
		complain(number, "targets.json", strerror(errno));
	if (fd >= 0)
		close(fd);
	return n > 0;
}

/* Whether the tree shows that @id runs @sha256. */
static bool
is_shown(const struct load *load, const char *id, const char *sha256)
{
	char path[PATH_BYTES], text[ANSWER_BYTES + 1];
	AUTO(close_p) int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/devices/%s/ecus/%s-ecu", load->mount, id, id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, ANSWER_BYTES);
	text[n < 0 ? 0 : n] = '\0';
	return strstr(text, sha256);
}

static int
verify(const struct load *load)
{
	char id[BODY_ID_SIZE], sha256[DIGEST_HEX_SIZE];
	size_t good = 0, lost = 0;

	rewind(load->acks);
	while (fscanf(load->acks, "%23s %64s %*d %*d", id, sha256) == 2) {
		if (is_shown(load, id, sha256)) {
			good++;
		} else if (lost++ < 10) {
			fprintf(stderr, "%s: was answered, and is not there\n", id);
		}
	}
	printf("verify: %zu there, %zu lost\n", good, lost);
	return lost > 0;
}

static int
run(struct load *load, const char *what, crowd_fn each)
{
	double seconds = 0;
	size_t good = crowd_run(load->devices, load->threads, each, load, &seconds);

	printf(
	    "%s: %zu of %zu in %.2f s: %.0f/s\n", what, good, load->devices, seconds, (double)good / seconds);
	return good < load->devices;
}

static int
manifests(struct load *load)
{
	struct rlimit files = { load->devices + 64, load->devices + 64 };
	int r;

	load->open = calloc(load->devices, sizeof(*load->open));
	load->made = calloc(load->devices, sizeof(*load->made));
	if (!load->open || !load->made || setrlimit(RLIMIT_NOFILE, &files) < 0) {
		perror("ota-load");
		return 1;
	}
	r = run(load, load->is_gate ? "made" : "written", write_manifest);
	r |= run(load, "manifests", read_manifest);
	for (size_t i = 0; i < load->devices; i++)
		free(load->made[i].body);
	free(load->made);
	free(load->open);
	return r;
}

static int
command(struct load *load, const char *name)
{
	if (!strcmp(name, "register"))
		return run(load, name, enroll);
	if (!strcmp(name, "certify"))
		return run(load, name, certify);
	if (!strcmp(name, "manifests"))
		return manifests(load);
	if (!strcmp(name, "get"))
		return run(load, name, get);
	if (!strcmp(name, "verify") && load->acks)
		return verify(load);
	fputs(usage, stderr);
	return 2;
}

static bool
read_option(struct load *load, int option)
{
	switch (option) {
	case 'n':
		load->devices = strtoul(optarg, NULL, 10);
		return load->devices > 0;
	case 't':
		load->threads = strtoul(optarg, NULL, 10);
		return load->threads > 0;
	case 'r':
		load->round = load->counter = strtol(optarg, NULL, 10);
		return true;
	case 'c':
		load->counter = strtol(optarg, NULL, 10);
		return true;
	case 'g':
		load->is_gate = true;
		return true;
	case 'f':
		load->image.file = optarg;
		return true;
	case 's':
		load->image.sha256 = optarg;
		return true;
	case 'a':
		load->acks = fopen(optarg, "a+e");
		/* Others look at it meanwhile. */
		return load->acks && setvbuf(load->acks, NULL, _IOLBF, 0) == 0;
	default:
		return false;
	}
}

int
main(int argc, char **argv)
{
	struct load load = { .devices = 100, .threads = 64, .round = 1, .counter = 1 };
	struct err err = { 0 };
	int option, r;

	while ((option = getopt(argc, argv, "n:t:r:c:f:s:a:g")) != -1)
		if (!read_option(&load, option)) {
			fputs(usage, stderr);
			return 2;
		}
	if (argc - optind != 2) {
		fputs(usage, stderr);
		return 2;
	}
	load.mount = argv[optind];
	if (key_start(&err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	r = command(&load, argv[optind + 1]);
	if (load.acks && fclose(load.acks))
		r = 1;
	return r;
}
