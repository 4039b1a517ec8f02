"""Input that means harm (reliability tests 17 to 21): bombs, nesting, floods of keys, huge and broken text, impossible numbers."""
import gzip
import json
import struct
import zlib

import pytest

from abuse import (MIB, NOW, NOW_NS, AbuseServer, bombs, field, fixed64, grpc_export, hex_trace_id, key_value, otlp_json, otlp_json_span, otlp_request, otlp_span, sized, xray_id, zstd_raw)
from documents import new_id, new_trace_id
from harness import wait_for

JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}
BODY_MAX = 64 * MIB  # the default limit after inflation
MEMORY_MAX = 512 * MIB * 11 // 10


@pytest.fixture(scope="module")
def server():
    """One server for all abuse: whatever a case does to it shows in the cases behind it."""
    with AbuseServer("--accept-age", "any") as running:
        yield running
        assert running.peak() < MEMORY_MAX


# Every way in that takes a body: path, headers, port.
DOORS = {
    "PutTraceSegments": ("/TraceSegments", JSON, "http"),
    "OTLP protobuf": ("/v1/traces", PROTOBUF, "otlp_http"),
    "OTLP JSON": ("/v1/traces", JSON, "otlp_http"),
    "OTLP on the main port": ("/v1/traces", PROTOBUF, "http"),
    "Zipkin v2": ("/api/v2/spans", JSON, "http"),
    "Zipkin v1": ("/api/v1/spans", JSON, "http"),
    "import": ("/ui/api/import", {"Content-Type": "application/octet-stream"}, "http"),
    "a query": ("/TraceSummaries", JSON, "http"),
    "a search": ("/ui/api/search", JSON, "http"),
}


def says(door, status, body, words):
    """The error in the protocol's own form; its message holds the words."""
    if door in ("PutTraceSegments", "a query"):
        answer = json.loads(body)
        assert answer["__type"].endswith("Exception"), answer
        message = answer["Message"]
    elif door == "OTLP JSON":
        answer = json.loads(body)
        assert isinstance(answer["code"], int), answer
        message = answer["message"]
    elif door.startswith("OTLP"):
        assert body[0] == 1 << 3, body  # google.rpc.Status, field 1
        message = body.decode(errors="replace")
    else:
        message = body.decode()
    assert words in message, f"{door}: {status} {message}"


# ---- 17: bombs ----

@pytest.mark.parametrize("door", DOORS)
def test_a_bomb_is_413_within_twice_the_limit_of_memory(server, door):
    path, headers, port = DOORS[door]
    refused = server.counter("fluoro_http_refused_total", reason="body_too_large")
    for name, (coding, bomb) in bombs().items():
        assert len(bomb) < 1.2 * MIB
        server.reset_peak()
        before = server.rss()
        status, _, body = server.send(path, bomb, {**headers, "Content-Encoding": coding}, port)
        assert status == 413, f"{name}: {status} {body[:300]}"
        says(door, status, body, "100 times its size")
        assert server.peak() - before <= 2 * BODY_MAX + 4 * MIB, name
    assert server.counter("fluoro_http_refused_total", reason="body_too_large") == refused + len(bombs())
    server.alive()


def test_a_small_bomb_is_stopped_by_its_ratio(server):
    for inflated, status_wanted in ((MIB - 100, 400), (20 * MIB, 413)):
        status, _, body = server.send("/v1/traces", gzip.compress(bytes(inflated)), {**PROTOBUF, "Content-Encoding": "gzip"})
        assert status == status_wanted, body
    assert b"100 times its size" in body


def test_bombs_in_grpc_messages_are_resource_exhausted(server):
    for name, (coding, bomb) in bombs().items():
        if coding == "deflate":
            continue  # no exporter sends it, and nothing tells it from a protobuf message
        server.reset_peak()
        before = server.rss()
        code, message = server.send_grpc(bomb)
        assert code == "RESOURCE_EXHAUSTED", f"{name}: {code} {message}"
        assert "after decompression" in message or "100 times its size" in message
        assert server.peak() - before <= 2 * BODY_MAX + 8 * MIB, name
    assert server.counter("fluoro_grpc_refused_total", reason="body_too_large") > 0
    server.alive()


