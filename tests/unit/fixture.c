#include "tests/unit/fixture.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/utc.h"
#include "otafs/assign.h"
#include "otafs/device.h"
#include "otafs/enroll.h"
#include "otafs/group.h"
#include "otafs/manifest.h"
#include "sign/canonical.h"
#include "sign/ledger.h"
#include "state/reads.h"
#include "tests/unit/fault.h"
#include "tests/unit/first_roots.h"

const char *const fixture_serials[ECUS] = { "prim", "sec-1", "sec-2" };
static const char *const hardware[ECUS] = { "hw-a", "hw-b", "hw-b" };

static void
write_text(const char *path, const char *text)
{
	struct err err = { 0 };

	assert_int_equal(file_replace(AT_FDCWD, path, text, strlen(text), 0644, &err), 0);
}

/* ---- settings and signer */

static void
write_settings(struct fixture *f)
{
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	unsigned me = getuid();
	char path[128];

	assert_true(
	    asprintf(&text,
		"mount = %1$s/mount\nwww = %1$s/www\nspool = %1$s/spool\nrepository = %1$s\n"
		"state = %1$s/otafs.db\nkeys = %1$s/keys\nsign_socket = %1$s/sign.sock\n"
		"gate_socket = %1$s/gate.sock\nfleet = %1$s/fleet\nuser_sign = %2$u\nuser_otafs = %2$u\n"
		"user_watcher = 64103\nuser_gate = %2$u\ngroup_admin = %2$u\n",
		f->path, me) > 0);
	snprintf(path, sizeof(path), "%s/otafs.conf", f->path);
	write_text(path, text);
	assert_int_equal(config_read(path, &f->config, &err), 0);
}

/* Before the signer starts: only root of the machine may have roots made, and tests run as anybody. */
static void
make_keys(const struct fixture *f)
{
	AUTO(keyring_freep) struct keyring *keyring = NULL;
	AUTO(ledger_freep) struct ledger *ledger = NULL;
	AUTO(close_p) int dir = -1;
	struct err err = { 0 };

	assert_int_equal(mkdir(f->config.keys, 0700), 0);
	dir = open(f->config.keys, O_RDONLY | O_DIRECTORY);
	assert_int_equal(keyring_open(dir, f->config.root_days, &keyring, &err), 0);
	assert_int_equal(ledger_open(dir, &ledger, &err), 0);
	make_first_roots(keyring, utc_now());
}

/* The program beside this test: build/VARIANT/tests/X_test and build/VARIANT/bin/ota-signd. */
static void
start_signer(struct fixture *f)
{
	char self[4096] = { 0 }, program[4200], conf[128], socket[128];
	struct stat st;

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	snprintf(program, sizeof(program), "%s/../bin/ota-signd", dirname(self));
	snprintf(conf, sizeof(conf), "%s/otafs.conf", f->path);
	snprintf(socket, sizeof(socket), "%s/sign.sock", f->path);
	f->signd = fork();
	if (f->signd == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		freopen("/dev/null", "w", stderr);
		execl(program, program, "-c", conf, (char *)NULL);
		_exit(127);
	}
	assert_true(f->signd > 0);
	for (int i = 0; i < 500 && stat(socket, &st) < 0; i++)
		usleep(10000);
	assert_int_equal(stat(socket, &st), 0);
}

/* ---- publication */

/* With the image repository's key, where there is a signer, who looks. @signed_part is released. */
static json_t *
sign_as_watcher(const struct fixture *f, json_t *signed_part)
{
	AUTO(key_pair_freep) struct key_pair *key = NULL;
	AUTO(close_p) int dir = open(f->config.keys, O_RDONLY | O_DIRECTORY);
	struct err err = { 0 };

	if (dir < 0)
		return json_pack("{s:[],s:o}", "signatures", "signed", signed_part);
	assert_int_equal(key_pair_load(dir, "image/targets-1.key", &key, &err), 0);
	return fixture_sign(key, signed_part);
}

