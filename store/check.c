#include "store/check.h"

#include <glib.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "lib/cleanup.h"
#include "store/source.h"

/** Inflated content passes through so much. */
#define CONTENT_BYTES (64 * 1024)
/** Before the header of a filez: its length, big endian, and zeros up to 8 bytes. */
#define PREFIX_BYTES 8

/* How libostree writes them; ostree-core.h, OSTREE_*_GVARIANT_FORMAT. */
struct kind {
	const char *name, *type;
	uint64_t max;
	bool is_named_by_bytes; /* the checksum is that of the stored bytes */
};

static const struct kind kinds[] = {
	{ "filez", "(tuuuusa(ayay))", UINT64_MAX, false },
	{ "dirtree", "(a(say)a(sayay))", SOURCE_METADATA_MAX, true },
	{ "dirmeta", "(uuua(ayay))", SOURCE_METADATA_MAX, true },
	{ "commit", "(a{sv}aya(say)sstayay)", SOURCE_METADATA_MAX, true },
	{ "commitmeta", "a{sv}", CHECK_COMMITMETA_MAX, false },
};

struct check {
	const struct kind *kind;
	char checksum[DIGEST_HEX_SIZE];
	EVP_MD_CTX *md;
	uint64_t bytes; /* that came so far */
	char *head;     /* all of a small object; a filez' prefix and header */
	size_t have;    /* of the head */
	size_t room;

	/* of a filez, once its header is read */
	bool is_header_read;
	bool is_symlink;
	bool is_inflated; /* the deflate stream has ended */
	bool is_open;     /* the stream has to be released */
	uint64_t length;  /* of the content, as the header has it */
	uint64_t content; /* inflated so far */
	z_stream inflate;
	unsigned char out[CONTENT_BYTES];
};

static const struct kind *
find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

static bool
is_file(const struct check *check)
{
	return check->kind == &kinds[0];
}

uint64_t
check_max(const char *kind)
{
	const struct kind *found = find_kind(kind);

	return found ? found->max : 0;
}

int
check_new(const char *checksum, const char *kind, struct check **out, struct err *err)
{
	AUTO(check_freep) struct check *check = calloc(1, sizeof(*check));
	int r;

	if (!check)
		return err_set(err, ENOMEM, "no memory");
	check->md = EVP_MD_CTX_new();
	if (!check->md || inflateInit2(&check->inflate, -MAX_WBITS) != Z_OK)
		return err_set(err, ENOMEM, "no memory");
	check->is_open = true;
	r = check_restart(check, checksum, kind, err);
	if (r == 0)
		*out = MOVE(check);
	return r;
}

void
check_free(struct check *check)
{
	if (!check)
		return;
	if (check->is_open)
		inflateEnd(&check->inflate);
	EVP_MD_CTX_free(check->md);
	free(check->head);
	free(check);
}

void
check_freep(struct check **check)
{
	check_free(*check);
}

int
check_restart(struct check *check, const char *checksum, const char *kind, struct err *err)
{
	check->kind = find_kind(kind);
	if (!check->kind || !digest_is_sha256_hex(checksum))
		return drop_bad(err, "is no name of an object");
	memcpy(check->checksum, checksum, DIGEST_HEX_SIZE);
	check->bytes = check->length = check->content = 0;
	check->have = 0;
	check->is_header_read = check->is_symlink = check->is_inflated = false;
	/* One large object must not cost its memory for ever. */
	if (check->room > CHECK_HEADER_MAX) {
		free(MOVE(check->head));
		check->room = 0;
	}
	if (inflateReset(&check->inflate) != Z_OK || !EVP_DigestInit_ex(check->md, EVP_sha256(), NULL))
		return err_set(err, ENOMEM, "no memory");
	return 0;
}

/* Keeps @bytes more of the head. */
static int
keep(struct check *check, const void *data, size_t bytes, struct err *err)
{
	if (check->have + bytes > check->room) {
		size_t room = check->room ? check->room : 4096;
		char *head;

		while (room < check->have + bytes)
			room *= 2;
		head = realloc(check->head, room);
		if (!head)
			return err_set(err, ENOMEM, "no memory");
		check->head = head;
		check->room = room;
	}
	memcpy(check->head + check->have, data, bytes);
	check->have += bytes;
	return 0;
}

