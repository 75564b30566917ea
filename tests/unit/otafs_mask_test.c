/* What only a device should know is taken out of its configuration, in whatever form that comes. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/mask.h"

#define M "\"(masked)\""
#define NOT_KEPT "# This configuration is neither TOML nor JSON, and was not kept.\n"

struct pair {
	const char *text, *masked;
};

static void
check(const struct pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		AUTO(free_p) char *masked = mask_secrets(pairs[i].text, strlen(pairs[i].text));

		assert_string_equal(masked, pairs[i].masked);
	}
}
#define CHECK(pairs) check(pairs, sizeof(pairs) / sizeof((pairs)[0]))

static void
leaves_alone_what_is_no_secret(void **state)
{
	static const char *const texts[] = { "", "\n\n", "[tls]\nserver = \"https://pass.example\"\n",
		"# all of it\na = 1\r\nb = [1, 2,\n 3, # three\n]\nc = { d = 'x', e = [ { f = 1 } ] }\n",
		"a = \"\"\"x\n\"y\" = z\"\"\"\"\nb = ''\n", "[[x]]\n\"a b\".c = 2020-01-01T00:00:00Z # then",
		"path = 'C:\\dir'\nquote = \"\\\"\"\n", "name=bare words\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check(&(struct pair){ texts[i], texts[i] }, 1);
}

static void
masks_names_with_such_words_in_every_form_of_toml(void **state)
{
	static const struct pair pairs[] = {
		{ "pass = \"geheim\"", "pass = " M },
		{ "p12_password=geheim # geheim\na = 1", "p12_password=" M "\na = 1" },
		{ "  PassPhrase\t= 'geheim'\n", "  PassPhrase\t= " M "\n" },
		{ "\"my pass\" = 'geheim'", "\"my pass\" = " M },
		{ "\"a=b pass\" = 'geheim'", "\"a=b pass\" = " M },
		{ "p11.pass = 'geheim'", "p11.pass = " M },
		{ "\"p\\u0061ss\" = 'geheim'", "\"p\\u0061ss\" = " M },
		{ "api_key = 1\nAuthToken = 2\nclientSecret = 3\npwd = 4\n",
		    "api_key = " M "\nAuthToken = " M "\nclientSecret = " M "\npwd = " M "\n" },
		{ "x = { pass = \"geheim\", y = 1 }", "x = { pass = " M ", y = 1 }" },
		{ "x = { y = { pass = [ 'geheim' ] }, z = 2 }\n", "x = { y = { pass = " M " }, z = 2 }\n" },
		{ "x = [ { y = 1 }, { pass = geheim } ]", "x = [ { y = 1 }, { pass = " M "} ]" },
		{ "pass = { a = 'geheim', b = [ \"geheim\" ] }\nc = 1", "pass = " M "\nc = 1" },
		{ "[passwords]\nftp = 'geheim'\nx = { y = 'geheim' }\n[other]\nz = 1\n",
		    "[passwords]\nftp = " M "\nx = " M "\n[other]\nz = 1\n" },
		{ "[[a.\"secrets\"]]\nb = 'geheim'", "[[a.\"secrets\"]]\nb = " M },
	};

	(void)state;
	CHECK(pairs);
}

static void
masks_a_secret_of_several_lines(void **state)
{
	static const struct pair pairs[] = {
		{ "pass = \"\"\"ge\nhe\nim\"\"\"\na = 1\n", "pass = " M "\na = 1\n" },
		{ "pass = '''\ngeheim'''\nb = 2", "pass = " M "\nb = 2" },
		{ "pass = \"\"\"\\\"\"\"geheim\"\"\"\"\"\na = 1", "pass = " M "\na = 1" },
		{ "passwords = [\n \"geheim\", # geheim\n 'geheim',\n]\nb = 2\n",
		    "passwords = " M "\nb = 2\n" },
		{ "x = { pass = '''\ngeheim\n''' }\n", "x = { pass = " M " }\n" },
		{ "x = [\n  # pass = geheim\n  1 ]", "x = [\n  # (masked)\n  1 ]" },
	};

	(void)state;
	CHECK(pairs);
}

static void
masks_texts_and_comments_that_hold_a_secret(void **state)
{
	static const struct pair pairs[] = {
		{ "text = \"pass = geheim\"", "text = " M },
		{ "dsn = \"host=x password=geheim\"\na = 1", "dsn = " M "\na = 1" },
		{ "url = 'https://me:geheim@host/'", "url = " M },
		{ "url = https://me:geheim@host/\nb = 1", "url = " M "\nb = 1" },
		{ "# pass = geheim\na = 1 # token geheim\n", "# (masked)\na = 1 # (masked)\n" },
		{ "[tls] # pass = geheim\n", "[tls] # (masked)\n" },
	};

	(void)state;
	CHECK(pairs);
}

static void
masks_json(void **state)
{
	static const struct pair pairs[] = {
		{ " {\"p11\": {\"pass\": \"geheim\", \"module\": \"m\"}, \"n\": 1}",
		    "{\n  \"p11\": {\n    \"pass\": " M ",\n    \"module\": \"m\"\n  },\n  \"n\": 1\n}" },
		{ "[{\"tokens\": [\"geheim\"]}, {\"PASSWORD\": {\"x\": \"geheim\"}}]",
		    "[\n  {\n    \"tokens\": " M "\n  },\n  {\n    \"PASSWORD\": " M "\n  }\n]" },
		{ "{\"p\\u0061ss\": \"geheim\"}", "{\n  \"pass\": " M "\n}" },
		{ "{\"a\": [\"x pass=geheim\", null, true]}",
		    "{\n  \"a\": [\n    " M ",\n    null,\n    true\n  ]\n}" },
	};

	(void)state;
	CHECK(pairs);
}

static void
keeps_nothing_of_what_it_cannot_read(void **state)
{
	static const char *const texts[] = { "pass = \"geheim", "pass = '''\ngeheim", "geheim",
		"pass\n= geheim", "a = \"x\" geheim", "pass = [ 'geheim'", "x = { pass = 'geheim'\n", "a = \n",
		"pass =", "{\"pass\": \"geheim\"", "{\"pass\": \"x=geheim\",}",
		"x = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check(&(struct pair){ texts[i], NOT_KEPT }, 1);
}

/* Wherever it is cut, and whatever one byte of it becomes: the secret never comes through. */
static void
lets_no_secret_through_a_damaged_text(void **state)
{
	static const char text[] = "[p11]\npass = \"gehEIM1\" # x\nx = { pass = ['gehEIM2'], y = 1 }\n"
				   "tokens = [\n \"gehEIM3\",\n]\npwd = '''\ngehEIM4\n'''\n";
	char copy[sizeof(text)];
	int kept = 0;

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		AUTO(free_p) char *masked = NULL;

		memcpy(copy, text, cut);
		copy[cut] = '\0';
		masked = mask_secrets(copy, cut);
		assert_null(strstr(masked, "gehEIM"));
		kept += strcmp(masked, NOT_KEPT) != 0;
	}
	assert_true(kept > 10);
}

/* Quotes, brackets and the rest in any order. */
static void
ends_whatever_it_is_given(void **state)
{
	static const char letters[] = "\"'[]{}=,#\n\\ a";
	char text[9] = "";

	(void)state;
	for (unsigned n = 0; n < 200000; n++) {
		AUTO(free_p) char *masked = NULL;
		unsigned long rest = n * 2654435761UL;

		for (size_t i = 0; i < sizeof(text) - 1; i++, rest /= sizeof(letters) - 1)
			text[i] = letters[rest % (sizeof(letters) - 1)];
		masked = mask_secrets(text, strlen(text));
		assert_non_null(masked);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_alone_what_is_no_secret),
		cmocka_unit_test(masks_names_with_such_words_in_every_form_of_toml),
		cmocka_unit_test(masks_a_secret_of_several_lines),
		cmocka_unit_test(masks_texts_and_comments_that_hold_a_secret),
		cmocka_unit_test(masks_json),
		cmocka_unit_test(keeps_nothing_of_what_it_cannot_read),
		cmocka_unit_test(lets_no_secret_through_a_damaged_text),
		cmocka_unit_test(ends_whatever_it_is_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
