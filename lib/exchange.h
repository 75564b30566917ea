/**
 * One request and its answer in one system call: what ota-gate asks of gate/.series/N of the full tree by
 * ioctl(2), instead of by a write and a read.
 */
#ifndef LIB_EXCHANGE_H
#define LIB_EXCHANGE_H

#include <linux/ioctl.h>

/** Bytes that an ioctl's number can tell of; what is longer is written and read. */
#define EXCHANGE_BYTES_MAX ((1 << _IOC_SIZEBITS) - 1)

/**
 * For a buffer of so many bytes, which has the line and the body as they would be written, and afterwards the
 * answer as it would be read. The call returns how long that is: what the buffer has no room for is to be read.
 */
#define EXCHANGE(bytes) _IOC(_IOC_READ | _IOC_WRITE, 'o', 1, bytes)

#endif
