#include "ceremony/token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

#include "ceremony/prompt.h"
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/name.h"
#include "sign/vault.h"

/** Slots looked at in each module. */
#define SLOTS_MAX 64
/** Objects told of in each token. */
#define OBJECTS_MAX 64
/** CKA_LABEL, CKA_ID, a modulus and its like. */
#define ATTRIBUTE_MAX 1024
#define LABEL_MAX 32

/* The modules that are searched, and what is searched for. */
struct search {
	P11KitUri *uri;
	CK_FUNCTION_LIST **modules;  /* of p11-kit's configuration, or */
	CK_FUNCTION_LIST *single[2]; /* the one of module-path */
};

/* A session with a token. */
struct token {
	struct search search;
	CK_FUNCTION_LIST *module;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;
	bool has_session;
	char label[LABEL_MAX + 1];
	CK_OBJECT_HANDLE key;
	bool is_rsa;
	bool asks_each_time; /* CKA_ALWAYS_AUTHENTICATE */
	struct secret *pin;  /* for that */
	struct public_key *public;
};

bool
token_is_uri(const char *name)
{
	return !strncmp(name, "pkcs11:", 7);
}

static int
parse_uri(const char *text, struct search *search, struct err *err)
{
	int r;

	if (!(search->uri = p11_kit_uri_new()))
		return err_set(err, ENOMEM, "no memory");
	r = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, search->uri);
	if (r != P11_KIT_URI_OK)
		return err_set(
		    err, EINVAL, "token: not a \"pkcs11:\" URI (RFC 7512): %s", p11_kit_uri_message(r));
	if (p11_kit_uri_get_pin_value(search->uri))
		return err_set(err, EINVAL,
		    "token: pin-value is refused, others can read it in the list of processes; use pin-source");
	if (p11_kit_uri_any_unrecognized(search->uri))
		return err_set(err, EINVAL, "token: the URI has an attribute that is not known");
	return 0;
}

static int
load_single(const char *path, struct search *search, struct err *err)
{
	CK_FUNCTION_LIST *module = p11_kit_module_load(path, 0);
	CK_RV rv;

	if (!module)
		return err_set(err, ENOENT, "token: module %s cannot be loaded: %s", path, p11_kit_message());
	rv = p11_kit_module_initialize(module);
	if (rv != CKR_OK) {
		p11_kit_module_release(module);
		return err_set(err, EIO, "token: module %s does not start: %s", path, p11_kit_strerror(rv));
	}
	search->single[0] = module;
	return 0;
}

static int
begin_search(const char *text, struct search *search, struct err *err)
{
	const char *path;
	int r;

	p11_kit_be_quiet();
	if ((r = parse_uri(text, search, err)) < 0)
		return r;
	if ((path = p11_kit_uri_get_module_path(search->uri)))
		return load_single(path, search, err);
	search->modules = p11_kit_modules_load_and_initialize(0);
	if (!search->modules)
		return err_set(err, EIO, "token: p11-kit loads no modules: %s", p11_kit_message());
	return 0;
}

static void
end_search(struct search *search)
{
	if (search->single[0]) {
		p11_kit_module_finalize(search->single[0]);
		p11_kit_module_release(search->single[0]);
	}
	if (search->modules)
		p11_kit_modules_finalize_and_release(search->modules);
	p11_kit_uri_free(search->uri);
}

/* PKCS#11 fills with spaces. */
static void
read_label(const CK_TOKEN_INFO *info, char label[static LABEL_MAX + 1])
{
	char raw[LABEL_MAX + 1];
	size_t n = LABEL_MAX;

	memcpy(raw, info->label, LABEL_MAX);
	while (n && (raw[n - 1] == ' ' || raw[n - 1] == '\0'))
		n--;
	raw[n] = '\0';
	name_printable(raw, label, LABEL_MAX + 1);
}

/* Is told of each token that fits; not 0 ends the search with that value. */
typedef int found_token(
    CK_FUNCTION_LIST *module, CK_SLOT_ID slot, const CK_TOKEN_INFO *info, void *context, struct err *err);

