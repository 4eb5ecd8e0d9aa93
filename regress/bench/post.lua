-- What wrk sends: one tools/call of about 100 bytes, with a credential.
--	-- one FILE		the credential in FILE, the same each time
--	-- new FILE START	the lines of FILE, from START on, round and round
--	-- paths FILE N		one credential, /mcp/u0 to /mcp/u(N-1) in turn
-- FILE may be - for no credential.  At the end it prints a line of JSON.
local body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":' ..
    '{"name":"echo","arguments":{"text":"hello"}}}'

local function read(path)
	local f = assert(io.open(path, "rb"))
	local s = f:read("*a")
	f:close()
	return s
end

local function new_tokens(path, start)
	local head, tail = wrk.format():match("^(.*\r\n)(\r\n.*)$")
	local tokens, i = {}, start
	for t in read(path):gmatch("[^\n]+") do
		tokens[#tokens + 1] = t
	end
	function request()
		i = i % #tokens + 1
		return head .. "Authorization: Bearer " .. tokens[i] ..
		    "\r\n" .. tail
	end
end

local function paths(n)
	local all, i = {}, 0
	for k = 1, n do
		all[k] = wrk.format(nil, "/mcp/u" .. k - 1)
	end
	function request()
		i = i % n + 1
		return all[i]
	end
end

function init(args)
	wrk.method = "POST"
	wrk.body = body
	wrk.headers["Content-Type"] = "application/json"
	wrk.headers["Accept"] = "application/json, text/event-stream"
	if args[1] == "new" then
		new_tokens(args[2], tonumber(args[3]))
		return
	end
	if args[2] ~= "-" then
		wrk.headers["Authorization"] = "Bearer " ..
		    read(args[2]):match("[^\n]+")
	end
	if args[1] == "paths" then
		paths(tonumber(args[3]))
	end
end

function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format('\n{"requests": %d, "bytes": %.0f, ' ..
	    '"us": %d, "bad": %d, "broken": %d}\n', summary.requests,
	    summary.bytes, summary.duration, e.status,
	    e.connect + e.read + e.write + e.timeout))
end
