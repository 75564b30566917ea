/** What the device tells besides: events of an update, and facts of itself.  (aktualizr-wire 4.2, 4.3) */
#ifndef TESTS_DEVICE_REPORT_H
#define TESTS_DEVICE_REPORT_H

#include <stdbool.h>

#include "lib/err.h"
#include "tests/device/device.h"

/** EcuDownloadCompleted and EcuInstallationCompleted say how it went, the others have nothing to say. */
enum report_success { REPORT_NO_SUCCESS = -1, REPORT_FAILED, REPORT_SUCCEEDED };

/** Puts an event into the queue, which outlives the process until the server has taken it. */
int report_event(struct device *device, const char *type, const char *ecu, const char *correlation,
    enum report_success success, struct err *err);

/** Posts all waiting events in one array. What the server does not take waits on and is no failure here. */
int report_flush(struct device *device, struct err *err);

/** Hardware once ever, then packages, network and configuration when they are not what the server took last. */
int report_facts(struct device *device, struct err *err);

/** The network alone, as at every poll. */
int report_network(struct device *device, struct err *err);

#endif
