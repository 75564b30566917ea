#include "ceremony/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "ceremony/secret_file.h"
#include "lib/cleanup.h"

/* The first line of @text, without its end. */
static int
take_line(const struct secret *text, const char *what, struct secret **out, struct err *err)
{
	const unsigned char *end = memchr(text->data, '\n', text->bytes);
	size_t bytes = end ? (size_t)(end - text->data) : text->bytes;

	if (bytes && text->data[bytes - 1] == '\r')
		bytes--;
	if (bytes == 0)
		return err_set(err, EINVAL, "%s: is empty", what);
	if (bytes > PROMPT_MAX)
		return err_set(err, EINVAL, "%s: is longer than %d bytes", what, PROMPT_MAX);
	return secret_copy(text->data, bytes, out, err);
}

static int
read_file(const char *file, const char *what, struct secret **out, struct err *err)
{
	AUTO(secret_freep) struct secret *text = NULL;
	int r = secret_file_read(AT_FDCWD, file, 2 * PROMPT_MAX, true, &text, err);

	if (r == 0)
		r = take_line(text, what, out, err);
	return r < 0 ? err_context(err, r, "passphrase file") : 0;
}

/* Reads from the terminal until its line ends or @signals has something. */
static int
read_terminal(int tty, int signals, struct secret *line, struct err *err)
{
	struct pollfd polls[] = { { .fd = tty, .events = POLLIN }, { .fd = signals, .events = POLLIN } };

	for (size_t done = 0; done < line->bytes;) {
		ssize_t n;

		if (poll(polls, 2, -1) < 0)
			return err_sys(err, "terminal");
		if (polls[1].revents)
			return err_set(err, EINTR, "interrupted");
		n = read(tty, line->data + done, line->bytes - done);
		if (n < 0)
			return err_sys(err, "terminal");
		done += (size_t)n;
		if (n == 0 || memchr(line->data, '\n', done))
			return 0;
	}
	return err_set(err, EINVAL, "a passphrase has at most %d bytes", PROMPT_MAX);
}

/* Signals wait while echo is off, so that it is never left off. */
static int
ask_quietly(int tty, struct secret *line, struct err *err)
{
	struct termios before, quiet;
	AUTO(close_p) int signals = -1;
	sigset_t mask, old;
	int r;

	if (tcgetattr(tty, &before) < 0)
		return err_sys(err, "terminal");
	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGQUIT);
	sigaddset(&mask, SIGTSTP);
	signals = signalfd(-1, &mask, SFD_CLOEXEC);
	if (signals < 0 || sigprocmask(SIG_BLOCK, &mask, &old) < 0)
		return err_sys(err, "terminal");
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_lflag |= ECHONL | ICANON;
	r = tcsetattr(tty, TCSAFLUSH, &quiet) < 0 ? err_sys(err, "terminal")
						  : read_terminal(tty, signals, line, err);
	tcsetattr(tty, TCSAFLUSH, &before);
	/* One that nobody read ends the process here. */
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

static int
ask(const char *what, const char *how, struct secret **out, struct err *err)
{
	AUTO(close_p) int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	AUTO(secret_freep) struct secret *line = NULL;
	int r;

	if (tty < 0)
		return err_set(err, ENOTTY,
		    "%s: there is no terminal to ask for it; give a file (--passphrase-file)", what);
	if ((r = secret_new(PROMPT_MAX + 2, &line, err)) < 0)
		return r;
	dprintf(tty, "%s%s: ", how, what);
	if ((r = ask_quietly(tty, line, err)) < 0)
		return err_context(err, r, "%s", what);
	/* The first 0 ends what was typed: line is longer. */
	line->bytes = strnlen((const char *)line->data, line->bytes);
	return take_line(line, what, out, err);
}

int
prompt_secret(const char *file, const char *what, struct secret **out, struct err *err)
{
	return file ? read_file(file, what, out, err) : ask(what, "", out, err);
}

static int
check_new(const struct secret *secret, const char *what, struct err *err)
{
	if (secret->bytes >= PROMPT_NEW_MIN)
		return 0;
	return err_set(err, EINVAL, "new %s: has %zu bytes, a new one needs at least %d", what, secret->bytes,
	    PROMPT_NEW_MIN);
}

int
prompt_new_secret(const char *file, const char *what, struct secret **out, struct err *err)
{
	AUTO(secret_freep) struct secret *first = NULL, *second = NULL;
	int r = file ? read_file(file, what, &first, err) : ask(what, "New ", &first, err);

	if (r < 0 || (r = check_new(first, what, err)) < 0)
		return r;
	if (!file) {
		if ((r = ask(what, "Once more, ", &second, err)) < 0)
			return r;
		if (!secret_equal(first, second))
			return err_set(err, EINVAL, "%s: typed differently the second time", what);
	}
	*out = MOVE(first);
	return 0;
}
