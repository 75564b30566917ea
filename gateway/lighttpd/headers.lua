-- Headers of each answer, whoever gave it: who may keep it, and of a refusal, when to come again or what to come with.

local r = lighty.r
local status = r.req_item["http_status"]
local method = r.req_attr["request.method"]

-- A mount or a gate that goes away in the middle of a request is 500 or 502 to lighttpd, or, where the file was looked up already,
-- 403 or 404, which devices take for final. 403 is also what it makes of a file that it may not open, or of too many that are open.
local function went_away()
	if method == "GET" or method == "HEAD" then
		return status == 500 or status == 403 and not r.req_env["OTAFS_REFUSED"] or
			status == 404 and not lighty.c.stat("@www@/alive")
	end
	return status == 500 or status == 502 or status == 504
end

local away = status ~= 503 and went_away()
if away then
	status = 503
end
-- What map.lua does not call immutable. An object that is not there may be there tomorrow.
if not r.resp_header["Cache-Control"] then
	-- The answer to POST /devices has a private key.
	local method = r.req_attr["request.method"]
	r.resp_header["Cache-Control"] = (method == "PUT" or method == "POST") and "no-store" or "no-cache"
end
if status == 503 then
	r.resp_header["Retry-After"] = "10"
elseif status == 429 then
	r.resp_header["Retry-After"] = tostring(60 - os.time() % 60) -- rate.lua counts minutes
elseif status == 405 then
	r.resp_header["Allow"] = "GET, HEAD"
end
return away and 503 or 0