void
fixture_target(
    json_t *targets, const char *name, const char *version, const char *format, const char *sha256, json_t *ids)
{
	char file[NAME_TARGET_MAX + 1];

	snprintf(file, sizeof(file), "%s-%s", name, version);
	json_object_set_new(targets, file,
	    json_pack("{s:i,s:{s:s},s:{s:s,s:s,s:s,s:o,s:s}}", "length", strcmp(format, "OSTREE") ? 1000 : 0,
		"hashes", "sha256", sha256, "custom", "name", name, "version", version, "targetFormat", format,
		"hardwareIds", ids, "createdAt", "2026-11-01T00:00:00Z"));
}

void
fixture_bytes(const struct fixture *f, json_t *targets)
{
	const char *file;
	json_t *one;

	json_object_foreach(targets, file, one)
	{
		const char *sha256 = json_text(json_object_get(one, "hashes"), "sha256");
		const char *format = json_text(json_object_get(one, "custom"), "targetFormat");
		bool is_ostree = format && !strcmp(format, "OSTREE");
		char path[256];

		if (!sha256 || strlen(sha256) != 64)
			continue;
		snprintf(path, sizeof(path), "%s/%s", f->path, is_ostree ? "ostree/objects" : "binaries");
		mkdir(path, 0755);
		snprintf(path + strlen(path), 8, "/%.2s", sha256);
		mkdir(path, 0755);
		snprintf(path + strlen(path), 80, "/%s%s", sha256 + 2, is_ostree ? ".commit" : "");
		write_text(path, file);
	}
}

void
fixture_publish(struct fixture *f, int number, json_t *more)
{
	fixture_publish_with(f, number, more, NULL);
}

void
fixture_delegation(
    struct fixture *f, int number, const char *name, json_t *targets, json_t *roles, const char *expires)
{
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *text = NULL;
	char path[256];

	if (!roles)
		roles = json_array();
	file = json_pack("{s:[],s:{s:s,s:o,s:{s:o}}}", "signatures", "signed", "expires", expires, "targets",
	    targets, "delegations", "roles", roles);
	text = json_write(file);
	fixture_bytes(f, targets);
	snprintf(path, sizeof(path), "%s/published/%d", f->path, number);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/published/%d/delegations", f->path, number);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/published/%d/delegations/%s.json", f->path, number, name);
	write_text(path, text);
}

void
fixture_publish_with(struct fixture *f, int number, json_t *more, json_t *roles)
{
	AUTO(json_decref_p) json_t *targets = json_object();
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *text = NULL;
	char path[160], name[16];

	fixture_target(targets, "app", "1.0", "OSTREE", APP_1, json_pack("[s]", "hw-a"));
	fixture_target(targets, "app", "2.0", "OSTREE", APP_2, json_pack("[s]", "hw-a"));
	fixture_target(targets, "fw", "1.0", "BINARY", FW_1, json_pack("[s]", "hw-b"));
	fixture_target(targets, "fw", "2.0", "BINARY", FW_2, json_pack("[s]", "hw-b"));
	fixture_target(targets, "duo", "1.0", "OSTREE", APP_1, json_pack("[s,s]", "hw-a", "hw-b"));
	if (more)
		json_object_update(targets, more);
	json_decref(more);
	if (!roles)
		roles = json_array();
	file = sign_as_watcher(
	    f, json_pack("{s:s,s:i,s:s,s:O,s:{s:{},s:o}}", "_type", "Targets", "version", number, "expires",
		   "2090-01-01T00:00:00Z", "targets", targets, "delegations", "keys", "roles", roles));
	text = json_write(file);
	fixture_bytes(f, targets);
	snprintf(path, sizeof(path), "%s/published/%d", f->path, number);
	assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/published/%d/targets.json", f->path, number);
	write_text(path, text);
	snprintf(path, sizeof(path), "%s/published/current", f->path);
	snprintf(name, sizeof(name), "%d", number);
	unlink(path);
	assert_int_equal(symlink(name, path), 0);
}

/* ---- device */

