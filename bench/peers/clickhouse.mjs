// ClickHouse as the peer of `make bench`, in this process through the package chdb. Usage:
//   node clickhouse.mjs NODE_MODULES insert DATA ROWS          ROWS: written by `fluoro bench rows`
//   node clickhouse.mjs NODE_MODULES ask DATA
// Prints one JSON object. The table is that of the OpenTelemetry collector's ClickHouse exporter, without its second table of
// trace times. One thread, as ours is measured on one core.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const [modules, action, data, rows] = process.argv.slice(2);
const { Session } = createRequire(path.join(path.resolve(modules), 'x.js'))('chdb');
const session = new Session(path.resolve(data));

const COLUMNS = [
  ['Timestamp', 'DateTime64(9)', 'Delta, ZSTD(1)'],
  ['TraceId', 'String', 'ZSTD(1)'],
  ['SpanId', 'String', 'ZSTD(1)'],
  ['ParentSpanId', 'String', 'ZSTD(1)'],
  ['TraceState', 'String', 'ZSTD(1)'],
  ['SpanName', 'LowCardinality(String)', 'ZSTD(1)'],
  ['SpanKind', 'LowCardinality(String)', 'ZSTD(1)'],
  ['ServiceName', 'LowCardinality(String)', 'ZSTD(1)'],
  ['ResourceAttributes', 'Map(LowCardinality(String), String)', 'ZSTD(1)'],
  ['ScopeName', 'String', 'ZSTD(1)'],
  ['ScopeVersion', 'String', 'ZSTD(1)'],
  ['SpanAttributes', 'Map(LowCardinality(String), String)', 'ZSTD(1)'],
  ['Duration', 'UInt64', 'ZSTD(1)'],
  ['StatusCode', 'LowCardinality(String)', 'ZSTD(1)'],
  ['StatusMessage', 'String', 'ZSTD(1)'],
  ['`Events.Timestamp`', 'Array(DateTime64(9))', 'ZSTD(1)'],
  ['`Events.Name`', 'Array(LowCardinality(String))', 'ZSTD(1)'],
  ['`Events.Attributes`', 'Array(Map(LowCardinality(String), String))', 'ZSTD(1)'],
  ['`Links.TraceId`', 'Array(String)', 'ZSTD(1)'],
  ['`Links.SpanId`', 'Array(String)', 'ZSTD(1)'],
  ['`Links.TraceState`', 'Array(String)', 'ZSTD(1)'],
  ['`Links.Attributes`', 'Array(Map(LowCardinality(String), String))', 'ZSTD(1)'],
];

const TABLE = `CREATE TABLE otel_traces (
  ${COLUMNS.map(([name, type, codec]) => `${name} ${type} CODEC(${codec})`).join(',\n  ')},
  INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_duration Duration TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1`;

const ask = (sql) => JSON.parse(session.query(sql, 'JSON') || '{"data":[]}').data;
const cpuSeconds = () => {
  const used = process.cpuUsage();
  return (used.user + used.system) / 1e6;
};
const peakRssBytes = () => Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
const timed = (sql) => {
  const cpu = cpuSeconds();
  const begin = process.hrtime.bigint();
  const answer = ask(sql);
  return { answer, ms: Number(process.hrtime.bigint() - begin) / 1e6, cpu_ms: (cpuSeconds() - cpu) * 1e3 };
};
const at = (values, share) => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))];

