#include "sign/gather.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "sign/director.h"
#include "sign/request.h"

/* A document of one thread, on its stack. */
struct wish {
	enum role role;
	struct client_basis basis;
	const char *text;
	size_t bytes;
	/* the answer */
	char *envelope;
	size_t envelope_bytes;
	int result;
	struct err *err;
	/* waiting */
	struct wish *next;
	bool is_done;
	pthread_cond_t turn;
};

struct gather {
	pthread_mutex_t lock;
	struct line lines[GATHER_LINES];
	bool is_busy[GATHER_LINES];
	struct wish *first, **end; /* that wait to be sent, in the order in which they came */
};

struct gather *
gather_new(struct line_end *end)
{
	struct gather *gather = calloc(1, sizeof(*gather));

	if (!gather)
		return NULL;
	pthread_mutex_init(&gather->lock, NULL);
	for (int i = 0; i < GATHER_LINES; i++)
		line_init(&gather->lines[i], end);
	gather->end = &gather->first;
	return gather;
}

void
gather_free(struct gather *gather)
{
	if (!gather)
		return;
	for (int i = 0; i < GATHER_LINES; i++)
		line_done(&gather->lines[i]);
	pthread_mutex_destroy(&gather->lock);
	free(gather);
}

/* -- one round trip -- */

static char *
write_request(const struct wish *wishes, size_t *bytes)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, bytes);
	int is_short;

	if (!out)
		return NULL;
	fputs("director\n", out);
	for (const struct wish *w = wishes; w; w = w->next) {
		fprintf(out, "%s %d %" PRId64 " ", role_name(w->role), w->basis.root, w->basis.epoch);
		fwrite(w->text, 1, w->bytes, out);
		fputc('\n', out);
	}
	is_short = ferror(out);
	is_short |= fclose(out);
	if (is_short)
		free(MOVE(text));
	return text;
}

/* Takes one line of the answer, "CODE TEXT"; the next one, or NULL when it is none. */
static char *
take_answer(struct wish *wish, char *line)
{
	char *end = line ? strchr(line, '\n') : NULL, *text;
	long code = end ? strtol(line, &text, 10) : 0;

	if (!end || text == line || *text != ' ' || labs(code) > INT32_MAX) {
		wish->result = err_set(wish->err, EAGAIN, "ota-signd: its answer is cut short");
		return NULL;
	}
	*end = '\0';
	wish->result = (int)code;
	text++;
	if (code < 0)
		err_set(wish->err, (int)-code, "ota-signd: %s", text);
	if (code == 0 && !(wish->envelope = strndup(text, (size_t)(end - text))))
		wish->result = err_set(wish->err, ENOMEM, "no memory for a signed document");
	wish->envelope_bytes = (size_t)(end - text);
	return end + 1;
}

static void
refuse_all(struct wish *wishes, int r, const struct err *err)
{
	for (struct wish *w = wishes; w; w = w->next) {
		w->result = r;
		*w->err = *err;
	}
}

static void
send_together(struct line *line, struct wish *wishes)
{
	size_t request_bytes, bytes;
	AUTO(free_p) char *request = write_request(wishes, &request_bytes);
	AUTO(free_p) char *reply = NULL;
	struct err err = { 0 };
	char *at;
	int r;

	r = request ? line_call(line, request, request_bytes, &reply, &bytes, &err)
		    : err_set(&err, ENOMEM, "no memory for a request to the signer");
	if (r == 0 && (r = request_get_code(reply)) < 0)
		err_set(&err, -r, "ota-signd: %s", reply + 4);
	if (r < 0) {
		refuse_all(wishes, r, &err);
		return;
	}
	at = reply + 4;
	for (struct wish *w = wishes; w; w = w->next)
		at = take_answer(w, at);
}

/* -- waiting, with the lock held -- */

/* The first that wait, as many as one request takes. */
static struct wish *
take_wishes(struct gather *gather)
{
	struct wish *taken = gather->first, **end = &gather->first;

	for (int i = 0; *end && i < DIRECTOR_DOCUMENTS_MAX; i++)
		end = &(*end)->next;
	gather->first = *end;
	*end = NULL;
	if (!gather->first)
		gather->end = &gather->first;
	return taken;
}

static void
finish(struct wish *wishes)
{
	for (struct wish *w = wishes, *next; w; w = next) {
		next = w->next; /* it is gone with its thread */
		w->is_done = true;
		pthread_cond_signal(&w->turn);
	}
}

static int
find_free(const struct gather *gather)
{
	for (int i = 0; i < GATHER_LINES; i++)
		if (!gather->is_busy[i])
			return i;
	return -1;
}

static void
speak(struct gather *gather, int at)
{
	struct wish *wishes = take_wishes(gather);

	gather->is_busy[at] = true;
	pthread_mutex_unlock(&gather->lock);
	send_together(&gather->lines[at], wishes);
	pthread_mutex_lock(&gather->lock);
	gather->is_busy[at] = false;
	finish(wishes);
	/* One of those who came meanwhile speaks next. */
	if (gather->first)
		pthread_cond_signal(&gather->first->turn);
}

static void
wait_for_answer(struct gather *gather, struct wish *wish)
{
	pthread_mutex_lock(&gather->lock);
	*gather->end = wish;
	gather->end = &wish->next;
	while (!wish->is_done) {
		int at = gather->first ? find_free(gather) : -1;

		if (at >= 0)
			speak(gather, at);
		else
			pthread_cond_wait(&wish->turn, &gather->lock);
	}
	pthread_mutex_unlock(&gather->lock);
}

/* What the signer would not take for one line. */
static int
check_text(enum role role, const char *text, size_t bytes, struct err *err)
{
	if (bytes > DIRECTOR_TEXT_MAX)
		return err_set(err, EINVAL, "%s: has %zu bytes, devices read %d", role_name(role), bytes,
		    DIRECTOR_TEXT_MAX);
	if (memchr(text, '\n', bytes) || memchr(text, '\0', bytes))
		return err_set(err, EINVAL, "%s: is not canonical", role_name(role));
	return 0;
}

int
gather_sign(struct gather *gather, enum role role, const struct client_basis *basis, const char *text,
    size_t bytes, char **envelope, size_t *envelope_bytes, struct err *err)
{
	struct wish wish = { .role = role,
		.basis = *basis,
		.text = text,
		.bytes = bytes,
		.err = err,
		.turn = PTHREAD_COND_INITIALIZER };
	int r = check_text(role, text, bytes, err);

	if (r < 0)
		return r;
	wait_for_answer(gather, &wish);
	pthread_cond_destroy(&wish.turn);
	if (wish.result == 0) {
		*envelope = wish.envelope;
		if (envelope_bytes)
			*envelope_bytes = wish.envelope_bytes;
	}
	return wish.result;
}
