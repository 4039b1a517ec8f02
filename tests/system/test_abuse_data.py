"""Data that means harm (reliability tests 21 to 26 and 36): impossible numbers and shapes, one huge trace, a log larger than memory, duplicates, partial failure,
cut and smuggled requests, datagrams of every size."""
import itertools
import json
import os
import random
import socket
import struct

import pytest

from abuse import (MIB, NOW, NOW_NS, AbuseServer, field, fixed64, grpc_export, hex_trace_id, key_value, otlp_json, otlp_json_span, otlp_request, otlp_span, sized, xray_id)
from documents import new_id, new_trace_id
from harness import wait_for

JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture(scope="module")
def server():
    with AbuseServer("--accept-age", "any") as running:
        yield running


def document(trace_id=None, **members):
    return {"trace_id": trace_id or new_trace_id(), "id": new_id(), "name": "n", "start_time": NOW, "end_time": NOW + 1, **members}


def every_read(server, trace_id, spans=None, start=NOW - 3600, end=NOW + 3600):
    """All reading operations end and answer sensibly about this trace."""
    ours = xray_id(trace_id)
    documents = server.get_trace(ours)
    assert documents
    status, answer = server.post_json("/TraceSummaries", {"StartTime": start, "EndTime": end, "FilterExpression": f'traceid = "{ours}"'})
    assert status in (200, 400), answer
    for path, body in (("/ServiceGraph", {"StartTime": start, "EndTime": end}), ("/TraceGraph", {"TraceIds": [ours]}),
                       ("/TimeSeriesServiceStatistics", {"StartTime": start, "EndTime": end})):
        status, answer = server.post_json(path, body)
        assert status == 200, f"{path}: {answer}"
    trace = json.loads(server.cli("trace", "--json", trace_id).stdout)
    assert all(span["duration_ns"] >= 0 and span["self_ns"] >= 0 for span in trace["spans"])
    assert len(trace["spans"]) >= (spans or 1)
    path = trace["critical_path"]
    assert all(a["end_ns"] <= b["start_ns"] for a, b in zip(path, path[1:]))
    assert server.cli("trace", trace_id).stdout
    status, _, body = server.request("GET", f"/api/traces/{trace_id}")
    assert status == 200 and len(json.loads(body)["data"][0]["spans"]) >= (spans or 1)
    assert server.cli("graph", "--json").returncode == 0
    server.alive()
    return trace


# ---- 21: numbers and shapes ----

NUMBERS = ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "-0", "-0.0", "9223372036854775808", "18446744073709551616", '"1"', '"x"', "null", "true", "[]", "{}", "-1",
           "0", "0.5", "1e-400", "253402300799", "1e18", "9223372036", "9223372037", "1." + "9" * 1000, "1" * 400]


@pytest.mark.parametrize("member", ["start_time", "end_time"])
def test_times_of_documents_are_kept_or_refused_by_name(server, member):
    documents = []
    for number in NUMBERS:
        text = json.dumps(document(**{member: "@"})).replace('"@"', number)
        documents.append(text)
    status, answer = server.put_documents(documents)
    assert status == 200
    bad = {entry.get("Id"): entry for entry in answer["UnprocessedTraceSegments"]}
    codes = {number: bad.get(text.split('"id": "')[1][:16], {}).get("ErrorCode") for number, text in zip(NUMBERS, documents)}
    for number in ("NaN", "Infinity", "-Infinity", "null"):  # what some SDKs print is taken for null
        assert codes[number] == ("MissingStartTime" if member == "start_time" else "MissingEndTime"), codes
    for number in ("1e400", "-1e400", '"x"', "true", "[]", "{}", "1e18", "1" * 400):
        assert codes[number] in ("ParseError", "InvalidStartTime", "InvalidEndTime"), f"{number[:20]}: {codes[number]}"
    kept = [text for number, text in zip(NUMBERS, documents) if codes[number] is None]
    assert len(kept) >= 5
    for text in kept:
        ours = json.loads(text)["trace_id"] if "NaN" not in text else None
        [back] = server.get_trace(ours)
        assert back["id"] == json.loads(text)["id"]
        trace = json.loads(server.cli("trace", "--json", ours[2:].replace("-", "")).stdout)
        assert trace["duration_ns"] >= 0
    server.alive()


