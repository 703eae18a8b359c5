-- wrk's script of bench/ingest.py: each request is a new upload with a key of its own.
-- Environment: BODY (a file), KEYS (uuid7 or plain), REQUESTS (stop after so many; 0: when the time is over).
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  local file = assert(io.open(os.getenv("BODY"), "rb"))
  body = file:read("*a")
  file:close()
  most = tonumber(os.getenv("REQUESTS") or "0")
  plain = os.getenv("KEYS") == "plain"
  math.randomseed(os.time() * 8 + number)
  run, count, answered = math.random(0, 0xffff), 0, 0
  headers = { ["Authorization"] = "Bearer demo-store-1", ["Content-Type"] = "application/x-ndjson" }
end

function key()
  count = count + 1
  if plain then
    return string.format("batch-%d-%d-%d-%d", os.time(), number, run, count)
  end
  local seconds = os.time() * 1000
  return string.format("%08x-%04x-7%03x-8%03x-%04x%08x", math.floor(seconds / 65536), seconds % 65536, number, 0, run, count)
end

function request()
  headers["Idempotency-Key"] = '"' .. key() .. '"'
  return wrk.format("POST", "/v1/datasets/transactions/uploads", headers, body)
end

function response(status)
  answered = answered + 1
  if most > 0 and answered == most then
    wrk.thread:stop()
    -- Ends the sleep of the main thread; later, because os.execute ignores SIGINT meanwhile.
    os.execute("(sleep 0.05; kill -INT $PPID) &")
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.6f, "errors": %d, "refused": %d, "mean_ms": %.3f, "p50_ms": %.3f, ' ..
    '"p95_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, errors.connect + errors.read + errors.write + errors.timeout,
    errors.status, latency.mean / 1e3, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3))
end
