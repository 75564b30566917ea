#include "tests/device/report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/canonical.h"

/** A version 4 UUID in text and its 0. */
#define UUID_SIZE 37
#define MAC_SIZE 18

static int
make_uuid(char uuid[static UUID_SIZE], struct err *err)
{
	AUTO(close_p) int fd = open("/proc/sys/kernel/random/uuid", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, uuid, UUID_SIZE - 1) != UUID_SIZE - 1)
		return err_set(err, EIO, "the kernel gives no UUID");
	uuid[UUID_SIZE - 1] = '\0';
	return 0;
}

static json_t *
event_body(const char *ecu, const char *correlation, enum report_success success)
{
	json_t *body = json_pack("{s:s}", "ecu", ecu);

	if (*correlation)
		json_object_set_new(body, "correlationId", json_string(correlation));
	if (success != REPORT_NO_SUCCESS)
		json_object_set_new(body, "success", json_boolean(success == REPORT_SUCCEEDED));
	return body;
}

static json_t *
event_queue(struct device *device)
{
	json_t *state = store_state(device->store), *queue = json_object_get(state, "events");

	if (!queue && json_object_set_new(state, "events", json_array()) == 0)
		queue = json_object_get(state, "events");
	return queue;
}

int
report_event(struct device *device, const char *type, const char *ecu, const char *correlation,
    enum report_success success, struct err *err)
{
	char uuid[UUID_SIZE], now[UTC_TEXT_SIZE];
	json_t *event;
	int r = make_uuid(uuid, err);

	if (r < 0)
		return r;
	utc_format(utc_now(), now);
	event = json_pack("{s:s,s:s,s:{s:s,s:i},s:o}", "id", uuid, "deviceTime", now, "eventType", "id", type,
	    "version", 0, "event", event_body(ecu, correlation, success));
	if (!event || json_array_append_new(event_queue(device), event) < 0)
		return err_set(err, ENOMEM, "%s: no memory", type);
	return store_save(device->store, err);
}

/* Posts the first *@count events. Sets *@count to how many are done with, 0 for "not now"; *@next is how many
 * to try next. */
static int
post_events(struct device *device, size_t *count, size_t *next, struct err *err)
{
	AUTO(json_decref_p) json_t *batch = json_array();
	struct http_answer answer = { 0 };
	AUTO(free_p) char *text = NULL;
	size_t bytes, size = *count;
	struct err lost;
	int r;

	for (size_t i = 0; i < size; i++)
		json_array_append(batch, json_array_get(event_queue(device), i));
	if ((r = canonical_write(batch, &text, &bytes, err)) < 0)
		return r;
	r = http_send(&device->http, "POST", "/events", "application/json", text, bytes, &answer, &lost);
	*next = size;
	if (r == 0 && answer.status == 413 && size > 1) {
		*count = 0;
		*next = size / 2;
	} else if (r < 0 || (!http_is_ok(answer.status) && answer.status != 404 && answer.status != 413)) {
		*count = *next = 0;
	}
	http_answer_done(&answer);
	return 0;
}

int
report_flush(struct device *device, struct err *err)
{
	json_t *queue = event_queue(device);
	size_t next = json_array_size(queue);

	while (next && json_array_size(queue)) {
		size_t done = next < json_array_size(queue) ? next : json_array_size(queue);
		int r = post_events(device, &done, &next, err);

		if (r < 0)
			return r;
		while (done--)
			json_array_remove(queue, 0);
		if ((r = store_save(device->store, err)) < 0)
			return r;
	}
	return 0;
}

/* Sends a fact unless the server took the same one last time; it may refuse, the next start tries again. */
static int
send_fact(struct device *device, const char *name, const char *method, const char *path, const char *type,
    const char *text, struct err *err)
{
	json_t *sent = store_section(device->store, "sent");
	struct http_answer answer = { 0 };
	char hex[DIGEST_HEX_SIZE];
	const char *last = json_text(sent, name);
	bool is_taken;
	struct err lost;

	digest_sha256_hex(text, strlen(text), hex);
	if (last && !strcmp(last, hex))
		return 0;
	is_taken = http_send(&device->http, method, path, type, text, strlen(text), &answer, &lost) == 0 &&
		   http_is_ok(answer.status);
	http_answer_done(&answer);
	if (!is_taken)
		return 0;
	if (json_object_set_new(sent, name, json_string(hex)) < 0)
		return err_set(err, ENOMEM, "%s: no memory", path);
	return store_save(device->store, err);
}

