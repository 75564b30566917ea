/*
 * get [-t THREADS] [-s CLIENT.PEM PKEY.PEM] PORT COUNT PATHS: GETs COUNT times what the lines of the file PATHS
 * say, one after another, over THREADS connections that are kept (8); -s: over TLS with that certificate.
 * Prints "SECONDS BYTES"; ends with 1 when an answer was not 200 and whole.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/** The longest head of an answer, and what is read at once of its body. */
#define PIECE (256 * 1024)
#define THREADS_MAX 256

static char **paths;
static size_t path_count, count;
static int port;
static SSL_CTX *context; /* NULL: no TLS */
static atomic_size_t next;
static atomic_ullong bytes;
static atomic_bool is_bad;

struct connection {
	int fd; /* -1: closed */
	SSL *tls;
	char piece[PIECE + 1];
};

static ssize_t
take(struct connection *c, char *out, size_t room)
{
	return c->tls ? SSL_read(c->tls, out, (int)room) : read(c->fd, out, room);
}

static void
hang_up(struct connection *c)
{
	SSL_free(c->tls);
	c->tls = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static bool
call(struct connection *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return false;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!context)
		return true;
	c->tls = SSL_new(context);
	return c->tls && SSL_set_fd(c->tls, c->fd) == 1 && SSL_connect(c->tls) == 1;
}

/* Reads up to the end of the head: how many bytes came, or -1. */
static ssize_t
take_head(struct connection *c, char **body)
{
	size_t have = 0;

	for (;;) {
		ssize_t n = have < PIECE ? take(c, c->piece + have, PIECE - have) : -1;

		if (n <= 0)
			return -1;
		have += (size_t)n;
		c->piece[have] = '\0';
		*body = strstr(c->piece, "\r\n\r\n");
		if (*body) {
			*body += 4;
			return (ssize_t)have;
		}
	}
}

static bool
take_answer(struct connection *c)
{
	char *body = NULL, *length;
	ssize_t have = take_head(c, &body);
	unsigned long long left, total;
	bool is_last;

	if (have < 0 || strncmp(c->piece, "HTTP/1.1 200 ", 13) ||
	    !(length = strcasestr(c->piece, "\r\nContent-Length:")))
		return false;
	total = strtoull(length + 17, NULL, 10);
	body[-1] = '\0';
	is_last = strcasestr(c->piece, "\r\nConnection: close") != NULL;
	left = total - (unsigned long long)(c->piece + have - body);
	while (left > 0) {
		ssize_t n = take(c, c->piece, left < PIECE ? (size_t)left : PIECE);

		if (n <= 0)
			return false;
		left -= (unsigned long long)n;
	}
	bytes += total;
	if (is_last)
		hang_up(c);
	return true;
}

static bool
ask(struct connection *c, const char *path)
{
	char head[2048];
	int n = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);

	if (c->fd < 0 && !call(c))
		return false;
	if ((c->tls ? SSL_write(c->tls, head, n) : (int)write(c->fd, head, (size_t)n)) != n)
		return false;
	return take_answer(c);
}

static void *
work(void *unused)
{
	struct connection *c = calloc(1, sizeof(*c));
	size_t i;

	(void)unused;
	c->fd = -1;
	while ((i = next++) < count && !is_bad)
		if (!ask(c, paths[i % path_count])) {
			is_bad = true;
			fprintf(stderr, "get: %s: %.200s\n", paths[i % path_count], c->piece);
		}
	hang_up(c);
	free(c);
	return NULL;
}

static bool
read_paths(const char *file)
{
	FILE *in = fopen(file, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	while (in && (n = getline(&line, &room, in)) > 0) {
		line[n - 1] = '\0';
		paths = realloc(paths, (path_count + 1) * sizeof(*paths));
		paths[path_count++] = strdup(line);
	}
	free(line);
	if (in)
		fclose(in);
	return path_count > 0;
}

static bool
use_tls(const char *certificate, const char *key)
{
	context = SSL_CTX_new(TLS_client_method());
	return context && SSL_CTX_use_certificate_chain_file(context, certificate) == 1 &&
	       SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1;
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	int thread_count = 8, option;
	double begun;

	while ((option = getopt(argc, argv, "t:s:")) != -1) {
		if (option == 't')
			thread_count = atoi(optarg);
		else if (option != 's' || !use_tls(optarg, argv[optind++]))
			return 2;
	}
	if (argc - optind != 3 || thread_count < 1 || thread_count > THREADS_MAX ||
	    !read_paths(argv[optind + 2]))
		return 2;
	port = atoi(argv[optind]);
	count = (size_t)atol(argv[optind + 1]);
	begun = seconds();
	for (int i = 0; i < thread_count; i++)
		if (pthread_create(&threads[i], NULL, work, NULL))
			return 2;
	for (int i = 0; i < thread_count; i++)
		pthread_join(threads[i], NULL);
	printf("%.6f %llu\n", seconds() - begun, bytes);
	return is_bad;
}