def test_codings_in_codings_and_unknown_codings_are_refused(server):
    inner = gzip.compress(bombs()["gzip"][1])
    status, _, body = server.send("/v1/traces", inner, {**PROTOBUF, "Content-Encoding": "gzip, gzip"})
    assert status == 415 and b"one coding" in body
    # Declared once, the inner archive is no protobuf; it is never inflated a second time.
    server.reset_peak()
    before = server.rss()
    status, _, body = server.send("/v1/traces", inner, {**PROTOBUF, "Content-Encoding": "gzip"})
    assert status in (400, 413), body
    code, _ = server.send_grpc(inner)
    assert code in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED")
    assert server.peak() - before < 16 * MIB
    for coding in ("lz4", "snappy", "br", "compress", "gzip\tgzip", "x" * 1000):
        status, _, body = server.send("/v1/traces", b"\x04\x22\x4d\x18" + bytes(1000), {**PROTOBUF, "Content-Encoding": coding})
        assert status == 415, coding
    for coding, damaged in (("gzip", b"\x1f\x8b\x08\x00damaged"), ("deflate", b"\x78\x9cxx"), ("zstd", b"\x28\xb5\x2f\xfd\x00"), ("zstd", b"not zstd"),
                            ("gzip", gzip.compress(b"x" * 100)[:-1]), ("deflate", b"")):
        status, _, body = server.send("/v1/traces", damaged, {**PROTOBUF, "Content-Encoding": coding})
        assert status == 400 or (damaged == b"" and status == 200), f"{coding}: {status} {body}"
    # A window of 2 GiB is asked for in 10 bytes.
    status, _, body = server.send("/v1/traces", b"\x28\xb5\x2f\xfd\x00\xa8" + bytes(10), {**PROTOBUF, "Content-Encoding": "zstd"})
    assert status == 400, body


def test_unknown_encodings_of_grpc_are_unimplemented(server):
    for encoding in ("snappy", "lz4", "br"):
        heard = server.raw(grpc_export(b"\x04\x22\x4d\x18" + bytes(100), encoding=encoding, compressed=1), "otlp_grpc", until=b"use gzip")
        assert b"grpc-status\x0212" in heard and b"grpc-accept-encoding" in heard and b"gzip" in heard, heard
    message = otlp_request([otlp_span(bytes.fromhex(hex_trace_id()), b"12345678")])
    for encoding, packed in (("zstd", zstd_raw(message)), ("deflate", zlib.compress(message)), ("gzip", gzip.compress(message)), ("identity", message)):
        stored = server.counter("fluoro_ingest_spans_total", protocol="otlp_grpc")
        heard = server.raw(grpc_export(packed, encoding=encoding, compressed=int(encoding != "identity")), "otlp_grpc", until=b"grpc-status\x010")
        assert b"grpc-status\x010" in heard, f"{encoding}: {heard}"
        assert server.counter("fluoro_ingest_spans_total", protocol="otlp_grpc") == stored + 1


def test_bodies_beyond_the_limit_are_refused_by_their_length_alone(server):
    for door, (path, headers, port) in DOORS.items():
        lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        server.reset_peak()
        before = server.rss()
        heard = server.raw(f"POST {path} HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {BODY_MAX + 1}\r\n\r\n".encode(), port)
        assert heard.startswith(b"HTTP/1.1 413 "), f"{door}: {heard[:100]}"
        says(door, 413, heard.split(b"\r\n\r\n", 1)[1], "larger than 67108864 bytes")
        assert server.peak() - before < 4 * MIB, door


