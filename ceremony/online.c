/* ota-sign on ota-signd's machine: its roots and keys, over its socket. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/command.h"
#include "lib/cleanup.h"
#include "lib/config.h"
#include "lib/json.h"
#include "lib/program.h"
#include "lib/role.h"
#include "sign/client.h"

static int
open_client(const char *path, struct config *config, struct client **out, struct err *err)
{
	int r = config_read(path, config, err);

	if (r < 0)
		return r;
	*out = client_new(config->sign_socket);
	return *out ? 0 : err_set(err, ENOMEM, "no memory");
}

/* Has the signer take the root @signed_part with the signatures of its own keys. */
static int
finish(struct client *client, enum repository repository, const json_t *signed_part, struct err *err)
{
	AUTO(json_decref_p) json_t *file = json_pack("{s:[],s:O}", "signatures", "signed", signed_part);
	AUTO(free_p) char *text = file ? json_write(file) : NULL;
	AUTO(free_p) char *envelope = NULL;

	if (!text)
		return err_set(err, ENOMEM, "no memory for a root");
	return client_finish(client, repository, text, strlen(text), &envelope, NULL, err);
}

/* -- init -- */

static int
root_version(struct client *client, enum repository repository, int *version, struct err *err)
{
	AUTO(json_decref_p) json_t *keys = NULL;
	int r = client_keys(client, repository, &keys, err);

	if (r == 0)
		*version = (int)json_integer_value(json_object_get(keys, "version"));
	return r;
}

/* A crash may have left the first of the two: then the second is made. */
static int
check_new(struct client *client, bool has_root[REPOSITORY_COUNT], struct err *err)
{
	int count = 0;

	for (int i = 0; i < REPOSITORY_COUNT; i++) {
		int version = 0, r = root_version(client, (enum repository)i, &version, err);

		if (r < 0)
			return r;
		has_root[i] = version > 0;
		count += version > 0;
	}
	return count < REPOSITORY_COUNT
		   ? 0
		   : err_set(err, EEXIST, "both repositories have roots: nothing is made; see ota-sign status");
}

static int
init_repository(struct client *client, enum repository repository, struct err *err)
{
	AUTO(json_decref_p) json_t *nothing = json_object();
	AUTO(json_decref_p) json_t *root = NULL;
	int r = client_begin(client, repository, nothing, NULL, false, &root, err);

	if (r < 0 || (r = finish(client, repository, root, err)) < 0)
		return err_context(err, r, "%s", repository_name(repository));
	printf("%s: first root made, all its keys are with ota-signd\n", repository_name(repository));
	return 0;
}

static int
init(int argc, char **argv, struct err *err)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "online", no_argument, NULL, 'o' }, { 0 } };
	AUTO(client_freep) struct client *client = NULL;
	bool is_online = false, has_root[REPOSITORY_COUNT];
	const char *path = PROGRAM_CONFIG;
	struct config config;
	int option, r;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (option == 'c')
			path = optarg;
		else if (option == 'o')
			is_online = true;
		else
			return err_set(err, EINVAL, "init: see ota-sign(1)");
	}
	if (!is_online || optind < argc)
		return err_set(err, EINVAL, "init: where are the root keys to be? --online: with ota-signd");
	if ((r = open_client(path, &config, &client, err)) < 0 || (r = check_new(client, has_root, err)) < 0)
		return r;
	for (int i = 0; r == 0 && i < REPOSITORY_COUNT; i++)
		if (!has_root[i])
			r = init_repository(client, (enum repository)i, err);
	return r;
}

const struct command online_commands[] = {
	{ "init", "[-c FILE] --online", "Makes the first roots of both repositories.", init },
	{ 0 },
};
