/*
 * ota-device: a test client that asks, verifies, installs and reports as aktualizr's primary does.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/json.h"
#include "tests/device/apply.h"
#include "tests/device/device.h"
#include "tests/device/poll.h"

/** Bad input for tests, 10 MB manifests among it. */
#define SEND_MAX (64 * 1024 * 1024)

enum exit_code { EXIT_DONE, EXIT_USAGE, EXIT_REFUSED, EXIT_TRANSPORT, EXIT_AVAILABLE };

static const char usage[] =
    "usage: ota-device --url https://host:port --cert client.pem --key pkey.pem --ca root.crt --dir STATEDIR\n"
    "                  --hardware HWID [--ecu SERIAL] [--secondary SERIAL:HWID]... [--verbose]\n"
    "                  [--reboot] [--fail SERIAL]... [--form v1|v2|v3] [--record FILE] COMMAND\n"
    "\n"
    "  poll             one cycle as aktualizr does it: register, report, check, install, report\n"
    "  check            the same without installing; exit status 4 when there is an update\n"
    "  reboot           ends an installation that waits for it; the next poll reports it\n"
    "  send WHAT FILE   hands FILE in as manifest, ecus, system_info, network, config, installed or events;\n"
    "                   prints the status and the body of the answer\n"
    "  show             what is installed on each ECU, the report counter, versions of stored metadata\n"
    "\n"
    "Exit status: 0 done, 1 usage or the state folder, 2 something was refused, 3 no good answer, 4 see "
    "check.\n"
    "--reboot: an installation is in use after the command reboot only, and nothing is sent until then.\n"
    "--fail: an installation on that ECU fails. --form: of manifests; v1 and v2 have no installation report.\n"
    "--record: the last manifest that was sent is kept in FILE.\n"
    "--verbose prints METHOD PATH STATUS BYTES for each request, status 0 where there was no answer,\n"
    "and \"PULL COMMIT done|failed\" for what libostree does.\n";

struct options {
	struct http http;
	const char *dir, *hardware, *ecu, *form, *record;
	bool is_rebooting;
	const char *failing[ECUS_MAX]; /* serials */
	size_t failings;
	const char *secondary[ECUS_MAX - 1]; /* SERIAL:HWID */
	size_t secondaries;
	char **command;
	int words; /* of the command */
};

/* What `send` knows. */
static const struct {
	const char *what, *method, *path, *type;
} sendable[] = {
	{ "manifest", "PUT", "/director/manifest", "application/json" },
	{ "ecus", "POST", "/director/ecus", "application/json" },
	{ "system_info", "PUT", "/system_info", "application/json" },
	{ "network", "PUT", "/system_info/network", "application/json" },
	{ "config", "POST", "/system_info/config", "application/toml" },
	{ "installed", "PUT", "/core/installed", "application/json" },
	{ "events", "POST", "/events", "application/json" },
};

static int
set_option(struct options *options, int option, const char *value)
{
	const char **const place[] = { ['u'] = &options->http.url,
		['c'] = &options->http.cert,
		['k'] = &options->http.key,
		['a'] = &options->http.ca,
		['d'] = &options->dir,
		['h'] = &options->hardware,
		['e'] = &options->ecu,
		['f'] = &options->form,
		['r'] = &options->record };

	if (option == 'v')
		options->http.is_verbose = true;
	else if (option == 'b')
		options->is_rebooting = true;
	else if (option == 'x' && options->failings < ECUS_MAX)
		options->failing[options->failings++] = value;
	else if (option == 's' && options->secondaries < ECUS_MAX - 1)
		options->secondary[options->secondaries++] = value;
	else if (option > 0 && (size_t)option < sizeof(place) / sizeof(place[0]) && place[option])
		*place[option] = value;
	else
		return -1;
	return 0;
}

