-- Requests for wrk: `wrk -s requests.lua URL -- SERVER QUERY ROWS KEY`. Prints one JSON line at the end.
local server, query, rows, key

function init(args)
  server, query, rows, key = args[1], args[2], tonumber(args[3]), args[4]
  math.randomseed(os.time())
end

local function id() return string.format("s%010d", math.random(0, rows - 1)) end
local function store() return "store-" .. math.random(0, 199) end

local function headgate()
  local base = "/v1/tables/gold.fct_sales/"
  if query == "point" then return base .. "rows?sale_id=" .. id() end
  if query == "page" then return base .. "rows?order=sale_id&limit=100&sale_id.gt=" .. id() end
  if query == "scan" then return base .. "rows?quantity.ge=8&limit=1000&store_id=" .. store() end
  return base .. "aggregates?group_by=store_id&aggregate=count,sum:amount&quantity.ge=" .. math.random(1, 4)
end

local function sql()
  if query == "point" then return "SELECT * FROM fct_sales WHERE sale_id = '" .. id() .. "'" end
  if query == "page" then
    return "SELECT * FROM fct_sales WHERE sale_id > '" .. id() .. "' ORDER BY sale_id LIMIT 100"
  end
  if query == "scan" then
    return "SELECT * FROM fct_sales WHERE store_id = '" .. store() .. "' AND quantity >= 8 LIMIT 1000"
  end
  return "SELECT store_id, count(*) AS n, sum(amount) AS amount FROM fct_sales WHERE quantity >= "
    .. math.random(1, 4) .. " GROUP BY store_id ORDER BY store_id"
end

function request()
  if server == "headgate" then
    return wrk.format("GET", headgate(), { Authorization = "Bearer " .. key })
  end
  local path = server == "roapi" and "/api/sql" or "/sql"
  return wrk.format("POST", path, { ["Content-Type"] = "text/plain" }, sql())
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.3f, "errors": %d, "p50_ms": %.3f, "p95_ms": %.3f, "p99_ms": %.3f, "bytes": %d}\n',
    summary.requests, summary.duration / 1e6, e.status + e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, latency:percentile(99) / 1000, summary.bytes))
end
