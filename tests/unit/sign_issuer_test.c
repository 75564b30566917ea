/* The issuing CA of ota-signd without its socket: requests, chains that are taken and refused, certificates. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/client.h"
#include "sign/x509.h"
#include "tests/unit/signer.h"

#define DAY 86400

/* -- asking -- */

static int
ask(struct fixture *f, uid_t uid, json_t *request, char **out, struct err *err)
{
	AUTO(json_decref_p) json_t *json = request;
	AUTO(free_p) char *text = json_write(json);
	size_t bytes;

	*out = NULL;
	return server_answer(f->server, uid, text, strlen(text), out, &bytes, err);
}

static char *
request_ca(struct fixture *f, bool is_new_key)
{
	struct err err = { 0 };
	char *pem;

	assert_int_equal(
	    ask(f, ROOT, json_pack("{s:s,s:b}", "operation", "issuer_request", "new_key", is_new_key), &pem,
		&err),
	    0);
	return pem;
}

static int
install(struct fixture *f, const char *chain, struct err *err)
{
	AUTO(free_p) char *out = NULL;

	return ask(f, ROOT, json_pack("{s:s,s:s}", "operation", "issuer_install", "chain", chain), &out, err);
}

static int
issue(struct fixture *f, uid_t uid, const char *name, const char *public_pem, int days, char **out,
    struct err *err)
{
	return ask(f, uid,
	    json_pack(
		"{s:s,s:s,s:s,s:i}", "operation", "issue", "name", name, "public", public_pem, "days", days),
	    out, err);
}

static char *
public_of(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *pem;
	long bytes;

	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	bytes = BIO_get_mem_data(bio, &data);
	pem = strndup(data, (size_t)bytes);
	BIO_free(bio);
	return pem;
}

/* -- the CA above, as somebody else keeps it -- */

struct root {
	EVP_PKEY *key;
	X509 *x509;
};