static int
search_module(
    const struct search *search, CK_FUNCTION_LIST *module, found_token *found, void *context, struct err *err)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG count = SLOTS_MAX;
	CK_TOKEN_INFO info;
	CK_INFO about;
	int r = 0;

	if (module->C_GetInfo(&about) != CKR_OK || !p11_kit_uri_match_module_info(search->uri, &about) ||
	    module->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
		return 0;
	for (CK_ULONG i = 0; r == 0 && i < count; i++)
		if (module->C_GetTokenInfo(slots[i], &info) == CKR_OK && (info.flags & CKF_TOKEN_INITIALIZED) &&
		    p11_kit_uri_match_token_info(search->uri, &info))
			r = found(module, slots[i], &info, context, err);
	return r;
}

static int
search_tokens(const struct search *search, found_token *found, void *context, struct err *err)
{
	CK_FUNCTION_LIST *const *modules = search->modules ? search->modules : search->single;
	int r = 0;

	for (; r == 0 && *modules; modules++)
		r = search_module(search, *modules, found, context, err);
	return r;
}

static int
report(const struct token *token, const char *doing, CK_RV rv, struct err *err)
{
	return err_set(err, EIO, "token %s: %s: %s", token->label, doing, p11_kit_strerror(rv));
}

/* Finds up to @room objects of @class that fit the URI, and have @id when it is not NULL. */
static int
find_objects(const struct token *token, CK_OBJECT_CLASS class, CK_ATTRIBUTE *id, CK_OBJECT_HANDLE *objects,
    CK_ULONG room, CK_ULONG *count, struct err *err)
{
	CK_ATTRIBUTE template[3] = { { CKA_CLASS, &class, sizeof(class) } };
	CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(token->search.uri, CKA_LABEL),
		     *uri_id = p11_kit_uri_get_attribute(token->search.uri, CKA_ID);
	CK_ULONG n = 1;
	CK_RV rv;

	if (id)
		template[n++] = *id;
	else if (uri_id)
		template[n++] = *uri_id;
	if (label && !id)
		template[n++] = *label;
	if ((rv = token->module->C_FindObjectsInit(token->session, template, n)) != CKR_OK)
		return report(token, "search", rv, err);
	rv = token->module->C_FindObjects(token->session, objects, room, count);
	token->module->C_FindObjectsFinal(token->session);
	return rv == CKR_OK ? 0 : report(token, "search", rv, err);
}

/* An attribute's bytes; 0 of them when the object has none. */
static size_t
get_attribute(
    const struct token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, void *data, size_t room)
{
	CK_ATTRIBUTE attribute = { type, data, room };

	if (token->module->C_GetAttributeValue(token->session, object, &attribute, 1) != CKR_OK ||
	    attribute.ulValueLen > room)
		return 0;
	return attribute.ulValueLen;
}

static CK_KEY_TYPE
get_type(const struct token *token, CK_OBJECT_HANDLE object)
{
	CK_KEY_TYPE type;

	return get_attribute(token, object, CKA_KEY_TYPE, &type, sizeof(type)) == sizeof(type)
		   ? type
		   : CKK_VENDOR_DEFINED;
}

static int
check_type(const struct token *token, CK_OBJECT_HANDLE object, const char *what, struct err *err)
{
	CK_KEY_TYPE type = get_type(token, object);

	if (type == CKK_RSA || type == CKK_EC_EDWARDS)
		return 0;
	return err_set(err, EBADMSG, "%s: %s; ED25519 and RSA are allowed", what,
	    type == CKK_EC ? "an EC key of another kind (ECDSA)" : "a key of another kind");
}

/* CKA_EC_PARAMS is the curve's OID or its name. */
static bool
is_ed25519(const unsigned char *params, size_t bytes)
{
	static const unsigned char oid[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 };
	static const char name[] = "\x13\x0c"
				   "edwards25519";

	return (bytes == sizeof(oid) && !memcmp(params, oid, sizeof(oid))) ||
	       (bytes == sizeof(name) - 1 && !memcmp(params, name, sizeof(name) - 1));
}

static int
read_ed25519(const struct token *token, CK_OBJECT_HANDLE object, const char *what, struct public_key **out,
    struct err *err)
{
	unsigned char data[ATTRIBUTE_MAX];
	size_t bytes = get_attribute(token, object, CKA_EC_PARAMS, data, sizeof(data));

	if (!is_ed25519(data, bytes))
		return err_set(err, EBADMSG, "%s: an Edwards key of another curve; ED25519 is allowed", what);
	bytes = get_attribute(token, object, CKA_EC_POINT, data, sizeof(data));
	/* A DER OCTET STRING, or, in some tokens, what is in it. */
	if (bytes == 34 && data[0] == 0x04 && data[1] == 32)
		return public_key_of_ed25519(data + 2, what, out, err);
	if (bytes == 32)
		return public_key_of_ed25519(data, what, out, err);
	return err_set(err, EBADMSG, "%s: the token does not tell its public key", what);
}

