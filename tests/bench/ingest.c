/* Brings one drop into a new repository as the spool does, and tells time and memory: SECONDS OBJECTS KIB. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"
#include "store/ingest.h"

static void
ignore_progress(void *data, size_t done, size_t all)
{
	(void)data;
	(void)done;
	(void)all;
}

static int
ingest_drop(const char *repository, const char *drop, struct ingest_counts *counts, struct err *err)
{
	AUTO(ingest_freep) struct ingest *ingest = NULL;
	AUTO(source_freep) struct source *source = NULL;
	AUTO(releases_done) struct releases releases = { 0 };
	int r;

	if ((r = ingest_new(repository, &ingest, err)) || (r = source_open(AT_FDCWD, drop, &source, err)))
		return r;
	for (size_t i = 0; i < source->ref_count; i++) {
		struct release *release = releases_add(&releases);

		if (!release)
			return err_set(err, ENOMEM, "no memory");
		memcpy(release->ref, source->refs[i].name, sizeof(release->ref));
		memcpy(release->commit, source->refs[i].commit, sizeof(release->commit));
	}
	r = ingest_stage(ingest, source, &releases, ignore_progress, NULL, counts, err);
	return r ? r : ingest_commit(ingest, &releases, err);
}

static long
peak_kib(void)
{
	AUTO(fclose_p) FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	long kib = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmHWM: %ld", &kib) == 1)
			break;
	return kib;
}

int
main(int argc, char **argv)
{
	struct timespec start, end;
	struct ingest_counts counts;
	struct err err;

	if (argc != 3) {
		fprintf(stderr, "usage: %s REPOSITORY DROP\n", argv[0]);
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (ingest_drop(argv[1], argv[2], &counts, &err)) {
		fprintf(stderr, "%s: %s\n", argv[0], err.text);
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.2f %zu %ld\n",
	    (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9, counts.imported,
	    peak_kib());
	return 0;
}