static void
extend(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *extension = value ? X509V3_EXT_conf_nid(NULL, NULL, nid, value) : NULL;

	if (extension)
		assert_int_equal(X509_add_ext(x509, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static X509 *
certify(const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, int days, const char *constraints,
    const char *purpose)
{
	X509 *x509 = X509_new();
	X509_NAME *name = X509_get_subject_name(x509);

	X509_set_version(x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), rand() + 1);
	X509_gmtime_adj(X509_getm_notBefore(x509), -100 * DAY);
	X509_gmtime_adj(X509_getm_notAfter(x509), (long)days * DAY);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x509, X509_get_subject_name(issuer ? issuer : x509));
	X509_set_pubkey(x509, key);
	extend(x509, NID_basic_constraints, constraints);
	extend(x509, NID_key_usage, "critical,keyCertSign,cRLSign");
	extend(x509, NID_ext_key_usage, purpose);
	assert_true(X509_sign(x509, issuer_key, EVP_sha256()) > 0);
	return x509;
}

static struct root
make_root(int days, const char *constraints)
{
	struct root root = { .key = EVP_EC_gen("P-256") };

	root.x509 = certify("root", root.key, NULL, root.key, days, constraints, NULL);
	return root;
}

static void
free_root(struct root *root)
{
	EVP_PKEY_free(root->key);
	X509_free(root->x509);
}

static EVP_PKEY *
key_in(const char *request)
{
	BIO *bio = BIO_new_mem_buf(request, -1);
	X509_REQ *csr = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	EVP_PKEY *key = X509_REQ_get_pubkey(csr);

	assert_int_equal(X509_REQ_verify(csr, key), 1);
	X509_REQ_free(csr);
	BIO_free(bio);
	return key;
}

struct answer {
	int days;
	const char *constraints, *purpose;
	bool is_without_root;
};

/* The chain that answers @request. */
static char *
sign_request(const struct root *root, const char *request, const struct answer *how)
{
	EVP_PKEY *key = key_in(request);
	X509 *list[] = { certify(
			     "issuing", key, root->x509, root->key, how->days, how->constraints, how->purpose),
		root->x509 };
	struct err err;
	size_t bytes;
	char *pem;

	assert_int_equal(x509_write(list, how->is_without_root ? 1 : 2, &pem, &bytes, &err), 0);
	X509_free(list[0]);
	EVP_PKEY_free(key);
	return pem;
}

static const struct answer good = { .days = 50, .constraints = "critical,CA:TRUE,pathlen:0" };

static void
make_ca(struct fixture *f)
{
	AUTO(free_root) struct root root = make_root(90, "critical,CA:TRUE");
	AUTO(free_p) char *request = request_ca(f, false);
	AUTO(free_p) char *chain = sign_request(&root, request, &good);
	struct err err = { 0 };

	assert_int_equal(install(f, chain, &err), 0);
}

/* How many private keys of the CA are on disk. */
static int
count_keys(const struct fixture *f)
{
	char command[128], line[16] = "";
	FILE *pipe;

	snprintf(command, sizeof(command), "ls %s/issuer/*.key 2>/dev/null | wc -l", f->path);
	pipe = popen(command, "r");
	assert_non_null(fgets(line, sizeof(line), pipe));
	pclose(pipe);
	return atoi(line);
}

/* -- tests -- */

static void
issues_nothing_without_a_ca(void **state)
{
	struct fixture *f = *state;
	AUTO(x509_key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO(free_p) char *public = public_of(key);
	AUTO(free_p) char *out = NULL;
	AUTO(free_p) char *shown = NULL;
	struct err err = { 0 };

	assert_int_equal(issue(f, OTAFS, "car7", public, 10, &out, &err), CLIENT_NO_ISSUER);
	assert_string_equal(out, "there is no issuing CA: ota-sign issuer request, and install, make one");
	assert_int_equal(
	    ask(f, STRANGER, json_pack("{s:s}", "operation", "issuer"), &shown, &err), CLIENT_NO_ISSUER);
}

static void
issues_a_certificate_that_verifies_up_to_the_root(void **state)
{
	struct fixture *f = *state;
	AUTO(x509_key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO(free_p) char *public = public_of(key);
	AUTO(free_p) char *out = NULL;
	AUTO(free_p) char *above = NULL;
	AUTO(x509_chain_done) struct x509_chain chain = { .count = 0 }, cas = { .count = 0 };
	char serial[NAME_SERIAL_MAX + 1], name[X509_NAME_SIZE];
	struct err err = { 0 };
	X509 *leaf;

	make_ca(f);
	assert_int_equal(issue(f, OTAFS, "car7", public, 10, &out, &err), 0);
	assert_int_equal(x509_chain_read(out, strlen(out), &chain, &err), 0);
	assert_int_equal(chain.count, 2); /* without the root */
	leaf = chain.list[0];
	assert_int_equal(X509_verify(leaf, X509_get0_pubkey(chain.list[1])), 1);
	assert_int_equal(X509_check_issued(chain.list[1], leaf), X509_V_OK);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(leaf), key), 1);
	assert_string_equal(x509_name(leaf, name), "CN=car7");
	assert_int_equal(x509_serial(leaf, serial, sizeof(serial), &err), 0);
	assert_int_equal(strlen(serial), 32);
	assert_int_equal(X509_get_key_usage(leaf), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_get_extended_key_usage(leaf), XKU_SSL_CLIENT);
	assert_int_equal(X509_check_ca(leaf), 0);
	assert_true(x509_end(leaf) <= utc_now() + 10 * DAY && x509_end(leaf) > utc_now() + 9 * DAY);
	assert_int_equal(ask(f, STRANGER, json_pack("{s:s}", "operation", "issuer"), &above, &err), 0);
	assert_int_equal(x509_chain_read(above, strlen(above), &cas, &err), 0);
	assert_int_equal(cas.count, 2);
}

static void
a_certificate_does_not_outlive_its_ca(void **state)
{
	struct fixture *f = *state;
	AUTO(x509_key_freep) EVP_PKEY *key = EVP_EC_gen("P-384");
	AUTO(free_p) char *public = public_of(key);
	AUTO(free_p) char *out = NULL;
	AUTO(x509_chain_done) struct x509_chain chain = { .count = 0 };
	struct err err = { 0 };

	make_ca(f);
	assert_int_equal(issue(f, OTAFS, "car7", public, 300, &out, &err), 0);
	assert_int_equal(x509_chain_read(out, strlen(out), &chain, &err), 0);
	assert_int_equal(x509_end(chain.list[0]), x509_end(chain.list[1]));
}

static void
issues_for_the_signer_of_the_director_alone(void **state)
{
	struct fixture *f = *state;
	static const uid_t others[] = { ROOT, WATCHER, STRANGER };
	AUTO(x509_key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO(free_p) char *public = public_of(key);

	make_ca(f);
	for (size_t i = 0; i < 3; i++) {
		AUTO(free_p) char *out = NULL;
		struct err err = { 0 };

		assert_int_equal(issue(f, others[i], "car7", public, 10, &out, &err), -EACCES);
		assert_reason(err, "may not have certificates issued");
	}
}

static void
the_ca_is_the_administrators(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *out = NULL;
	struct err err = { 0 };

	assert_int_equal(ask(f, OTAFS, json_pack("{s:s}", "operation", "issuer_request"), &out, &err), -EACCES);
	assert_reason(err, "user 501 may not ask for that");
	assert_int_equal(
	    ask(f, WATCHER, json_pack("{s:s,s:s}", "operation", "issuer_install", "chain", "x"), &out, &err),
	    -EACCES);
	assert_int_equal(count_keys(f), 0);
}

static void
refuses_names_and_lifetimes_that_no_device_has(void **state)
{
	struct fixture *f = *state;
	AUTO(x509_key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO(free_p) char *public = public_of(key);
	AUTO(free_p) char *out = NULL;
	struct err err = { 0 };

	make_ca(f);
	assert_int_equal(issue(f, OTAFS, "car/7", public, 10, &out, &err), -EINVAL);
	assert_int_equal(issue(f, OTAFS, "car7\nO=x", public, 10, &out, &err), -EINVAL);
	assert_int_equal(issue(f, OTAFS, "", public, 10, &out, &err), -EBADMSG);
	assert_int_equal(issue(f, OTAFS, "car7", public, 0, &out, &err), -EINVAL);
	assert_reason(err, "lives 0 days, otafs.conf gives it 1 to 365");
	assert_int_equal(issue(f, OTAFS, "car7", public, 366, &out, &err), -EINVAL);
}

static void
refuses_keys_that_are_weak_or_unusual(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *keys[] = { EVP_RSA_gen(1024), EVP_EC_gen("secp256k1"), EVP_EC_gen("P-521"),
		EVP_PKEY_Q_keygen(NULL, NULL, "X25519") };
	AUTO(free_p) char *out = NULL;
	struct err err = { 0 };

	make_ca(f);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		AUTO(free_p) char *public = public_of(keys[i]);

		assert_int_equal(issue(f, OTAFS, "car7", public, 10, &out, &err), -EINVAL);
		assert_reason(err, "certificate of car7: the key is none of those that are certified");
		EVP_PKEY_free(keys[i]);
	}
	assert_int_equal(issue(f, OTAFS, "car7", "no key", 10, &out, &err), -EINVAL);
}

static void
takes_each_kind_of_key_that_devices_have(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *keys[] = { EVP_RSA_gen(2048), EVP_EC_gen("P-384"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };

	make_ca(f);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		AUTO(free_p) char *public = public_of(keys[i]);
		AUTO(free_p) char *out = NULL;
		struct err err = { 0 };

		assert_int_equal(issue(f, OTAFS, "car7", public, 10, &out, &err), 0);
		EVP_PKEY_free(keys[i]);
	}
}

static void
refuses_chains_that_servers_would_refuse(void **state)
{
	static const struct {
		struct answer answer;
		const char *root, *reason;
	} bad[] = {
		{ { .days = 50 }, "critical,CA:TRUE", "CN=issuing: is no CA" },
		{ { .days = 50, .constraints = "critical,CA:TRUE" }, "critical,CA:TRUE",
		    "CN=issuing: has no pathlen:0, it could make other CAs" },
		{ { .days = -1, .constraints = "critical,CA:TRUE,pathlen:0" }, "critical,CA:TRUE",
		    "CN=issuing: has expired" },
		{ { .days = 50, .constraints = "critical,CA:TRUE,pathlen:0", .purpose = "serverAuth" },
		    "critical,CA:TRUE", "CN=issuing: is not for clients of TLS" },
		{ { .days = 50, .constraints = "critical,CA:TRUE,pathlen:0" }, "critical,CA:TRUE,pathlen:0",
		    "CN=root: has pathlen 0, too few" },
		{ { .days = 50, .constraints = "critical,CA:TRUE,pathlen:0", .is_without_root = true },
		    "critical,CA:TRUE", "has to end with a root" },
	};
	struct fixture *f = *state;
	AUTO(free_p) char *request = request_ca(f, false);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		AUTO(free_root) struct root root = make_root(90, bad[i].root);
		AUTO(free_p) char *chain = sign_request(&root, request, &bad[i].answer);
		struct err err = { 0 };

		assert_int_equal(install(f, chain, &err), -EBADMSG);
		assert_reason(err, bad[i].reason);
	}
}

static void
refuses_a_chain_that_another_ca_ends(void **state)
{
	struct fixture *f = *state;
	AUTO(free_root)
	struct root root = make_root(90, "critical,CA:TRUE"), other = make_root(90, "critical,CA:TRUE");
	AUTO(free_p) char *request = request_ca(f, false);
	struct root mixed = { root.key, other.x509 };
	AUTO(free_p) char *chain = sign_request(&mixed, request, &good);
	struct err err = { 0 };

	assert_int_equal(install(f, chain, &err), -EBADMSG);
	assert_reason(err, "CN=issuing: is not signed by the next one, CN=root");
}

static void
refuses_a_chain_for_a_key_that_is_not_here(void **state)
{
	struct fixture *f = *state;
	AUTO(free_root) struct root root = make_root(90, "critical,CA:TRUE");
	AUTO(x509_key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO(free_p) char *request = NULL;
	AUTO(free_p) char *chain = NULL;
	struct err err = { 0 };
	size_t bytes;

	assert_int_equal(x509_request(key, "rogue", &request, &bytes, &err), 0);
	chain = sign_request(&root, request, &good);
	assert_int_equal(install(f, chain, &err), -ENOKEY);
	assert_reason(err, "is not for a key of ota-signd");
}

static void
a_request_is_repeated_for_the_same_key(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *first = request_ca(f, false);
	AUTO(free_p) char *second = request_ca(f, true);
	AUTO(x509_key_freep) EVP_PKEY *one = key_in(first), *two = key_in(second);

	assert_int_equal(EVP_PKEY_eq(one, two), 1);
	assert_int_equal(count_keys(f), 1);
}

static void
the_old_key_issues_until_the_new_one_is_certified(void **state)
{
	struct fixture *f = *state;
	AUTO(free_root) struct root root = make_root(90, "critical,CA:TRUE");
	AUTO(x509_key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO(free_p) char *public = public_of(key);
	AUTO(free_p) char *before = NULL;
	AUTO(free_p) char *after = NULL;
	AUTO(free_p) char *request = NULL;
	AUTO(free_p) char *chain = NULL;
	struct err err = { 0 };

	make_ca(f);
	request = request_ca(f, true);
	assert_int_equal(count_keys(f), 2);
	close_all(f);
	open_all(f);
	assert_int_equal(issue(f, OTAFS, "car7", public, 10, &before, &err), 0);
	chain = sign_request(&root, request, &good);
	assert_int_equal(install(f, chain, &err), 0);
	assert_int_equal(count_keys(f), 1);
	assert_int_equal(issue(f, OTAFS, "car7", public, 10, &after, &err), 0);
	/* The second certificate of the answer is the CA. */
	assert_string_not_equal(strstr(before + 30, "-----BEGIN"), strstr(after + 30, "-----BEGIN"));
}

static void
goes_on_after_a_restart(void **state)
{
	struct fixture *f = *state;
	AUTO(x509_key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO(free_p) char *public = public_of(key);
	AUTO(free_p) char *out = NULL;
	struct err err = { 0 };

	make_ca(f);
	close_all(f);
	open_all(f);
	assert_int_equal(issue(f, OTAFS, "car7", public, 10, &out, &err), 0);
}

static void
a_lost_key_stops_issuing_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	AUTO(x509_key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO(free_p) char *public = public_of(key);
	AUTO(free_p) char *out = NULL;
	char command[128];
	struct err err = { 0 };

	make_ca(f);
	close_all(f);
	snprintf(command, sizeof(command), "rm %s/issuer/*.key", f->path);
	assert_int_equal(system(command), 0);
	open_all(f);
	assert_int_equal(issue(f, OTAFS, "car7", public, 10, &out, &err), CLIENT_NO_ISSUER);
	assert_string_equal(out, "the issuing CA's key is lost: restore keys/issuer from the backup");
}

static void
keys_are_readable_by_their_owner_only(void **state)
{
	struct fixture *f = *state;
	char command[160];

	make_ca(f);
	snprintf(command, sizeof(command), "test -z \"$(find %s/issuer -perm /077)\"", f->path);
	assert_int_equal(system(command), 0);
}

static void
holds_the_key_in_locked_memory(void **state)
{
	struct fixture *f = *state;
	size_t before;

	make_ca(f);
	close_all(f);
	before = CRYPTO_secure_used();
	open_all(f);
	assert_true(CRYPTO_secure_used() > before);
}

static void
logs_each_certificate_before_it_is_given(void **state)
{
	struct fixture *f = *state;
	AUTO(x509_key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO(free_p) char *public = public_of(key);
	AUTO(free_p) char *out = NULL;
	AUTO(x509_chain_done) struct x509_chain chain = { .count = 0 };
	char command[256], sha256[DIGEST_HEX_SIZE];
	struct err err = { 0 };

	make_ca(f);
	assert_int_equal(issue(f, OTAFS, "car7", public, 10, &out, &err), 0);
	assert_int_equal(x509_chain_read(out, strlen(out), &chain, &err), 0);
	assert_int_equal(x509_digest(chain.list[0], sha256, &err), 0);
	snprintf(command, sizeof(command),
	    "grep '\"event\":\"certificate\"' %s/signatures/1.log | grep '\"device\":\"car7\"' | grep -q %s",
	    f->path, sha256);
	assert_int_equal(system(command), 0);
}

/* How many certificates the log tells of. */
static int
count_logged(const struct fixture *f)
{
	char command[128], line[16] = "";
	FILE *pipe;

	snprintf(
	    command, sizeof(command), "cat %s/signatures/*.log | grep -c '\"event\":\"certificate\"'", f->path);
	pipe = popen(command, "r");
	assert_non_null(fgets(line, sizeof(line), pipe));
	pclose(pipe);
	return atoi(line);
}

static int
issue_with_fault(struct fixture *f, json_t *request, int calls, char **out)
{
	AUTO(free_p) char *text = json_write(request);
	struct err err;
	size_t bytes;

	*out = NULL;
	fault_after(calls);
	return server_answer(f->server, OTAFS, text, strlen(text), out, &bytes, &err);
}

static void
gives_no_certificate_that_could_not_be_logged(void **state)
{
	struct fixture *f = *state;
	AUTO(x509_key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO(free_p) char *public = public_of(key);
	AUTO(json_decref_p)
	json_t *request =
	    json_pack("{s:s,s:s,s:s,s:i}", "operation", "issue", "name", "car7", "public", public, "days", 10);
	int r, calls = 0;

	make_ca(f);
	do {
		AUTO(free_p) char *out = NULL;
		int before = count_logged(f);

		r = issue_with_fault(f, request, calls++, &out);
		fault_after(-1);
		assert_true(r == 0 ? count_logged(f) > before : out == NULL);
	} while (r != 0);
	fault_stop();
	assert_true(calls > 4);
}

static void
keeps_the_ca_that_it_has_when_another_cannot_be_written(void **state)
{
	struct fixture *f = *state;
	AUTO(free_root) struct root root = make_root(90, "critical,CA:TRUE");
	AUTO(x509_key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO(free_p) char *public = public_of(key);
	AUTO(free_p) char *request = NULL;
	AUTO(free_p) char *chain = NULL;
	struct err err;
	int r, calls = 0;

	make_ca(f);
	request = request_ca(f, true);
	chain = sign_request(&root, request, &good);
	do {
		char told[ERR_TEXT_MAX];
		AUTO(free_p) char *out = NULL;

		fault_after(calls++);
		r = issuer_install(f->issuer, chain, strlen(chain), utc_now(), told, &err);
		fault_stop();
		close_all(f);
		open_all(f);
		assert_int_equal(issue(f, OTAFS, "car7", public, 10, &out, &err), 0);
	} while (r < 0);
	assert_true(calls > 3);
	close_all(f);
	open_all(f);
	assert_int_equal(count_keys(f), 1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(issues_nothing_without_a_ca),
		test(issues_a_certificate_that_verifies_up_to_the_root),
		test(a_certificate_does_not_outlive_its_ca),
		test(issues_for_the_signer_of_the_director_alone),
		test(the_ca_is_the_administrators),
		test(refuses_names_and_lifetimes_that_no_device_has),
		test(refuses_keys_that_are_weak_or_unusual),
		test(takes_each_kind_of_key_that_devices_have),
		test(refuses_chains_that_servers_would_refuse),
		test(refuses_a_chain_that_another_ca_ends),
		test(refuses_a_chain_for_a_key_that_is_not_here),
		test(a_request_is_repeated_for_the_same_key),
		test(the_old_key_issues_until_the_new_one_is_certified),
		test(goes_on_after_a_restart),
		test(a_lost_key_stops_issuing_and_nothing_else),
		test(keys_are_readable_by_their_owner_only),
		test(holds_the_key_in_locked_memory),
		test(logs_each_certificate_before_it_is_given),
		test(gives_no_certificate_that_could_not_be_logged),
		test(keeps_the_ca_that_it_has_when_another_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
