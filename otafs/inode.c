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

void
inodes_init(struct inodes *inodes)
{
	static char empty[1];

	pthread_mutex_init(&inodes->lock, NULL);
	inodes->tree = NULL;
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
	pthread_mutex_unlock(&inodes->lock);
	if (entered != inode)
		inode_free(inode);
	return entered;
}

void
inodes_forget(struct inodes *inodes, struct inode *inode, uint64_t lookups)
{
	if (inode == &inodes->top)
		return;
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