static int
read_rsa(const struct token *token, CK_OBJECT_HANDLE object, const char *what, struct public_key **out,
    struct err *err)
{
	unsigned char modulus[ATTRIBUTE_MAX], exponent[ATTRIBUTE_MAX];
	size_t n = get_attribute(token, object, CKA_MODULUS, modulus, sizeof(modulus)),
	       e = get_attribute(token, object, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));

	if (n == 0 || e == 0)
		return err_set(err, EBADMSG, "%s: the token does not tell its public key", what);
	return public_key_of_rsa(modulus, n, exponent, e, what, out, err);
}

static int
read_public(const struct token *token, CK_OBJECT_HANDLE object, const char *what, struct public_key **out,
    struct err *err)
{
	int r = check_type(token, object, what, err);

	if (r < 0)
		return r;
	return get_type(token, object) == CKK_RSA ? read_rsa(token, object, what, out, err)
						  : read_ed25519(token, object, what, out, err);
}

static int
open_session(
    struct token *token, CK_FUNCTION_LIST *module, CK_SLOT_ID slot, const CK_TOKEN_INFO *info, struct err *err)
{
	CK_RV rv;

	token->module = module;
	token->slot = slot;
	read_label(info, token->label);
	rv = module->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &token->session);
	if (rv != CKR_OK)
		return report(token, "no session", rv, err);
	token->has_session = true;
	return 0;
}

static void
close_session(struct token *token)
{
	if (token->has_session)
		token->module->C_CloseSession(token->session);
	token->has_session = false;
}

/* What login() needs of the token that was found. */
struct found {
	struct token *token;
	CK_FLAGS flags;
	int count;
};

static int
take_token(CK_FUNCTION_LIST *module, CK_SLOT_ID slot, const CK_TOKEN_INFO *info, void *context, struct err *err)
{
	struct found *found = context;

	if (found->count++)
		return err_set(err, EINVAL, "token: several fit the URI; name one with token= or serial=");
	found->flags = info->flags;
	return open_session(found->token, module, slot, info, err);
}

static int
find_token(struct found *found, struct err *err)
{
	int r = search_tokens(&found->token->search, take_token, found, err);

	if (r == 0 && found->count == 0)
		return err_set(err, ENOENT,
		    "token: none that fits the URI is there; ota-sign key list pkcs11: shows those that are");
	return r;
}

static int
send_pin(const struct token *token, CK_USER_TYPE user, struct err *err)
{
	CK_RV rv = token->module->C_Login(
	    token->session, user, token->pin ? token->pin->data : NULL, token->pin ? token->pin->bytes : 0);

	switch (rv) {
	case CKR_OK:
	case CKR_USER_ALREADY_LOGGED_IN:
		return 0;
	case CKR_PIN_INCORRECT:
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
		return err_set(err, EACCES, "token %s: the PIN is wrong", token->label);
	case CKR_PIN_LOCKED:
		return err_set(err, EACCES,
		    "token %s: the PIN is locked; its security officer has to set a new one", token->label);
	default:
		return report(token, "login", rv, err);
	}
}

static int
login(struct found *found, const char *pin_file, struct err *err)
{
	struct token *token = found->token;
	const char *source = p11_kit_uri_get_pin_source(token->search.uri);
	char what[LABEL_MAX + 64];
	int r;

	if (!(found->flags & CKF_LOGIN_REQUIRED))
		return 0;
	if (found->flags & CKF_USER_PIN_LOCKED)
		return err_set(err, EACCES,
		    "token %s: the PIN is locked; its security officer has to set a new one", token->label);
	snprintf(what, sizeof(what), "PIN of token %s%s", token->label,
	    found->flags & CKF_USER_PIN_FINAL_TRY   ? " (last try before it is locked)"
	    : found->flags & CKF_USER_PIN_COUNT_LOW ? " (a wrong one was given before)"
						    : "");
	if (source && !strncmp(source, "file:", 5))
		source += 5;
	/* With a pad on the reader the PIN never comes here. */
	if (!(found->flags & CKF_PROTECTED_AUTHENTICATION_PATH) &&
	    (r = prompt_secret(pin_file ? pin_file : source, what, &token->pin, err)) < 0)
		return r;
	return send_pin(token, CKU_USER, err);
}

