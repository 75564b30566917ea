#include "lib/scgi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** A body length has at most so many digits. */
#define DIGITS_MAX 18

static int
read_exactly(int fd, char *data, size_t bytes, struct err *err)
{
	size_t got = 0;

	while (got < bytes) {
		ssize_t n = read(fd, data + got, bytes - got);

		if (n == 0)
			return err_set(err, EBADMSG, "SCGI: the head ends after %zu of %zu bytes", got, bytes);
		if (n < 0 && errno != EINTR)
			return err_sys(err, "SCGI: read");
		if (n > 0)
			got += (size_t)n;
	}
	return 0;
}

int
scgi_add_digit(size_t *length, char c, struct err *err)
{
	if (c == ':' && *length)
		return SCGI_LENGTH;
	if (c < '0' || c > '9' || (c == '0' && *length == 0))
		return err_set(err, EBADMSG, "SCGI: the head is no netstring, or an empty one");
	*length = *length * 10 + (size_t)(c - '0');
	if (*length > SCGI_HEAD_MAX)
		return err_set(err, EBADMSG, "SCGI: the head is longer than %d bytes", SCGI_HEAD_MAX);
	return 0;
}

/* Reads the digits and the colon before a netstring. */
static int
read_length(int fd, size_t *length, struct err *err)
{
	int r;
	char c;

	*length = 0;
	do
		if ((r = read_exactly(fd, &c, 1, err)) == 0)
			r = scgi_add_digit(length, c, err);
	while (r == 0);
	return r == SCGI_LENGTH ? 0 : r;
}

static int
parse_number(const char *text, uint64_t *out)
{
	size_t n = strlen(text);

	if (n == 0 || n > DIGITS_MAX || strspn(text, "0123456789") != n)
		return -EBADMSG;
	*out = strtoull(text, NULL, 10);
	return 0;
}

static const char *
next_name(const char *name)
{
	const char *value = name + strlen(name) + 1;

	return value + strlen(value) + 1;
}

/*
 * A name that stands there twice, or NULL. A client's own headers may, as HTTP_NAME. Any other would mean that
 * somebody speaks for the web server: lighttpd 1.4.69 passes on a 0 in a certificate's CN, and what follows
 * that 0 reads like a name and a value.
 */
static const char *
find_twice(const struct scgi *scgi)
{
	const char *end = scgi->head + scgi->bytes;

	for (const char *a = scgi->head; a < end; a = next_name(a))
		for (const char *b = next_name(a); strncmp(a, "HTTP_", 5) && b < end; b = next_name(b))
			if (!strcmp(a, b))
				return a;
	return NULL;
}

int
scgi_parse(struct scgi *scgi, struct err *err)
{
	const char *end = scgi->head + scgi->bytes, *at = scgi->head, *twice;
	size_t texts = 0;

	scgi->head[scgi->bytes] = '\0';
	if (scgi->bytes == 0 || end[-1] != '\0')
		return err_set(err, EBADMSG, "SCGI: the head does not end with a 0");
	for (; at < end; at += strlen(at) + 1)
		texts++;
	if (texts % 2)
		return err_set(err, EBADMSG, "SCGI: a name has no value");
	at = scgi->head;
	if (strcmp(at, "CONTENT_LENGTH") || parse_number(at + strlen(at) + 1, &scgi->content_length) < 0)
		return err_set(err, EBADMSG, "SCGI: the head does not start with a CONTENT_LENGTH");
	if ((twice = find_twice(scgi)))
		return err_set(err, EBADMSG, "SCGI: %.64s is given twice", twice);
	if (strcmp(scgi_get(scgi, "SCGI"), "1"))
		return err_set(err, EBADMSG, "SCGI: the member SCGI is not 1");
	return 0;
}

int
scgi_read(int fd, struct scgi *scgi, struct err *err)
{
	char comma;
	int r;

	scgi->content_length = 0;
	if ((r = read_length(fd, &scgi->bytes, err)) < 0 ||
	    (r = read_exactly(fd, scgi->head, scgi->bytes, err)) < 0 ||
	    (r = read_exactly(fd, &comma, 1, err)) < 0)
		return r;
	if (comma != ',')
		return err_set(err, EBADMSG, "SCGI: no comma after the head");
	return scgi_parse(scgi, err);
}

const char *
scgi_get(const struct scgi *scgi, const char *name)
{
	const char *end = scgi->head + scgi->bytes;

	for (const char *at = scgi->head; at < end; at = next_name(at))
		if (!strcmp(at, name))
			return at + strlen(at) + 1;
	return "";
}
