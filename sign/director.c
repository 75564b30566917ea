#include "sign/director.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/log.h"
#include "lib/name.h"
#include "lib/utc.h"
#include "sign/client.h"
#include "sign/document.h"
#include "sign/form.h"

#define HEAD "director\n"

/* One document that is asked for. */
struct wish {
	const struct book *book;
	uid_t uid;
	int64_t now;
	enum role role;
	int64_t root, epoch; /* that it was made for */
	const char *text;    /* and its length */
	size_t bytes;
	struct form form; /* what it says */
	char digest[DIGEST_HEX_SIZE];
};

bool
director_is_asked(const char *request)
{
	return !strncmp(request, HEAD, strlen(HEAD));
}

/* -- checking -- */

/* A version of a document belongs to one root, so that it has one content for ever. */
static int
check_root(const struct wish *wish, struct err *err)
{
	if (wish->root == keyring_root_version(wish->book->keyring, REPOSITORY_DIRECTOR))
		return 0;
	err_set(err, ESTALE, "there is a newer root");
	return CLIENT_NEW_ROOT;
}

/* Whoever shows an old set only cannot have more signed than the repository offers now. */
static int
check_not_behind(const struct wish *wish, struct err *err)
{
	const struct ledger_offer *offer = ledger_offered(wish->book->ledger);
	int shown = catalog_version(wish->book->catalog);
	char since[UTC_TEXT_SIZE];

	if (shown >= offer->targets || wish->now <= offer->since + CATALOG_BEHIND_SECONDS)
		return 0;
	utc_format(offer->since, since);
	return err_set(err, EAGAIN,
	    "%s: the image repository's targets were shown in version %d, and a snapshot of %s offers version "
	    "%d: "
	    "has it been published?",
	    wish->form.device, shown, since, offer->targets);
}

/* Empty targets say that there is nothing to do: they are right in any case. */
static int
check_offered(const struct wish *wish, struct err *err)
{
	int r;

	if (wish->form.count == 0)
		return 0;
	if (catalog_version(wish->book->catalog) == 0) {
		err_set(err, EAGAIN, "the image repository's targets were not shown yet");
		return CLIENT_NOT_SHOWN;
	}
	if ((r = check_not_behind(wish, err)) < 0)
		return r;
	return catalog_check(wish->book->catalog, &wish->form, wish->now, err);
}

static int
check(const struct wish *wish, struct err *err)
{
	const struct book *book = wish->book;
	const struct form *form = &wish->form;
	int r;

	if ((r = policy_check_expiry(
		 book->policy, REPOSITORY_DIRECTOR, wish->role, form->expires, wish->now, err)) < 0 ||
	    (r = name_check_device(form->device, err)) < 0 ||
	    (r = document_check_online(book, REPOSITORY_DIRECTOR, wish->role, err)) < 0 ||
	    (r = check_root(wish, err)))
		return r;
	/* Version = the device's counter, from 1 on, + the epoch. */
	if (wish->epoch >= form->version)
		return err_set(err, EINVAL, "%s: %s: version %d is not above the epoch %lld", form->device,
		    role_name(wish->role), form->version, (long long)wish->epoch);
	return check_offered(wish, err);
}

/* -- recording -- */

/* The log first: what the ledger knows has been logged. */
static int
record_in_order(const struct wish *wish, struct err *err)
{
	const struct form *form = &wish->form;
	const struct ledger_entry entry = { REPOSITORY_DIRECTOR, wish->role, form->device, form->version,
		wish->digest };
	const struct journal_entry line = { .time = wish->now,
		.uid = wish->uid,
		.repository = REPOSITORY_DIRECTOR,
		.role = wish->role,
		.version = form->version,
		.device = form->device,
		.sha256 = wish->digest };
	int r;

	if ((r = journal_check_clock(wish->book->journal, wish->now, err)) < 0 ||
	    (r = ledger_epoch(wish->book->ledger, wish->epoch, err)) < 0 ||
	    (r = ledger_check(wish->book->ledger, &entry, err)) < 0)
		return r;
	if (r == LEDGER_SAME)
		return 0;
	r = journal_add(wish->book->journal, &line, err);
	return r < 0 ? r : ledger_note(wish->book->ledger, &entry, NULL, err);
}

