"""The collection of real documents: loads whole with the counts of its README; X-Ray documents come back equal field by field."""
import json

import pytest

from documents import same_json
from harness import SHARED_DATA, Server

pytestmark = pytest.mark.skipif(not SHARED_DATA.exists(), reason="the collection of real documents is not beside this checkout")


def imported(server, path):
    return json.loads(server.cli("import", "--json", str(path)).stdout)


@pytest.mark.parametrize("pattern, traces, spans", [("workloads/nezha-onlineboutique-*.csv.gz", 738, 34205), ("workloads/nezha-trainticket-*.csv.gz", 143, 9946)])
def test_workloads(server, pattern, traces, spans):
    told = [imported(server, path) for path in sorted(SHARED_DATA.glob(pattern))]
    assert sum(t["traces"] for t in told) == traces and sum(t["spans"] for t in told) == spans
    assert sum(t["refused"] for t in told) == 0
    distinct = {json.loads(line)["trace_id"] for line in server.cli("search", "--json", "--limit", "10000").stdout.splitlines()[:-1]}
    assert 0 < traces - len(distinct) <= 11  # some run over a minute border
    graph = json.loads(server.cli("graph", "--json").stdout)
    assert len(graph["services"]) > 5 and graph["edges"]


@pytest.mark.parametrize("path, traces, spans", [
    ("otlp/otel-proto-trace.json", 1, 1), ("otlp/jaeger-memory-otel_traces_01.json", 2, 4), ("jaeger/ui-otlp2jaeger-in.json", 1, 2),
    ("jaeger/ui-otlp2jaeger-out.json", 1, 2), ("jaeger/ui-otlp2jaeger-multi-in.json", 1, 4), ("jaeger/ui-otlp2jaeger-multi-out.json", 1, 4),
    ("jaeger/ui-flamegraph-testTrace.json", 1, 4), ("jaeger/uimodel-ui_01.json", 1, 5), ("zipkin/yelp.json", 1, 16), ("zipkin/messaging.json", 1, 4),
    ("zipkin/skew.json", 1, 4), ("zipkin/ascend.json", 1, 8), ("zipkin/simple-db-p6.json", 1, 5), ("zipkin/contrib-zipkin_v1_single_batch.json", 1, 5),
    ("zipkin/contrib-zipkin_v2_single.json", 1, 1), ("zipkin/contrib-receiver-sample1.json", 1, 9)])
def test_files_of_other_systems(server, path, traces, spans):
    told = imported(server, SHARED_DATA / path)
    assert (told["traces"], told["spans"], told["refused"]) == (traces, spans, 0)
    found = server.cli("search", "--json", "--limit", "100").stdout.splitlines()[:-1]
    assert len(found) == traces
    for line in found:
        assert server.cli("trace", json.loads(line)["trace_id"]).stdout


def valid_documents():
    if not SHARED_DATA.exists():
        return
    for path in sorted((SHARED_DATA / "xray" / "segments").glob("*.json")):
        try:
            document = json.loads(path.read_text())
        except ValueError:
            continue
        if isinstance(document, dict) and "trace_id" in document:
            yield path


@pytest.mark.parametrize("path", list(valid_documents()), ids=lambda p: p.name)
def test_x_ray_documents_come_back_equal(path):
    sent = json.loads(path.read_text())
    with Server("--accept-age", "any") as server:
        client = server.boto3()
        answer = client.put_trace_segments(TraceSegmentDocuments=[path.read_text()])
        assert answer["UnprocessedTraceSegments"] == []
        trace = client.batch_get_traces(TraceIds=[sent["trace_id"]])["Traces"][0]
        got = {s["Id"]: json.loads(s["Document"]) for s in trace["Segments"]}[sent["id"]]
        assert same_json(got, sent)


def test_what_is_not_json_is_refused_with_its_place(server):
    refused = 0
    for path in sorted((SHARED_DATA / "xray" / "segments").glob("*.json")):
        text = path.read_text()
        try:
            json.loads(text)
            continue
        except ValueError:
            refused += 1
        unprocessed = server.boto3().put_trace_segments(TraceSegmentDocuments=[text])["UnprocessedTraceSegments"]
        assert len(unprocessed) == 1 and unprocessed[0]["ErrorCode"] == "ParseError" and "byte" in unprocessed[0]["Message"], path.name
    assert refused >= 5


def test_genai_traces_load(server):
    told = imported(server, SHARED_DATA / "genai" / "jaeger-ui-genaiTestTrace.json")
    assert told["spans"] > 0 and told["refused"] == 0
    line = server.cli("search", "--json").stdout.splitlines()[0]
    kinds = {s["step_kind"] for s in json.loads(server.cli("trace", "--json", json.loads(line)["trace_id"]).stdout)["spans"]}
    assert kinds & {"llm", "tool", "agent", "chain"}