SWELLING = {
    "empty links": ("OTLP protobuf", lambda: otlp_tiled(b"\x6a\x00" * 1000)),
    "empty events": ("OTLP protobuf", lambda: otlp_tiled(b"\x5a\x00" * 9000)),
    "bare spans": ("OTLP protobuf", lambda: otlp_tiled(b"")),
    "empty links as JSON": ("OTLP JSON", lambda: b'{"resourceSpans":[{"scopeSpans":[{"spans":['
                            + b",".join([b'{"traceId":"%032x","spanId":"00f067aa0ba902b7","links":[%s]}' % (7, b",".join([b"{}"] * 900))] * 4500) + b"]}]}]}"),
    "numbers": ("OTLP JSON", lambda: b'{"x":[' + b"1," * (20 * MIB) + b"1]}"),
    "documents": ("PutTraceSegments", lambda: b'{"TraceSegmentDocuments":[' + b'"",' * 900_000 + b'""]}'),
    "annotations": ("Zipkin v2", lambda: b'[{"traceId":"1","id":"1","annotations":[' + b"{}," * (16 * MIB) + b"{}]}]"),
    "numbers to import": ("import", lambda: b"[" + b"1," * (20 * MIB) + b"1]"),
    "an envelope to import": ("import", lambda: b'{"Traces":[' + b"1," * (20 * MIB) + b"1]}"),
    "values to import": ("import", lambda: b"1 " * (20 * MIB)),
    "Jaeger spans to import": ("import", lambda: b'{"data":[{"traceID":"1","processes":{},"spans":[' + b"{}," * (16 * MIB) + b"{}]}]}"),
}