static int
find_private(struct token *token, struct err *err)
{
	CK_OBJECT_HANDLE keys[2];
	CK_ULONG count = 0;
	CK_BBOOL asks = CK_FALSE;
	int r = find_objects(token, CKO_PRIVATE_KEY, NULL, keys, 2, &count, err);

	if (r < 0)
		return r;
	if (count == 0)
		return err_set(err, ENOENT, "token %s: no private key in it fits the URI", token->label);
	if (count > 1)
		return err_set(err, EINVAL,
		    "token %s: several private keys fit the URI; name one with object= or id=", token->label);
	token->key = keys[0];
	token->is_rsa = get_type(token, token->key) == CKK_RSA;
	get_attribute(token, token->key, CKA_ALWAYS_AUTHENTICATE, &asks, sizeof(asks));
	token->asks_each_time = asks == CK_TRUE;
	return 0;
}

/* The public half of the private key that was found. */
static int
find_public(struct token *token, struct err *err)
{
	unsigned char data[ATTRIBUTE_MAX];
	CK_ATTRIBUTE id = { CKA_ID, data, get_attribute(token, token->key, CKA_ID, data, sizeof(data)) };
	char what[LABEL_MAX + 16];
	CK_OBJECT_HANDLE object;
	CK_ULONG count = 0;
	int r;

	snprintf(what, sizeof(what), "token %s", token->label);
	if ((r = check_type(token, token->key, what, err)) < 0 ||
	    (r = find_objects(token, CKO_PUBLIC_KEY, id.ulValueLen ? &id : NULL, &object, 1, &count, err)) < 0)
		return r;
	if (count)
		return read_public(token, object, what, &token->public, err);
	/* The private object of an RSA key has the public numbers too. */
	if (token->is_rsa)
		return read_rsa(token, token->key, what, &token->public, err);
	return err_set(err, ENOENT, "token %s: has the private key but not the public one", token->label);
}

int
token_open(const char *uri, const char *pin_file, struct token **out, struct err *err)
{
	AUTO(token_freep) struct token *token = calloc(1, sizeof(*token));
	struct found found = { .token = token };
	int r;

	if (!token)
		return err_set(err, ENOMEM, "no memory");
	if ((r = begin_search(uri, &token->search, err)) < 0 || (r = find_token(&found, err)) < 0 ||
	    (r = login(&found, pin_file, err)) < 0 || (r = find_private(token, err)) < 0 ||
	    (r = find_public(token, err)) < 0)
		return r;
	*out = MOVE(token);
	return 0;
}

void
token_free(struct token *token)
{
	if (!token)
		return;
	close_session(token);
	end_search(&token->search);
	secret_free(token->pin);
	public_key_free(token->public);
	free(token);
}

void
token_freep(struct token **token)
{
	token_free(*token);
}

const struct public_key *
token_public(const struct token *token)
{
	return token->public;
}

static bool
has_mechanism(const struct token *token, CK_MECHANISM_TYPE type)
{
	CK_MECHANISM_INFO info;

	return token->module->C_GetMechanismInfo(token->slot, type, &info) == CKR_OK && (info.flags & CKF_SIGN);
}

static int
sign_with(struct token *token, CK_MECHANISM *mechanism, const void *data, size_t bytes,
    unsigned char *signature, CK_ULONG *signature_bytes, struct err *err)
{
	CK_RV rv = token->module->C_SignInit(token->session, mechanism, token->key);
	int r;

	if (rv != CKR_OK)
		return report(token, "the key does not sign", rv, err);
	if (token->asks_each_time && (r = send_pin(token, CKU_CONTEXT_SPECIFIC, err)) < 0)
		return r;
	rv = token->module->C_Sign(
	    token->session, (CK_BYTE_PTR)(uintptr_t)data, bytes, signature, signature_bytes);
	return rv == CKR_OK ? 0 : report(token, "the key does not sign", rv, err);
}

