"""Fake secrets through every protocol and encoding, into every place of a span that takes text: afterwards no file of the data folder, no
answer and no log line holds them. The same with `--content full` finds them, so that the search can fail."""
import base64
import gzip
import json
import os
import time
import zlib

import pytest

from abuse import AbuseServer, NOW, NOW_NS, field, fixed64, grpc_export, hex_trace_id, key_value, otlp_json, otlp_json_span, otlp_request, otlp_span, xray_id, zstd_raw
from harness import wait_for

# What each detector finds, and the part of it that nothing may hold.
SECRETS = {
    "email": ("canary.bird@nest.example.com", "canary.bird"),
    "phone": ("+49 30 55501987", "55501987"),
    "card": ("4111 1111 1111 1111", "1111 1111 1111"),
    "card-in-one": ("5500000000000004", "5500000000000004"),
    "iban": ("DE89370400440532013000", "370400440532013000"),
    "jwt": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkxMjMifQ.c2lnbmF0dXJlLW9mLWNhbmFyeQ", "eyJzdWIiOiJjYW5hcnkxMjMifQ"),
    "aws-key": ("AKIACANARY0BIRD01234", "CANARY0BIRD01234"),
    "api-key": ("sk-proj-canary0123456789abcdefghij", "canary0123456789abcdefghij"),
    "github": ("ghp_canaryCANARY0123456789canaryCANARY01", "canaryCANARY0123456789"),
    "private-key": ("-----BEGIN RSA PRIVATE KEY-----\nMIIcanarykeymaterial0\n-----END RSA PRIVATE KEY-----", "canarykeymaterial"),
    "bearer": ("Bearer canarytoken0987654321", "canarytoken0987654321"),
    "basic": ("Basic " + base64.b64encode(b"canary:hunter2secret").decode(), base64.b64encode(b"canary:hunter2secret").decode()),
    "url-password": ("postgres://app:canarypassword7@db.example.com/x", "canarypassword7"),
    "secret": ("Server=db;Password=canaryhunter7;Port=1", "canaryhunter7"),
}
NEEDLES = sorted({part for _, part in SECRETS.values()})
# Found by what the member or the attribute is called.
NAMED = "canary-by-its-name"
ALL = " | ".join(text for text, _ in SECRETS.values())
BAGGAGE = "user=canary.bird@nest.example.com,key=sk-proj-canary0123456789abcdefghij"


def words():
    return [*NEEDLES, NAMED]


def otlp_attributes():
    text = lambda key, value: {"key": key, "value": {"stringValue": value}}  # noqa: E731
    return [
        text("plain", ALL), text("gen_ai.input.messages", json.dumps([{"role": "user", "content": ALL}])), text("db.query.text", f"SELECT '{ALL}'"),
        text("url.full", f"https://x.example.com/?q={ALL}&api_key={NAMED}"), text("baggage", BAGGAGE), text("http.request.header.authorization", NAMED),
        text("json in json", json.dumps({"inner": json.dumps({"password": NAMED, "text": ALL})})),
        {"key": "array", "value": {"arrayValue": {"values": [{"stringValue": ALL}, {"intValue": "5500000000000004"}]}}},
        {"key": "list", "value": {"kvlistValue": {"values": [text("deep", ALL), text("client_secret", NAMED)]}}},
        {"key": "bytes", "value": {"bytesValue": base64.b64encode(ALL.encode()).decode()}},
        {"key": "card", "value": {"intValue": "5500000000000004"}},
    ]


def otlp_document(trace_id):
    span = otlp_json_span(
        trace_id, name="GET " + SECRETS["email"][0], attributes=otlp_attributes(), traceState="a=b", status={"code": 2, "message": ALL},
        events=[{"timeUnixNano": str(NOW_NS), "name": ALL, "attributes": otlp_attributes()},
                {"timeUnixNano": str(NOW_NS), "name": "exception", "attributes": [
                    {"key": "exception.message", "value": {"stringValue": ALL}}, {"key": "exception.stacktrace", "value": {"stringValue": "at x\n" + ALL}}]},
                {"timeUnixNano": str(NOW_NS), "name": "gen_ai.user.message", "attributes": [{"key": "content", "value": {"stringValue": ALL}}]}],
        links=[{"traceId": trace_id, "spanId": "00f067aa0ba902b8", "attributes": otlp_attributes()}])
    document = otlp_json(span, resource=[{"key": "service.name", "value": {"stringValue": "shop"}}, *otlp_attributes()])
    document["resourceSpans"][0]["schemaUrl"] = "https://x.example.com/?password=" + NAMED
    document["resourceSpans"][0]["scopeSpans"][0]["scope"] = {"name": ALL, "version": ALL, "attributes": otlp_attributes()}
    return document


