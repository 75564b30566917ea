#include "watcher/pushed.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "watcher/push.h"

/** "push-", 12 digits of the commit, the dashes: what is left is for the ref. */
#define REF_SHOWN_MAX 150
#define BLANKS " \t\r"

/* -- the rules -- */

/* "a,b,c" as a list; NULL: a name is not good, or no memory. */
static json_t *
read_hardware(char *text, struct err *err)
{
	json_t *list = json_array();
	char *id;

	while ((id = strsep(&text, ","))) {
		if (name_check_hardware(id, err) == 0)
			json_array_append_new(list, json_string(id));
		else
			json_decref(MOVE(list));
		if (!list)
			return NULL;
	}
	return list;
}

/* The words of a matching line as push.json. */
static int
make_push(const char *package, char *hardware, char **out, struct err *err)
{
	AUTO(json_decref_p) json_t *json = json_object();
	int r = 0;

	if (strcmp(package, "-")) {
		r = name_check_package(package, err);
		json_object_set_new(json, "name", json_string(package));
	}
	if (r == 0 && strcmp(hardware, "-")) {
		json_t *list = read_hardware(hardware, err);

		if (!list)
			return -EINVAL;
		json_object_set_new(json, "hardwareIds", list);
	}
	if (r < 0)
		return r;
	*out = json_write(json);
	return *out ? 0 : err_set(err, ENOMEM, "no memory");
}

/* Takes the next word out of *@at. */
static char *
next_word(char **at)
{
	char *word = *at + strspn(*at, BLANKS);

	*at = word + strcspn(word, BLANKS);
	if (**at)
		*(*at)++ = '\0';
	return word;
}

/* 0 also for a line that is not for @ref. */
static int
read_rule(char *line, const char *ref, char **push, struct err *err)
{
	char *pattern = next_word(&line), *package = next_word(&line), *hardware = next_word(&line);

	if (*pattern == '\0' || *pattern == '#')
		return 0;
	if (!*hardware || *next_word(&line))
		return err_set(err, EINVAL, "a line is REF-PATTERN PACKAGE HARDWARE[,HARDWARE...]");
	return fnmatch(pattern, ref, 0) == 0 ? make_push(package, hardware, push, err) : 0;
}

int
pushed_rule(const char *text, const char *ref, char **push, struct err *err)
{
	AUTO(free_p) char *copy = strdup(text);
	char *rest = copy, *line;
	int r = 0;

	*push = NULL;
	if (!copy)
		return err_set(err, ENOMEM, "no memory");
	for (int number = 1; r == 0 && !*push && (line = strsep(&rest, "\n")); number++) {
		r = read_rule(line, ref, push, err);
		if (r < 0)
			err_context(err, r, "line %d", number);
	}
	return r;
}

/* *@push stays NULL without a rule, and without a file. */
static int
find_rule(const struct pushed *pushed, char **push, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	const char *path = pushed->api->config->build_refs;
	size_t bytes = 0;
	int r = file_read(AT_FDCWD, path, PUSHED_RULES_MAX, &text, &bytes, err);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = pushed_rule(text, pushed->ref, push, err);
	if (r == 0)
		return 0;
	/* A mistake in the settings is nothing that the builder did. */
	err->code = EIO;
	return err_context(err, -EIO, "build_refs");
}

static int
read_commit(void *ingest, const char *checksum, struct commit_info *info, struct err *err)
{
	int r = ingest_read_commit(ingest, checksum, info, err);

	return r == INGEST_NO_COMMIT ? drop_bad(err, "commit %s is not stored", checksum) : r;
}

static int
check_limits(const struct pushed *pushed, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < pushed->releases.count; i++)
		r = limits_check_package(
		    &pushed->limits, pushed->releases.list[i].name, pushed->releases.list[i].hardware, err);
	return r;
}

static int
plan(struct pushed *pushed, struct err *err)
{
	struct source_ref ref;
	AUTO(free_p) char *push = NULL;
	int r = find_rule(pushed, &push, err);

	if (r || !push)
		return r;
	snprintf(ref.name, sizeof(ref.name), "%s", pushed->ref);
	snprintf(ref.commit, sizeof(ref.commit), "%s", pushed->commit);
	r = push_plan(push, strlen(push), &ref, 1, read_commit, pushed->api->ingest, &pushed->releases, err);
	pushed->releases.judge = &pushed->judge;
	if (r == 0)
		r = check_limits(pushed, err);
	if (r == 0)
		r = image_check(pushed->api->image, &pushed->releases, err);
	/* What cannot be offered here is stored, and its ref set, all the same. */
	return r == IMAGE_OFFLINE ? 0 : r;
}

