#include "store/gc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/utc.h"
#include "store/delta.h"
#include "store/lock.h"
#include "store/reach.h"
#include "store/roots.h"

/** Reasons in the report; what is more is counted. */
#define TROUBLES_MAX 100
#define REPORT_MAX (1024 * 1024)

struct candidate {
	char name[NAME_MAX + 1];
	int fd; /* keeps the file's blocks until after the slice */
};

struct gc {
	const struct gc_options *options;
	struct gc_result *result;
	int repository;
	struct reach *reach; /* what the roots lead to */
	struct reach *young; /* what commits and folders lead to that nobody needs and that stay for now */
	struct reach *lower; /* what folders lead to that are not known to stay; NULL: not looked at */
	bool is_pass[OBJECT_FILE + 1]; /* the kinds of objects that are looked at now */
	struct roots roots;
	uint64_t mark;          /* of the roots when they were read */
	struct timespec cutoff; /* what is not older stays */
	struct timespec next;   /* the same at the next run */
	const char *root;       /* whose commit is being walked */
	FILE *names, *troubles; /* for the report */
	size_t listed, trouble_count, seen;
	struct candidate *batch; /* GC_SLICE_FILES */
};

/* What is swept: how a folder's file is told apart, and where it is counted. */
struct folder {
	char path[32]; /* below the repository */
	bool (*is_needed)(struct gc *gc, const char *prefix, const char *name);
	const char *prefix; /* the folder's own name, which the file names go on from */
	size_t *gone, *next;
};

static void __attribute__((format(printf, 2, 3))) trouble(struct gc *gc, const char *format, ...)
{
	va_list args;

	if (gc->trouble_count++ >= TROUBLES_MAX)
		return;
	va_start(args, format);
	vfprintf(gc->troubles, format, args);
	va_end(args);
}

/* -- what is reachable -- */

static void
tell(void *data, enum reach_trouble what, const char *checksum, enum object_kind kind, const char *words)
{
	struct gc *gc = data;

	trouble(
	    gc, "incomplete: %s needs object %s.%s, which %s\n", gc->root, checksum, reach_suffix(kind), words);
	if (what == REACH_DAMAGED)
		gc->result->is_held = true;
}

/* Adds what the roots lead to; what is in the set already costs nothing. */
static int
mark(struct gc *gc, struct err *err)
{
	int r;

	roots_done(&gc->roots);
	gc->mark = roots_mark(gc->repository, gc->options->fleet);
	r = roots_read(gc->repository, gc->options->fleet, &gc->roots, err);
	for (size_t i = 0; r == 0 && i < gc->roots.count; i++) {
		const struct root *root = &gc->roots.list[i];

		/* Devices run much that never was here. */
		if (!(root->formats & ROOT_OSTREE) ||
		    (!root->is_promised && !delta_has_commit(gc->repository, root->sha256)))
			continue;
		gc->root = root->name;
		r = reach_commit(gc->reach, root->sha256, tell, gc, err);
	}
	return r;
}

static bool
object_is_needed(struct gc *gc, const char *prefix, const char *name)
{
	char checksum[DIGEST_HEX_SIZE];
	int kind;

	snprintf(checksum, sizeof(checksum), "%s%.62s", prefix, name);
	/* A damaged folder may be found in the middle of a run, when the roots are read again. */
	if (gc->result->is_held || strlen(name) < 64 || name[62] != '.' || !digest_is_sha256_hex(checksum))
		return true; /* not ours to know */
	kind = strcmp(name + 63, "commitmeta") ? reach_kind(name + 63) : OBJECT_COMMIT;
	if (kind < 0 || !gc->is_pass[kind])
		return true;
	if (reach_has(gc->reach, checksum, (enum object_kind)kind)) {
		gc->seen += strcmp(name + 63, "commitmeta") != 0;
		return true;
	}
	return reach_has(gc->young, checksum, (enum object_kind)kind) ||
	       (gc->lower && reach_has(gc->lower, checksum, (enum object_kind)kind));
}

static int
compare_root(const void *key, const void *root)
{
	return strcmp(key, ((const struct root *)root)->sha256);
}