function insert() {
  session.query(`CREATE DATABASE bench ENGINE = Atomic`);
  session.query('USE bench');
  session.query(TABLE);
  session.query('SYSTEM STOP MERGES bench.otel_traces');
  const structure = COLUMNS.map(([name, type]) => `${name} ${type}`).join(', ').replaceAll("'", "\\'");
  const load = (limit) => `INSERT INTO bench.otel_traces SELECT * FROM file('${path.resolve(rows)}', 'RowBinary', '${structure}') ${limit}
    SETTINGS max_threads = 1, max_insert_threads = 1, max_block_size = 20000, max_insert_block_size = 20000, min_insert_block_size_rows = 20000,
    min_insert_block_size_bytes = 0`;
  const begin = process.hrtime.bigint();
  const cpu = cpuSeconds();
  session.query(load(''));
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const insertCpu = cpuSeconds() - cpu;
  const insertRss = peakRssBytes();
  const [{ parts }] = ask(`SELECT count() AS parts FROM system.parts WHERE table = 'otel_traces' AND active`);
  session.query('SYSTEM START MERGES bench.otel_traces');
  session.query('OPTIMIZE TABLE bench.otel_traces FINAL');
  const mergeCpu = cpuSeconds() - cpu - insertCpu;
  const [{ spans, bytes, merged }] = ask(`SELECT sum(rows) AS spans, sum(bytes_on_disk) AS bytes, count() AS merged
    FROM system.parts WHERE table = 'otel_traces' AND active`);
  const [{ version }] = ask('SELECT version() AS version');
  const n = Number(spans);
  return {
    version, spans: n, seconds, insert_cpu_seconds: insertCpu, merge_cpu_seconds: mergeCpu, parts: Number(parts), parts_after: Number(merged),
    spans_per_second_per_core: n / insertCpu, cpu_seconds_per_million_spans: (insertCpu + mergeCpu) / n * 1e6,
    disk_bytes_per_span: Number(bytes) / n, peak_rss_bytes: insertRss, merge_peak_rss_bytes: peakRssBytes(),
  };
}

// Each question once to warm up, then `repeats` times; medians.
function questions() {
  session.query('USE bench');
  const [{ spans }] = ask('SELECT count() AS spans FROM otel_traces');
  const n = Number(spans);
  const plain = 'SETTINGS max_threads = 1, use_skip_indexes = 0, use_query_condition_cache = 0';
  const indexed = 'SETTINGS max_threads = 1, use_query_condition_cache = 0';
  const [{ id: request }] = ask(`SELECT SpanAttributes['request.id'] AS id FROM otel_traces LIMIT 1 OFFSET ${Math.floor(n / 2)}`);
  const rare = `SELECT DISTINCT TraceId FROM otel_traces WHERE SpanAttributes['tenant'] = 'tenant-477'`;
  const unique = `SELECT count() AS matched, any(TraceId) FROM otel_traces WHERE SpanAttributes['request.id'] = '${request}'`;
  const graph = `SELECT p.ServiceName AS client, c.ServiceName AS server, count() AS calls, countIf(c.StatusCode = 'Error') AS errors,
    sum(c.Duration) AS duration FROM otel_traces AS c INNER JOIN otel_traces AS p ON c.TraceId = p.TraceId AND c.ParentSpanId = p.SpanId
    WHERE c.ServiceName != p.ServiceName GROUP BY client, server`;
  const asked = {};
  for (const [name, sql, repeats] of [
    ['unique', `${unique} ${plain}`, 3],
    ['unique_indexed', `${unique} ${indexed}`, 3],
    ['rare', `${rare} ${plain}`, 3],
    ['substring', `SELECT count() AS matched FROM otel_traces WHERE SpanAttributes['url.full'] LIKE '%/77777?%' ${plain}`, 3],
    ['graph_from_spans', `${graph} ${plain}`, 1],
  ]) {
    timed(sql);
    const runs = Array.from({ length: repeats }, () => timed(sql));
    const cpuMs = at(runs.map((run) => run.cpu_ms), 0.5);
    asked[name] = { ms: at(runs.map((run) => run.ms), 0.5), cpu_ms: cpuMs, spans_per_second_per_core: n / cpuMs * 1e3,
      matched: Number(runs[0].answer[0]?.matched ?? runs[0].answer.length) };
  }
  const ids = ask('SELECT TraceId FROM otel_traces ORDER BY cityHash64(SpanId) LIMIT 100').map((row) => row.TraceId);
  const lookups = ids.map((id) => {
    const run = timed(`SELECT * FROM otel_traces WHERE TraceId = '${id}' ${indexed}`);
    if (run.answer.length === 0) throw new Error(`trace ${id} is not found`);
    return run.ms;
  });
  return { spans: n, questions: asked, lookup: { p50_ms: at(lookups, 0.5), p99_ms: at(lookups, 0.99), lookups: lookups.length } };
}

console.log(JSON.stringify(action === 'insert' ? insert() : questions()));
session.close?.();
process.exit(0);