def test_numbers_of_otlp_json_are_kept_or_refused(server):
    values = ['{"intValue":"9223372036854775807"}', '{"intValue":"-9223372036854775808"}', '{"intValue":"9223372036854775808"}', '{"intValue":18446744073709551616}',
              '{"intValue":"x"}', '{"intValue":1.5}', '{"intValue":1e3}', '{"doubleValue":"NaN"}', '{"doubleValue":"Infinity"}', '{"doubleValue":"-Infinity"}',
              '{"doubleValue":1e400}', '{"doubleValue":-0.0}', '{"doubleValue":5e-324}', '{"boolValue":"true"}', '{"bytesValue":"???"}', '{}', 'null', '[]', '1']
    for value in values:
        trace_id = hex_trace_id()
        span = json.dumps(otlp_json_span(trace_id, attributes=["@"])).replace('"@"', '{"key":"k","value":%s}' % value)
        status, _, answer = server.send("/v1/traces", json.dumps(otlp_json({"@": 0})).replace('{"@": 0}', span).encode(), JSON)
        assert status in (200, 400), f"{value}: {answer}"
        if status == 200 and not json.loads(answer):
            # What comes out is JSON again, whatever went in.
            json.loads(server.cli("trace", "--json", trace_id).stdout, parse_constant=lambda text: pytest.fail(f"{value}: {text}"))
            json.loads(server.request("GET", f"/api/traces/{trace_id}")[2], parse_constant=lambda text: pytest.fail(f"{value}: {text}"))
            server.get_trace(xray_id(trace_id))
    for start, end in itertools.product(("0", "1", str(2**63 - 1), str(2**63), str(2**64 - 1), str(2**64), "-1", "x", "1e400", "NaN"), ("0", "1", str(2**64 - 1))):
        body = json.dumps(otlp_json(otlp_json_span(hex_trace_id(), startTimeUnixNano=start, endTimeUnixNano=end)))
        status, _, answer = server.send("/v1/traces", body.encode(), JSON)
        assert status in (200, 400), f"{start} {end}: {answer}"
    server.alive()


