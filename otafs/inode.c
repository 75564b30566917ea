#include "otafs/inode.h"

#include <assert.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a over path and tag. */
ino_t
inode_number(const char *path, int64_t tag)
{
	uint64_t hash = 14695981039346656037ULL;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 1099511628211ULL;
	return (hash ^ (uint64_t)tag) * 1099511628211ULL;
}

static int
compare(const void *a, const void *b)
{
	const struct inode *x = a, *y = b;
	int r = strcmp(x->path, y->path);

	return r ? r : (x->tag > y->tag) - (x->tag < y->tag);
}

static int
compare_inherited(const void *a, const void *b)
{
	const struct inode *x = a, *y = b;

	return (x->inherited > y->inherited) - (x->inherited < y->inherited);
}

void
inodes_init(struct inodes *inodes, struct relay *relay)
{
	static char empty[1];

	pthread_mutex_init(&inodes->lock, NULL);
	inodes->tree = NULL;
	inodes->inherited = NULL;
	inodes->relay = relay;
	inodes->top = (struct inode){ .path = empty };
}

struct inode *
inode_new(const char *path, int64_t tag, const struct stat *st, char *content)
{
	struct inode *inode = calloc(1, sizeof(*inode));

	if (!inode || !(inode->path = strdup(path))) {
		free(inode);
		return NULL;
	}
	inode->tag = tag;
	inode->st = *st;
	inode->st.st_ino = inode_number(path, tag);
	inode->content = content;
	return inode;
}

void
inode_free(struct inode *inode)
{
	if (!inode)
		return;
	free(inode->path);
	free(inode->content);
	free(inode);
}

/* ---- ids */

uint64_t
inodes_id(const struct inodes *inodes, const struct inode *inode)
{
	uint64_t address = (uintptr_t)inode;

	if (inode == &inodes->top || inode->inherited)
		return inode->inherited ? inode->inherited : INODE_TOP_ID;
	assert(address >> RELAY_RUN_SHIFT == 0);
	return (uint64_t)relay_run(inodes->relay) << RELAY_RUN_SHIFT | address;
}

static bool
is_own(const struct inodes *inodes, uint64_t id)
{
	return id >> RELAY_RUN_SHIFT == relay_run(inodes->relay);
}

/* Makes it of what a process before has left. */
static struct inode *
make_inherited(struct inodes *inodes, uint64_t id)
{
	struct relay_thing thing;
	struct inode *inode;

	if (!relay_find(inodes->relay, id, &thing))
		return NULL;
	inode = inode_new(thing.path, thing.tag, &thing.st, thing.content);
	if (inode) {
		thing.content = NULL;
		inode->inherited = id;
	}
	relay_thing_done(&thing);
	return inode;
}

static struct inode *
inherit(struct inodes *inodes, uint64_t id)
{
	struct inode key = { .inherited = id }, **found, *inode;

	pthread_mutex_lock(&inodes->lock);
	found = tfind(&key, &inodes->inherited, compare_inherited);
	inode = found ? *found : make_inherited(inodes, id);
	if (inode && !found && !tsearch(inode, &inodes->inherited, compare_inherited)) {
		inode_free(inode);
		inode = NULL;
	}
	pthread_mutex_unlock(&inodes->lock);
	return inode;
}

struct inode *
inodes_of(struct inodes *inodes, uint64_t id)
{
	if (id == INODE_TOP_ID)
		return &inodes->top;
	if (!is_own(inodes, id))
		return inherit(inodes, id);
	return (struct inode *)(uintptr_t)(id & RELAY_ADDRESS_MASK); // NOLINT(performance-no-int-to-ptr)
}

/* ---- the table */

struct inode *
inodes_find(struct inodes *inodes, const char *path, int64_t tag, uint64_t lookups)
{
	struct inode key = { .path = (char *)(uintptr_t)path, .tag = tag };
	struct inode **found, *inode;

	if (*path == '\0')
		return &inodes->top;
	pthread_mutex_lock(&inodes->lock);
	found = tfind(&key, &inodes->tree, compare);
	inode = found ? *found : NULL;
	if (inode)
		inode->lookups += lookups;
	pthread_mutex_unlock(&inodes->lock);
	return inode;
}

/* Before the kernel hears of it. */
static void
note(struct inodes *inodes, const struct inode *inode)
{
	relay_put(inodes->relay, inodes_id(inodes, inode), &inode->st, inode->path, inode->tag, inode->content,
	    (size_t)inode->st.st_size);
}

struct inode *
inodes_enter(struct inodes *inodes, struct inode *inode)
{
	struct inode **found, *entered = NULL;

	pthread_mutex_lock(&inodes->lock);
	found = tsearch(inode, &inodes->tree, compare);
	if (found) {
		entered = *found;
		entered->lookups++;
	}
	if (entered == inode)
		note(inodes, inode);
	pthread_mutex_unlock(&inodes->lock);
	if (entered != inode)
		inode_free(inode);
	return entered;
}

void
inodes_forget(struct inodes *inodes, uint64_t id, uint64_t lookups)
{
	struct inode *inode;

	if (id == INODE_TOP_ID || !is_own(inodes, id))
		return;
	inode = inodes_of(inodes, id);
	pthread_mutex_lock(&inodes->lock);
	assert(inode->lookups >= lookups);
	inode->lookups -= lookups;
	if (inode->lookups == 0) {
		tdelete(inode, &inodes->tree, compare);
		inode_free(inode);
	}
	pthread_mutex_unlock(&inodes->lock);
}

ssize_t
inodes_read(struct inodes *inodes, const struct inode *inode, char *out, size_t room, off_t offset)
{
	size_t bytes = (size_t)inode->st.st_size, at = (size_t)offset < bytes ? (size_t)offset : bytes;
	size_t n = room < bytes - at ? room : bytes - at;
	bool is_there;

	pthread_mutex_lock(&inodes->lock);
	is_there = inode->content != NULL;
	if (is_there)
		memcpy(out, inode->content + at, n);
	pthread_mutex_unlock(&inodes->lock);
	return is_there ? (ssize_t)n : -ENODATA;
}

struct dropped {
	const char *folder;
	int64_t tag;
};

static void
drop_one(const void *at, VISIT visit, void *context)
{
	struct inode *inode = *(struct inode *const *)at;
	const struct dropped *dropped = context;

	if ((visit != postorder && visit != leaf) || inode->tag >= dropped->tag ||
	    strncmp(inode->path, dropped->folder, strlen(dropped->folder)) != 0)
		return;
	free(inode->content);
	inode->content = NULL;
}

void
inodes_drop(struct inodes *inodes, const char *folder, int64_t tag)
{
	struct dropped dropped = { folder, tag };

	pthread_mutex_lock(&inodes->lock);
	twalk_r(inodes->tree, drop_one, &dropped);
	pthread_mutex_unlock(&inodes->lock);
}