/* Ends the digest and compares it with the name. */
static int
compare(struct check *check, const char *what, struct err *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char found[DIGEST_HEX_SIZE];

	EVP_DigestFinal_ex(check->md, digest, NULL);
	digest_hex(digest, DIGEST_SHA256_BYTES, found);
	if (strcmp(found, check->checksum))
		return drop_bad(err, "is damaged: its %s checksum %s", what, found);
	return 0;
}

/* -- the header of a file -- */

/* What libostree hashes in place of the header of the archive form: the same without the size, with a prefix.
 */
static void
digest_header(struct check *check, GVariant *header)
{
	g_autoptr(GVariant) xattrs = g_variant_get_child_value(header, 6);
	g_autoptr(GVariant) hashed = NULL;
	guint32 uid, gid, mode;
	const char *target;
	unsigned char prefix[PREFIX_BYTES] = { 0 };
	size_t size;

	g_variant_get(header, "(tuuuu&s@a(ayay))", NULL, &uid, &gid, &mode, NULL, &target, NULL);
	hashed = g_variant_ref_sink(g_variant_new("(uuuus@a(ayay))", uid, gid, mode, 0, target, xattrs));
	size = g_variant_get_size(hashed);
	for (int i = 0; i < 4; i++)
		prefix[i] = (unsigned char)(size >> (24 - 8 * i));
	EVP_DigestUpdate(check->md, prefix, sizeof(prefix));
	EVP_DigestUpdate(check->md, g_variant_get_data(hashed), size);
}

/* (size, uid, gid, mode, rdev, symlink target, extended attributes), numbers big endian. */
static int
read_header(struct check *check, struct err *err)
{
	g_autoptr(GVariant) header =
	    g_variant_ref_sink(g_variant_new_from_data(G_VARIANT_TYPE(check->kind->type),
		check->head + PREFIX_BYTES, check->have - PREFIX_BYTES, FALSE, NULL, NULL));
	guint32 mode, rdev;
	const char *target;
	guint64 length;

	/* What the checksum does not cover has to be as libostree writes it. */
	if (!g_variant_is_normal_form(header))
		return drop_bad(err, "is damaged: its header has no such form");
	g_variant_get(header, "(tuuuu&sa(ayay))", &length, NULL, NULL, &mode, &rdev, &target, NULL);
	mode = GUINT32_FROM_BE(mode);
	check->length = GUINT64_FROM_BE(length);
	check->is_symlink = S_ISLNK(mode);
	if (rdev || !(check->is_symlink || (S_ISREG(mode) && !*target)))
		return drop_bad(err, "is damaged: its header has no such form");
	if (check->is_symlink && check->length)
		return drop_bad(err, "is damaged: its header names another length");
	digest_header(check, header);
	check->is_header_read = true;
	return 0;
}

/* Takes what is still missing of prefix and header; 0 is stored in *@need when it is complete. */
static int
header_missing(const struct check *check, size_t *need, struct err *err)
{
	const unsigned char *prefix = (const unsigned char *)check->head;
	size_t size;

	*need = PREFIX_BYTES - check->have;
	if (check->have < PREFIX_BYTES)
		return 0;
	size = (size_t)prefix[0] << 24 | (size_t)prefix[1] << 16 | (size_t)prefix[2] << 8 | prefix[3];
	if (size == 0 || size > CHECK_HEADER_MAX - PREFIX_BYTES || memcmp(prefix + 4, "\0\0\0", 4) != 0)
		return drop_bad(err, "is damaged: its header has no such form");
	*need = PREFIX_BYTES + size - check->have;
	return 0;
}

