-- Headers of each answer, whoever gave it: who may keep it, and of a refusal, when to come again or what to come with.

local r = lighty.r
local status = r.req_item["http_status"]
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
return 0