def test_numbers_of_protobuf_and_zipkin_are_kept_or_refused(server):
    for start, end in itertools.product((0, 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1), repeat=2):
        trace_id = hex_trace_id()
        more = field(9, key_value(b"d", fixed64(4, 0x7ff8000000000000))) + field(9, key_value(b"i", bytes([3 << 3]) + b"\xff" * 9 + b"\x01"))
        status, _, answer = server.send("/v1/traces", otlp_request([otlp_span(bytes.fromhex(trace_id), b"12345678", start=start, end=end, more=more)]), PROTOBUF)
        assert status == 200, answer
        if not answer:
            trace = json.loads(server.cli("trace", "--json", trace_id).stdout)
            assert trace["duration_ns"] >= 0
    for member, number in itertools.product(("timestamp", "duration"), NUMBERS):
        span = json.dumps([{"traceId": hex_trace_id(), "id": "1", "timestamp": NOW * 10**6, "duration": 1, member: "@"}]).replace('"@"', number)
        status, _, answer = server.send("/api/v2/spans", span.encode(), JSON)
        assert status in (202, 400), f"{member} {number}: {answer}"
    for path in ("/ServiceGraph", "/TraceSummaries"):
        status, answer = server.post_json(path, {"StartTime": NOW - 60, "EndTime": NOW + 60})
        assert status == 200, answer
    assert server.cli("search", "--json", "--limit", "10000").returncode == 0
    server.alive()


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_of_queries_are_refused_or_answered(server, number):
    for path, body in (("/TraceSummaries", '{"StartTime":%s,"EndTime":%d}' % (number, NOW)), ("/TraceSummaries", '{"StartTime":%d,"EndTime":%s}' % (NOW - 9, number)),
                       ("/ServiceGraph", '{"StartTime":%s,"EndTime":%d}' % (number, NOW)), ("/TimeSeriesServiceStatistics", '{"StartTime":0,"EndTime":%s,"Period":%s}' % (number, number)),
                       ("/TraceSummaries", json.dumps({"StartTime": NOW - 9, "EndTime": NOW, "FilterExpression": f"duration > {number}"}))):
        status, _, answer = server.send(path, body.encode(), JSON)
        assert status in (200, 400), f"{path} {body}: {status} {answer[:200]}"
        json.loads(answer)
    for query in (f"limit={number}", f"start={number}&end={number}", f"minDuration={number}&maxDuration={number}", f"lookback={number}"):
        query = query.replace('"', "%22").replace("[", "%5B").replace("]", "%5D").replace("{", "%7B").replace("}", "%7D")
        status, _, answer = server.request("GET", f"/api/traces?service=n&{query}")
        assert status in (200, 400), f"{query}: {status} {answer[:200]}"
    for member in ("from", "to", "limit"):
        status, _, answer = server.send("/ui/api/search", ('{"%s":%s}' % (member, number)).encode(), JSON)
        assert status in (200, 400), f"{member}: {status} {answer[:200]}"
    server.alive()


def span_id(i):
    return struct.pack(">Q", i + 1)