/* -- what is left of it -- */

/* "push-qemux86-64-app-0123456789ab" */
static void
result_name(const struct pushed *pushed, char name[static MOVER_NAME_MAX + 1])
{
	snprintf(name, MOVER_NAME_MAX + 1, "push-%.*s-%.12s", REF_SHOWN_MAX, pushed->ref, pushed->commit);
	for (char *p = name; *p; p++)
		if (*p == '/')
			*p = '-';
}

static int
is_result(const struct dirent *entry)
{
	const char *suffix = strchr(entry->d_name, '\0') - strlen(".receipt.json");

	if (strncmp(entry->d_name, "push-", 5) || suffix < entry->d_name)
		return 0;
	return !strcmp(suffix, ".receipt.json") || !strcmp(suffix + 2, ".reason.txt");
}

/* Whether a drop has the name, whose result is not ours to remove. */
static bool
is_of_drop(int dir, const char *file)
{
	char name[NAME_MAX + 1];
	struct stat st;

	snprintf(name, sizeof(name), "%s", file);
	for (char *dot; fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode); *dot = '\0')
		if (!(dot = strrchr(name, '.')))
			return false;
	return true;
}

/* Removes the oldest results of pushes beyond PUSHED_RESULTS_MAX. */
static void
prune(int dir)
{
	struct dirent **list = NULL;
	int n = scandirat(dir, ".", &list, is_result, NULL);

	for (int extra = n - PUSHED_RESULTS_MAX; extra > 0; extra--) {
		struct stat st, oldest = { 0 };
		int found = -1;

		for (int i = 0; i < n; i++)
			if (*list[i]->d_name && fstatat(dir, list[i]->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			    (found < 0 || st.st_mtime < oldest.st_mtime)) {
				found = i;
				oldest = st;
			}
		if (found < 0)
			break;
		if (!is_of_drop(dir, list[found]->d_name))
			unlinkat(dir, list[found]->d_name, 0);
		*list[found]->d_name = '\0';
	}
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

/* Writes the result and takes away what an earlier push of the same left. A failure costs the builder nothing:
 * he has the answer. */
static void
leave(struct pushed *pushed, bool is_done, const char *text)
{
	const struct mover *mover = pushed->api->mover;
	char name[MOVER_NAME_MAX + 1], done[NAME_MAX + 1], failed[NAME_MAX + 1];
	struct err err = { 0 };
	int r;

	result_name(pushed, name);
	snprintf(done, sizeof(done), "%s.receipt.json", name);
	snprintf(failed, sizeof(failed), "%s.reason.txt", name);
	r = is_done ? file_replace(mover->done, done, text, strlen(text), 0644, &err)
		    : file_replace(mover->failed, failed, text, strlen(text), 0644, &err);
	if (r < 0)
		log_line(LOG_WARNING, "push name=\"%s\" has no receipt reason=\"%s\"", name, err.text);
	else if (is_done)
		unlinkat(mover->failed, failed, 0);
	else
		unlinkat(mover->done, done, 0);
	prune(is_done ? mover->done : mover->failed);
}

static void
leave_reason(struct pushed *pushed, const char *reason)
{
	char name[MOVER_NAME_MAX + 1], text[ERR_TEXT_MAX + MOVER_NAME_MAX + 8];

	result_name(pushed, name);
	snprintf(text, sizeof(text), "%s: %s\n", name, reason);
	leave(pushed, false, text);
	status_last(pushed->api->status, "%s failed: see failed/%s.reason.txt", name, name);
	status_flush(pushed->api->status);
}

/* The members that every receipt has; NULL: no memory. */
static json_t *
receipt(const struct pushed *pushed, const char *result)
{
	char now[UTC_TEXT_SIZE];

	utc_format(utc_now(), now);
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "result", result, "builder", pushed->user, "ref",
	    pushed->ref, "commit", pushed->commit, "finished", now);
}

static void
leave_receipt(struct pushed *pushed, json_t *json)
{
	AUTO(free_p) char *text = json ? json_write_as(json, JSON_INDENT(4)) : NULL;
	AUTO(free_p) char *line = NULL;

	if (!text || asprintf(&line, "%s\n", text) < 0) {
		line = NULL;
		log_line(LOG_WARNING, "push ref=\"%s\" has no receipt reason=\"no memory\"", pushed->ref);
		return;
	}
	leave(pushed, true, line);
}

static void
tell_published(struct pushed *pushed, bool is_new, int version)
{
	const struct release *release = &pushed->releases.list[0];
	AUTO(json_decref_p) json_t *json = receipt(pushed, is_new ? "published" : "already published");
	char target[NAME_TARGET_MAX + 1], now[UTC_TEXT_SIZE], next[512];

	release_target(release, target);
	utc_format(utc_now(), now);
	snprintf(next, sizeof(next), "assign with: echo '%s %s' > devices/ID/assign", release->name,
	    release->version);
	if (json) {
		json_object_set_new(json, "published",
		    json_pack("[{s:s, s:s, s:s, s:s, s:O, s:s}]", "name", release->name, "version",
			release->version, "commit", release->commit, "ref", release->ref, "hardwareIds",
			release->hardware, "target", target));
		json_object_set_new(json, "targetsVersion", json_integer(version));
		json_object_set_new(json, "next", json_string(next));
	}
	leave_receipt(pushed, json);
	snprintf(pushed->headers, sizeof(pushed->headers), "X-OTA-Published: %s %s, targets version %d%s\r\n",
	    release->name, release->version, version, is_new ? "" : ", was there already");
	log_line(LOG_NOTICE, "push builder=%s ref=\"%s\" commit=%s result=done published=\"%s %s\"",
	    pushed->user, pushed->ref, pushed->commit, release->name, release->version);
	status_last(pushed->api->status, "%s %s pushed and published %s", release->name, release->version, now);
	status_flush(pushed->api->status);
}

static void
tell_not_published(struct pushed *pushed, const char *reason, const char *next)
{
	AUTO(json_decref_p) json_t *json = receipt(pushed, "not published");

	if (json) {
		json_object_set_new(json, "reason", json_string(reason));
		json_object_set_new(json, "next", json_string(next));
	}
	leave_receipt(pushed, json);
	snprintf(pushed->headers, sizeof(pushed->headers), "X-OTA-Not-Published: %s\r\n", reason);
	log_line(LOG_NOTICE, "push builder=%s ref=\"%s\" commit=%s result=done published=nothing reason=\"%s\"",
	    pushed->user, pushed->ref, pushed->commit, reason);
	status_last(pushed->api->status, "%s pushed, not published: %s", pushed->ref, reason);
	status_flush(pushed->api->status);
}

static void
tell_no_rule(struct pushed *pushed)
{
	char reason[400];

	snprintf(reason, sizeof(reason), "no line of build-refs matches %s", pushed->ref);
	tell_not_published(
	    pushed, reason, "add a line for the ref to build_refs, see otafs.conf(5), and push it again");
}

static void
tell_offline(struct pushed *pushed)
{
	const struct release *release = &pushed->releases.list[0];
	char next[640];

	snprintf(next, sizeof(next),
	    "where the keys are: ota-sign targets add, with name %s, version %s and commit %s", release->name,
	    release->version, release->commit);
	tell_not_published(pushed, "the keys of targets are off line", next);
}

/* -- the push -- */

int
pushed_init(struct pushed *pushed, const struct api_request *request, const char *ref, const char *commit,
    struct err *err)
{
	int r;

	*pushed = (struct pushed){ .api = request->api,
		.user = request->user,
		.ref = ref,
		.commit = commit,
		.limits = request->limits,
		.judge = { limits_judge, &pushed->limits } };
	r = limits_check_ref(&pushed->limits, ref, err);
	if (r == 0)
		r = plan(pushed, err);
	if (r)
		leave_reason(pushed, err->text);
	return r;
}

void
pushed_refused(const struct api *api, const char *user, const char *ref, const char *commit, const char *reason)
{
	struct pushed pushed = { .api = api, .user = user, .ref = ref, .commit = commit };

	leave_reason(&pushed, reason);
}

void
pushed_done(struct pushed *pushed)
{
	releases_done(&pushed->releases);
}

int
pushed_publish(struct pushed *pushed, struct err *err)
{
	int version = 0, r;

	if (pushed->releases.count == 0) {
		tell_no_rule(pushed);
		return 0;
	}
	r = image_publish(pushed->api->image, &pushed->releases, &version, err);
	if (r == -ENOKEY) {
		tell_offline(pushed);
		return 0;
	}
	if (r && r != IMAGE_SAME) {
		leave_reason(pushed, err->text);
		return r;
	}
	tell_published(pushed, r == 0, version);
	return 0;
}
