/* ota-sign delegation: what a supplier offers in a document of his own, edited and signed off line. */
#include "ceremony/command.h"
#include "ceremony/edit.h"
#include "ceremony/inspect.h"

const struct command delegation_commands[] = {
	{ "delegation new", "FILE [--expires DAYS]", "an empty delegation, version 1", edit_new },
	{ "delegation add",
	    "FILE --name NAME --version VERSION --hardware ID... (--file BINARY | --commit HEX |\n"
	    "      --sha256 HEX --length BYTES) [--uri URI] [--as FILENAME] [--expires DAYS]\n"
	    "      [--parent TARGETS.json [--delegation NAME]]",
	    "offers a version, as the parent's paths allow it", edit_add },
	{ "delegation remove", "FILE TARGET... [--expires DAYS]", "offers these no more", edit_remove },
	{ "delegation renew", "FILE [--expires DAYS]", "the same again, for longer", edit_renew },
	{ "delegation delegate",
	    "FILE NAME --key FILE.pub... [--threshold N] --path PATTERN... [--terminating]\n"
	    "      [--expires DAYS]",
	    "lets others offer a part of it", edit_delegate },
	{ "delegation undelegate", "FILE NAME [--expires DAYS]", "takes that back", edit_undelegate },
	{ "delegation sign", "FILE --key NAME|pkcs11:URI... [--parent TARGETS.json [--delegation NAME]]",
	    "adds signatures", inspect_sign },
	{ "delegation verify", "FILE --parent TARGETS.json [--delegation NAME] [--root ROOT.json]",
	    "whether devices take it", inspect_verify },
	{ 0 },
};
