#include "otafs/grammar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "otafs/term.h"

int
grammar_start(struct grammar *grammar, const char *text, struct err *err)
{
	size_t bytes = strlen(text);

	*grammar = (struct grammar){ .text = text, .next = text, .err = err };
	if (bytes > RULE_BYTES_MAX)
		return err_set(err, EINVAL, "a rule has at most %d bytes, this has %zu", RULE_BYTES_MAX, bytes);
	/* Each word and its 0: no word is shorter than what stands behind it, but the last. */
	grammar->words = malloc(2 * bytes + 2);
	grammar->rule = calloc(1, sizeof(*grammar->rule));
	if (!grammar->words || !grammar->rule)
		return err_set(err, ENOMEM, "no memory for a rule");
	return grammar_next(grammar);
}

void
grammar_done(struct grammar *grammar)
{
	free(grammar->words);
	rule_free(grammar->rule);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int
keep_word(struct grammar *grammar, const char *start, size_t bytes)
{
	char *word = grammar->words + grammar->used;

	memcpy(word, start, bytes);
	word[bytes] = '\0';
	for (size_t i = 0; i < bytes; i++)
		if ((unsigned char)word[i] < ' ' || word[i] == 0x7f)
			return err_set(
			    grammar->err, EINVAL, "position %zu: a control character", grammar->position + i);
	grammar->used += bytes + 1;
	grammar->word = word;
	grammar->token = TOKEN_WORD;
	return 0;
}

static int
read_quoted(struct grammar *grammar)
{
	const char *start = grammar->next + 1, *end = strchr(start, *grammar->next);

	if (!end)
		return err_set(grammar->err, EINVAL, "position %zu: this quote has no end", grammar->position);
	grammar->is_quoted = true;
	grammar->next = end + 1;
	return keep_word(grammar, start, (size_t)(end - start));
}

int
grammar_next(struct grammar *grammar)
{
	const char *start;

	while (is_space(*grammar->next))
		grammar->next++;
	start = grammar->next;
	grammar->position = (size_t)(start - grammar->text) + 1;
	grammar->is_quoted = false;
	if (*start == '"' || *start == '\'')
		return read_quoted(grammar);
	if (*start == '(' || *start == ')') {
		grammar->token = *start == '(' ? TOKEN_OPEN : TOKEN_CLOSE;
		grammar->next++;
		return 0;
	}
	while (*grammar->next && !is_space(*grammar->next) && *grammar->next != '(' && *grammar->next != ')')
		grammar->next++;
	grammar->token = TOKEN_END;
	return grammar->next == start ? 0 : keep_word(grammar, start, (size_t)(grammar->next - start));
}

bool
grammar_is(const struct grammar *grammar, const char *word)
{
	return grammar->token == TOKEN_WORD && !grammar->is_quoted && !strcasecmp(grammar->word, word);
}

int
grammar_refuse(const struct grammar *grammar, const char *expected)
{
	const char *found = grammar->token == TOKEN_OPEN    ? "("
			    : grammar->token == TOKEN_CLOSE ? ")"
			    : grammar->token == TOKEN_WORD  ? grammar->word
							    : NULL;
	char shown[128];

	if (!found)
		return err_set(grammar->err, EINVAL, "position %zu: expected %s, found the end",
		    grammar->position, expected);
	return err_set(grammar->err, EINVAL, "position %zu: expected %s, found \"%s\"", grammar->position,
	    expected, name_printable(found, shown, sizeof(shown)));
}

int
grammar_word(struct grammar *grammar, const char *expected, const char **word)
{
	if (grammar->token != TOKEN_WORD || !*grammar->word)
		return grammar_refuse(grammar, expected);
	*word = grammar->word;
	return grammar_next(grammar);
}
