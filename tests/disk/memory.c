/*
 * The other thing that tests/disk/fault.h lets fail: memory. What glib asks for does not count, since it ends
 * the program.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/disk/fault.h"

/* glibc's own, under the names that are always there. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);

static bool
is_counted(const void *caller)
{
	Dl_info info;

	return dladdr(caller, &info) && info.dli_fname && !strstr(info.dli_fname, "libg") &&
	       !strstr(info.dli_fname, "libostree") && !strstr(info.dli_fname, "ld-linux");
}

static bool
is_refused(const void *caller)
{
	static __thread bool is_inside;
	struct fault_control *control = fault_control();
	bool is_last;

	if (is_inside || !control || !control->is_memory)
		return false;
	is_inside = true;
	is_last = is_counted(caller) && __atomic_sub_fetch(&control->left, 1, __ATOMIC_SEQ_CST) == 0;
	is_inside = false;
	if (is_last)
		errno = ENOMEM;
	return is_last;
}

void *
malloc(size_t bytes)
{
	return is_refused(__builtin_return_address(0)) ? NULL : __libc_malloc(bytes);
}

void *
calloc(size_t count, size_t bytes)
{
	return is_refused(__builtin_return_address(0)) ? NULL : __libc_calloc(count, bytes);
}

void *
realloc(void *old, size_t bytes)
{
	return is_refused(__builtin_return_address(0)) ? NULL : __libc_realloc(old, bytes);
}
