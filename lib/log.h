/**
 * Log lines on stderr, one decision each, as key=value words; journald and a terminal both take them.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

/**
 * Writes one line. Bytes that are not printable come out as \xNN, so text from outside cannot forge a line.
 *
 * @level: LOG_ERR, LOG_WARNING, LOG_NOTICE or LOG_INFO of <syslog.h>.
 */
void log_line(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
