/* ota-gate: takes request bodies from the web server over SCGI into transaction files of the mount. Owns
 * nothing. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <syslog.h>

#include "gateway/respond.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/program.h"

/** Requests at once; more wait in the socket's queue. Each takes some 250 KiB. */
#define REQUESTS_MAX 64
/** A peer that neither sends nor reads for so long is left. */
#define PEER_SECONDS 30
/** Without descriptors or memory the listener stays readable: the next try waits so long. */
#define SHORTAGE_MS 100

static sem_t slots;
static const char *mount;

static void *
serve(void *argument)
{
	int fd = (int)(intptr_t)argument;

	respond(fd, mount);
	close(fd);
	sem_post(&slots);
	return NULL;
}

static void
start(int fd)
{
	struct timeval timeout = { .tv_sec = PEER_SECONDS };
	pthread_t thread;

	sem_wait(&slots);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	// NOLINTNEXTLINE(performance-no-int-to-ptr)
	if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0) {
		pthread_detach(thread);
		return;
	}
	log_line(LOG_ERR, "no thread for a request");
	close(fd);
	sem_post(&slots);
}

static void
wait_out_shortage(int signals)
{
	struct pollfd fd = { .fd = signals, .events = POLLIN };

	log_line(LOG_WARNING, "no request can be taken reason=\"%s\"", strerror(errno));
	poll(&fd, 1, SHORTAGE_MS);
}

static int
loop(int listener, int signals, struct err *err)
{
	struct pollfd fds[] = { { .fd = listener, .events = POLLIN }, { .fd = signals, .events = POLLIN } };

	for (;;) {
		int fd;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return err_sys(err, "poll");
		if (fds[1].revents)
			break;
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			start(fd);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			wait_out_shortage(signals);
	}
	/* Requests in flight are answered before the end. */
	for (int i = 0; i < REQUESTS_MAX; i++)
		sem_wait(&slots);
	return 0;
}

static int
listen_privileged(const struct config *config, int *fd, struct err *err)
{
	uid_t uid, www_uid;
	gid_t gid, www_gid;
	int r;

	if ((r = config_user(config->user_gate, &uid, &gid, err)) < 0 ||
	    (r = config_user(config->user_www, &www_uid, &www_gid, err)) < 0 ||
	    (r = program_folder_above(config->gate_socket, 0, 0, 0755, err)) < 0)
		return r;
	/* Only the web server may speak for devices. */
	return program_listen(config->gate_socket, uid, www_gid, 0660, fd, err);
}

static int
run(const struct config *config, struct err *err)
{
	AUTO(close_p) int fd = -1;
	AUTO(close_p) int signals = -1;
	int r;

	signal(SIGPIPE, SIG_IGN); /* the log's reader may go away */
	if ((r = listen_privileged(config, &fd, err)) < 0 || (r = config_become(config->user_gate, err)) < 0 ||
	    (r = program_signals(&signals, err)) < 0)
		return r;
	mount = config->mount;
	sem_init(&slots, 0, REQUESTS_MAX);
	log_line(LOG_NOTICE, "ota-gate ready socket=%s", config->gate_socket);
	return loop(fd, signals, err);
}

int
main(int argc, char **argv)
{
	return program_main(argc, argv, "Takes request bodies from a web server into transaction files.", run);
}