static bool
binary_is_needed(struct gc *gc, const char *prefix, const char *name)
{
	char checksum[DIGEST_HEX_SIZE];
	const struct root *root, *last = gc->roots.list + gc->roots.count;

	snprintf(checksum, sizeof(checksum), "%s%.62s", prefix, name);
	/* Earlier versions wrote a REST.sha512 beside each, which goes with it. */
	if (!digest_is_sha256_hex(checksum) || (name[62] && strcmp(name + 62, ".sha512")))
		return true;
	root = gc->roots.count ? bsearch(checksum, gc->roots.list, gc->roots.count, sizeof(*root), compare_root)
			       : NULL;
	while (root && root > gc->roots.list && !strcmp(root[-1].sha256, checksum))
		root--;
	for (; root && root < last && !strcmp(root->sha256, checksum); root++)
		if (root->formats & ROOT_BINARY)
			return true;
	return false;
}

static bool
nothing_is_needed(struct gc *gc, const char *prefix, const char *name)
{
	(void)gc, (void)prefix, (void)name;
	return false;
}

/* -- slices -- */

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static bool
is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Removes one name if the file still is as old as it was. Under the lock. */
static void
take(struct gc *gc, const struct folder *folder, int dir, const char *name, const struct timespec *cutoff)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (!is_before(&st.st_ctim, cutoff) || unlinkat(dir, name, 0) < 0) {
		gc->result->young++;
		return;
	}
	++*folder->gone;
	gc->result->gone.bytes += (uint64_t)st.st_blocks * 512;
}

/* Takes files of the batch from @at on for one slice; returns where it got to, or -errno. */
static int
slice(struct gc *gc, const struct folder *folder, int dir, int at, int count, const struct timespec *cutoff,
    struct err *err)
{
	AUTO(close_p) int lock = -1;
	double start, held;
	int r = store_lock(gc->repository, STORE_LOCK_ALONE, &lock, err);

	if (r < 0)
		return r;
	start = now_ms();
	do
		take(gc, folder, dir, gc->batch[at++].name, cutoff);
	while (at < count && now_ms() - start < GC_SLICE_MS);
	close(MOVE_FD(lock));
	held = now_ms() - start;
	if (held > gc->result->longest_slice_ms)
		gc->result->longest_slice_ms = held;
	return at;
}

static int
flush(struct gc *gc, const struct folder *folder, int dir, int count, const struct timespec *cutoff,
    struct err *err)
{
	int at = 0;

	for (int i = 0; i < count; i++)
		gc->batch[i].fd = openat(dir, gc->batch[i].name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	while (at >= 0 && at < count) {
		const struct timespec pause = { .tv_nsec = 1000000 };

		at = slice(gc, folder, dir, at, count, cutoff, err);
		/* Those who wait for the lock go first. */
		nanosleep(&pause, NULL);
	}
	for (int i = 0; i < count; i++)
		close_p(&gc->batch[i].fd);
	return at < 0 ? at : 0;
}

static void
forecast(struct gc *gc, const struct folder *folder, const char *name, const struct stat *st)
{
	++*folder->next;
	gc->result->next.bytes += (uint64_t)st->st_blocks * 512;
	if (gc->listed++ < GC_NAMES_MAX)
		fprintf(gc->names, "%s/%s %lld\n", folder->path, name, (long long)st->st_size);
}

/* Whether the file goes now; if it is to go later, that is noted. */
static bool
judge(struct gc *gc, const struct folder *folder, int dir, const char *name, const struct timespec *cutoff)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
		return false;
	if (is_before(&st.st_ctim, cutoff) && !gc->options->is_dry)
		return true;
	if (is_before(&st.st_ctim, &gc->next) || is_before(&st.st_ctim, cutoff))
		forecast(gc, folder, name, &st);
	else
		gc->result->young++;
	return false;
}

static int
sweep_folder(struct gc *gc, const struct folder *folder, const struct timespec *cutoff, struct err *err)
{
	AUTO(closedir_p) DIR *dir = NULL;
	struct dirent *entry;
	int fd, count = 0, r = 0;

	if (gc->options->is_stopped(gc->options->data))
		return err_set(err, ECANCELED, "stopped");
	fd = openat(gc->repository, folder->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(err, "%s", folder->path);
	/* A ref or a publication since: a commit of old objects may have come to be needed. */
	if (!gc->options->is_dry && roots_mark(gc->repository, gc->options->fleet) != gc->mark)
		r = mark(gc, err);
	while (r == 0 && (entry = readdir(dir))) {
		if (*entry->d_name == '.' || folder->is_needed(gc, folder->prefix, entry->d_name) ||
		    !judge(gc, folder, fd, entry->d_name, cutoff))
			continue;
		snprintf(gc->batch[count++].name, NAME_MAX + 1, "%s", entry->d_name);
		if (count == GC_SLICE_FILES) {
			r = flush(gc, folder, fd, count, cutoff, err);
			count = 0;
		}
	}
	return r == 0 && count ? flush(gc, folder, fd, count, cutoff, err) : r;
}

static int
sweep_prefixes(struct gc *gc, const char *path, struct folder *folder, struct err *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < 256; i++) {
		char prefix[3];

		snprintf(prefix, sizeof(prefix), "%02x", i);
		snprintf(folder->path, sizeof(folder->path), "%s/%s", path, prefix);
		folder->prefix = prefix;
		r = sweep_folder(gc, folder, &gc->cutoff, err);
	}
	return r;
}