def otlp_logs(trace_id):
    """Log records of a span: a message to a model, an exception, a line."""
    text = lambda value: {"stringValue": value}  # noqa: E731
    record = {"traceId": trace_id, "spanId": "00f067aa0ba902b7", "timeUnixNano": str(NOW_NS), "attributes": otlp_attributes()}
    return {"resourceLogs": [{"resource": {"attributes": otlp_attributes()}, "scopeLogs": [{"scope": {"name": ALL}, "logRecords": [
        {**record, "eventName": "gen_ai.user.message", "body": {"kvlistValue": {"values": [{"key": "content", "value": text(ALL)}]}}},
        {**record, "eventName": "exception", "body": text("exception " + ALL)},
        {**record, "severityText": SECRETS["email"][0], "body": text("line " + ALL)}]}]}]}


def otlp_bytes(trace_id):
    """The same idea as protobuf, by hand."""
    text = lambda value: field(1, value.encode())  # noqa: E731
    attributes = b"".join(field(9, key_value(key.encode(), text(value))) for key, value in (
        ("plain", ALL), ("password", NAMED), ("gen_ai.prompt.0.content", ALL), ("tool.parameters", json.dumps({"api_key": NAMED, "t": ALL}))))
    event = field(11, fixed64(1, NOW_NS) + field(2, b"exception") + field(3, key_value(b"exception.message", text(ALL))))
    link = field(13, field(1, bytes.fromhex(trace_id)) + field(2, b"\1" * 8) + field(4, key_value(b"l", text(ALL))))
    status = field(15, field(2, ALL.encode()))
    span = otlp_span(bytes.fromhex(trace_id), os.urandom(8), name=SECRETS["email"][0].encode(), more=attributes + event + link + status)
    return otlp_request([span], resource=field(1, key_value(b"host.name", text(ALL))))


def segment(trace_id, span_id, more=None):
    return json.dumps({
        "name": "shop", "id": span_id, "trace_id": xray_id(trace_id), "start_time": NOW, "end_time": NOW + 0.5, "user": SECRETS["email"][0],
        "http": {"request": {"method": "GET", "url": f"https://x.example.com/?q={ALL}", "user_agent": ALL, "client_ip": "203.0.113.7"}, "response": {"status": 500}},
        "sql": {"url": SECRETS["url-password"][0], "sanitized_query": f"SELECT '{ALL}'", "user": SECRETS["email"][0]},
        "annotations": {"note": ALL, "card": 5500000000000004, "password": NAMED},
        "metadata": {"default": {"text": ALL, "client_secret": NAMED, "deep": [{"x": [ALL, json.dumps({"pwd": NAMED, "t": ALL})]}]}, SECRETS["email"][0]: {"k": 1}},
        "cause": {"working_directory": ALL, "exceptions": [{"id": "00f067aa0ba902b7", "message": ALL, "type": "E", "stack": [{"path": ALL, "line": 1, "label": ALL}]}]},
        "unknown_member": {"x": ALL},
        "subsegments": [{"name": "call " + SECRETS["email"][0], "id": "00f067aa0ba902c1", "start_time": NOW, "end_time": NOW + 0.1, "namespace": "remote",
                         "aws": {"queue_url": f"https://q.example.com/{ALL}", "operation": ALL}, "metadata": {"m": {"t": ALL}}}],
        **(more or {})})


