"""Reliability tests 19, 21 and 22 at a size that `make soak` raises to the full one: names, keys and spans by the million, a trace that drips for a day."""
import json

import pytest

from abuse import (NOW, NOW_NS, AbuseServer, field, hex_trace_id, key_value, otlp_request, otlp_span, sized, xray_id)
from test_abuse import MEMORY_MAX, PROTOBUF
from test_abuse_data import span_id


@pytest.fixture
def server():
    with AbuseServer("--accept-age", "any") as running:
        yield running
        assert running.peak() < MEMORY_MAX
        running.alive()


def summary_of(server, trace_id):
    lines = map(json.loads, server.cli("search", "--json", "--limit", "1000", "--last", "2d").stdout.splitlines())
    [summary] = [line for line in lines if line.get("trace_id") == xray_id(trace_id)]
    return summary


def test_service_names_and_keys_without_number_stay_in_bound(server):
    requests = sized(10, 100)
    for part in range(requests):
        resources = []
        for i in range(10_000):
            resource = field(1, key_value(b"service.name", field(1, b"service-%d-%d" % (part, i))))
            span = otlp_span(bytes.fromhex(hex_trace_id()), b"12345678", name=b"op-%d-%d" % (part, i),
                             more=field(9, key_value(b"distinct.%d.%d" % (part, i), field(1, b"v"))))
            resources.append(field(1, field(1, resource) + field(2, field(2, span))))
        status, _, answer = server.send("/v1/traces", b"".join(resources), PROTOBUF, "otlp_http")
        assert status in (200, 503), answer
        while status == 503:  # the head is being sealed: sent again, as the answer asks
            status, _, answer = server.send("/v1/traces", b"".join(resources), PROTOBUF, "otlp_http")
    assert server.counter("fluoro_ingest_spans_total") == requests * 10_000
    status, _, body = server.request("GET", "/api/services")
    assert status == 200 and 1_000 <= len(json.loads(body)["data"]) <= requests * 10_000
    status, answer = server.post_json("/ServiceGraph", {"StartTime": NOW - 3600, "EndTime": NOW + 60})
    assert status == 200 and answer["Services"]
    _, _, metrics = server.request("GET", "/metrics")
    assert len(metrics) < 200_000 and b"service-" not in metrics and b"distinct." not in metrics


def test_a_circle_of_parents_of_any_size_ends(server):
    count = sized(200_000, 1_000_000)
    trace_id = hex_trace_id()
    raw = bytes.fromhex(trace_id)
    for begin in range(0, count, 50_000):
        spans = [otlp_span(raw, span_id(i), parent=span_id((i + 1) % count), start=NOW_NS + i, end=NOW_NS + i + 10) for i in range(begin, begin + 50_000)]
        status, _, answer = server.send("/v1/traces", otlp_request(spans, field(1, key_value(b"service.name", field(1, b"circle")))), PROTOBUF, "otlp_http")
        assert status == 200 and not answer
    assert summary_of(server, trace_id)["spans"] == count
    for path, body in (("/Traces", {"TraceIds": [xray_id(trace_id)]}), ("/TraceGraph", {"TraceIds": [xray_id(trace_id)]}),
                       ("/ServiceGraph", {"StartTime": NOW - 60, "EndTime": NOW + 60}), ("/TraceSummaries", {"StartTime": NOW - 60, "EndTime": NOW + 60})):
        status, answer = server.post_json(path, body)
        assert status == 200, f"{path}: {answer}"
    assert server.request("GET", f"/api/traces/{trace_id}")[0] == 200
    trace = json.loads(server.cli("trace", "--json", trace_id).stdout)
    assert all(span["self_ns"] >= 0 for span in trace["spans"])
    assert all(a["end_ns"] <= b["start_ns"] for a, b in zip(trace["critical_path"], trace["critical_path"][1:]))


def test_a_trace_that_drips_for_a_day_takes_all_of_it(server):
    """A span a second, in time as it stands in the spans: 86,400 of 600 bytes, 50 MB. X-Ray stops such a trace at 14 kB."""
    trace_id = hex_trace_id()
    raw = bytes.fromhex(trace_id)
    text = field(9, key_value(b"log", field(1, b"x" * 600)))
    day_ns = 86_400 * 10**9
    for begin in range(0, 86_400, 400):
        spans = [otlp_span(raw, span_id(i), parent=span_id(0) if i else b"", start=NOW_NS - day_ns + i * 10**9, end=NOW_NS - day_ns + i * 10**9 + 1000, more=text)
                 for i in range(begin, begin + 400)]
        status, _, answer = server.send("/v1/traces", otlp_request(spans, field(1, key_value(b"service.name", field(1, b"drip")))), PROTOBUF, "otlp_http")
        assert status == 200 and not answer
    summary = summary_of(server, trace_id)
    assert summary["spans"] == 86_400 and not summary["partial"]
    status, page = server.post_json("/Traces", {"TraceIds": [xray_id(trace_id)]})
    assert status == 200 and page["Traces"][0]["Segments"] and not page["Traces"][0].get("LimitExceeded")
    assert server.metric("fluoro_store_dropped_spans_total") == 0