/* -- objects: what needs others goes before them -- */

static void
ignore(void *data, enum reach_trouble trouble, const char *checksum, enum object_kind kind, const char *words)
{
	(void)data, (void)trouble, (void)checksum, (void)kind, (void)words;
}

/* The file @name of the folder objects/@prefix, if it is an object of this pass that no root leads to. */
static bool
read_unneeded(const struct gc *gc, const char *prefix, const char *name, char checksum[static DIGEST_HEX_SIZE],
    enum object_kind *kind)
{
	int of = strlen(name) > 63 ? reach_kind(name + 63) : -1;

	snprintf(checksum, DIGEST_HEX_SIZE, "%s%.62s", prefix, name);
	if (of < 0 || !gc->is_pass[of] || !digest_is_sha256_hex(checksum))
		return false;
	*kind = (enum object_kind)of;
	return !reach_has(gc->reach, checksum, *kind);
}

/* A commit or folder that stays, though no root leads to it: what it leads to stays too. */
static int
protect(struct gc *gc, int dir, const char *prefix, const char *name, struct err *err)
{
	/* A report looks ahead: what is too young now and not then is not counted as staying. */
	const struct timespec *cutoff = gc->options->is_dry ? &gc->next : &gc->cutoff;
	char checksum[DIGEST_HEX_SIZE];
	enum object_kind kind;
	struct stat st;

	if (!read_unneeded(gc, prefix, name, checksum, &kind) ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || is_before(&st.st_ctim, cutoff))
		return 0;
	return reach_object(gc->young, checksum, kind, ignore, NULL, err);
}

/* What a folder leads to that may come to stay: it has its turn when the folder is gone. */
static int
defer(struct gc *gc, int dir, const char *prefix, const char *name, struct err *err)
{
	char checksum[DIGEST_HEX_SIZE];
	enum object_kind kind;

	(void)dir;
	if (!read_unneeded(gc, prefix, name, checksum, &kind) || reach_has(gc->young, checksum, kind))
		return 0;
	return reach_below(gc->lower, checksum, kind, ignore, NULL, err);
}

static int
each_object(
    struct gc *gc, int (*each)(struct gc *, int, const char *, const char *, struct err *), struct err *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < 256; i++) {
		char prefix[3], path[32];
		AUTO(closedir_p) DIR *dir = NULL;
		struct dirent *entry;
		int fd;

		snprintf(prefix, sizeof(prefix), "%02x", i);
		snprintf(path, sizeof(path), "ostree/objects/%s", prefix);
		fd = openat(gc->repository, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		dir = fd < 0 ? NULL : fdopendir(fd);
		if (!dir)
			return err_sys(err, "%s", path);
		while (r == 0 && (entry = readdir(dir)))
			r = each(gc, fd, prefix, entry->d_name, err);
	}
	return r;
}

static int
sweep_kinds(struct gc *gc, struct folder *folder, struct err *err)
{
	int r = sweep_prefixes(gc, "ostree/objects", folder, err);

	return r == 0 ? each_object(gc, protect, err) : r;
}

/* Those that nothing else leads to, again and again: a folder that somebody finds at any time is whole. */
static int
sweep_folders(struct gc *gc, struct folder *folder, struct err *err)
{
	size_t before;
	int r;

	do {
		before = *folder->gone;
		r = reach_new(gc->repository, &gc->lower, err);
		if (r == 0)
			r = each_object(gc, defer, err);
		if (r == 0)
			r = sweep_kinds(gc, folder, err);
		reach_free(gc->lower);
		gc->lower = NULL;
	} while (r == 0 && *folder->gone > before);
	return r;
}