static int
feed_header(struct check *check, const char **data, size_t *bytes, struct err *err)
{
	size_t need = PREFIX_BYTES;
	int r = 0;

	while (r == 0 && !check->is_header_read && *bytes) {
		size_t n;

		r = header_missing(check, &need, err);
		n = need < *bytes ? need : *bytes;
		if (r == 0)
			r = keep(check, *data, n, err);
		*data += n;
		*bytes -= n;
		if (r == 0 && n == need && check->have > PREFIX_BYTES)
			r = read_header(check, err);
	}
	return r;
}

/* -- the content of a file -- */

static int
take_content(struct check *check, size_t bytes, struct err *err)
{
	check->content += bytes;
	if (check->content > check->length)
		return drop_bad(err, "is damaged: its header names another length");
	EVP_DigestUpdate(check->md, check->out, bytes);
	return 0;
}

static int
feed_content(struct check *check, const char *data, size_t bytes, struct err *err)
{
	z_stream *inflater = &check->inflate;
	int r = 0, z = Z_OK;

	if (bytes && check->is_symlink)
		return drop_bad(err, "is damaged: a symlink has no content");
	inflater->next_in = (z_const Bytef *)(uintptr_t)data;
	inflater->avail_in = (uInt)bytes;
	while (r == 0 && !check->is_inflated && (inflater->avail_in || z == Z_OK)) {
		inflater->next_out = check->out;
		inflater->avail_out = CONTENT_BYTES;
		z = inflate(inflater, Z_NO_FLUSH);
		if (z == Z_MEM_ERROR)
			return err_set(err, ENOMEM, "no memory");
		if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
			return drop_bad(err, "is damaged: its compressed content is invalid");
		check->is_inflated = z == Z_STREAM_END;
		r = take_content(check, CONTENT_BYTES - inflater->avail_out, err);
		if (z == Z_BUF_ERROR)
			break; /* it wants more */
	}
	/* What comes after the end is covered by no checksum. */
	if (r == 0 && inflater->avail_in)
		return drop_bad(err, "is damaged: its content ends at byte %llu of %llu",
		    (unsigned long long)(check->bytes - inflater->avail_in), (unsigned long long)check->bytes);
	return r;
}

static int
end_file(struct check *check, struct err *err)
{
	if (!check->is_header_read || (!check->is_symlink && !check->is_inflated))
		return drop_bad(
		    err, "is damaged: it is cut short at byte %llu", (unsigned long long)check->bytes);
	/* The checksum does not cover the length that the header names. */
	if (check->content != check->length)
		return drop_bad(err, "is damaged: its header names another length");
	return compare(check, "content has", err);
}

/* -- all kinds -- */

int
check_feed(struct check *check, const void *data, size_t bytes, struct err *err)
{
	const char *at = data;
	int r;

	if (bytes > check->kind->max - check->bytes)
		return drop_bad(err, "is damaged: it has more than the %llu bytes that a %s may have",
		    (unsigned long long)check->kind->max, check->kind->name);
	if (!is_file(check)) {
		check->bytes += bytes;
		if (check->kind->is_named_by_bytes)
			EVP_DigestUpdate(check->md, data, bytes);
		return keep(check, data, bytes, err);
	}
	/* zlib counts in 32 bits. */
	for (r = 0; r == 0 && bytes;) {
		size_t part = bytes < 1 << 30 ? bytes : 1 << 30, rest = part;
		const char *from = at;

		check->bytes += part;
		r = feed_header(check, &from, &rest, err);
		if (r == 0 && check->is_header_read)
			r = feed_content(check, from, rest, err);
		at += part;
		bytes -= part;
	}
	return r;
}

int
check_end(struct check *check, struct err *err)
{
	g_autoptr(GVariant) value = NULL;
	int r;

	if (is_file(check))
		return end_file(check, err);
	r = check->kind->is_named_by_bytes ? compare(check, "bytes have", err) : 0;
	if (r)
		return r;
	value = g_variant_ref_sink(g_variant_new_from_data(
	    G_VARIANT_TYPE(check->kind->type), check->head, check->have, FALSE, NULL, NULL));
	if (!g_variant_is_normal_form(value))
		return drop_bad(err, "is damaged: it has not the form of a %s", check->kind->name);
	return 0;
}
