/** What every part of the device needs to know of it. */
#ifndef TESTS_DEVICE_DEVICE_H
#define TESTS_DEVICE_DEVICE_H

#include "tests/device/ecu.h"
#include "tests/device/http.h"
#include "tests/device/store.h"

struct device {
	struct http http;
	struct store *store;
	struct ecus ecus;
	bool is_rebooting;  /**< what is installed is in use after a reboot only */
	const char *form;   /**< of manifests: v1, v2, or v3 with an installation report */
	const char *record; /**< file that gets each manifest that is sent; NULL: none */
	const char *path;   /**< the store's folder, for libostree, which wants paths */
};

#endif