static void
set_pass(struct gc *gc, bool commits, bool folders, bool others)
{
	const bool is_pass[] = { [OBJECT_COMMIT] = commits,
		[OBJECT_DIRTREE] = folders,
		[OBJECT_DIRMETA] = others,
		[OBJECT_FILE] = others };

	memcpy(gc->is_pass, is_pass, sizeof(gc->is_pass));
}

/* Nothing goes in a dry run, so there is no order in it: all are looked through once for what stays though no
 * root leads to it, and once more for the rest. */
static int
forecast_objects(struct gc *gc, struct folder *folder, struct err *err)
{
	int r;

	set_pass(gc, true, true, false);
	r = each_object(gc, protect, err);
	set_pass(gc, true, true, true);
	return r == 0 ? sweep_prefixes(gc, "ostree/objects", folder, err) : r;
}

static int
sweep_objects(struct gc *gc, struct err *err)
{
	struct folder folder = { .is_needed = object_is_needed,
		.gone = &gc->result->gone.objects,
		.next = &gc->result->next.objects };
	int r;

	if (gc->options->is_dry)
		return forecast_objects(gc, &folder, err);
	set_pass(gc, true, false, false);
	r = sweep_kinds(gc, &folder, err);
	set_pass(gc, false, true, false);
	if (r == 0)
		r = sweep_folders(gc, &folder, err);
	set_pass(gc, false, false, true);
	return r == 0 ? sweep_prefixes(gc, "ostree/objects", &folder, err) : r;
}

static int
sweep_leftovers(struct gc *gc, struct err *err)
{
	struct folder folder = { .path = "upload",
		.is_needed = nothing_is_needed,
		.prefix = "",
		.gone = &gc->result->gone.leftovers,
		.next = &gc->result->next.leftovers };
	struct timespec hour;

	clock_gettime(CLOCK_REALTIME_COARSE, &hour);
	hour.tv_sec -= GC_LEFTOVER_SECONDS;
	return sweep_folder(gc, &folder, &hour, err);
}

static int
sweep_deltas(struct gc *gc, struct err *err)
{
	bool is_dry = gc->options->is_dry;
	struct gc_count *count = is_dry ? &gc->result->next : &gc->result->gone;
	struct delta_sweep sweep;
	int r = delta_sweep(gc->repository, is_dry, &sweep, gc->options->is_stopped, gc->options->data, err);

	count->deltas += sweep.deltas;
	count->bytes += sweep.bytes;
	return r;
}

/* -- what is missing -- */

static int
look_for(void *data, const char *checksum, enum object_kind kind)
{
	struct gc *gc = data;
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "ostree/objects/%.2s/%s.%s", checksum, checksum + 2, reach_suffix(kind));
	if (fstatat(gc->repository, path, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
		gc->result->missing++;
		trouble(gc, "missing: %s\n", path + sizeof("ostree/") - 1);
	}
	return 0;
}

/* Which ones are missing is looked up only when the numbers differ. */
static int
find_missing(struct gc *gc)
{
	gc->result->reachable = reach_count(gc->reach);
	return gc->seen >= gc->result->reachable ? 0 : reach_each(gc->reach, look_for, gc);
}

static int
sweep(struct gc *gc, struct err *err)
{
	struct folder binaries = { .is_needed = binary_is_needed,
		.gone = &gc->result->gone.binaries,
		.next = &gc->result->next.binaries };
	int r;

	if (!gc->roots.is_published)
		return err_set(err, ENOENT, "nothing was published yet, so nothing is known to be needed");
	r = gc->result->is_held ? 0 : sweep_objects(gc, err);
	if (r == 0 && !gc->result->is_held)
		r = find_missing(gc);
	if (r == 0)
		r = sweep_prefixes(gc, "binaries", &binaries, err);
	if (r == 0)
		r = sweep_deltas(gc, err);
	return r == 0 ? sweep_leftovers(gc, err) : r;
}

/* -- the report -- */

static void
print_count(FILE *out, const struct gc_count *count)
{
	fprintf(out, "%zu objects, %zu binaries, %zu deltas, %zu leftovers, %llu bytes", count->objects,
	    count->binaries, count->deltas, count->leftovers, (unsigned long long)count->bytes);
}

