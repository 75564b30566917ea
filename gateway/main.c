/* ota-gate: takes request bodies from the web server over SCGI into transaction files of the mount. Owns
 * nothing. */
#include <signal.h>
#include <stdio.h>
#include <syslog.h>

#include "gateway/respond.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/program.h"
#include "lib/serve.h"

/** A web server that neither sends nor reads for so long is left. */
#define PEER_SECONDS 30

static void
handle(int fd, void *mount)
{
	respond(fd, mount);
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
	char mount[CONFIG_VALUE_MAX];
	int r;

	signal(SIGPIPE, SIG_IGN); /* the log's reader may go away */
	if ((r = listen_privileged(config, &fd, err)) < 0 || (r = config_become(config->user_gate, err)) < 0 ||
	    (r = program_signals(&signals, err)) < 0)
		return r;
	log_line(LOG_NOTICE, "ota-gate ready socket=%s", config->gate_socket);
	snprintf(mount, sizeof(mount), "%s", config->mount);
	return serve_loop(fd, signals, PEER_SECONDS, handle, mount, err);
}

int
main(int argc, char **argv)
{
	return program_main(argc, argv, "Takes request bodies from a web server into transaction files.", run);
}
