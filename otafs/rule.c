#include "otafs/rule.h"

#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/grammar.h"
#include "otafs/term.h"

int
rule_parse(const char *text, struct rule **out, struct err *err)
{
	AUTO(grammar_done) struct grammar grammar;
	int r;

	if ((r = grammar_start(&grammar, text, err)) < 0 || (r = grammar_rule(&grammar)) < 0)
		return r;
	if (grammar.token != TOKEN_END)
		return grammar_refuse(&grammar, "and, or, or the end");
	*out = grammar_take(&grammar);
	return 0;
}

void
rule_free(struct rule *rule)
{
	if (!rule)
		return;
	free(rule->terms);
	free(rule->words);
	free(rule);
}

void
rule_freep(struct rule **rule)
{
	rule_free(*rule);
}
