/* otafs.conf, and a device's configuration, whose secrets must not be kept. */
#include "tests/fuzz/body.h"

#include <sys/mman.h>
#include <unistd.h>

#include "otafs/report.h"

static int
commit(struct core *core, const struct device *device, const char *body, size_t bytes, struct reply *reply,
    struct err *err)
{
	return report_commit(core, device, "config", body, bytes, reply, err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct config config;
	struct err err = { 0 };
	char path[64];
	int fd = memfd_create("conf", 0), r;

	assert(write(fd, data, bytes) == (ssize_t)bytes);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = config_read(path, &config, &err);
	close(fd);
	assert(r == 0 || (r < 0 && *err.text));
	assert(r < 0 || (config.device_port >= 1 && config.device_port <= 65535 && *config.mount));
	body_fuzz(data, bytes, commit);
	return 0;
}
