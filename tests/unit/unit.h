/** cmocka and what it wants included before it. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

/** The reason is part of the interface: tests read it. */
#define assert_reason(err, words)                                                                              \
	do {                                                                                                   \
		if (!strstr((err).text, (words)))                                                              \
			fail_msg("reason is \"%s\", expected \"%s\" in it", (err).text, (words));              \
	} while (0)

#endif