def zipkin(trace_id):
    return [{"traceId": trace_id, "id": "00f067aa0ba902d1", "name": "get " + SECRETS["email"][0], "timestamp": NOW_NS // 1000, "duration": 10, "kind": "SERVER",
             "localEndpoint": {"serviceName": "shop"}, "tags": {"t": ALL, "password": NAMED, "error": ALL},
             "annotations": [{"timestamp": NOW_NS // 1000, "value": ALL}]}]


def jaeger(trace_id):
    tags = [{"key": "t", "type": "string", "value": ALL}, {"key": "password", "type": "string", "value": NAMED}]
    return {"data": [{"traceID": trace_id, "spans": [{
        "traceID": trace_id, "spanID": "00f067aa0ba902e1", "operationName": "get " + SECRETS["email"][0], "startTime": NOW_NS // 1000, "duration": 10,
        "processID": "p1", "tags": tags, "logs": [{"timestamp": NOW_NS // 1000, "fields": tags}]}], "processes": {"p1": {"serviceName": "shop", "tags": tags}}}]}


def send_everything(server):
    """By every protocol, encoding and import; ids of the traces."""
    ids = []

    def new():
        ids.append(hex_trace_id())
        return ids[-1]

    def ok(status, answer=b""):
        assert status in (200, 202), (status, answer)

    status, answer = server.put_documents([segment(new(), "00f067aa0ba902a1")])
    assert status == 200 and answer["UnprocessedTraceSegments"] == [], answer
    status, answer = server.put_documents(["T1S" + base64.b64encode(otlp_bytes(new())).decode()])
    assert status == 200 and answer["UnprocessedTraceSegments"] == [], answer
    for body in (segment(new(), "00f067aa0ba902a2"), "T1S" + base64.b64encode(otlp_bytes(new())).decode()):
        server.send_udp(b'{"format":"json","version":1}\n' + body.encode())
    encodings = {"": lambda b: b, "gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd_raw}
    for encoding, pack in encodings.items():
        headers = {"Content-Encoding": encoding} if encoding else {}
        for port in ("http", "otlp_http"):
            body = pack(json.dumps(otlp_document(new())).encode())
            ok(*server.send("/v1/traces", body, {"Content-Type": "application/json", **headers}, port)[::2])
            ok(*server.send("/v1/traces", pack(otlp_bytes(new())), {"Content-Type": "application/x-protobuf", **headers}, port)[::2])
        trace_id = new()
        for port, path, document in (("http", "/v1/traces", otlp_document(trace_id)), ("otlp_http", "/v1/logs", otlp_logs(trace_id))):
            ok(*server.send(path, pack(json.dumps(document).encode()), {"Content-Type": "application/json", **headers}, port)[::2])
    for encoding in ("identity", "gzip", "zstd"):
        heard = server.raw(grpc_export(encodings["" if encoding == "identity" else encoding](otlp_bytes(new())), encoding, int(encoding != "identity")),
                           "otlp_grpc", until=b"grpc-status")
        assert b"grpc-status" in heard
    ok(*server.send("/api/v2/spans", json.dumps(zipkin(new())).encode(), {"Content-Type": "application/json"})[::2])
    for format_, body in (("otlp-json", json.dumps(otlp_document(new())).encode()), ("otlp-proto", otlp_bytes(new())),
                          ("xray", segment(new(), "00f067aa0ba902a3").encode()), ("zipkin", json.dumps(zipkin(new())).encode()),
                          ("jaeger", json.dumps(jaeger(new())).encode()),
                          ("csv", f"TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano,Duration\n{new()},00f067aa0ba902f1,root,"
                                  f"shop-1-2,get {SECRETS['email'][0]},{NOW_NS},{NOW_NS + 1000},1000\n".encode())):
        status, _, answer = server.send(f"/ui/api/import?format={format_}", body, {"Content-Type": "application/octet-stream"})
        ok(status, answer)
        assert json.loads(answer)["refused"] == 0, answer
    return ids


def send_refused(server):
    """What is refused, with secrets in what an answer may quote; all that was answered."""
    heard = b""
    for document in (segment("0" * 32, SECRETS["email"][0]), segment(hex_trace_id(), "00f067aa0ba902a1", {"start_time": SECRETS["email"][0]}),
                     '{"name":"' + SECRETS["email"][0], "T1S" + SECRETS["api-key"][0]):
        heard += json.dumps(server.put_documents([document])[1]).encode()
    for body in (b'{"resourceSpans":"' + ALL.encode() + b'"}', json.dumps(otlp_json(otlp_json_span(SECRETS["email"][0]))).encode(), ALL.encode()):
        heard += server.send("/v1/traces", body, {"Content-Type": "application/json"})[2]
        heard += server.send("/ui/api/import?format=otlp-json", body)[2]
        heard += server.send("/api/v2/spans", body, {"Content-Type": "application/json"})[2]
        heard += server.send("/ui/api/import?format=xray", body)[2]
    server.send_udp(b'{"format":"json","version":1}\n{"name":"' + SECRETS["email"][0].encode(), ALL.encode())
    return heard


def held(folder):
    """{word: files}: raw bytes of everything in the data folder."""
    found = {}
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        for word in words():
            if word.encode() in data or json.dumps(word)[1:-1].encode() in data:
                found.setdefault(word, []).append(path.name)
    return found


def answered(server, ids):
    """Everything that the server tells of these traces, in all forms."""
    text = b""
    for format_ in ("otlp-json", "otlp-proto", "xray", "csv"):
        status, _, body = server.send("/ui/api/export", json.dumps({"format": format_, "from": NOW_NS - 60 * 10**9, "to": NOW_NS + 600 * 10**9}).encode(), {"Content-Type": "application/json"})
        assert status == 200, body
        text += body
        if format_ == "otlp-json":  # bytes values
            for piece in body.decode().split('"bytesValue":"')[1:]:
                text += base64.b64decode(piece.split('"')[0])
    for trace_id in ids:
        status, _, body = server.request("GET", "/ui/api/trace/" + xray_id(trace_id))
        assert status == 200, (trace_id, body)
        text += body + json.dumps(server.get_trace(xray_id(trace_id))).encode()
        text += server.request("GET", "/api/traces/" + trace_id)[2]
    text += server.send("/ui/api/search", json.dumps({"from": NOW_NS - 60 * 10**9, "to": NOW_NS + 600 * 10**9, "limit": 1000}).encode(), {"Content-Type": "application/json"})[2]
    text += server.send("/ui/api/graph", json.dumps({"from": NOW_NS - 60 * 10**9, "to": NOW_NS + 600 * 10**9}).encode(), {"Content-Type": "application/json"})[2]
    text += server.request("GET", "/metrics")[2] + server.request("GET", "/api/services/shop/operations")[2]
    return {word for word in words() if word.encode() in text or json.dumps(word)[1:-1].encode() in text}


def stored(server, spans):
    return server.counter("fluoro_ingest_spans_total") >= spans


@pytest.mark.parametrize("mode", ["full", "redacted", "hash", "none"])
def test_no_stored_byte_holds_a_secret(tmp_path, mode):
    log = b""
    with AbuseServer("--content", mode, "--log-level", "debug", folder=tmp_path) as server:
        ids = send_everything(server)
        wait_for(lambda: stored(server, len(ids)), what="datagrams are stored")
        fired = {name for name in (*SECRETS, "secret", "bearer") if server.counter("fluoro_redactions_total", rule=name) > 0}
        heard = send_refused(server)
        in_log_frames = held(tmp_path / "data")
        told = answered(server, ids)
        server.kill()  # what is in the log as it was written
        after_kill = held(tmp_path / "data")
        log += server.log_path.read_bytes()
    with AbuseServer("--content", mode, folder=tmp_path) as server:
        told_again = answered(server, ids)
        ids += send_everything(server)
        server.stop()  # seals
    after_seal = held(tmp_path / "data")
    with AbuseServer("--content", mode, folder=tmp_path) as server:
        told_last = answered(server, ids)
        log += server.log_path.read_bytes()
    if mode == "full":
        missing = set(words()) - set(in_log_frames)
        assert not missing, f"the search of files does not find what is there: {missing}"
        assert set(after_kill) == set(words())
        assert told == told_again == told_last == set(words())
        assert b"canary" in heard  # a refusal quotes what was wrong
        return
    assert not in_log_frames and not after_kill and not after_seal, (in_log_frames, after_kill, after_seal)
    assert not told and not told_again and not told_last, (told, told_again, told_last)
    assert not [word for word in words() if word.encode() in heard], heard
    assert not [word for word in words() if word.encode() in log], log
    assert {"email", "phone", "card", "iban", "jwt", "aws-key", "api-key", "private-key", "bearer", "url-password", "secret"} <= fired, fired


def test_rules_are_hot_audited_and_tried_before(tmp_path):
    with AbuseServer("--content", "redacted", folder=tmp_path) as server:
        tried = server.cli("redact", "test", "mail canary.bird@nest.example.com, ticket ACME-1234").stdout
        assert "<email:" in tried and "ACME-1234" in tried and "hash by email: 1" in tried
        server.cli("redact", "put", "ticket", "--pattern", "ACME-[0-9]+", "--action", "mask")
        server.cli("redact", "put", "cookies", "--key", "http.request.header.*", "--action", "drop")
        server.cli("redact", "put", "addresses", "--detector", "ipv4")
        trace_id = hex_trace_id()
        span = otlp_json_span(trace_id, name="ACME-77", attributes=[
            {"key": "http.request.header.x", "value": {"stringValue": "y"}}, {"key": "a", "value": {"stringValue": "from 203.0.113.7"}}])
        assert server.send("/v1/traces", json.dumps(otlp_json(span)).encode(), {"Content-Type": "application/json"})[0] == 200
        got = json.loads(server.request("GET", "/ui/api/trace/" + xray_id(trace_id))[2])["spans"][0]
        assert got["attributes"]["a"].startswith("from <ipv4:") and "http.request.header.x" not in got["attributes"]
        assert server.counter("fluoro_redactions_total", rule="cookies", action="drop") == 1
        listed = json.loads(server.cli("redact", "list", "--json").stdout)
        assert listed["mode"] == "redacted" and {rule["name"] for rule in listed["rules"]} == {"ticket", "cookies", "addresses"}
        (tmp_path / "rules.json").write_text(json.dumps(listed))
        assert "3 rules" in server.cli("redact", "check", str(tmp_path / "rules.json")).stdout
        (tmp_path / "bad.json").write_text('[{"name":"x","pattern":"("}]')
        assert server.cli("redact", "check", str(tmp_path / "bad.json"), check=False).returncode == 1
        assert server.cli("redact", "put", "x", "--pattern", "a*", check=False).returncode != 0
        server.cli("redact", "delete", "ticket")
        assert b"ticket" in server.request("GET", "/ui/api/audit?kind=redaction-rule")[2]
    # An import into the folder while no server runs goes the same way.
    document = tmp_path / "one.json"
    trace_id = hex_trace_id()
    document.write_text(segment(trace_id, "00f067aa0ba902a9"))
    server.cli("import", str(document), "--data", str(tmp_path / "data"))
    assert not held(tmp_path / "data")
    assert (tmp_path / "data" / "redaction").stat().st_mode & 0o77 == 0


def test_the_default_is_full_for_the_developer_and_redacted_for_all_others():
    def content(*flags):
        with AbuseServer() as server:
            printed = json.loads(server.cli("serve", "--print-config", "--json", *flags).stdout)
            return printed["content"]["value"]
    assert content() == "full"
    assert content("--keys", "on") == "redacted"
    assert content("--http", "0.0.0.0:0", "--insecure") == "redacted"
    assert content("--keys", "on", "--content", "full") == "full"


def test_prompts_are_stored_once_and_read_only_when_asked_for(tmp_path):
    """600 calls with one system prompt of 20 KB inside their messages, each with its own question; sealed, a search by another attribute
    reads none of it."""
    system = " ".join(base64.b32encode(os.urandom(5)).decode() for _ in range(2200))
    ids = []
    with AbuseServer("--content", "full", folder=tmp_path) as server:
        for _ in range(12):
            spans = []
            for _ in range(50):
                ids.append(hex_trace_id())
                messages = json.dumps([{"role": "system", "content": system}, {"role": "user", "content": os.urandom(50).hex()}])
                attributes = {"gen_ai.input.messages": messages, "gen_ai.request.model": "m-" + str(len(ids) % 7), "gen_ai.operation.name": "chat"}
                spans.append(otlp_span(bytes.fromhex(ids[-1]), os.urandom(8), more=b"".join(
                    field(9, key_value(k.encode(), field(1, v.encode()))) for k, v in attributes.items())))
            assert server.send("/v1/traces", otlp_request(spans), {"Content-Type": "application/x-protobuf"})[0] == 200
        log_bytes = server.metric("fluoro_store_wal_bytes_total")
    sealed = sum(path.stat().st_size for path in (tmp_path / "data").rglob("*.flb"))
    content = len(ids) * len(system)
    assert log_bytes < content / 3 and sealed < content / 20, (log_bytes, sealed, content)
    with AbuseServer("--content", "full", folder=tmp_path) as server:
        body = {"expression": 'annotation.model = "m-3"', "from": NOW_NS - 60 * 10**9, "to": NOW_NS + 600 * 10**9, "limit": 1000, "explain": True, "brief": False}
        lines = server.send("/ui/api/search", json.dumps({**body, "expression": 'annotation.model = "m-none"'}).encode(), {"Content-Type": "application/json"})[2]
        explain = json.loads(lines.splitlines()[-1])["explain"]
        assert explain["matched"] == 0 and explain["column_bytes"] + explain["index_bytes"] < content / 100, explain
        lines = server.send("/ui/api/search", json.dumps({**body, "limit": 1}).encode(), {"Content-Type": "application/json"})[2]
        assert json.loads(lines.splitlines()[-1])["explain"]["matched"] == 1
        assert system[:100] in json.dumps(server.get_trace(xray_id(ids[-1])))