/* RSASSA-PSS over the digest, for most tokens take little data at once; else the token makes the digest too. */
static int
sign_rsa(struct token *token, const void *data, size_t bytes, unsigned char *signature,
    CK_ULONG *signature_bytes, struct err *err)
{
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, DIGEST_SHA256_BYTES };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_PSS, &pss, sizeof(pss) };
	unsigned char digest[DIGEST_SHA256_BYTES];
	char hex[DIGEST_HEX_SIZE];

	if (!has_mechanism(token, CKM_RSA_PKCS_PSS)) {
		mechanism.mechanism = CKM_SHA256_RSA_PKCS_PSS;
		return sign_with(token, &mechanism, data, bytes, signature, signature_bytes, err);
	}
	digest_sha256_hex(data, bytes, hex);
	digest_unhex(hex, digest, sizeof(digest));
	return sign_with(token, &mechanism, digest, sizeof(digest), signature, signature_bytes, err);
}

int
token_sign(
    struct token *token, const char *keyid, const void *data, size_t bytes, json_t **out, struct err *err)
{
	CK_MECHANISM eddsa = { CKM_EDDSA, NULL, 0 };
	unsigned char signature[KEY_SIGNATURE_MAX];
	CK_ULONG signature_bytes = sizeof(signature);
	AUTO(free_p) char *text = NULL;
	int r = token->is_rsa ? sign_rsa(token, data, bytes, signature, &signature_bytes, err)
			      : sign_with(token, &eddsa, data, bytes, signature, &signature_bytes, err);

	if (r < 0)
		return r;
	text = digest_base64(signature, signature_bytes);
	*out = text ? json_pack("{s:s,s:s,s:s}", "keyid", keyid, "method",
			  token->is_rsa ? "rsassa-pss-sha256" : "ed25519", "sig", text)
		    : NULL;
	return *out ? 0 : err_set(err, ENOMEM, "no memory for a signature");
}

/* What list_token() needs. */
struct listing {
	P11KitUri *uri; /* of the search, borrowed */
	token_seen *seen;
	void *context;
	int count;
};

/* The URI of an object: token's label, its label and id. The caller frees it. */
static char *
format_uri(const struct token *token, const CK_TOKEN_INFO *info, CK_OBJECT_HANDLE object)
{
	static const CK_ATTRIBUTE_TYPE types[] = { CKA_LABEL, CKA_ID };
	P11KitUri *uri = p11_kit_uri_new();
	char *text = NULL;

	if (!uri)
		return NULL;
	memcpy(p11_kit_uri_get_token_info(uri)->label, info->label, sizeof(info->label));
	for (size_t i = 0; i < 2; i++) {
		unsigned char data[ATTRIBUTE_MAX];
		CK_ATTRIBUTE attribute = { types[i], data,
			get_attribute(token, object, types[i], data, sizeof(data)) };

		if (attribute.ulValueLen)
			p11_kit_uri_set_attribute(uri, &attribute);
	}
	p11_kit_uri_format(uri, P11_KIT_URI_FOR_OBJECT_ON_TOKEN, &text);
	p11_kit_uri_free(uri);
	return text;
}

static void
tell_object(const struct token *token, const CK_TOKEN_INFO *info, CK_OBJECT_HANDLE object,
    const struct listing *listing)
{
	AUTO(free_p) char *uri = format_uri(token, info, object);
	AUTO(public_key_freep) struct public_key *public = NULL;
	struct err err;
	int r = read_public(token, object, "key", &public, &err);

	listing->seen(uri ? uri : "?", r < 0 ? NULL : public, r < 0 ? err.text : NULL, listing->context);
}

static int
list_token(CK_FUNCTION_LIST *module, CK_SLOT_ID slot, const CK_TOKEN_INFO *info, void *context, struct err *err)
{
	struct listing *listing = context;
	struct token token = { .search.uri = listing->uri };
	CK_OBJECT_HANDLE objects[OBJECTS_MAX];
	CK_ULONG count = 0;
	int r = open_session(&token, module, slot, info, err);

	listing->count++;
	if (r == 0)
		r = find_objects(&token, CKO_PUBLIC_KEY, NULL, objects, OBJECTS_MAX, &count, err);
	for (CK_ULONG i = 0; i < count; i++)
		tell_object(&token, info, objects[i], listing);
	close_session(&token);
	return r;
}

int
token_list(const char *uri, token_seen *seen, void *context, struct err *err)
{
	struct search search = { 0 };
	struct listing listing = { .seen = seen, .context = context };
	int r = begin_search(uri, &search, err);

	listing.uri = search.uri;
	if (r == 0)
		r = search_tokens(&search, list_token, &listing, err);
	if (r == 0 && listing.count == 0)
		r = err_set(err, ENOENT, "token: none that fits the URI is there");
	end_search(&search);
	return r;
}
