/* ota-sign targets: the image repository's targets.json, edited and signed off line. */
#include "ceremony/command.h"
#include "ceremony/edit.h"
#include "ceremony/inspect.h"

const struct command targets_commands[] = {
	{ "targets new", "FILE [--expires DAYS]", "an empty targets.json, version 1", edit_new },
	{ "targets add",
	    "FILE --name NAME --version VERSION --hardware ID... (--file BINARY | --commit HEX |\n"
	    "      --sha256 HEX --length BYTES) [--uri URI] [--as FILENAME] [--expires DAYS]",
	    "offers a version; of one that is there, further hardware ids", edit_add },
	{ "targets remove", "FILE TARGET... [--expires DAYS]", "offers these no more", edit_remove },
	{ "targets renew", "FILE [--expires DAYS]", "the same again, for longer", edit_renew },
	{ "targets delegate",
	    "FILE NAME --key FILE.pub... [--threshold N] --path PATTERN... [--terminating]\n"
	    "      [--expires DAYS]",
	    "lets the holders of these keys offer files that match", edit_delegate },
	{ "targets undelegate", "FILE NAME [--expires DAYS]", "takes that back", edit_undelegate },
	{ "targets show", "FILE [--root ROOT.json]", "what is offered, and who signed it", inspect_show },
	{ "targets sign", "FILE --key NAME|pkcs11:URI... [--root ROOT.json]", "adds signatures", inspect_sign },
	{ "targets verify", "FILE --root ROOT.json", "whether devices take it", inspect_verify },
	{ 0 },
};
