/* The SCGI head: whoever reaches the socket writes it, and a device writes much of what the web server puts in.
 * The input is what comes over the connection, so that both the netstring and what is in it are taken apart. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "gateway/job.h"
#include "gateway/pem.h"
#include "gateway/route.h"
#include "lib/scgi.h"
#include "lib/cleanup.h"
#include "lib/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Who counts from the end finds the same value: nothing that was slipped in stands beside it. */
static void
check_once(const struct scgi *scgi, const char *name)
{
	const char *end = scgi->head + scgi->bytes;
	int found = 0;

	for (const char *at = scgi->head; at < end; at += strlen(at) + 1, at += strlen(at) + 1)
		found += !strcmp(at, name);
	assert(found <= 1);
}

/* What is accepted as a device is one path component and the whole subject. */
static void
check_identity(const struct scgi *scgi)
{
	const char *name = scgi_get(scgi, "SSL_CLIENT_S_DN_CN"),
		   *serial = scgi_get(scgi, "SSL_CLIENT_M_SERIAL");
	struct err err = { 0 };

	if (route_identify(scgi_get(scgi, "SSL_CLIENT_VERIFY"), scgi_get(scgi, "SSL_CLIENT_S_DN"), name, serial,
		&err) < 0) {
		assert(*err.text);
		return;
	}
	assert(!strcmp(scgi_get(scgi, "SSL_CLIENT_VERIFY"), "SUCCESS"));
	assert(*name && strlen(name) <= NAME_DEVICE_MAX && !strpbrk(name, "/\\\"', ") && strcmp(name, ".."));
	assert(*serial && strlen(serial) <= NAME_SERIAL_MAX &&
	       strspn(serial, "0123456789ABCDEF") == strlen(serial));
}

static void
check_route(const struct scgi *scgi)
{
	const struct route *route = NULL;
	int r = route_find(scgi_get(scgi, "REQUEST_METHOD"), scgi_get(scgi, "REQUEST_URI"), &route);

	assert(r == ROUTE_NO_PATH || route);
	assert(r != 0 || strstr(route->methods, scgi_get(scgi, "REQUEST_METHOD")));
}

/* Who cannot wait for more bytes finds the same length. */
static void
check_start(const uint8_t *data, size_t bytes, int read, const struct scgi *scgi)
{
	size_t length = 0, at = 0;
	struct err err;
	int r = 0;

	while (r == 0 && at < bytes)
		r = scgi_add_digit(&length, (char)data[at++], &err);
	assert(read < 0 || (r == SCGI_LENGTH && length == scgi->bytes && at <= 6));
}

/* What a job takes over is what was checked, and its body has the limit of its path. */
static void
check_job(const struct scgi *scgi)
{
	const struct config config = { .manifest_kb = 1,
		.ecus_kb = 1,
		.events_kb = 1,
		.system_info_kb = 1,
		.network_kb = 1,
		.config_kb = 1,
		.installed_kb = 1 };
	struct refusal refusal = { 0 };
	struct job job = { 0 };

	if (job_read(&job, scgi, &config, &refusal) < 0) {
		assert(refusal.status && refusal.code && *refusal.err.text);
		job_done(&job);
		return;
	}
	assert(job.route && *job.name && *job.serial && job.bytes <= 16 * 1024);
	assert(!job.certificate || strlen(job.certificate) <= PEM_BYTES_MAX);
	job_done(&job);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct scgi scgi; /* not zeroed: what an earlier head left must not matter */
	AUTO(close_p) int fd = memfd_create("head", 0);
	struct err err = { 0 };
	off_t at;
	int r;

	if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
		return 0;
	lseek(fd, 0, SEEK_SET);
	r = scgi_read(fd, &scgi, &err);
	assert(r == 0 || (r == -EBADMSG && *err.text));
	check_start(data, bytes, r, &scgi);
	if (r < 0)
		return 0;
	at = lseek(fd, 0, SEEK_CUR);
	assert((size_t)at > scgi.bytes && (size_t)at <= bytes && data[at - 1] == ',');
	assert(scgi.bytes <= SCGI_HEAD_MAX && !strcmp(scgi_get(&scgi, "SCGI"), "1"));
	check_once(&scgi, "SSL_CLIENT_S_DN_CN");
	check_once(&scgi, "SSL_CLIENT_M_SERIAL");
	check_identity(&scgi);
	check_route(&scgi);
	check_job(&scgi);
	return 0;
}
