/**
 * The reason of a failure, by value: no owner, no allocation at the worst moment.
 *
 * Functions return 0 when done, a positive named value for an answer that the caller must handle, and a
 * negative errno for a failure, with one line in a struct err that names the thing and what was found.
 */
#ifndef LIB_ERR_H
#define LIB_ERR_H

/** Longest reason with its 0; longer text is cut. */
#define ERR_TEXT_MAX 512

struct err {
	int code;                /**< errno of the failure, positive; 0 = none */
	char text[ERR_TEXT_MAX]; /**< one line for people, printable ASCII or UTF-8 */
};

/** Sets @err to @code (a positive errno) with words, and returns -@code. */
int err_set(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** Like err_set() with the present errno, whose text is appended to the words. */
int err_sys(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Puts words before the reason that @err has already and returns @r unchanged. */
int err_context(struct err *err, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