/* The first line tells of the last run that took things away, and outlives dry runs. */
static void
print_last(struct gc *gc, FILE *out)
{
	AUTO(free_p) char *text = NULL;
	char now[UTC_TEXT_SIZE];
	struct err ignored;
	size_t bytes;

	if (!gc->options->is_dry) {
		utc_format(utc_now(), now);
		fprintf(out, "last run: %s, %.1f s, gone: ", now, gc->result->seconds);
		print_count(out, &gc->result->gone);
		fprintf(out, "; longest hold of publishing %.1f ms\n", gc->result->longest_slice_ms);
	} else if (file_read(gc->repository, GC_REPORT, REPORT_MAX, &text, &bytes, &ignored) == 0 &&
		   !strncmp(text, "last run: ", 10)) {
		fprintf(out, "%.*s\n", (int)strcspn(text, "\n"), text);
	} else {
		fprintf(out, "last run: none yet\n");
	}
}

static void
print_report(struct gc *gc, FILE *out, const char *names, const char *troubles, int r, const struct err *err)
{
	const struct gc_result *result = gc->result;
	char now[UTC_TEXT_SIZE];

	utc_format(utc_now(), now);
	print_last(gc, out);
	fprintf(out, "looked: %s, %zu objects are needed, %zu files are not and stay for now\n", now,
	    result->reachable, result->young);
	if (r < 0)
		fprintf(out, "stopped: %s\n", err->text);
	if (result->is_held)
		fprintf(out, "held: no objects go, since one that is needed is damaged; see ota-fsck(8)\n");
	fprintf(out, "next run: ");
	print_count(out, &result->next);
	fprintf(out, "\n%s", troubles);
	if (gc->trouble_count > TROUBLES_MAX)
		fprintf(out, "and %zu more\n", gc->trouble_count - TROUBLES_MAX);
	fprintf(out, "\n%s", names);
	if (gc->listed > GC_NAMES_MAX)
		fprintf(out, "and %zu more\n", gc->listed - GC_NAMES_MAX);
}

static int
write_report(
    struct gc *gc, const char *names, const char *troubles, int r, const struct err *why, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return err_set(err, ENOMEM, "report: no memory");
	print_report(gc, out, names, troubles, r, why);
	if (fclose(out) != 0)
		return err_set(err, ENOMEM, "report: no memory");
	if (mkdirat(gc->repository, "report", 0750) < 0 && errno != EEXIST)
		return err_sys(err, "report");
	return file_replace(gc->repository, GC_REPORT, text, bytes, 0640, err);
}

/* -- a run -- */

static void
set_cutoffs(struct gc *gc)
{
	/* The clock that ctimes are taken from: it lags behind the other by a tick. */
	clock_gettime(CLOCK_REALTIME_COARSE, &gc->cutoff);
	gc->cutoff.tv_sec -= gc->options->grace_seconds;
	gc->next = gc->cutoff;
	gc->next.tv_sec += gc->options->next_seconds;
}

static int
collect(struct gc *gc, struct err *err)
{
	double start = now_ms();
	int r;

	set_cutoffs(gc);
	r = reach_new(gc->repository, &gc->reach, err);
	if (r == 0)
		r = reach_new(gc->repository, &gc->young, err);
	if (r == 0)
		r = mark(gc, err);
	if (r == 0)
		r = sweep(gc, err);
	gc->result->seconds = (now_ms() - start) / 1000;
	return r;
}

static void
gc_done(struct gc *gc)
{
	roots_done(&gc->roots);
	reach_free(gc->reach);
	reach_free(gc->young);
	reach_free(gc->lower);
	close_p(&gc->repository);
	free(gc->batch);
	fclose_p(&gc->names);
	fclose_p(&gc->troubles);
}

int
gc_run(const struct gc_options *options, struct gc_result *result, struct err *err)
{
	AUTO(free_p) char *names = NULL;
	AUTO(free_p) char *troubles = NULL;
	AUTO(gc_done) struct gc gc = { .options = options, .result = result };
	size_t names_bytes, troubles_bytes;
	struct err report_err;
	int r, report;

	*result = (struct gc_result){ 0 };
	gc.repository = open(options->repository, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (gc.repository < 0)
		return err_sys(err, "%s", options->repository);
	gc.batch = calloc(GC_SLICE_FILES, sizeof(*gc.batch));
	gc.names = open_memstream(&names, &names_bytes);
	gc.troubles = open_memstream(&troubles, &troubles_bytes);
	if (!gc.batch || !gc.names || !gc.troubles)
		return err_set(err, ENOMEM, "no memory");
	r = collect(&gc, err);
	if (fflush(gc.names) || fflush(gc.troubles))
		return err_set(err, ENOMEM, "no memory");
	report = write_report(&gc, names, troubles, r, err, &report_err);
	if (r == 0 && report < 0)
		*err = report_err;
	return r < 0 ? r : report;
}