static int
read_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = { { "url", 1, NULL, 'u' }, { "cert", 1, NULL, 'c' },
		{ "key", 1, NULL, 'k' }, { "ca", 1, NULL, 'a' }, { "dir", 1, NULL, 'd' },
		{ "hardware", 1, NULL, 'h' }, { "ecu", 1, NULL, 'e' }, { "secondary", 1, NULL, 's' },
		{ "reboot", 0, NULL, 'b' }, { "fail", 1, NULL, 'x' }, { "form", 1, NULL, 'f' },
		{ "record", 1, NULL, 'r' }, { "verbose", 0, NULL, 'v' }, { 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		if (set_option(options, option, optarg) < 0)
			return -1;
	options->command = argv + optind;
	options->words = argc - optind;
	if (!options->http.url || !options->http.cert || !options->http.key || !options->http.ca ||
	    !options->dir || !options->hardware || options->words < 1)
		return -1;
	if (!options->form)
		options->form = "v3";
	if (strlen(options->form) != 2 || options->form[0] != 'v' || !strchr("123", options->form[1]))
		return -1;
	return strncmp(options->http.url, "https://", 8) ? -1 : 0;
}

/* Sets the ECU's names, which have to be printable and short, and what it runs. */
static int
name_ecu(struct device *device, struct ecu *ecu, const char *serial, const char *hardware, struct err *err)
{
	int r;

	if ((r = name_check_ecu(serial, err)) < 0 || (r = name_check_hardware(hardware, err)) < 0)
		return r;
	snprintf(ecu->serial, sizeof(ecu->serial), "%s", serial);
	snprintf(ecu->hardware, sizeof(ecu->hardware), "%s", hardware);
	ecu->installed = json_object_get(store_section(device->store, "installed"), ecu->serial);
	return 0;
}

/* Without a serial number the primary is called by its key's id. */
static int
add_primary(struct device *device, const struct options *options, struct err *err)
{
	struct ecu *ecu = &device->ecus.ecu[device->ecus.count++];
	int r = store_key(device->store, "primary.key", &ecu->key, err);

	if (r < 0)
		return r;
	return name_ecu(device, ecu, options->ecu ? options->ecu : public_key_id(key_pair_public(ecu->key)),
	    options->hardware, err);
}

static int
add_secondary(struct device *device, const char *text, struct err *err)
{
	struct ecu *ecu = &device->ecus.ecu[device->ecus.count++];
	const char *colon = strchr(text, ':');
	char serial[NAME_ECU_MAX + 2], key[NAME_ECU_MAX + 32];
	int r;

	if (!colon)
		return err_set(err, EINVAL, "--secondary %s: is not SERIAL:HWID", text);
	snprintf(serial, sizeof(serial), "%.*s", (int)(colon - text), text);
	if ((r = name_ecu(device, ecu, serial, colon + 1, err)) < 0)
		return r;
	snprintf(key, sizeof(key), "secondary-%s.key", serial);
	return store_key(device->store, key, &ecu->key, err);
}

static int
mark_failing(struct device *device, const char *serial, struct err *err)
{
	for (size_t i = 0; i < device->ecus.count; i++)
		if (!strcmp(device->ecus.ecu[i].serial, serial)) {
			device->ecus.ecu[i].is_failing = true;
			return 0;
		}
	return err_set(err, EINVAL, "--fail %s: there is no such ECU", serial);
}

static void
device_done(struct device *device)
{
	for (size_t i = 0; i < device->ecus.count; i++)
		key_pair_free(device->ecus.ecu[i].key);
	store_free(device->store);
}

static int
open_device(struct device *device, const struct options *options, struct err *err)
{
	int r;

	device->http = options->http;
	device->path = options->dir;
	device->is_rebooting = options->is_rebooting;
	device->form = options->form;
	device->record = options->record;
	if ((r = key_start(err)) < 0 || (r = http_start(err)) < 0 ||
	    (r = store_open(options->dir, &device->store, err)) < 0 ||
	    (r = add_primary(device, options, err)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < options->secondaries; i++)
		r = add_secondary(device, options->secondary[i], err);
	for (size_t i = 0; r == 0 && i < options->failings; i++)
		r = mark_failing(device, options->failing[i], err);
	return r;
}

static int
exit_code(int r, const struct err *err)
{
	if (r >= 0)
		return r == POLL_AVAILABLE ? EXIT_AVAILABLE : EXIT_DONE;
	fprintf(stderr, "ota-device: %s\n", err->text);
	if (r == -EBADMSG || r == -EFBIG)
		return EXIT_REFUSED;
	return r == -ECOMM ? EXIT_TRANSPORT : EXIT_USAGE;
}

static int
send_file(struct device *device, size_t what, const char *path, struct err *err)
{
	struct http_answer answer = { 0 };
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = file_read(AT_FDCWD, path, SEND_MAX, &text, &bytes, err);

	if (r < 0)
		return r == -EFBIG ? -EINVAL : r;
	r = http_send(&device->http, sendable[what].method, sendable[what].path, sendable[what].type, text,
	    bytes, &answer, err);
	if (r == 0)
		printf("%ld\n%s\n", answer.status, answer.body ? answer.body : "");
	if (r == 0 && !http_is_ok(answer.status))
		r = err_set(err, ECOMM, "%s: status %ld", sendable[what].path, answer.status);
	http_answer_done(&answer);
	return r;
}

static int
run_send(struct device *device, const char *what, const char *path)
{
	struct err err;

	for (size_t i = 0; i < sizeof(sendable) / sizeof(sendable[0]); i++)
		if (!strcmp(sendable[i].what, what))
			return exit_code(send_file(device, i, path, &err), &err);
	fprintf(stderr, "ota-device: send %s: there is no such thing\n", what);
	return EXIT_USAGE;
}

static int
show_metadata(struct device *device, enum repository repository, struct err *err)
{
	printf("%s", repository_name(repository));
	for (int role = 0; role < ROLE_COUNT; role++) {
		AUTO(json_decref_p) json_t *json = NULL;
		AUTO(free_p) char *text = NULL;
		size_t bytes;
		int r = store_read_metadata(device->store, repository, (enum role)role, &text, &bytes, err);

		if (r == STORE_NONE)
			continue;
		if (r < 0 || (r = json_read(text, bytes, role_name((enum role)role), &json, err)) < 0)
			return r;
		printf(" %s %lld", role_name((enum role)role),
		    (long long)json_integer_value(json_object_get(json_object_get(json, "signed"), "version")));
	}
	printf("\n");
	return 0;
}

static int
show(struct device *device, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < device->ecus.count; i++) {
		const struct ecu *ecu = &device->ecus.ecu[i];
		const char *name = json_text(ecu->installed, "name");
		const char *sha256 =
		    json_text(json_object_get(json_object_get(ecu->installed, "target"), "hashes"), "sha256");

		printf("ecu %s hardware %s file %s sha256 %s\n", ecu->serial, ecu->hardware,
		    name ? name : "unknown", sha256 ? sha256 : "unknown");
	}
	printf("report_counter %lld\n",
	    (long long)json_integer_value(json_object_get(store_state(device->store), "report_counter")));
	for (int i = 0; r == 0 && i < REPOSITORY_COUNT; i++)
		r = show_metadata(device, (enum repository)i, err);
	return r;
}

static int
run(struct device *device, const struct options *options)
{
	const char *command = options->command[0];
	struct err err = { 0 };

	if (options->words == 1 && !strcmp(command, "poll"))
		return exit_code(poll_run(device, false, &err), &err);
	if (options->words == 1 && !strcmp(command, "check"))
		return exit_code(poll_run(device, true, &err), &err);
	if (options->words == 1 && !strcmp(command, "reboot"))
		return exit_code(apply_reboot(device, &err), &err);
	if (options->words == 1 && !strcmp(command, "show"))
		return exit_code(show(device, &err), &err);
	if (options->words == 3 && !strcmp(command, "send"))
		return run_send(device, options->command[1], options->command[2]);
	fputs(usage, stderr);
	return EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	AUTO(device_done) struct device device = { 0 };
	struct options options = { 0 };
	struct err err = { 0 };
	int r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (read_options(argc, argv, &options) < 0) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	r = open_device(&device, &options, &err);
	if (r < 0) {
		exit_code(r, &err);
		return EXIT_USAGE;
	}
	return run(&device, &options);
}