SHAPES = {
    # spans, parent of each (None: no parent)
    "a parent of itself": (3, lambda i, n: 0 if i == 0 else 0),
    "a circle of two": (2, lambda i, n: 1 - i),
    "a circle of 20,000": (20_000, lambda i, n: (i + 1) % n),
    "a chain of 20,000": (20_000, lambda i, n: i - 1 if i else None),
    "a circle with a tail": (1000, lambda i, n: 500 if i == 0 else i - 1),
    "two roots": (2, lambda i, n: None),
    "no root": (10, lambda i, n: 10**9 + i),
    "a star of 20,000": (20_000, lambda i, n: 0 if i else None),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_trees_that_are_none_end(server, shape):
    count, parent_of = SHAPES[shape]
    trace_id = hex_trace_id()
    spans = []
    for i in range(count):
        parent = parent_of(i, count)
        spans.append(otlp_span(bytes.fromhex(trace_id), span_id(i), parent=span_id(parent) if parent is not None else b"", start=NOW_NS + i, end=NOW_NS + 10**6 - i,
                               more=b"\x30\x03" if i % 2 else b"\x30\x02"))
    status, _, answer = server.send("/v1/traces", otlp_request(spans, field(1, key_value(b"service.name", field(1, b"shape")))), PROTOBUF, "otlp_http")
    assert status == 200 and not answer
    every_read(server, trace_id, spans=count)


def test_documents_whose_parents_form_a_circle_end(server):
    trace_id = hex_trace_id()
    ids = [new_id() for _ in range(500)]
    documents = [json.dumps(document(xray_id(trace_id), id=ids[i], parent_id=ids[(i + 1) % 500], type="subsegment", namespace="remote")) for i in range(500)]
    documents += [json.dumps(document(xray_id(trace_id), id=one, parent_id=one)) for one in (new_id(), new_id())]
    documents.append(json.dumps(document(xray_id(trace_id), end_time=NOW - 100)))  # ends before it starts
    status, answer = server.put_documents(documents)
    assert status == 200 and len(answer["UnprocessedTraceSegments"]) <= 1, answer
    every_read(server, trace_id)


# ---- 22: one huge trace ----

def test_a_trace_of_200_000_spans_stays_in_bound():
    """Larger than what one question may hold: every span is there page by page, and what shows less says so."""
    with AbuseServer("--accept-age", "any", "--memory", "256MiB") as server:
        trace_id = hex_trace_id()
        raw = bytes.fromhex(trace_id)
        for part in range(40):
            spans = [otlp_span(raw, span_id(part * 5_000 + i), parent=span_id(0) if part or i else b"", name=b"step", start=NOW_NS + i, end=NOW_NS + i + 1000,
                               more=field(9, key_value(b"item", field(1, b"%d" % i)))) for i in range(5_000)]
            body = otlp_request(spans, field(1, key_value(b"service.name", field(1, b"huge"))))
            wait_for(lambda: server.send("/v1/traces", body, PROTOBUF, "otlp_http")[0] == 200, what="room for a batch")
        ours = xray_id(trace_id)
        found = []
        for page in server.boto3().get_paginator("batch_get_traces").paginate(TraceIds=[ours]):
            for trace in page["Traces"]:
                assert not trace["LimitExceeded"] and abs(trace["Duration"] - 6e-6) < 1e-6
                waiting = [json.loads(segment["Document"]) for segment in trace["Segments"]]
                while waiting:
                    one = waiting.pop()
                    found.append(one["id"])
                    waiting += one.get("subsegments", [])
        assert len(found) == len(set(found)) == 200_000
        exported = server.cli("export", "--format", "otlp-json", text=False).stdout
        assert exported.count(b'"spanId"') == 200_000
        status, headers, body = server.request("POST", "/TraceSummaries", json.dumps({"StartTime": NOW - 60, "EndTime": NOW + 60}).encode())
        assert status == 200 and [summary["Id"] for summary in json.loads(body)["TraceSummaries"]] == [ours]
        assert headers["x-fluoro-cut-traces"] == "1"
        assert server.post_json("/ServiceGraph", {"StartTime": NOW - 60, "EndTime": NOW + 60})[0] == 200
        status, _, body = server.request("GET", f"/api/traces/{trace_id}")
        [trace] = json.loads(body)["data"]
        assert status == 200 and trace["warnings"] == [f"a part: {len(trace['spans'])} of 200000 spans"]
        assert "more spans follow" in server.cli("trace", ours).stdout
        last = [json.loads(line) for line in server.cli("search", "--json").stdout.splitlines()]
        assert last[0]["spans"] == 200_000 and last[-1]["cut_traces"] == 1
        assert server.peak() <= 256 * MIB * 11 // 10
        server.alive()


# ---- 23: a log larger than memory ----

def test_a_log_larger_than_memory_is_replayed_within_it(tmp_path):
    """Written under a promise of 8 GiB, so that nothing is sealed; read under the smallest there is. A fifth of it is one trace."""
    requests = sized(50, 150)  # of 4 or 7.7 MB: about 4 and 10 times the memory
    giant = hex_trace_id()
    sent = {giant: 0}
    with AbuseServer("--accept-age", "any", "--memory", "8GiB", folder=tmp_path) as server:
        blob = os.urandom(8 * MIB)
        for request in range(requests):
            trace_id = giant if request % 5 == 0 else hex_trace_id()
            count = 480 if request % 7 == 3 else 250  # 7.7 MB is the most that a request may have under 64 MiB
            at = [random.randrange(len(blob) - 16_000) for _ in range(count)]
            spans = [otlp_span(bytes.fromhex(trace_id), span_id(request * 1000 + i), more=field(9, key_value(b"blob", field(7, blob[at[i]:at[i] + 16_000])))) for i in range(count)]
            status, _, answer = server.send("/v1/traces", otlp_request(spans), PROTOBUF, "otlp_http")
            assert status == 200, answer
            sent[trace_id] = sent.get(trace_id, 0) + count
        server.kill()
    assert sum(f.stat().st_size for f in (tmp_path / "data" / "wal").iterdir()) > requests * 4_000_000
    for _ in range(2):
        with AbuseServer("--accept-age", "any", "--memory", "64MiB", folder=tmp_path) as again:
            assert again.peak() <= 64 * MIB * 11 // 10
            found = map(json.loads, again.cli("search", "--json", "--limit", "1000").stdout.splitlines())
            counts = {summary["trace_id"]: summary["spans"] for summary in found if "trace_id" in summary}
            assert counts == {xray_id(trace_id): spans for trace_id, spans in sent.items()}
            again.kill()


# ---- 24: duplicates and reordering ----

def test_duplicates_and_reordering_store_each_span_once(server):
    rng = random.Random(20240)
    traces = {}
    batches = []
    for _ in range(12):
        trace_id = hex_trace_id()
        root, call, late = document(xray_id(trace_id), name="web"), document(xray_id(trace_id), name="db"), document(xray_id(trace_id), name="late")
        call["parent_id"] = root["id"]
        late["parent_id"] = call["id"]
        started = {k: v for k, v in root.items() if k != "end_time"} | {"in_progress": True}
        traces[trace_id] = {root["id"]: root, call["id"]: call, late["id"]: late}
        batches += [[started], [root], [call, late]]
        spans = [otlp_json_span(trace_id, f"{i + 1:016x}") for i in range(3)]
        batches.append(spans)
    deliveries = [batch for batch in batches for _ in range(rng.randint(1, 5))]
    rng.shuffle(deliveries)
    for batch in deliveries:
        if "traceId" in batch[0]:
            status, _, answer = server.send("/v1/traces", json.dumps(otlp_json(*batch)).encode(), JSON)
            assert (status, answer) == (200, b"{}")
        else:
            status, answer = server.put_documents([json.dumps(d) for d in rng.sample(batch, len(batch))])
            assert status == 200 and answer["UnprocessedTraceSegments"] == []
    for trace_id, wanted in traces.items():
        documents = [d for d in server.get_trace(xray_id(trace_id)) if not d.get("inferred")]
        by_id = {d["id"]: d for d in documents}
        assert len(by_id) == len(documents) == 6
        for one, sent in wanted.items():
            assert by_id[one] == sent, "the complete document wins, whatever the order"
        [summary] = [s for s in map(json.loads, server.cli("search", "--json", f'traceid = "{xray_id(trace_id)}"', check=False).stdout.splitlines() or ["{}"]) if s.get("spans")] or [None]
        assert summary is None or summary["spans"] == 6


# ---- 25: partial success ----

def test_every_subset_of_bad_documents_is_named_and_the_rest_stored(server):
    bad = ["{", '{"id":"%s"}', '{"trace_id":"1-1-1","id":"%s","name":"n","start_time":1,"end_time":2}', "[]", "1", "", '{"trace_id":"%s","id":"x","name":"n","start_time":1}', "null"]
    kept = {}
    for subset in range(256):
        documents, wrong = [], []
        for i in range(8):
            if subset >> i & 1:
                documents.append(bad[i].replace("%s", f"{subset:08x}{i:08x}") if i in (1, 2) else bad[i])
                wrong.append(i)
            else:
                one = document()
                kept[one["trace_id"]] = one
                documents.append(json.dumps(one))
        status, answer = server.put_documents(documents)
        assert status == 200
        entries = answer["UnprocessedTraceSegments"]
        assert len(entries) == len(wrong), f"{subset}: {entries}"
        assert all(entry["ErrorCode"] and entry["ErrorCode"] in entry["Message"] for entry in entries)
        for i, entry in zip(wrong, entries):
            if i in (1, 2):
                assert entry["Id"] == f"{subset:08x}{i:08x}"
    for ids in (list(kept)[i:i + 5] for i in range(0, len(kept), 5)):
        status, answer = server.post_json("/Traces", {"TraceIds": ids})
        assert status == 200 and answer["UnprocessedTraceIds"] == []
        for trace in answer["Traces"]:
            [segment] = trace["Segments"]
            assert json.loads(segment["Document"]) == kept[trace["Id"]]


def test_the_good_ones_of_a_partial_success_are_durable(tmp_path):
    good = [document() for _ in range(25)]
    with AbuseServer("--accept-age", "any", folder=tmp_path) as server:
        status, answer = server.put_documents([text for one in good for text in (json.dumps(one), "{")])
        assert status == 200 and len(answer["UnprocessedTraceSegments"]) == 25
        server.kill()
    with AbuseServer("--accept-age", "any", folder=tmp_path) as again:
        for one in good:
            assert again.get_trace(one["trace_id"]) == [one]


def test_fifty_documents_one_third_bad(server):
    documents = [document() if i % 3 else {"id": f"{i:016x}", "name": "n"} for i in range(50)]
    status, answer = server.put_documents([json.dumps(d) for d in documents])
    assert status == 200
    assert [entry["Id"] for entry in answer["UnprocessedTraceSegments"]] == [f"{i:016x}" for i in range(0, 50, 3)]
    for one in documents:
        if "trace_id" in one:
            assert server.get_trace(one["trace_id"]) == [one]


def test_partial_success_of_otlp(server):
    for bad_count in (1, 7):
        good = [otlp_json_span(hex_trace_id()) for _ in range(5)]
        bad = [otlp_json_span("0" * 32) for _ in range(bad_count)]
        status, _, answer = server.send("/v1/traces", json.dumps(otlp_json(*(bad + good))).encode(), JSON, "otlp_http")
        partial = json.loads(answer)["partialSuccess"]
        assert status == 200 and partial["rejectedSpans"] == str(bad_count) and "spans[0]" in partial["errorMessage"]
        for span in good:
            assert server.request("GET", f"/api/traces/{span['traceId']}")[0] == 200


# ---- 26: cut and smuggled requests ----

def spans_stored(server):
    return server.counter("fluoro_ingest_spans_total")


@pytest.mark.parametrize("door", ["PutTraceSegments", "OTLP protobuf", "Zipkin v2"])
def test_nothing_is_stored_of_a_request_that_is_cut(server, door):
    if door == "PutTraceSegments":
        path, kind, body = "/TraceSegments", "application/json", json.dumps({"TraceSegmentDocuments": [json.dumps(document())]}).encode()
    elif door == "Zipkin v2":
        path, kind, body = "/api/v2/spans", "application/json", json.dumps([{"traceId": hex_trace_id(), "id": "1"}]).encode()
    else:
        path, kind, body = "/v1/traces", "application/x-protobuf", otlp_request([otlp_span(bytes.fromhex(hex_trace_id()), b"12345678")])
    before = spans_stored(server)
    plain = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    chunked = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    for whole in (plain, chunked):
        for cut in range(len(whole)):
            heard = server.raw(whole[:cut])
            assert b" 200 " not in heard.split(b"\r\n")[0] and b" 202 " not in heard.split(b"\r\n")[0], f"cut at {cut}: {heard[:80]}"
    assert spans_stored(server) == before
    assert server.raw(plain).split(b"\r\n")[0].split()[1] in (b"200", b"202")
    assert spans_stored(server) == before + 1
    assert server.counter("fluoro_http_refused_total", reason="cut") > 0
    server.alive()


def test_nothing_is_stored_of_a_grpc_call_that_is_cut(server):
    whole = grpc_export(otlp_request([otlp_span(bytes.fromhex(hex_trace_id()), b"12345678")]))
    before = spans_stored(server)
    for cut in range(len(whole)):
        assert b"grpc-status\x010" not in server.raw(whole[:cut], "otlp_grpc"), f"cut at {cut}"
    assert spans_stored(server) == before
    assert b"grpc-status\x010" in server.raw(whole, "otlp_grpc", until=b"grpc-status\x010")
    assert spans_stored(server) == before + 1
    server.alive()


def smuggling():
    """{name: request}: what two readers of one connection could read differently. Each ends with a second request that must not be answered."""
    first = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    second = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    te, cl = b"Transfer-Encoding: chunked\r\n", b"Content-Length: 2\r\n"
    chunks = b"2\r\n{}\r\n0\r\n\r\n"
    return {
        "both headers": first + cl + te + b"\r\n" + chunks + second,
        "both headers, other order": first + te + cl + b"\r\n" + chunks + second,
        "two lengths": first + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}" + second,
        "lengths in a list": first + b"Content-Length: 2, 40\r\n\r\n{}" + second,
        "a signed length": first + b"Content-Length: +2\r\n\r\n{}" + second,
        "a negative length": first + b"Content-Length: -2\r\n\r\n{}" + second,
        "a hexadecimal length": first + b"Content-Length: 0x2\r\n\r\n{}" + second,
        "a length that overflows": first + b"Content-Length: 18446744073709551618\r\n\r\n{}" + second,
        "an empty length": first + b"Content-Length: \r\n\r\n" + second,
        "a blank before the colon": first + b"Content-Length : 2\r\n\r\n{}" + second,
        "an unknown transfer coding": first + b"Transfer-Encoding: xchunked\r\n\r\n" + chunks + second,
        "two transfer codings": first + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunks + second,
        "chunked twice": first + te + te + b"\r\n" + chunks + second,
        "chunked then identity": first + te + b"Transfer-Encoding: identity\r\n\r\n" + chunks + second,
        "a vertical tab before chunked": first + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + chunks + second,
        "a folded header": first + b"Transfer-Encoding:\r\n chunked\r\n" + cl + b"\r\n" + chunks + second,
        "a chunk size that overflows": first + te + b"\r\n10000000000000002\r\n{}\r\n0\r\n\r\n" + second,
        "a negative chunk size": first + te + b"\r\n-2\r\n{}\r\n0\r\n\r\n" + second,
        "a chunk size with 0x": first + te + b"\r\n0x2\r\n{}\r\n0\r\n\r\n" + second,
        "no chunk size": first + te + b"\r\n\r\n{}\r\n0\r\n\r\n" + second,
        "a chunk longer than its size": first + te + b"\r\n2\r\n{}xx\r\n0\r\n\r\n" + second,
        "chunked in HTTP/1.0": first.replace(b"1.1", b"1.0") + te + b"\r\n" + chunks + second,
        "two hosts": first + b"Host: y\r\n" + cl + b"\r\n{}" + second,
        "a NUL in a header": first + b"X: a\0b\r\n" + cl + b"\r\n{}" + second,
        "a header without a name": first + b": x\r\n" + cl + b"\r\n{}" + second,
        "no protocol": b"POST /v1/traces\r\n\r\n" + second,
        "HTTP/2.0 as text": first.replace(b"1.1", b"2.0") + cl + b"\r\n{}" + second,
        "HTTP/1.9": first.replace(b"1.1", b"1.9") + cl + b"\r\n{}" + second,
        "a blank target": b"POST  HTTP/1.1\r\nHost: x\r\n\r\n" + second,
    }


