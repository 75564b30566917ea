-- Maps what a device may GET to a file of the www view. Everything else is 404, or 405 for another method.
-- The device is the certificate's whole subject together with its serial number; whether that pair is (still) known
-- is for the filesystem to say, at each request and for every path.

local www = "@www@"
local r = lighty.r

-- What open(2) says of a name that is not there: ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP (a symlink in the repository).
local absent = { [2] = true, [20] = true, [36] = true, [40] = true }

-- The status for a file that cannot be had. "Not found" makes devices throw things away, so it has to be true: the
-- mount is there and says so. A mount that is gone, or a signer that does not answer, is 503.
local function missing(path, status)
	local file, _, code = io.open(www .. path)
	if file then
		file:close()
		return 503
	end
	return absent[code] and lighty.c.stat(www .. "/alive") and status or 503
end

local function serve(path)
	local file = lighty.c.stat(www .. path)
	if not file then
		return missing(path, 404)
	end
	if not file.is_file then
		return 404
	end
	r.req_attr["physical.doc-root"] = www
	r.req_attr["physical.rel-path"] = path
	r.req_attr["physical.path"] = www .. path
	if path:match("^/treehub/objects/") or path:match("^/treehub/deltas/") then
		r.resp_header["Cache-Control"] = "public, max-age=31536000, immutable"
	end
	return 0
end

local function device()
	local env = r.req_env
	local cn, serial = env["SSL_CLIENT_S_DN_CN"], env["SSL_CLIENT_M_SERIAL"]
	if env["SSL_CLIENT_VERIFY"] ~= "SUCCESS" or not cn or not serial then
		return nil
	end
	if #cn > 64 or not cn:match("^%w[%w._+:-]*$") or #serial > 40 or not serial:match("^[0-9A-F]+$") then
		return nil
	end
	-- OpenSSL puts a name with a plus sign in quotes.
	local subject = env["SSL_CLIENT_S_DN"]
	if subject ~= "CN = " .. cn and subject ~= "CN=" .. cn and subject ~= 'CN = "' .. cn .. '"' then
		return nil
	end
	return "/devices/" .. cn .. "/" .. serial
end

local metadata = {
	["root.json"] = true, ["targets.json"] = true, ["snapshot.json"] = true, ["timestamp.json"] = true,
}
local treehub = {
	config = "file", summary = "file", ["summary.sig"] = "file",
	refs = "folder", objects = "folder", deltas = "folder", ["delta-indexes"] = "folder",
}

local method = r.req_attr["request.method"]
if method ~= "GET" and method ~= "HEAD" then
	return 405
end
local path = r.req_attr["uri.path"]:gsub("//+", "/")
local top, name = path:match("^/(%w+)/(.+)$")

local subject = device()
if not subject then
	return 403
end
if not lighty.c.stat(www .. subject) then
	return missing(subject, 403)
end
if top == "director" and (metadata[name] or name:match("^[1-9]%d*%.root%.json$")) then
	return serve(subject .. "/director/" .. name)
elseif top == "repo" and (metadata[name] or name:match("^[1-9]%d*%.root%.json$") or
		name:match("^delegations/[^/]+%.json$")) then
	-- Below the device: the filesystem has to know who is in the middle of which publication.
	return serve(subject .. "/repo/" .. name)
elseif top == "repo" and name:match("^targets/.") then
	return serve("/repo/" .. name)
elseif top == "treehub" then
	local first, rest = name:match("^([^/]+)(.*)$")
	if (treehub[first] == "file" and rest == "") or (treehub[first] == "folder" and #rest > 1) then
		return serve("/treehub/" .. name)
	end
elseif path == "/.well-known/est/cacerts" then
	return serve(subject .. "/est/cacerts")
end
return 404
