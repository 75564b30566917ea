-- Maps what a device may ask for. PUT and POST go to ota-gate, which knows the paths; what may be fetched is a file of the www
-- view; everything else is 404, or 405 for another method. The device is the certificate's whole subject together with its
-- serial number; whether that pair is (still) known is for the filesystem to say, at each request and for every path.

local www = "@www@"
local gate = "proxy:unix:@gate_socket@|scgi://localhost/"
local DOCUMENT = "otafs-document" -- a note: the file that document() sends
local STATUS = "otafs-status" -- a note: the status that it sends instead
local REFUSED = "OTAFS_REFUSED" -- a variable: 403 is meant so

-- What open(2) and read(2) say of a file that is not there: ENOENT, ENOTDIR, EISDIR, ENAMETOOLONG, ELOOP.
local absent = { [2] = true, [20] = true, [21] = true, [36] = true, [40] = true }

-- The status for a file that cannot be had. "Not found" makes devices throw things away, so it has to be true: the mount is
-- there and says so. A mount that is gone, or a signer that does not answer, is 503.
local function missing(r, code, status)
	return absent[code] and r:stat(www .. "/alive") and status or 503
end

-- identify(r): the path of the device's folder, which names its certificate; nil: the certificate is not one of a device.
local function identify(r)
	local cn, serial = r:ssl_var_lookup("SSL_CLIENT_S_DN_CN"), r:ssl_var_lookup("SSL_CLIENT_M_SERIAL")
	if r:ssl_var_lookup("SSL_CLIENT_VERIFY") ~= "SUCCESS" or not cn or not serial then
		return nil
	end
	if #cn > 64 or not cn:match("^%w[%w._+:-]*$") or #serial > 40 or not serial:match("^[0-9A-F]+$") then
		return nil
	end
	-- RFC 2253 puts a backslash before a plus sign.
	if r:ssl_var_lookup("SSL_CLIENT_S_DN") ~= "CN=" .. cn:gsub("%+", "\\+") then
		return nil
	end
	return "/devices/" .. cn .. "/" .. serial
end

-- limit(r, client): counts the request for mod_qos, whose clients are IPv6 addresses.
local function limit(r, client)
	r.headers_in["X-Device"] = r:md5(client):gsub("%x%x%x%x", "%0:", 7)
	r.subprocess_env["QS_Limit"] = "1"
end

-- hand_in(r): to ota-gate, with all that it asks about the certificate.
local function hand_in(r)
	for _, name in ipairs({ "SSL_CLIENT_VERIFY", "SSL_CLIENT_S_DN", "SSL_CLIENT_S_DN_CN", "SSL_CLIENT_M_SERIAL" }) do
		r.subprocess_env[name] = r:ssl_var_lookup(name)
	end
	-- A variable can have no line breaks; nginx has this form of its own.
	r.subprocess_env["SSL_CLIENT_ESCAPED_CERT"] = r:ssl_var_lookup("SSL_CLIENT_CERT"):gsub("[^%w]", function(c)
		return ("%%%02X"):format(c:byte())
	end)
	r.proxyreq = apache2.PROXYREQ_REVERSE
	r.handler = "proxy-server"
	r.filename = gate
	return apache2.OK
end

local function refuse(r)
	r.subprocess_env[REFUSED] = "1"
	return 403
end

-- none(r, folder, path, code): the status where nothing is to be had. What is there lies below the folder of the certificate, so only
-- here it is asked which of them is missing.
local function none(r, folder, path, code)
	if not r:stat(www .. folder) then
		local _, _, reason = io.open(www .. folder)
		return missing(r, reason, 403) == 403 and refuse(r) or 503
	end
	return path and missing(r, code, 404) or 404
end

local REGULAR, EISDIR = 1, 21

