-- Counts what each device asks for in a minute; what is more than device_requests_per_minute is 429, which devices do not
-- repeat at once. Objects and images are not counted: of these an update has thousands.

local LIMIT = @device_requests_per_minute@
-- So many devices are counted at once; those that come to a full table are served.
local DEVICES_MAX = 200000

local r = lighty.r
local path = r.req_attr["uri.path-raw"]:gsub("//+", "/")
if path:match("^/treehub/") or path:match("^/repo/targets/") then
	return 0
end

-- Variables of a script live for one request; what is in here lives as long as the server.
local counts = package.loaded["otafs.counts"]
local minute = os.time() // 60
if not counts or counts.minute ~= minute then
	counts = { minute = minute, devices = 0, of = {} }
	package.loaded["otafs.counts"] = counts
end

local env = r.req_env
local device = (env["SSL_CLIENT_S_DN_CN"] or "") .. "/" .. (env["SSL_CLIENT_M_SERIAL"] or "")
local count = counts.of[device]
if not count then
	if counts.devices >= DEVICES_MAX then
		return 0
	end
	counts.devices = counts.devices + 1
	count = 0
end
counts.of[device] = count + 1
return count < LIMIT and 0 or 429
