/* ota-sign issuer: the issuing CA of ota-signd is asked for, installed and shown. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/change.h"
#include "ceremony/command.h"
#include "ceremony/online.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/x509.h"

/** A year: when a list is over, servers refuse every device. */
#define CRL_DAYS 365

static int
request(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "config=", "name=", "new-key", NULL };
	AUTO(online_done) struct online online = { 0 };
	AUTO(free_p) char *pem = NULL;
	struct arguments arguments;
	size_t bytes;
	int r;

	if ((r = online_open(argc, argv, names, 0, 0, &arguments, &online, err)) < 0 ||
	    (r = client_issuer_request(online.client, arguments_text(&arguments, "name"),
		 arguments_text(&arguments, "new-key"), &pem, &bytes, err)) < 0)
		return r;
	fputs(pem, stdout);
	return 0;
}

static void
print_chain(const struct x509_chain *chain)
{
	for (int i = 0; i < chain->count; i++) {
		int64_t end = x509_end(chain->list[i]);
		char name[X509_NAME_SIZE], date[UTC_TEXT_SIZE], when[48], sha256[DIGEST_HEX_SIZE];
		struct err ignored;

		utc_format(end, date);
		change_when(end, utc_now(), when);
		if (x509_digest(chain->list[i], sha256, &ignored) < 0)
			strcpy(sha256, "?");
		printf("%s%s, expires %s, %s\n  SHA-256 %s\n", i ? "under " : "",
		    x509_name(chain->list[i], name), date, when, sha256);
	}
}

static int
show_chain(struct online *online, bool is_pem, struct err *err)
{
	AUTO(x509_chain_done) struct x509_chain chain = { .count = 0 };
	AUTO(free_p) char *pem = NULL;
	size_t bytes;
	int r = client_issuer(online->client, &pem, &bytes, err);

	if (r == CLIENT_NO_ISSUER)
		return -ENOKEY;
	if (r < 0 || (r = x509_chain_read(pem, bytes, &chain, err)) < 0)
		return r;
	if (is_pem)
		fputs(pem, stdout);
	else
		print_chain(&chain);
	return 0;
}

static int
install(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "config=", NULL };
	AUTO(online_done) struct online online = { 0 };
	AUTO(free_p) char *chain = NULL;
	struct arguments arguments;
	size_t bytes;
	int r;

	if ((r = online_open(argc, argv, names, 1, 1, &arguments, &online, err)) < 0 ||
	    (r = file_read(AT_FDCWD, arguments.words[0], X509_CHAIN_BYTES_MAX, &chain, &bytes, err)) < 0)
		return r;
	if (strlen(chain) != bytes)
		return err_set(err, EBADMSG, "%s: is no PEM", arguments.words[0]);
	if ((r = client_issuer_install(online.client, chain, err)) < 0)
		return r;
	return show_chain(&online, false, err);
}

static int
show(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "config=", "pem", NULL };
	AUTO(online_done) struct online online = { 0 };
	struct arguments arguments;
	int r = online_open(argc, argv, names, 0, 0, &arguments, &online, err);

	return r < 0 ? r : show_chain(&online, arguments_text(&arguments, "pem"), err);
}

static json_t *
list_serials(const struct arguments *arguments)
{
	AUTO(json_decref_p) json_t *list = json_array();

	for (size_t i = 0; i < arguments->word_count; i++)
		if (json_array_append_new(list, json_string(arguments->words[i])) < 0)
			return NULL;
	return MOVE(list);
}

static int
print_list(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "config=", "days=", NULL };
	AUTO(online_done) struct online online = { 0 };
	AUTO(json_decref_p) json_t *serials = NULL;
	AUTO(free_p) char *pem = NULL;
	struct arguments arguments;
	int64_t days = CRL_DAYS;
	size_t bytes;
	int r;

	if ((r = online_open(argc, argv, names, 0, ARGUMENTS_MAX, &arguments, &online, err)) < 0 ||
	    (r = arguments_integer(&arguments, "days", 1, INT32_MAX, &days, err)) < 0)
		return r;
	if (!(serials = list_serials(&arguments)))
		return err_set(err, EINVAL, "serial numbers are upper-case hex");
	r = client_issuer_revoke(online.client, serials, days, &pem, &bytes, err);
	if (r == 0)
		fputs(pem, stdout);
	return r == CLIENT_NO_ISSUER ? -ENOKEY : r;
}

const struct command issuer_commands[] = {
	{ "issuer request", "[-c FILE] [--name NAME] [--new-key]",
	    "prints the request (PKCS #10) for ota-signd's issuing CA, to be signed by the device CA",
	    request },
	{ "issuer install", "[-c FILE] CHAIN",
	    "gives ota-signd the answer: the issuing CA's certificate, those above it, the root last",
	    install },
	{ "issuer show", "[-c FILE] [--pem]", "the issuing CA and those above it", show },
	{ "issuer crl", "[-c FILE] [--days N] [SERIAL...]",
	    "prints a revocation list of the issuing CA, for device_crl", print_list },
	{ 0 },
};
