#include "otafs/event.h"

#include <string.h>

#include "lib/json.h"
#include "state/assignment.h"

void
event_read(const json_t *json, struct event *out)
{
	const json_t *event = json_object_get(json, "event"), *success = json_object_get(event, "success");
	const char *correlation = json_text(event, "correlationId");

	*out = (struct event){ .id = json_text(json, "id"),
		.type = json_text(json_object_get(json, "eventType"), "id"),
		.ecu = json_text(event, "ecu"),
		.correlation = correlation && strlen(correlation) < STATE_CORRELATION_MAX ? correlation : NULL,
		.success = json_is_boolean(success) ? json_is_true(success) : -1 };
}