@pytest.mark.parametrize("form", smuggling())
def test_smuggling_forms_are_400_and_closed(server, form):
    for port in ("http", "otlp_http"):
        heard = server.raw(smuggling()[form], port)
        assert heard.startswith(b"HTTP/1.1 400 "), f"{port}: {heard[:200]}"
        assert heard.count(b"HTTP/1.1 ") == 1, "the second request is not answered"
        assert b"connection: close" in heard.lower().split(b"\r\n\r\n")[0]


def test_pipelined_requests_are_answered_in_order(server):
    body = json.dumps(otlp_json(otlp_json_span(hex_trace_id()))).encode()
    post = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    heard = server.raw(post + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + post + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert heard.count(b"HTTP/1.1 200 OK") == 4, heard
    assert heard.endswith(b"ok\n")


def test_headers_without_end_are_refused(server):
    heard = server.raw(b"GET /healthz HTTP/1.1\r\n" + b"X: " + b"a" * 100_000 + b"\r\n\r\n")
    assert heard.startswith(b"HTTP/1.1 431 "), heard[:100]
    heard = server.raw(b"GET /healthz HTTP/1.1\r\n" + b"X: a\r\n" * 20_000 + b"\r\n")
    assert heard.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")), heard[:100]
    heard = server.raw(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n")
    assert heard.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 414 ", b"HTTP/1.1 400 ")), heard[:100]
    assert server.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500)).startswith((b"HTTP/1.1 400 ", b""))
    server.alive()


