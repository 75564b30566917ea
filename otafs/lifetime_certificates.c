/* What expires of certificates: files, builders', the issuing CA's, enrolment tokens, devices in sum. */
#include "otafs/lifetime_part.h"

#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "state/token.h"

#define DAY_SECONDS 86400

/** So long a token is told of that has expired. */
#define TOKEN_DAYS 30

struct token_list {
	struct lifetimes *out;
	int64_t since;
	struct err *err;
};

/* The name under which ota-pki(8) made the file, or NULL; @folder is where. */
static const char *
pki_name(const struct source_file *file, char folder[static sizeof(file->path)])
{
	static const char *const names[][2] = { { "server_certificate", "server" },
		{ "device_ca", "device-ca" }, { "build_ca", "build-ca" }, { "admin_ca", "admin-ca" },
		{ "server_ca", "server-ca" } };
	char copy[sizeof(file->path)];
	const char *base;

	strcpy(copy, file->path);
	strcpy(folder, file->path);
	base = basename(copy);
	memmove(folder, dirname(folder), strlen(folder) + 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = strlen(names[i][1]);

		if (!strcmp(names[i][0], file->setting) && !strncmp(names[i][1], base, n) &&
		    !strcmp(base + n, ".pem"))
			return names[i][1];
	}
	return NULL;
}

/* The CA of ota-signd, by itself or as device_ca has it. */
static bool
is_issuing(const struct source_file *file, const struct certificate *certificate)
{
	return !strcmp(file->setting, "issuing CA") ||
	       (!strcmp(file->setting, "device_ca") && certificate->is_ca &&
		   strcmp(certificate->name, certificate->issuer));
}

static void
say_file_command(struct lifetime *out, const struct source_file *file, const struct certificate *certificate)
{
	char folder[sizeof(file->path)];
	const char *pki = pki_name(file, folder);
	bool is_above = pki && !strcmp(pki, "server") && certificate->is_ca;

	if (certificate->is_list)
		snprintf(out->command, sizeof(out->command), "openssl ca -gencrl -config CA.conf -out %s",
		    file->path);
	else if (file->name[0])
		snprintf(out->command, sizeof(out->command), "ota-builder --certificate %s CREDENTIALS.zip",
		    file->name);
	else if (is_issuing(file, certificate))
		snprintf(out->command, sizeof(out->command),
		    "ota-sign issuer request >R && ota-pki --issue-intermediate R DIR && ota-sign issuer "
		    "install "
		    "DIR/issuer.pem");
	else if (is_above)
		snprintf(out->command, sizeof(out->command),
		    "ota-pki --renew server-ca %.255s && ota-pki --renew server %.255s", folder, folder);
	else if (pki)
		snprintf(out->command, sizeof(out->command), "ota-pki --renew %s %s", pki, folder);
	else
		snprintf(out->command, sizeof(out->command), "# put a new one into %.400s", file->path);
}

static void
say_certificate(struct lifetime *out, const struct source_file *file, const struct certificate *certificate)
{
	bool is_server = !strncmp(file->setting, "server_", 7);

	out->care = LIFETIME_PERSON;
	out->expires_at = certificate->expires_at;
	out->is_needed = is_server || !strncmp(file->setting, "device_", 7) || is_issuing(file, certificate);
	for (size_t i = 0; i < file->count; i++)
		out->is_replaced = out->is_replaced || (file->list[i].expires_at > certificate->expires_at &&
							   file->list[i].is_list == certificate->is_list &&
							   !strcmp(file->list[i].name, certificate->name));
	snprintf(out->who, sizeof(out->who), "who has the key of %s%s", certificate->issuer,
	    is_server && certificate->is_ca ? "; devices have to get it as their root.crt before, and the web "
					      "server has to be reloaded"
	    : file->name[0]                 ? "; the builder gets the credentials"
					    : "; the web server has to be reloaded");
	if (out->is_replaced)
		snprintf(out->who, sizeof(out->who), "nobody: a later one of that name is in the file");
	say_file_command(out, file, certificate);
}

int
lifetime_add_file(const struct source_file *file, struct lifetimes *out, struct err *err)
{
	struct lifetime *entry;
	int r = 0;

	for (size_t i = 0; r == 0 && i < file->count; i++) {
		r = lifetime_add(
		    out, &entry, err, "%s %s", file->setting, file->name[0] ? file->name : file->list[i].name);
		if (r == 0)
			say_certificate(entry, file, &file->list[i]);
	}
	if (r < 0 || file->list)
		return r;
	if ((r = lifetime_add(
		 out, &entry, err, "%s%s%s", file->setting, file->name[0] ? " " : "", file->name)) < 0)
		return r;
	entry->care = LIFETIME_PERSON;
	strcpy(entry->trouble, file->trouble);
	snprintf(entry->who, sizeof(entry->who), "an administrator");
	snprintf(entry->command, sizeof(entry->command),
	    "# user otafs has to be able to read %.400s, and to enter its folder", file->path);
	return 0;
}

/* What nobody can enrol with any more is told of for a month. */
static int
add_token(const struct token *token, void *context)
{
	struct token_list *tokens = context;
	struct lifetime *entry;
	int r;

	if (!token->expires_at || token->expires_at < tokens->since)
		return 0;
	if ((r = lifetime_add(tokens->out, &entry, tokens->err, "enrolment token %s", token->name)) < 0)
		return r;
	entry->care = LIFETIME_PERSON;
	entry->expires_at = token->expires_at;
	snprintf(entry->who, sizeof(entry->who), "an administrator, if devices are still to enrol with it");
	snprintf(entry->command, sizeof(entry->command), "# write another end into enroll/tokens/%s/expires",
	    token->name);
	return 0;
}

int
lifetime_add_tokens(struct core *core, int64_t now, struct lifetimes *out, struct err *err)
{
	struct token_list tokens = { out, now - TOKEN_DAYS * DAY_SECONDS, err };

	return state_tokens(core->state, add_token, &tokens, err);
}

int
lifetime_add_devices(const struct lifetime_devices *devices, struct lifetimes *out, struct err *err)
{
	const struct state_expiry_counts *counts = &devices->counts;
	struct lifetime *entry;
	int r;

	if (!counts->certificates)
		return 0;
	if ((r = lifetime_add(out, &entry, err, "device certificates")) < 0)
		return r;
	entry->care = LIFETIME_PERSON;
	entry->is_summary = true;
	entry->expires_at = devices->count ? devices->first[0].expires_at : 0;
	if (!devices->count)
		snprintf(entry->trouble, sizeof(entry->trouble),
		    "of none that is still good it is known when it expires");
	snprintf(entry->who, sizeof(entry->who),
	    "the device, with ota-device-renew, or by hand; of %lld: %lld expire within %d days, %lld have "
	    "expired, of %lld it is not known",
	    (long long)counts->certificates, (long long)counts->expiring, LIFETIME_DEVICE_DAYS,
	    (long long)counts->expired, (long long)counts->not_known);
	snprintf(entry->command, sizeof(entry->command), "ota-device-cert %s OUT",
	    devices->count ? devices->first[0].device : "ID");
	return 0;
}
