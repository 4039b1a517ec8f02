"""OpenTelemetry SDKs for Python and Node.js over gRPC and HTTP, protobuf and JSON; Zipkin; what they send comes back as sent."""
import gzip
import json
import time

import pytest

from harness import run_node, wait_for

OTLP_PATH = "/v1/traces"


def need(*modules):
    """Skips, by name, what scripts/clients.sh could not install here."""
    for module in modules:
        pytest.importorskip(module, reason=f"{module} could not be installed here (scripts/clients.sh)")


def xray_id(hex_id):
    return f"1-{hex_id[:8]}-{hex_id[8:]}"


def trace_of(server, hex_id, spans):
    def get():
        done = server.cli("trace", "--json", hex_id, check=False)
        if done.returncode != 0:
            return None
        trace = json.loads(done.stdout)
        return trace if len([s for s in trace["spans"] if not s["inferred"]]) >= spans else None
    return wait_for(get, what=f"trace {hex_id}")


def exporters(server):
    need("opentelemetry.exporter.otlp.proto.grpc.trace_exporter", "opentelemetry.exporter.otlp.proto.http.trace_exporter")
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http
    import grpc
    return {
        "grpc": lambda: Grpc(endpoint=server.ports["otlp_grpc"], insecure=True),
        "grpc-gzip": lambda: Grpc(endpoint=server.ports["otlp_grpc"], insecure=True, compression=grpc.Compression.Gzip),
        "http": lambda: Http(endpoint=f"http://{server.ports['otlp_http']}{OTLP_PATH}"),
        "http-gzip": lambda: Http(endpoint=f"http://{server.ports['otlp_http']}{OTLP_PATH}", compression=Compression.Gzip),
        "http-deflate": lambda: Http(endpoint=f"http://{server.ports['otlp_http']}{OTLP_PATH}", compression=Compression.Deflate),
        "main-port": lambda: Http(endpoint=server.url + OTLP_PATH),
    }


