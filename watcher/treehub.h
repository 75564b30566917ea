/**
 * The interface of TreeHub, which garage-push and garage-deploy push OSTree objects to.  (aktualizr-wire 5)
 *
 * Below /api/v2/, /api/v3/ and /treehub/:
 *   HEAD, GET, POST objects/XX/REST.KIND   200, 404; POST 204 stored, 409 there already, 400 not what its name
 *                                          says; multipart/form-data of old clients is answered with 200
 *   GET, POST refs/heads/NAME              a commit; POST 200 with the commit, 412 commit or objects missing,
 *                                          412 no fast forward without x-ats-ostree-force: true
 *   GET, PUT manifests/COMMIT              a JSON document
 *   GET config, summary, summary.sig, deltas/..., delta-indexes/...
 */
#ifndef WATCHER_TREEHUB_H
#define WATCHER_TREEHUB_H

#include "watcher/api.h"

/** The largest manifest: a list of some hundred layers and their revisions. */
#define TREEHUB_MANIFEST_MAX (1024 * 1024)

extern const struct api_table treehub_table;

#endif
