-- Maps what a device may GET to a file of the www view. Everything else is 404, or 405 for another method.
-- The device is the certificate's whole subject together with its serial number; whether that pair is (still) known
-- is for the filesystem to say, at each request and for every path: all that is served lies below that folder.

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

-- 403 is meant so.
local function refuse()
	r.req_env["OTAFS_REFUSED"] = "1"
	return 403
end

local function serve(path, cache, type)
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
	r.resp_header["Cache-Control"] = cache
	r.resp_header["Content-Type"] = type
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
-- Names that will never stand for other bytes.
local forever = { objects = "public, max-age=31536000, immutable", deltas = "public, max-age=31536000, immutable" }

local function is_metadata(name)
	return metadata[name] or name:match("^[1-9]%d*%.root%.json$")
end
local function is_repo(name)
	return is_metadata(name) or name:match("^delegations/[^/]+%.json$") or name:match("^targets/.")
end
local function is_treehub(first, rest)
	return (treehub[first] == "file" and rest == "") or (treehub[first] == "folder" and #rest > 1)
end

local method = r.req_attr["request.method"]
if method ~= "GET" and method ~= "HEAD" then
	return 405
end
local subject = device()
if not subject then
	return refuse()
end
if not lighty.c.stat(www .. subject) then
	return missing(subject, 403) == 403 and refuse() or 503
end

local path = r.req_attr["uri.path"]:gsub("//+", "/")
local top, name = path:match("^/([%w.-]+)/(.+)$")
if (top == "director" and is_metadata(name)) or (top == "repo" and is_repo(name)) then
	return serve(subject .. path)
elseif top == "treehub" then
	local first, rest = name:match("^([^/]+)(.*)$")
	if is_treehub(first, rest) then
		return serve(subject .. path, forever[first])
	end
elseif path == "/.well-known/est/cacerts" then
	-- RFC 7030, 4.1.3
	local status = serve(subject .. "/est/cacerts", nil, "application/pkcs7-mime")
	if status == 0 then
		r.resp_header["Content-Transfer-Encoding"] = "base64"
	end
	return status
end
return 404