def record(exporter):
    """A request with everything a span can hold; returns its trace id."""
    need("opentelemetry.sdk.trace")
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
    provider = TracerProvider(resource=Resource.create({"service.name": "py-otel", "service.version": "1.2"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("shop", "3.1", attributes={"scope.attribute": "s"})
    link = Link(SpanContext(0x0af7651916cd43dd8448eb211c80319c, 0x00f067aa0ba902b7, True, TraceFlags(1)), {"why": "queue"})
    with tracer.start_as_current_span("GET /cart", kind=SpanKind.SERVER, links=[link], attributes={
            "http.request.method": "GET", "url.full": "http://py-otel/cart", "http.response.status_code": 503, "tenant": "acme",
            "list": ["a", "b"], "ratio": 0.25, "flag": True, "big": 2**53 + 1}) as span:
        with tracer.start_as_current_span("SELECT carts", kind=SpanKind.CLIENT, attributes={"db.system.name": "postgresql", "db.query.text": "SELECT 1",
                                                                                        "server.address": "db.internal"}):
            time.sleep(0.002)
        try:
            raise TimeoutError("upstream took too long")
        except TimeoutError as error:
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, "timed out"))
        trace_id = f"{span.get_span_context().trace_id:032x}"
    provider.shutdown()
    return trace_id


@pytest.mark.parametrize("name", ["grpc", "grpc-gzip", "http", "http-gzip", "http-deflate", "main-port"])
def test_python_sdk(server, name):
    trace_id = record(exporters(server)[name]())
    trace = trace_of(server, trace_id, 2)
    root = next(s for s in trace["spans"] if s["parent"] is None)
    assert root["service"] == "py-otel" and root["outcome"] == "fault" and root["kind"] == "server"
    assert root["attributes"]["list"] == ["a", "b"] and root["attributes"]["big"] == 2**53 + 1 and root["attributes"]["ratio"] == 0.25
    assert root["errors"][0]["type"].endswith("TimeoutError") and root["errors"][0]["message"] == "upstream took too long"
    # As OTLP again: scope, resource, links, events and status are all there.
    line = server.cli("export", "--format", "otlp-json").stdout.splitlines()[0]
    resource_spans = json.loads(line)["resourceSpans"]
    scope = resource_spans[0]["scopeSpans"][0]["scope"]
    assert scope["name"] == "shop" and scope["version"] == "3.1" and scope["attributes"][0]["key"] == "scope.attribute"
    server_span = next(s for r in resource_spans for sc in r["scopeSpans"] for s in sc["spans"] if s["name"] == "GET /cart")
    assert server_span["links"][0]["traceId"] == "0af7651916cd43dd8448eb211c80319c" and server_span["links"][0]["attributes"][0]["key"] == "why"
    assert server_span["events"][0]["name"] == "exception" and server_span["status"] == {"message": "timed out", "code": 2}
    # As X-Ray: a segment with a subsegment, and an inferred database.
    summary = server.boto3().get_trace_summaries(StartTime=time.time() - 60, EndTime=time.time() + 60)["TraceSummaries"][0]
    assert summary["Id"] == xray_id(trace_id) and summary["HasFault"] is True and summary["Http"]["HttpStatus"] == 503
    documents = [json.loads(s["Document"]) for s in server.boto3().batch_get_traces(TraceIds=[xray_id(trace_id)])["Traces"][0]["Segments"]]
    segment = next(d for d in documents if d["name"] == "py-otel")
    assert segment["fault"] is True and segment["http"]["response"]["status"] == 503
    assert any(d.get("inferred") and d["origin"] == "Database::SQL" for d in documents)


@pytest.mark.parametrize("protocol", ["grpc", "http-json", "http-proto"])
def test_node_sdk(server, protocol):
    sent = run_node("otel_sdk.js", server, protocol)
    trace = trace_of(server, sent["trace_id"], 2)
    root = next(s for s in trace["spans"] if s["parent"] is None)
    assert root["service"] == "node-otel" and root["name"] in ("node-otel", "GET /cart")
    assert root["attributes"]["tenant"] == "globex" and root["attributes"]["items"] == 3
    child = next(s for s in trace["spans"] if s["name"] == "llm" or s["attributes"].get("gen_ai.request.model"))
    assert child["step_kind"] == "llm" and trace["usage"]["prompt_tokens"] == 120 and trace["usage"]["completion_tokens"] == 30


def test_zipkin_from_node_and_python(server):
    sent = run_node("otel_sdk.js", server, "zipkin")
    trace = trace_of(server, sent["trace_id"], 2)
    assert {s["service"] for s in trace["spans"] if not s["inferred"]} == {"node-otel"}
    need("opentelemetry.exporter.zipkin.json")
    from opentelemetry.exporter.zipkin.json import ZipkinExporter
    trace = trace_of(server, record(ZipkinExporter(endpoint=server.url + "/api/v2/spans")), 2)
    assert any(s["service"] == "py-otel" for s in trace["spans"])


def minimal(span_id="53995c3f42cd8ad8", trace_id="4efaaf4d1e8720b39541901950019ee5"):
    now = time.time_ns()
    return {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "curl"}}]}, "scopeSpans": [{"spans": [
        {"traceId": trace_id, "spanId": span_id, "name": "x", "kind": 2, "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 1000)}]}]}]}


def post(server, body, content_type, encoding=None, path=OTLP_PATH):
    headers = {"Content-Type": content_type, **({"Content-Encoding": encoding} if encoding else {})}
    return server.request("POST", path, body, headers)


def test_http_answers_are_those_of_the_protocol(server):
    body = json.dumps(minimal()).encode()
    assert post(server, body, "application/json; charset=utf-8")[::2] == (200, b"{}")
    assert post(server, gzip.compress(body), "application/json", "gzip")[0] == 200
    assert post(server, b"", "application/x-protobuf")[::2] == (200, b"")
    partial = minimal()
    partial["resourceSpans"][0]["scopeSpans"][0]["spans"].append({"traceId": "0" * 32, "spanId": "53995c3f42cd8ad9", "name": "bad"})
    status, _, raw = post(server, json.dumps(partial).encode(), "application/json")
    assert status == 200 and json.loads(raw)["partialSuccess"]["rejectedSpans"] == "1" and json.loads(raw)["partialSuccess"]["errorMessage"]
    for body, content_type, encoding, wanted in [(b"{", "application/json", None, 400), (b"\x0a\xff", "application/x-protobuf", None, 400),
                                                 (b"x", "text/plain", None, 415), (b"x", "application/json", "br", 415), (b"x", "application/json", "gzip", 400)]:
        status, headers, raw = post(server, body, content_type, encoding)
        assert status == wanted, (body, content_type, encoding, raw)
        if content_type == "application/json" and wanted == 400:
            assert json.loads(raw)["message"]


def test_aws_id_generator_and_propagators_of_the_python_sdk_agree_with_ours(server):
    need("opentelemetry.sdk.extension.aws.trace", "opentelemetry.propagators.aws", "opentelemetry.propagators.b3")
    from opentelemetry.sdk.extension.aws.trace import AwsXRayIdGenerator
    from opentelemetry.propagators.aws import AwsXRayPropagator
    from opentelemetry.propagators.b3 import B3SingleFormat
    from opentelemetry.trace import set_span_in_context, NonRecordingSpan, SpanContext, TraceFlags
    generator = AwsXRayIdGenerator()
    context = SpanContext(generator.generate_trace_id(), generator.generate_span_id(), True, TraceFlags(1))
    carrier = {}
    AwsXRayPropagator().inject(carrier, set_span_in_context(NonRecordingSpan(context)))
    B3SingleFormat().inject(carrier, set_span_in_context(NonRecordingSpan(context)))
    for header in (carrier["X-Amzn-Trace-Id"], "b3: " + carrier["b3"], f"traceparent: 00-{context.trace_id:032x}-{context.span_id:016x}-01"):
        meaning = json.loads(server.cli("header", "parse", "--json", header).stdout)
        assert meaning["trace_id_hex"] == f"{context.trace_id:032x}" and meaning["parent"] == f"{context.span_id:016x}" and meaning["sampled"] == "yes"


@pytest.mark.parametrize("prefix", ["T1S", "T1U"])
def test_otlp_inside_a_daemon_datagram_and_inside_put_trace_segments(server, prefix):
    import base64
    import os
    import socket
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from google.protobuf.json_format import ParseDict
    ids = [os.urandom(16).hex() for _ in range(2)]

    def document(trace_id):
        request = minimal(trace_id=trace_id)
        for resource in request["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    for key in ("traceId", "spanId"):  # protobuf's own JSON wants base64 where OTLP wants hex
                        span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
        return prefix + base64.b64encode(ParseDict(request, ExportTraceServiceRequest()).SerializeToString()).decode()

    host, port = server.ports["udp"].rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b'{"format":"json","version":1}\n' + document(ids[0]).encode(), (host, int(port)))
    answer = server.boto3().put_trace_segments(TraceSegmentDocuments=[document(ids[1])])
    assert answer["UnprocessedTraceSegments"] == []
    for trace_id in ids:
        assert trace_of(server, trace_id, 1)["spans"][0]["service"] == "curl"


def test_curl_sends_and_reads(server):
    import subprocess
    curl = lambda *words, body=None: subprocess.run(["curl", "-sS", "-f", *words], input=body, capture_output=True, check=True, timeout=60).stdout
    body = gzip.compress(json.dumps(minimal()).encode())
    url = f"http://{server.ports['otlp_http']}{OTLP_PATH}"
    assert curl("-H", "Content-Type: application/json", "-H", "Content-Encoding: gzip", "--data-binary", "@-", url, body=body) == b"{}"
    # Large enough that curl asks first (Expect: 100-continue).
    large = minimal()
    large["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"] = [{"key": "text", "value": {"stringValue": "x" * 3_000_000}}]
    assert curl("-H", "Content-Type: application/json", "-H", "Expect: 100-continue", "--data-binary", "@-", url, body=json.dumps(large).encode()) == b"{}"
    answer = json.loads(curl("-X", "POST", server.url + "/Traces", "-d", '{"TraceIds":["1-4efaaf4d-1e8720b39541901950019ee5"]}'))
    assert len(answer["Traces"]) == 1
