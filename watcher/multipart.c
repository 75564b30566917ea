#include "watcher/multipart.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum state { TEXT, AFTER_DELIMITER, AFTER_DASH, AFTER_CR, HEAD, END };

/* Writes the boundary of @content_type behind the "\r\n--" of the delimiter. */
static int
take_boundary(struct multipart *multipart, const char *content_type, struct err *err)
{
	static const char allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'()+_,-./:=? ";
	const char *at = strcasestr(content_type, "boundary=");
	size_t n;

	if (strncasecmp(content_type, "multipart/form-data", 19) || !at)
		return err_set(err, EBADMSG, "the content type is no multipart/form-data with a boundary");
	at += strlen("boundary=");
	n = *at == '"' ? strcspn(++at, "\"") : strcspn(at, "; \t");
	if (n == 0 || n > MULTIPART_BOUNDARY_MAX || strspn(at, allowed) < n)
		return err_set(err, EBADMSG,
		    "the boundary of the multipart body is not 1 to %d characters of RFC 2046",
		    MULTIPART_BOUNDARY_MAX);
	multipart->delimiter_bytes =
	    (size_t)snprintf(multipart->delimiter, sizeof(multipart->delimiter), "\r\n--%.*s", (int)n, at);
	return 0;
}

int
multipart_init(struct multipart *multipart, const char *content_type, const char *name, multipart_sink *sink,
    void *data, struct err *err)
{
	*multipart = (struct multipart){ .state = TEXT, .sink = sink, .data = data };
	snprintf(multipart->name, sizeof(multipart->name), "%s", name);
	/* The first delimiter may stand at the very start, without its line break. */
	multipart->matched = 2;
	return take_boundary(multipart, content_type, err);
}

static int
pass_on(struct multipart *multipart, const char *bytes, size_t count, struct err *err)
{
	return multipart->is_wanted && count ? multipart->sink(multipart->data, bytes, count, err) : 0;
}

/*
 * Looks for the delimiter, which starts with the only \r that it has: so after a mismatch nothing but the byte
 * at hand can start it anew. Returns the bytes that were taken.
 */
static int
take_text(struct multipart *multipart, const char *bytes, size_t count, size_t *taken, struct err *err)
{
	const char *cr;
	size_t n;
	int r;

	if (multipart->matched) {
		if (*bytes == multipart->delimiter[multipart->matched]) {
			*taken = 1;
			if (++multipart->matched == multipart->delimiter_bytes)
				multipart->state = AFTER_DELIMITER;
			return 0;
		}
		*taken = 0;
		r = pass_on(multipart, multipart->delimiter, multipart->matched, err);
		multipart->matched = 0;
		if (r)
			return r;
	}
	cr = memchr(bytes, '\r', count);
	n = cr ? (size_t)(cr - bytes) : count;
	multipart->matched = cr != NULL;
	*taken = n + (cr != NULL);
	return pass_on(multipart, bytes, n, err);
}

/* The parameter "name" of a Content-Disposition, in quotes or without. */
static bool
has_name(const char *line, size_t bytes, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = line; at + 5 + n <= line + bytes; at++) {
		const char *value = at + 5;

		/* filename= ends with the same letters. */
		if (at == line || !strchr("; \t", at[-1]) || strncasecmp(at, "name=", 5))
			continue;
		if (*value == '"' && !strncmp(value + 1, name, n) && value[1 + n] == '"')
			return true;
		if (!strncmp(value, name, n) && strchr("; \t\r\n", value[n]))
			return true;
	}
	return false;
}

static bool
is_wanted_head(const struct multipart *multipart)
{
	const char *line = strcasestr(multipart->head, "content-disposition:");

	return line && has_name(line, strcspn(line, "\r\n"), multipart->name);
}

static int
take_head(struct multipart *multipart, char byte, struct err *err)
{
	if (multipart->head_bytes == MULTIPART_HEAD_MAX)
		return err_set(err, EBADMSG, "the head of a part is longer than %d bytes", MULTIPART_HEAD_MAX);
	if (!byte)
		return err_set(err, EBADMSG, "the head of a part has a 0 byte");
	multipart->head[multipart->head_bytes++] = byte;
	multipart->head[multipart->head_bytes] = '\0';
	/* It starts behind a line break, so one without any line is "\r\n" alone. */
	if (strcmp(multipart->head, "\r\n") &&
	    (multipart->head_bytes < 4 || strcmp(multipart->head + multipart->head_bytes - 4, "\r\n\r\n")))
		return 0;
	multipart->is_wanted = is_wanted_head(multipart);
	if (multipart->is_wanted && multipart->is_found)
		return err_set(err, EBADMSG, "the multipart body has two parts named \"%s\"", multipart->name);
	multipart->is_found |= multipart->is_wanted;
	multipart->state = TEXT;
	multipart->matched = 0;
	return 0;
}

static int
take_byte(struct multipart *multipart, char byte, struct err *err)
{
	multipart->is_wanted = false;
	switch ((enum state)multipart->state) {
	case AFTER_DELIMITER:
		if (byte == ' ' || byte == '\t')
			return 0; /* padding */
		multipart->state = byte == '-' ? AFTER_DASH : AFTER_CR;
		return byte == '-' || byte == '\r'
			   ? 0
			   : err_set(err, EBADMSG, "a delimiter is not at the end of its line");
	case AFTER_DASH:
		multipart->state = END;
		return byte == '-' ? 0 : err_set(err, EBADMSG, "a delimiter ends with one dash");
	case AFTER_CR:
		multipart->state = HEAD;
		multipart->head_bytes = 0;
		return byte == '\n' ? 0 : err_set(err, EBADMSG, "a delimiter is not at the end of its line");
	case HEAD:
		return take_head(multipart, byte, err);
	default:
		return 0; /* what follows the end is passed over */
	}
}

int
multipart_write(struct multipart *multipart, const char *bytes, size_t count, struct err *err)
{
	int r = 0;

	while (r == 0 && count && multipart->state != END) {
		size_t taken = 1;

		r = multipart->state == TEXT ? take_text(multipart, bytes, count, &taken, err)
					     : take_byte(multipart, *bytes, err);
		bytes += taken;
		count -= taken;
	}
	return r;
}

int
multipart_end(const struct multipart *multipart, struct err *err)
{
	if (multipart->state != END)
		return err_set(err, EBADMSG, "the multipart body ends before its last delimiter");
	if (!multipart->is_found)
		return err_set(err, EBADMSG, "the multipart body has no part named \"%s\"", multipart->name);
	return 0;
}
