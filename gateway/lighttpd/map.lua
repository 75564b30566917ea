-- Maps what a device may GET to a file of the www view. Everything else is 404, or 405 for another method.
-- The device is the certificate's whole subject together with its serial number; whether that pair is (still) known
-- is for the filesystem to say.

local www = "@www@"
local r = lighty.r

local function mounted()
	return lighty.c.stat(www .. "/alive") ~= nil
end

local function serve(path)
	local file = lighty.c.stat(www .. path)
	if not file then
		-- Without the mount a missing file means nothing, and "not found" makes devices throw things away.
		return mounted() and 404 or 503
	end
	if not file.is_file then
		return 404
	end
	r.req_attr["physical.doc-root"] = www
	r.req_attr["physical.rel-path"] = path
	r.req_attr["physical.path"] = www .. path
	return 0
end

local function device()
	local env = r.req_env
	local cn, serial = env["SSL_CLIENT_S_DN_CN"], env["SSL_CLIENT_M_SERIAL"]
	if env["SSL_CLIENT_VERIFY"] ~= "SUCCESS" or not cn or not serial then
		return nil
	end
	if #cn > 64 or not cn:match("^%w[%w._+:-]*$") or not serial:match("^%x+$") then
		return nil
	end
	if env["SSL_CLIENT_S_DN"] ~= "CN = " .. cn and env["SSL_CLIENT_S_DN"] ~= "CN=" .. cn then
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
if top == "director" and (metadata[name] or name:match("^[1-9]%d*%.root%.json$")) then
	return serve(subject .. "/director/" .. name)
elseif top == "repo" and (metadata[name] or name:match("^[1-9]%d*%.root%.json$")) then
	return serve("/repo/" .. name)
elseif top == "repo" and (name:match("^targets/.") or name:match("^delegations/[^/]+%.json$")) then
	return serve("/repo/" .. name)
elseif top == "treehub" then
	local first, rest = name:match("^([^/]+)(.*)$")
	if (treehub[first] == "file" and rest == "") or (treehub[first] == "folder" and #rest > 1) then
		return serve("/treehub/" .. name)
	end
end
return 404