-- file(r, folder, path): has Apache send a file that never changes under its name. To open a pipe would take until somebody
-- writes to it, and the repository is not ours.
local function file(r, folder, path)
	local info = r:stat(www .. path)
	if info and info.filetype ~= REGULAR then
		return none(r, folder, path, EISDIR)
	end
	local found, _, code = io.open(www .. path, "rb")
	if found then
		_, _, code = found:read(0) -- a folder opens too
		found:close()
	end
	if code then
		return none(r, folder, path, code)
	end
	r.filename = www .. path
	return apache2.OK
end

local metadata = {
	["root.json"] = true, ["targets.json"] = true, ["snapshot.json"] = true, ["timestamp.json"] = true,
}
local treehub = {
	config = "file", summary = "file", ["summary.sig"] = "file",
	refs = "folder", objects = "folder", deltas = "folder", ["delta-indexes"] = "folder",
}

local function is_document(top, name)
	return (top == "director" or top == "repo") and (metadata[name] or name:match("^[1-9]%d*%.root%.json$")) or
		top == "repo" and name:match("^delegations/[^/]+%.json$")
end

local function is_file(top, name)
	if top == "repo" then
		return name:match("^targets/.")
	end
	local first, rest = name:match("^([^/]+)(.*)$")
	return top == "treehub" and first and
		((treehub[first] == "file" and rest == "") or (treehub[first] == "folder" and #rest > 1))
end

-- document_of(r, path): has document() below send a file that may change.
local function document_of(r, path)
	r.notes[DOCUMENT] = www .. path
	r.filename = www
	return apache2.OK
end

local function fetch(r, folder)
	local path = r.uri:gsub("//+", "/")
	local top, name = path:match("^/(%w+)/(.+)$")
	if top and is_file(top, name) then
		return file(r, folder, folder .. path)
	end
	if not r:stat(www .. folder) then
		return none(r, folder)
	end
	limit(r, folder)
	if path == "/.well-known/est/cacerts" then
		return document_of(r, folder .. "/est/cacerts")
	elseif top and is_document(top, name) then
		return document_of(r, folder .. path)
	end
	return 404
end

-- error_of(r, status): what an error of Apache's own becomes. A mount or a gate that goes away in the middle of a request is
-- 403, 404, 500 or 502 to Apache, and of these devices take the first two for final.
local function error_of(r, status)
	local meant = status == "403" and r.subprocess_env["REDIRECT_" .. REFUSED] or status == "404" and r:stat(www .. "/alive")
	r.notes[STATUS] = meant and status or "503"
	r.filename = www
	return apache2.OK
end

function translate(r)
	local before = r.subprocess_env["REDIRECT_STATUS"]
	if before then
		return error_of(r, before)
	end
	local folder = identify(r)
	if r.method == "PUT" or r.method == "POST" then
		limit(r, folder or r:ssl_var_lookup("SSL_CLIENT_M_SERIAL"))
		return hand_in(r) -- which says in words what it does not like about the certificate
	end
	if not folder then
		return refuse(r)
	end
	if r.method ~= "GET" and r.method ~= "HEAD" then
		return 405
	end
	return fetch(r, folder)
end

-- Apache would look for each name on the way to a document before it opens it.
function map(r)
	return (r.notes[DOCUMENT] or r.notes[STATUS]) and apache2.OK or apache2.DECLINED
end

-- Documents change at any time, and Apache would send the size of one version and the bytes of another. Here the name is
-- looked up once, by the open; and asking for timestamp.json says which publication the device reads.
function document(r)
	if r.notes[STATUS] then
		r.status = tonumber(r.notes[STATUS])
		return apache2.OK
	end
	if not r.notes[DOCUMENT] then
		return apache2.DECLINED
	end
	local found, _, code = io.open(r.notes[DOCUMENT], "rb")
	local body
	if found then
		body, _, code = found:read("*a")
		found:close()
	end
	if not body or code then
		return missing(r, code, 404)
	end
	r.content_type = r.notes[DOCUMENT]:match("%.json$") and "application/json" or "application/pkcs7-mime"
	r.headers_out["Content-Length"] = tostring(#body)
	r:write(body)
	return apache2.OK
end