static int
record(const struct wish *wish, pthread_mutex_t *order, struct err *err)
{
	int r;

	pthread_mutex_lock(order);
	r = record_in_order(wish, err);
	pthread_mutex_unlock(order);
	return r;
}

/* -- one line -- */

static int
read_number(char **at, int64_t *out)
{
	char *end;

	if (**at < '0' || **at > '9')
		return -EINVAL;
	*out = strtoll(*at, &end, 10);
	if (*end != ' ' || *out > INT32_MAX)
		return -EINVAL;
	*at = end + 1;
	return 0;
}

/* ROLE ROOT EPOCH TEXT; @line is changed. */
static int
read_line(struct wish *wish, char *line, struct err *err)
{
	char *at = strchr(line, ' ');
	int role;

	if (at)
		*at++ = '\0';
	role = role_of(line);
	if (role < 0 || !at || read_number(&at, &wish->root) < 0 || read_number(&at, &wish->epoch) < 0)
		return err_set(err, EINVAL, "request: a line is no ROLE ROOT EPOCH TEXT");
	wish->role = (enum role)role;
	wish->text = at;
	wish->bytes = strlen(at);
	if (wish->bytes > DIRECTOR_TEXT_MAX)
		return err_set(err, EINVAL, "%s: has %zu bytes, devices read %d", role_name(wish->role),
		    wish->bytes, DIRECTOR_TEXT_MAX);
	return policy_check_peer(wish->book->policy, wish->uid, REPOSITORY_DIRECTOR, wish->role, err);
}

/* Writes the answer to @out: after its code the envelope or the reason. */
static int
answer_line(struct wish *wish, pthread_mutex_t *order, char *line, FILE *out, struct err *err)
{
	AUTO(free_p) char *copy = NULL;
	int r = read_line(wish, line, err);

	if (r < 0)
		return r;
	copy = malloc(wish->bytes + 1);
	if (!copy)
		return err_set(err, ENOMEM, "no memory for a document");
	memcpy(copy, wish->text, wish->bytes + 1);
	if ((r = form_read(wish->role, copy, &wish->form, err)) < 0 || (r = check(wish, err)))
		return r;
	digest_sha256_hex(wish->text, wish->bytes, wish->digest);
	if ((r = record(wish, order, err)) < 0)
		return r;
	fputs("0 ", out);
	r = keyring_sign_text(
	    wish->book->keyring, REPOSITORY_DIRECTOR, wish->role, wish->text, wish->bytes, out, err);
	assert(r == 0); /* its keys are here */
	return 0;
}

/* -- the request -- */

static int
answer_lines(struct wish *wish, pthread_mutex_t *order, char *lines, FILE *out, struct err *err)
{
	int count = 0;

	for (char *line; (line = strsep(&lines, "\n")) && (lines || *line); count++) {
		int r;

		if (count == DIRECTOR_DOCUMENTS_MAX)
			return err_set(
			    err, EINVAL, "request: has more than %d documents", DIRECTOR_DOCUMENTS_MAX);
		r = answer_line(wish, order, line, out, err);
		if (r < 0)
			log_line(LOG_WARNING, "refused uid=%u reason=\"%s\"", wish->uid, err->text);
		if (r)
			fprintf(out, "%d %s", r, err->text);
		fputc('\n', out);
	}
	return count ? 0 : err_set(err, EINVAL, "request: has no documents");
}

int
director_sign(const struct book *book, pthread_mutex_t *order, uid_t uid, char *request, char **payload,
    size_t *payload_bytes, struct err *err)
{
	AUTO(free_p) struct wish *wish = malloc(sizeof(*wish));
	AUTO(free_p) char *text = NULL;
	size_t bytes = 0;
	FILE *out = wish ? open_memstream(&text, &bytes) : NULL;
	int r, is_short;

	if (!out)
		return err_set(err, ENOMEM, "no memory for an answer");
	wish->book = book;
	wish->uid = uid;
	wish->now = utc_now();
	r = answer_lines(wish, order, request + strlen(HEAD), out, err);
	is_short = ferror(out);
	is_short |= fclose(out);
	if (r < 0)
		return r;
	if (is_short)
		return err_set(err, ENOMEM, "no memory for an answer");
	*payload = MOVE(text);
	*payload_bytes = bytes;
	return 0;
}