/* @stolen belongs to us. */
static int
put_fact(struct device *device, const char *name, const char *path, json_t *stolen, struct err *err)
{
	AUTO(json_decref_p) json_t *fact = stolen;
	AUTO(free_p) char *text = NULL;
	int r;

	if (!fact)
		return err_set(err, ENOMEM, "%s: no memory", path);
	if ((r = canonical_write(fact, &text, NULL, err)) < 0)
		return r;
	return send_fact(device, name, "PUT", path, "application/json", text, err);
}

static json_t *
describe_hardware(void)
{
	struct utsname name;

	uname(&name);
	return json_pack("{s:s,s:s,s:s,s:[{s:s,s:s,s:s}]}", "id", name.nodename, "class", "system",
	    "description", "ota-device", "children", "id", "core", "class", "bus", "product", name.machine);
}

static void
mac_of(const struct ifaddrs *all, const char *name, char mac[static MAC_SIZE])
{
	for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
		struct sockaddr_ll link;

		if (!at->ifa_addr || at->ifa_addr->sa_family != AF_PACKET || strcmp(at->ifa_name, name))
			continue;
		memcpy(&link, at->ifa_addr, sizeof(link));
		snprintf(mac, MAC_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", link.sll_addr[0], link.sll_addr[1],
		    link.sll_addr[2], link.sll_addr[3], link.sll_addr[4], link.sll_addr[5]);
	}
}

/* The first interface with an IPv4 address, the loopback if there is no other. */
static const struct ifaddrs *
first_interface(const struct ifaddrs *all)
{
	const struct ifaddrs *found = NULL;

	for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
		if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET)
			continue;
		if (!(at->ifa_flags & IFF_LOOPBACK))
			return at;
		found = at;
	}
	return found;
}

static json_t *
describe_network(void)
{
	char address[INET_ADDRSTRLEN] = "", mac[MAC_SIZE] = "";
	struct ifaddrs *all = NULL;
	const struct ifaddrs *found;
	struct utsname name;

	uname(&name);
	if (getifaddrs(&all) == 0 && (found = first_interface(all))) {
		struct sockaddr_in in;

		memcpy(&in, found->ifa_addr, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, address, sizeof(address));
		mac_of(all, found->ifa_name, mac);
	}
	freeifaddrs(all);
	return json_pack("{s:s,s:s,s:s}", "hostname", name.nodename, "local_ipv4", address, "mac", mac);
}

int
report_network(struct device *device, struct err *err)
{
	return put_fact(device, "network", "/system_info/network", describe_network(), err);
}

static int
report_configuration(struct device *device, struct err *err)
{
	const struct ecu *primary = &device->ecus.ecu[0];
	AUTO(free_p) char *text = NULL;

	if (asprintf(&text,
		"[tls]\nserver = \"%s\"\n\n[provision]\nprimary_ecu_serial = \"%s\"\n"
		"primary_ecu_hardware_id = \"%s\"\n\n[uptane]\nkey_type = \"ED25519\"\n\n"
		"[pacman]\ntype = \"none\"\n",
		device->http.url, primary->serial, primary->hardware) < 0)
		return err_set(err, ENOMEM, "configuration: no memory");
	return send_fact(device, "configuration", "POST", "/system_info/config", "application/toml", text, err);
}

int
report_facts(struct device *device, struct err *err)
{
	int r = 0;

	/* Hardware may look different each time, so aktualizr reports it once and never again. */
	if (!json_text(store_section(device->store, "sent"), "hardware"))
		r = put_fact(device, "hardware", "/system_info", describe_hardware(), err);
	if (r == 0)
		r = put_fact(device, "packages", "/core/installed",
		    json_pack("[{s:s,s:s}]", "name", "fake-package", "version", "1.0"), err);
	if (r == 0)
		r = report_network(device, err);
	return r == 0 ? report_configuration(device, err) : r;
}