def test_garbage_on_the_grpc_port_does_no_harm(server):
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(10_000), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 1000,
                    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"):
        server.raw(garbage, "otlp_grpc")
    code, _ = server.send_grpc(otlp_request([otlp_span(bytes.fromhex(hex_trace_id()), b"12345678")]))
    assert code == "OK"
    for broken in (b"\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x80"):
        assert server.send_grpc(broken)[0] == "INVALID_ARGUMENT"
    assert server.send_grpc(b"\0" * (65 * MIB))[0] == "RESOURCE_EXHAUSTED"
    server.alive()


# ---- 36: datagrams ----

HEADER = b'{"format":"json","version":1}\n'


def test_datagrams_of_every_size_and_fault_are_counted_by_reason(server):
    good = lambda **members: HEADER + json.dumps(document(**members)).encode()  # noqa: E731
    padded = good(metadata={"x": "y" * 62_000})
    bad = {
        "empty": [b""],
        "bad_header": [b"x", b"\n", HEADER[:-1], HEADER, b"\n{}", b'{"format":"json","version":2}\n{}', b'{"format":"xml","version":1}\n{}', b"no\n{}", b"\0" * 63 * 1024,
                       b"x" * (64 * 1024 - 29), b"x" * 65_507, b"[" * 60_000 + b"\n{}", b"\xff\xfe\n{}"],
        "other": [good()[:-1], good()[:60], HEADER + b"\xff\xfe", HEADER + b"[" * 60_000, HEADER + b'{"name":"' + b"x" * 65_000, HEADER + b"T1Snot base64!", HEADER + b"T1M" + b"x" * 100,
                  HEADER + b"null", HEADER + b"\0"],
    }
    fine = [good(), good(), padded, HEADER + b" " + json.dumps(document()).encode()]
    rejected = {reason: server.counter("fluoro_ingest_rejected_total", protocol="xray_udp", reason=reason) for reason in ("empty", "bad_header")}
    all_rejected = server.counter("fluoro_ingest_rejected_total", protocol="xray_udp")
    stored = server.counter("fluoro_ingest_spans_total", protocol="xray_udp")
    received = server.counter("fluoro_udp_datagrams_total")
    host, port = server.ports["udp"].rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        sender.connect((host, int(port)))
        for datagram in [d for group in bad.values() for d in group] + fine:
            sender.send(datagram)
        total = sum(map(len, bad.values()))
        wait_for(lambda: server.counter("fluoro_udp_datagrams_total") == received + total + len(fine), what="all datagrams received")
        wait_for(lambda: server.counter("fluoro_ingest_spans_total", protocol="xray_udp") == stored + len(fine), what="the good ones stored")
        wait_for(lambda: server.counter("fluoro_ingest_rejected_total", protocol="xray_udp") == all_rejected + total, what="the bad ones counted")
        for reason, before in rejected.items():
            assert server.counter("fluoro_ingest_rejected_total", protocol="xray_udp", reason=reason) == before + len(bad[reason])
        sender.setblocking(False)
        with pytest.raises(BlockingIOError):
            sender.recv(1)  # no reply, whatever was sent
    server.alive()