def otlp_tiled(more, body_bytes=40 * MIB):
    trace_id = bytes.fromhex(hex_trace_id())
    one = field(2, otlp_span(trace_id, b"12345678", more=more))
    return field(1, field(2, one * (body_bytes // len(one))))


@pytest.mark.parametrize("case", SWELLING)
def test_bodies_that_swell_in_memory_are_refused_on_the_way(server, case):
    door, make = SWELLING[case]
    path, headers, port = DOORS[door]
    body = make()
    before = server.refused()
    server.reset_peak()
    status, _, answer = server.send(path, body, headers, port)
    assert status in (400, 413) or case == "an envelope to import", f"{status} {answer[:300]}"
    assert server.peak() < MEMORY_MAX
    if case not in ("numbers to import", "values to import", "an envelope to import", "Jaeger spans to import"):
        assert server.refused() > before
    server.alive()


def test_many_large_requests_at_once_share_one_budget(server):
    from concurrent.futures import ThreadPoolExecutor
    body = otlp_tiled(b"\x6a\x00" * 1000, 15 * MIB)
    overloads = server.refused()
    server.reset_peak()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda i: server.send("/v1/traces", body, PROTOBUF, ("http", "otlp_http")[i % 2]), range(16)))
    assert {status for status, _, _ in answers} <= {400, 503}
    assert all(headers.get("retry-after") for status, headers, _ in answers if status == 503)
    assert server.refused() >= overloads + 16
    assert server.peak() < MEMORY_MAX
    server.alive()


# ---- 18: nesting ----

def nested_any_value(levels):
    """Bytes of an AnyValue whose arrays nest this deep. Lengths take four bytes each, so that every level takes ten."""
    def level(inside):
        return bytes((5 << 3 | 2, *long_varint(inside + 5), 1 << 3 | 2, *long_varint(inside)))
    return b"".join(level(10 * inner) for inner in range(levels - 1, -1, -1))


def long_varint(number):
    return number & 127 | 128, number >> 7 & 127 | 128, number >> 14 & 127 | 128, number >> 21


DEPTHS = (10, 64, 65, 100, 1_000, 100_000, sized(1_000_000, 10_000_000))


@pytest.mark.parametrize("levels", DEPTHS)
def test_any_values_nest_64_deep(server, levels):
    trace_id = bytes.fromhex(hex_trace_id())
    span = otlp_span(trace_id, b"12345678", more=field(9, key_value(b"deep", nested_any_value(levels))))
    deep_json = '{"arrayValue":{"values":[' * levels + ']}}' * levels
    as_json = json.dumps(otlp_json(otlp_json_span(hex_trace_id(), attributes=["@"]))).replace('"@"', '{"key":"deep","value":' + deep_json + "}").encode()
    in_list = '{"kvlistValue":{"values":[{"key":"k","value":' * levels + '{"intValue":1}' + '}]}}' * levels
    in_resource = json.dumps(otlp_json(otlp_json_span(hex_trace_id()), resource=["@"])).replace('"@"', '{"key":"deep","value":' + in_list + "}").encode()
    for body, headers in ((otlp_request([span]), PROTOBUF), (as_json, JSON), (in_resource, JSON)):
        status, _, answer = server.send("/v1/traces", body, headers, "otlp_http")
        if levels < 64:
            assert status == 200, answer
        elif levels > 64:
            assert status == (413 if len(body) > BODY_MAX else 400) and b"64" in answer, f"{status} {answer[:200]}"
    if levels > 1_000_000:
        return  # larger than any message
    code, message = server.send_grpc(otlp_request([span]))
    assert code == "OK" if levels < 64 else levels == 64 or (code == "INVALID_ARGUMENT" and "64 levels" in message), message
    server.alive()


@pytest.mark.parametrize("levels", DEPTHS)
def test_json_nests_64_deep_at_every_door(server, levels):
    for begin, end in (("[", "]"), ('{"a":', "}")):
        value = begin * levels + "1" + end * levels
        for door in ("PutTraceSegments", "Zipkin v2", "Zipkin v1", "import", "a query", "a search", "OTLP JSON"):
            path, headers, port = DOORS[door]
            status, _, answer = server.send(path, value.encode(), headers, port)
            assert status in (200, 400, 413), f"{door}: {status}"
            if levels >= 1000 and door.startswith("Zipkin") and begin == "[":
                assert b"64 levels" in answer, f"{door}: {answer[:200]}"
        # Members that nobody knows are kept or skipped, but do not nest deeper either.
        span = '[{"traceId":"%s","id":"1","tags":{"a":%s}}]' % (hex_trace_id(), value)
        status, _, answer = server.send("/api/v2/spans", span.encode(), JSON)
        assert status in (400, 413) and (levels < 100 or b"64 levels" in answer), answer[:200]
        jaeger = '{"data":[{"traceID":"%s","processes":{},"spans":[{"spanID":%s}]}]}' % (hex_trace_id(), value)
        status, _, answer = server.send("/ui/api/import?format=jaeger", jaeger.encode())
        assert status in (400, 413) and (levels < 100 or b"64 levels" in answer), answer[:200]
    server.alive()


@pytest.mark.parametrize("levels", (10, 60, 65, 100, 1_000, 5_000, 1_000_000))
def test_documents_nest_64_deep(server, levels):
    def document(value, member="metadata"):
        return '{"trace_id":"%s","id":"%s","name":"deep","start_time":%d,"end_time":%d,"%s":%s}' % (new_trace_id(), new_id(), NOW, NOW + 1, member, value)
    inner = '{"id":"%s","name":"s","start_time":%d,"end_time":%d,"subsegments":[' % ("1234567890abcdef", NOW, NOW + 1)
    for text in (document("[" * levels + "]" * levels), document('{"a":' * levels + "1" + "}" * levels), document("[" + inner * levels + "]}" * levels + "]", "subsegments")):
        status, answer = server.put_documents([text, document("1")])
        if len(text) > 60 * MIB:
            assert status == 413
            continue
        assert status == 200
        bad = answer["UnprocessedTraceSegments"]
        if levels <= 60:
            assert bad == []
        else:
            assert len(bad) == 1 and bad[0]["ErrorCode"] in ("ParseError", "DocumentTooLarge"), bad
            assert "64" in bad[0]["Message"] or "65536" in bad[0]["Message"], bad
        if len(text) < 60_000:
            rejected = server.counter("fluoro_ingest_rejected_total", protocol="xray_udp")
            server.send_udp(b'{"format":"json","version":1}\n' + text.encode())
            if levels > 64:
                wait_for(lambda: server.counter("fluoro_ingest_rejected_total", protocol="xray_udp") == rejected + 1, what="counted datagram")
    server.alive()


@pytest.mark.parametrize("levels", sorted({*DEPTHS, 10_000_000}))
def test_expressions_nest_64_deep(server, levels):
    for text in ("(" * levels + "ok" + ")" * levels, "!" * levels + "ok", "NOT " * min(levels, 1_000_000) + "ok",
                 'id(name: "a"' * min(levels, 1_000_000), 'service("a") { ' * min(levels, 1_000_000) + "ok" + "}" * min(levels, 1_000_000)):
        status, answer = server.post_json("/TraceSummaries", {"StartTime": NOW - 60, "EndTime": NOW, "FilterExpression": text})
        if levels > 64:
            assert status == 400, f"{text[:20]}: {answer}"
            assert len(json.dumps(answer)) < 10_000
        status, _, body = server.send("/ui/api/search", json.dumps({"expression": text}).encode(), JSON)
        assert status in (400, 413) or levels <= 64, body[:200]
    status, answer = server.post_json("/TraceSummaries", {"StartTime": NOW - 60, "EndTime": NOW, "FilterExpression": "(" * 200 + "ok" + ")" * 200})
    assert status == 400 and "64 levels" in json.dumps(answer), answer
    server.alive()


# ---- 19: many keys ----

def test_a_million_keys_on_one_span_are_cut_and_counted(server):
    trace_id = hex_trace_id()
    keys = b"".join(field(9, key_value(b"key.%d" % i, field(1, b"v"))) for i in range(1_000_000))
    cut = server.counter("fluoro_ingest_dropped_total", part="attribute")
    status, _, answer = server.send("/v1/traces", otlp_request([otlp_span(bytes.fromhex(trace_id), b"12345678", more=keys)]), PROTOBUF, "otlp_http")
    assert status == 200, answer
    assert server.counter("fluoro_ingest_dropped_total", part="attribute") == cut + 999_000
    span = json.loads(server.cli("trace", "--json", trace_id).stdout)["spans"][0]
    assert len([k for k in span["attributes"] if k.startswith("key.")]) == 1000
    status, _, exported = server.send("/ui/api/export", json.dumps({"format": "otlp-json", "expression": f'traceid = "{xray_id(trace_id)}"'}).encode(), JSON)
    if status == 200:
        assert b'"droppedAttributesCount":999000' in exported


def test_annotations_and_tags_beyond_the_limit_are_cut_and_counted(server):
    trace_id = hex_trace_id()
    document = {"trace_id": xray_id(trace_id), "id": new_id(), "name": "many", "start_time": NOW, "end_time": NOW + 1,
                "annotations": {f"k{i}": i for i in range(4000)}}
    status, answer = server.put_documents([json.dumps(document)])
    assert status == 200 and answer["UnprocessedTraceSegments"] == []
    [back] = server.get_trace(xray_id(trace_id))
    assert back["annotations"] == document["annotations"]  # the document itself is kept as sent
    before = server.counter("fluoro_ingest_dropped_total", protocol="zipkin", part="attribute")
    span = [{"traceId": hex_trace_id(), "id": "1", "tags": {f"k{i}": "v" for i in range(100_000)}}]
    assert server.send("/api/v2/spans", json.dumps(span).encode(), JSON)[0] == 202
    assert server.counter("fluoro_ingest_dropped_total", protocol="zipkin", part="attribute") >= before + 99_000


def test_names_of_headers_methods_and_paths_make_no_metrics(server):
    before = server.request("GET", "/metrics")[2].count(b"\n")
    for i in range(200):
        server.raw(f"M{i} /path{i} HTTP/1.1\r\nHost: h{i}\r\nUser-Agent: a{i}\r\nX-{i}: {i}\r\nConnection: close\r\n\r\n".encode())
        server.send(f"/p{i}", b"", {"Content-Type": f"t/{i}"})
    assert server.request("GET", "/metrics")[2].count(b"\n") <= before + 20


# ---- 20: huge and broken text ----

HOSTILE = {
    "NUL": "a\x00b", "right to left": "a\u202eb\u2066c", "beyond the BMP": "\U0001f600" * 10, "escape sequences": "\x1b[2J\x1b]0;x\x07",
    "line ends": "a\r\nb\u2028c", "quotes": "'\"`\\' || '1'='1", "markup": "<script>alert(1)</script>", "empty": "", "blank": "   ",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_text_comes_back_equal(server, case):
    text = HOSTILE[case]
    trace_id = hex_trace_id()
    document = {"trace_id": xray_id(trace_id), "id": new_id(), "name": "text", "start_time": NOW, "end_time": NOW + 1, "user": text,
                "annotations": {"a": text}, "metadata": {text: {text: text}}, "http": {"request": {"url": text, "user_agent": text}}}
    status, answer = server.put_documents([json.dumps(document)])
    assert status == 200 and answer["UnprocessedTraceSegments"] == [], answer
    [back] = server.get_trace(document["trace_id"])
    assert back == document
    otlp_id = hex_trace_id()
    span = otlp_json_span(otlp_id, name=text, attributes=[{"key": "k" + text, "value": {"stringValue": text}}])
    status, _, answer = server.send("/v1/traces", json.dumps(otlp_json(span)).encode(), JSON)
    assert status == 200, answer
    attributes = json.loads(server.cli("trace", "--json", otlp_id).stdout)["spans"][0]["attributes"]
    assert attributes["k" + text] == text
    plain = server.cli("trace", trace_id).stdout + server.cli("trace", otlp_id).stdout
    assert not any(c in plain for c in "\x00\x1b\x07\u202e\u2066\r"), "no control character reaches a terminal"
    assert server.cli("search", "--limit", "5").returncode == 0
    assert json.loads(server.request("GET", f"/api/traces/{otlp_id}")[2])["data"][0]["traceID"]


BROKEN_UTF8 = {"overlong": b"\xc0\xaf", "lone surrogate": b"\xed\xa0\x80", "cut short": b"\xe2\x82", "beyond Unicode": b"\xf7\xbf\xbf\xbf", "stray": b"\x80\xff\xfe"}


@pytest.mark.parametrize("case", BROKEN_UTF8)
def test_broken_utf8_is_replaced_and_counted(server, case):
    raw = b"a" + BROKEN_UTF8[case] + b"b"
    for door, body_of in {
        "otlp_http": lambda i: ("/v1/traces", PROTOBUF, otlp_request([otlp_span(i, b"12345678", name=raw, more=field(9, key_value(b"k", field(1, raw))))])),
        "json": lambda i: ("/v1/traces", JSON, json.dumps(otlp_json(otlp_json_span(i.hex(), name="@", attributes=[{"key": "k", "value": {"stringValue": "@"}}])))
                           .encode().replace(b"@", raw)),
        "zipkin": lambda i: ("/api/v2/spans", JSON, json.dumps([{"traceId": i.hex(), "id": "1", "name": "@", "tags": {"k": "@"}}]).encode().replace(b"@", raw)),
    }.items():
        trace_id = bytes.fromhex(hex_trace_id())
        repaired = server.counter("fluoro_ingest_repaired_texts_total")
        path, headers, body = body_of(trace_id)
        status, _, answer = server.send(path, body, headers)
        assert status in (200, 202), f"{door}: {answer}"
        assert server.counter("fluoro_ingest_repaired_texts_total") > repaired, door
        attributes = json.loads(server.cli("trace", "--json", trace_id.hex()).stdout)["spans"][0]["attributes"]
        assert "\ufffd" in attributes["k"] and attributes["k"][0] == "a" and attributes["k"][-1] == "b", door
    # The API speaks JSON, whose text is UTF-8: refused as a whole, or repaired inside a document.
    document = json.dumps({"trace_id": new_trace_id(), "id": new_id(), "name": "x@", "start_time": NOW, "end_time": NOW + 1})
    status, _, answer = server.send("/TraceSegments", json.dumps({"TraceSegmentDocuments": [document]}).encode().replace(b"@", raw), JSON)
    assert status == 400 and "SerializationException" in answer.decode()
    count = server.counter("fluoro_ingest_rejected_total", protocol="xray_udp") + server.counter("fluoro_ingest_repaired_texts_total", protocol="xray_udp")
    server.send_udp(b'{"format":"json","version":1}\n' + document.encode().replace(b"@", raw))
    wait_for(lambda: server.counter("fluoro_ingest_rejected_total", protocol="xray_udp")
             + server.counter("fluoro_ingest_repaired_texts_total", protocol="xray_udp") > count, what="datagram counted")


def test_escaped_lone_surrogates_do_no_harm(server):
    document = '{"trace_id":"%s","id":"%s","name":"x","start_time":%d,"end_time":%d,"user":"\\ud800","metadata":{"\\udfff":"\\ud83d"}}' % (
        new_trace_id(), new_id(), NOW, NOW + 1)
    status, answer = server.put_documents([document])
    assert status == 200, answer
    span = '[{"traceId":"%s","id":"1","tags":{"k":"\\ud800"}}]' % hex_trace_id()
    assert server.send("/api/v2/spans", span.encode(), JSON)[0] in (202, 400)
    otlp = json.dumps(otlp_json(otlp_json_span(hex_trace_id(), name="@"))).replace("@", "\\ud800x")
    assert server.send("/v1/traces", otlp.encode(), JSON)[0] in (200, 400)
    for path in ("/api/services", "/metrics"):
        server.request("GET", path)[2].decode("utf-8")
    server.cli("search", "--json", "--limit", "1000").stdout.encode("utf-8")


def test_huge_values_and_names_are_cut_and_counted(server):
    trace_id = hex_trace_id()
    huge = b"v" * (60 * MIB)
    more = field(9, key_value(b"huge", field(1, huge))) + field(9, key_value(b"K" * MIB, field(1, b"x"))) + field(9, key_value(b"raw", field(7, huge[:MIB])))
    cut = server.counter("fluoro_ingest_truncated_values_total")
    status, _, answer = server.send("/v1/traces", otlp_request([otlp_span(bytes.fromhex(trace_id), b"12345678", name=b"N" * MIB, more=more)]), PROTOBUF)
    assert status == 200, answer
    assert server.counter("fluoro_ingest_truncated_values_total") == cut + 4
    [span] = json.loads(server.cli("trace", "--json", trace_id).stdout)["spans"]
    assert len(span["attributes"]["huge"]) == 64 * 1024 and len(span["name"]) <= 4096
    assert max(len(key) for key in span["attributes"]) == 512
    name = "n" * MIB
    for body in ([{"traceId": hex_trace_id(), "id": "1", "name": name, "localEndpoint": {"serviceName": name}, "tags": {name: name}}],):
        assert server.send("/api/v2/spans", json.dumps(body).encode(), JSON)[0] == 202
    status, answer = server.put_documents(['{"trace_id":"%s","id":"%s","name":"%s","start_time":1,"end_time":2}' % (new_trace_id(), new_id(), name)])
    assert status == 200 and answer["UnprocessedTraceSegments"][0]["ErrorCode"] == "DocumentTooLarge"
    name = "n" * 60_000
    document = {"trace_id": new_trace_id(), "id": new_id(), "name": name, "start_time": NOW, "end_time": NOW + 1}
    status, answer = server.put_documents([json.dumps(document)])
    assert status == 200
    for path in ("/api/services", f"/api/operations?service={'x' * 60000}"):
        assert server.request("GET", path)[0] in (200, 414, 431)
    server.alive()
