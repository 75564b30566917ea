#include "otafs/csv.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define BLANKS " \t\r"

char
csv_separator(const char *header)
{
	return header[strcspn(header, ";,")] == ',' ? ',' : ';';
}

/* Writes a field in quotes over its opening one; *@end is what follows the closing one. */
static int
take_quoted(char *field, char **end, struct err *err)
{
	char *to = field, *at = field;

	for (;;) {
		if (!*++at)
			return err_set(
			    err, EINVAL, "a quote is not closed (a line end within a field is written \\n)");
		if (*at == '"' && *++at != '"')
			break;
		*to++ = *at;
	}
	*end = at + strspn(at, BLANKS);
	*to = '\0';
	return 0;
}

static void
cut_blanks(char *field, const char *end)
{
	char *last = field + (end - field);

	while (last > field && strchr(BLANKS, last[-1]))
		last--;
	*last = '\0';
}

/* Takes the field at *@at and moves that behind the separator; NULL: it was the last. */
static int
take_field(char **at, char separator, char **field, struct err *err)
{
	const char stop[] = { separator, '\0' };
	char *begin = *at + strspn(*at, BLANKS), *end = begin;
	bool is_quoted = *begin == '"', is_last;

	if (is_quoted) {
		int r = take_quoted(begin, &end, err);

		if (r < 0)
			return r;
	} else {
		end = begin + strcspn(begin, stop);
	}
	if (*end && *end != separator)
		return err_set(err, EINVAL, "\"%.32s\" follows a closing quote", end);
	is_last = !*end;
	if (!is_quoted)
		cut_blanks(begin, end);
	*field = begin;
	*at = is_last ? NULL : end + 1;
	return 0;
}

int
csv_split(char *line, char separator, char *fields[static CSV_FIELDS_MAX], struct err *err)
{
	int count = 0, r;

	while (line) {
		if (count == CSV_FIELDS_MAX)
			return err_set(err, EINVAL, "there are more than %d fields", CSV_FIELDS_MAX);
		if ((r = take_field(&line, separator, &fields[count++], err)) < 0)
			return r;
	}
	return count;
}

/* @blanks are dropped at the ends of a field without quotes. */
static bool
needs_quotes(const char *field, char separator, const char *blanks)
{
	size_t n = strlen(field);

	return n && (strchr(field, separator) || strchr(field, '"') || strchr(blanks, field[0]) ||
			strchr(blanks, field[n - 1]));
}

static void
print_char(char c, FILE *out)
{
	if (c == '"')
		fputc('"', out);
	fputc(c, out);
}

void
csv_print(const char *field, char separator, FILE *out)
{
	if (!needs_quotes(field, separator, BLANKS)) {
		fputs(field, out);
		return;
	}
	fputc('"', out);
	for (; *field; field++)
		print_char(*field, out);
	fputc('"', out);
}

/* What stands for what behind a backslash. */
static const char plain[] = "\n\r\t\\", letters[] = "nrt\\";

void
csv_print_escaped(const char *text, char separator, FILE *out)
{
	bool is_quoted = needs_quotes(text, separator, " ");

	if (is_quoted)
		fputc('"', out);
	for (; *text; text++) {
		const char *found = strchr(plain, *text);

		if (found)
			fprintf(out, "\\%c", letters[found - plain]);
		else
			print_char(*text, out);
	}
	if (is_quoted)
		fputc('"', out);
}

int
csv_unescape(char *text, struct err *err)
{
	char *to = text;

	for (; *text; text++) {
		const char *found = *text == '\\' ? strchr(letters, text[1]) : NULL;

		if (*text == '\\' && (!text[1] || !found))
			return err_set(err, EINVAL, "after a backslash there is n, r, t or another backslash");
		*to++ = found ? plain[found - letters] : *text;
		text += found != NULL;
	}
	*to = '\0';
	return 0;
}
