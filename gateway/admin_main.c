/* ota-admin-gate: what administrators do through a web server, done in the mount as them. Owns nothing. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <syslog.h>

#include "gateway/admin.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/program.h"
#include "lib/sandbox.h"
#include "lib/serve.h"

/** A web server that neither sends nor reads for so long is left. */
#define PEER_SECONDS 60

static void
handle(int fd, void *admin)
{
	admin_respond(fd, admin);
}

static int
listen_privileged(const struct config *config, int *fd, struct err *err)
{
	uid_t uid, web_uid;
	gid_t gid, web_gid;
	int r;

	if ((r = config_user(config->user_admin, &uid, &gid, err)) < 0 ||
	    (r = config_user(config->user_admin_web, &web_uid, &web_gid, err)) < 0 ||
	    (r = program_folder_above(config->admin_socket, 0, 0, 0755, err)) < 0)
		return r;
	/* Only the admin listener may say who an administrator is. */
	return program_listen(config->admin_socket, uid, web_gid, 0660, fd, err);
}

static int
run(const struct config *config, struct err *err)
{
	static struct admin admin; /* outlives the loop, with the requests that it leaves */
	/* The mount goes and comes, as another one; the password file is exchanged as a whole. */
	const struct sandbox_rule needed[] = { { config->mount, SANDBOX_WRITE | SANDBOX_ABOVE },
		{ config->admin_passwords, SANDBOX_READ | SANDBOX_ABOVE }, { NULL, 0 } };
	AUTO(close_p) int fd = -1;
	AUTO(close_p) int signals = -1;
	int r;

	signal(SIGPIPE, SIG_IGN);
	if ((r = listen_privileged(config, &fd, err)) < 0 || (r = config_become(config->user_admin, err)) < 0 ||
	    (r = sandbox_enter(config, needed, false, err)) < 0 || (r = program_signals(&signals, err)) < 0)
		return r;
	admin.mount = strdup(config->mount);
	admin.login = login_new(config->admin_passwords);
	if (!admin.mount || !admin.login)
		return err_set(err, ENOMEM, "no memory");
	log_line(LOG_NOTICE, "ota-admin-gate ready socket=%s", config->admin_socket);
	return serve_loop(fd, signals, PEER_SECONDS, handle, &admin, err);
}

int
main(int argc, char **argv)
{
	return program_main(argc, argv, "Does in the tree what administrators ask a web server for.", run);
}