json_t *
fixture_ecus(const struct fixture *f, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(
		    list, json_pack("{s:s,s:s,s:o}", "ecu_serial", fixture_serials[i], "hardware_identifier",
			      hardware[i], "clientKey", public_key_json(key_pair_public(f->keys[i]))));
	return json_pack("{s:o,s:s}", "ecus", list, "primary_ecu_serial", "prim");
}

int
fixture_enroll(struct fixture *f, json_t *body, struct reply *reply, struct err *err)
{
	AUTO(free_p) char *text = json_write(body);
	int r;

	json_decref(body);
	*reply = (struct reply){ 0 };
	r = enroll_commit(&f->core, &f->device, text, strlen(text), reply, err);
	fixture_load(f);
	return r;
}

void
fixture_load(struct fixture *f)
{
	struct err err = { 0 };

	assert_int_equal(state_device(f->core.state, "car7", &f->device, &err), 0);
}

static void
make_device(struct fixture *f)
{
	struct reply reply;
	struct err err = { 0 };

	assert_int_equal(device_add(&f->core, "car7", "test", &err), 0);
	fixture_load(f);
	assert_int_equal(fixture_enroll(f, fixture_ecus(f, ECUS), &reply, &err), 0);
	assert_int_equal(reply.status, 201);
}

/* ---- cmocka */

static int
setup(void **state, bool has_signer)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = { 0 };
	char path[128];

	*state = f;
	f->fds = fault_open_fds();
	strcpy(f->path, "/tmp/otafs-unit.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	assert_int_equal(key_start(&err), 0);
	for (int i = 0; i < ECUS; i++)
		assert_int_equal(key_pair_new(&f->keys[i], &err), 0);
	write_settings(f);
	snprintf(path, sizeof(path), "%s/published", f->path);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/ostree", f->path);
	assert_int_equal(mkdir(path, 0755), 0);
	if (has_signer)
		make_keys(f);
	fixture_publish(f, 1, NULL);
	if (has_signer)
		start_signer(f);
	assert_int_equal(core_open(&f->config, &f->core, &err), 0);
	make_device(f);
	return 0;
}

int
fixture_setup(void **state)
{
	return setup(state, false);
}

int
fixture_setup_with_signer(void **state)
{
	return setup(state, true);
}

int
fixture_teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	int fds = f->fds;

	core_close(&f->core);
	if (f->signd) {
		kill(f->signd, SIGTERM);
		waitpid(f->signd, NULL, 0);
	}
	for (int i = 0; i < ECUS; i++)
		key_pair_free(f->keys[i]);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	assert_int_equal(system(command), 0);
	free(f);
	assert_int_equal(fault_open_fds(), fds);
	return 0;
}

void
fixture_reopen(struct fixture *f)
{
	struct err err = { 0 };

	core_close(&f->core);
	f->core = (struct core){ 0 };
	assert_int_equal(core_open(&f->config, &f->core, &err), 0);
	fixture_load(f);
}

/* ---- manifests */

void
fixture_device(struct fixture *f, const char *id)
{
	AUTO(json_decref_p) json_t *body = fixture_ecus(f, ECUS);
	AUTO(free_p) char *text = json_write(body);
	struct reply reply = { 0 };
	struct device device;
	struct err err = { 0 };

	assert_int_equal(device_add(&f->core, id, "test", &err), 0);
	assert_int_equal(state_device(f->core.state, id, &device, &err), 0);
	assert_int_equal(enroll_commit(&f->core, &device, text, strlen(text), &reply, &err), 0);
	assert_int_equal(reply.status, 201);
}

void
fixture_group(struct fixture *f)
{
	static const char *const cars[] = { "car1", "car2", "car3" };
	struct err err = { 0 };

	assert_int_equal(group_add(&f->core, "eu", "test", &err), 0);
	for (int i = 0; i < 3; i++) {
		fixture_device(f, cars[i]);
		assert_int_equal(group_put(&f->core, "eu", cars[i], "test", &err), 0);
	}
	assert_int_equal(device_add(&f->core, "bare", "test", &err), 0);
	assert_int_equal(group_put(&f->core, "eu", "bare", "test", &err), 0);
}

