/** Reads the words of rules and queries. */
#ifndef OTAFS_GRAMMAR_H
#define OTAFS_GRAMMAR_H

#include <stddef.h>

#include "lib/err.h"
#include "otafs/rule.h"

enum token { TOKEN_END, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_WORD };

/** Where one is in a text; the token there has been read already. */
struct grammar {
	const char *text, *next;
	enum token token;
	size_t position;  /* of the token, from 1 */
	bool is_quoted;   /* such a word is never one of the language */
	const char *word; /* of TOKEN_WORD */
	char *words;      /* memory of all words, which lives on in the rule */
	size_t used, depth;
	struct rule *rule; /* being made */
	struct err *err;
};

/* ---- grammar_words.c */

/** Starts to read @text, which is borrowed. */
int grammar_start(struct grammar *grammar, const char *text, struct err *err);
void grammar_done(struct grammar *grammar);

/** Goes on to the next token. */
int grammar_next(struct grammar *grammar);
/** Whether the token is this word of the language; it is not passed. */
bool grammar_is(const struct grammar *grammar, const char *word);
/** Passes a word, any one, and gives it; else a refusal that says what was @expected. It lives as long as the
 * grammar, or the rule that is taken out of it. */
int grammar_word(struct grammar *grammar, const char *expected, const char **word);
/** -EINVAL: the position, what was expected there and what was found. */
int grammar_refuse(const struct grammar *grammar, const char *expected);

/* ---- grammar.c */

/** Reads a rule as far as it goes. */
int grammar_rule(struct grammar *grammar);
/** A rule that means all devices. */
int grammar_all(struct grammar *grammar);
/** Hands over the rule that was read. */
struct rule *grammar_take(struct grammar *grammar);

#endif
