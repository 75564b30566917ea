-- The build and the admin listener: when to come again, where the program behind it is away and cannot say so.

local r = lighty.r
if r.req_item["http_status"] == 503 and not r.resp_header["Retry-After"] then
	r.resp_header["Retry-After"] = "10"
end
return 0