json_t *
fixture_sign(const struct key_pair *key, json_t *signed_part)
{
	AUTO(free_p) char *canonical = NULL;
	json_t *signature;
	struct err err = { 0 };
	size_t bytes;

	assert_int_equal(canonical_write(signed_part, &canonical, &bytes, &err), 0);
	assert_int_equal(key_pair_sign(key, canonical, bytes, &signature, &err), 0);
	return json_pack("{s:[o],s:o}", "signatures", signature, "signed", signed_part);
}

json_t *
fixture_runs(const struct fixture *f, int ecu, const char *file, const char *sha256)
{
	return fixture_sign(f->keys[ecu], json_pack("{s:s,s:s,s:{s:s,s:{s:i,s:{s:s}}}}", "attacks_detected", "",
					      "ecu_serial", fixture_serials[ecu], "installed_image", "filepath",
					      file, "fileinfo", "length", 0, "hashes", "sha256", sha256));
}

json_t *
fixture_manifest(const struct fixture *f, json_t *reports, json_t *result)
{
	json_t *body = json_pack("{s:s,s:o}", "primary_ecu_serial", "prim", "ecu_version_manifests", reports);

	if (result)
		json_object_set_new(body, "installation_report", result);
	return fixture_sign(f->keys[PRIM], body);
}

json_t *
fixture_manifest_of(const struct fixture *f, int ecu, const char *file, const char *sha256)
{
	json_t *reports = json_object();

	json_object_set_new(reports, fixture_serials[ecu], fixture_runs(f, ecu, file, sha256));
	return fixture_manifest(f, reports, NULL);
}

json_t *
fixture_result(bool is_success, const char *correlation)
{
	return json_pack("{s:{s:s,s:{s:b,s:s,s:s}}}", "report", "correlation_id", correlation, "result",
	    "success", is_success, "code", is_success ? "OK" : "INSTALL_FAILED", "description", "as it went");
}

int
fixture_send(struct fixture *f, json_t *manifest, struct reply *reply)
{
	AUTO(free_p) char *text = json_write(manifest);
	struct err err = { 0 };

	json_decref(manifest);
	*reply = (struct reply){ 0 };
	fixture_load(f);
	assert_int_equal(manifest_commit(&f->core, &f->device, text, strlen(text), reply, &err), 0);
	fixture_load(f);
	return reply->status;
}

/* ---- what the core knows */

int
fixture_assign(struct fixture *f, const char *text, struct err *err)
{
	const struct assign_how how = { .who = "test" };
	int r = assign_do(&f->core, &f->device, text, &how, err);

	fixture_load(f);
	return r;
}

void
fixture_read(struct fixture *f, int64_t now)
{
	AUTO(free_p) struct assignment *open = NULL;
	struct err err = { 0 };
	int64_t number = 0;
	size_t count;

	assert_int_equal(state_assignments(f->core.state, "car7", &open, &count, &err), 0);
	for (size_t i = 0; i < count; i++)
		number = open[i].number > number ? open[i].number : number;
	assert_int_equal(state_read(f->core.state, "car7", number, now, &err), 0);
	assert_true(state_read_store(f->core.state, "car7", &now, &err) >= 0);
}

char *
fixture_assign_text(struct fixture *f)
{
	struct err err = { 0 };
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(assign_print(&f->core, &f->device, out, &err), 0);
	fclose(out);
	return text;
}

char *
fixture_open(struct fixture *f)
{
	AUTO(free_p) char *all = fixture_assign_text(f);
	char *text = NULL, *rest = all, *line;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	while ((line = strsep(&rest, "\n")))
		if (strstr(line, ", open since "))
			fprintf(out, "%s\n", line);
	fclose(out);
	return text;
}

char *
fixture_history(struct fixture *f)
{
	struct err err = { 0 };
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(device_print_history(&f->core, &f->device, out, &err), 0);
	fclose(out);
	return text;
}

int
fixture_told(struct fixture *f, const char *words)
{
	AUTO(free_p) char *text = fixture_history(f);
	char *rest = text, *line;
	int n = 0;

	while ((line = strsep(&rest, "\n")))
		n += strstr(line, words) != NULL;
	return n;
}
