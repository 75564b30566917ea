#include "watcher/requests.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/steady.h"
#include "watcher/status.h"

/** The folder is listed so often even if nothing woke us. */
#define IDLE_MS 60000
/** Trouble of our own, such as no signer. */
#define RETRY_MS 5000
/** A UUID with some room. */
#define ID_SIZE 65

struct requests {
	char path[4096]; /* the folder */
	struct image *image;
	int inotify;
};

struct requests *
requests_new(const char *fleet, struct image *image, int inotify)
{
	struct requests *requests = calloc(1, sizeof(*requests));

	if (!requests)
		return NULL;
	snprintf(requests->path, sizeof(requests->path), "%s/requests", fleet);
	requests->image = image;
	requests->inotify = inotify;
	return requests;
}

void
requests_free(struct requests *requests)
{
	free(requests);
}

/* Writes the ID of a file ID.json; false for anything else. */
static bool
id_of(const char *file, char id[static ID_SIZE])
{
	size_t n = strlen(file);

	if (n <= 5 || n - 5 >= ID_SIZE || strcmp(file + n - 5, ".json"))
		return false;
	for (size_t i = 0; i < n - 5; i++)
		if (!isalnum((unsigned char)file[i]) && file[i] != '-')
			return false;
	snprintf(id, ID_SIZE, "%.*s", (int)(n - 5), file);
	return true;
}

static bool
is_refused(const struct requests *requests, const char *id)
{
	char path[128];

	snprintf(path, sizeof(path), "report/refused/%s", id);
	return faccessat(image_repository(requests->image), path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
refuse(const struct requests *requests, const char *id, const struct err *why, struct err *err)
{
	char path[128], line[ERR_TEXT_MAX + 2];

	snprintf(path, sizeof(path), "report/refused/%s", id);
	snprintf(line, sizeof(line), "%s\n", why->text);
	log_line(LOG_NOTICE, "request id=%s refused reason=\"%s\"", id, why->text);
	return file_replace(image_repository(requests->image), path, line, strlen(line), 0640, err);
}

/* 0, DROP_BAD with the reason, or -errno when it may be tried again. */
static int
carry_out(const struct requests *requests, int dir, const char *file, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	const char *target;
	size_t bytes;
	int r;

	r = file_read(dir, file, REQUESTS_FILE_MAX, &text, &bytes, err);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r == -EFBIG || r == -EINVAL ? DROP_BAD : r;
	if (json_read(text, bytes, "request", &json, err) < 0)
		return DROP_BAD;
	target = json_text(json, "retire");
	if (!target || json_object_size(json) != 1)
		return drop_bad(err, "request: is no {\"retire\":FILE}");
	r = image_retire(requests->image, &target, 1, err);
	return r == -ENOKEY ? DROP_BAD : r;
}

/* -EAGAIN: something has to be tried again. */
static int
look_at(const struct requests *requests, int dir, const char *file)
{
	char id[ID_SIZE];
	struct err why = { 0 }, err = { 0 };
	int r;

	if (!id_of(file, id) || is_refused(requests, id))
		return 0;
	r = carry_out(requests, dir, file, &why);
	if (r == DROP_BAD)
		r = refuse(requests, id, &why, &err);
	else if (r < 0)
		err = why;
	if (r < 0)
		log_line(LOG_WARNING, "request id=%s waits reason=\"%s\"", id, err.text);
	return r < 0 ? -EAGAIN : 0;
}

/* Answers whose request is gone have been read. */
static void
forget_answers(const struct requests *requests, int dir)
{
	int fd =
	    openat(image_repository(requests->image), "report/refused", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(closedir_p) DIR *answers = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char file[NAME_MAX + 16];

	while (answers && (entry = readdir(answers))) {
		snprintf(file, sizeof(file), "%s.json", entry->d_name);
		if (*entry->d_name != '.' && faccessat(dir, file, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno == ENOENT)
			unlinkat(fd, entry->d_name, 0);
	}
}

static void
watch(struct requests *requests)
{
	/* Adding it again finds a folder that was made anew; the events only wake. */
	inotify_add_watch(requests->inotify, requests->path, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR);
	mkdirat(image_repository(requests->image), "report/refused", 0750);
}

int64_t
requests_pass(struct requests *requests)
{
	AUTO(closedir_p) DIR *dir = NULL;
	struct dirent *entry;
	int r = 0, count = 0;

	watch(requests);
	dir = opendir(requests->path);
	if (!dir)
		return steady_ms() + IDLE_MS;
	while ((entry = readdir(dir)) && count++ < REQUESTS_MAX)
		if (look_at(requests, dirfd(dir), entry->d_name) < 0)
			r = -EAGAIN;
	forget_answers(requests, dirfd(dir));
	return steady_ms() + (r < 0 ? RETRY_MS : IDLE_MS);
}
