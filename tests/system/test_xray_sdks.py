"""The X-Ray SDKs for Python and Node.js send to UDP and sample over TCP of the same port, by their documented environment alone."""
import json
import os
import subprocess
import sys
import textwrap
import time

import pytest

from harness import AWS_ENVIRONMENT, run_node, wait_for

PYTHON_PROGRAM = textwrap.dedent("""
    import json, time
    from aws_xray_sdk.core import xray_recorder
    from aws_xray_sdk.core.sampling.sampler import DefaultSampler
    xray_recorder.configure(service="py-web", sampling=False, plugins=(), streaming_threshold=5)
    segment = xray_recorder.begin_segment("py-web")
    segment.set_user("bob")
    segment.put_annotation("tenant", "acme")
    segment.put_metadata("basket", {"items": [1, 2]}, "shop")
    segment.put_http_meta("url", "http://py-web/checkout"); segment.put_http_meta("method", "POST"); segment.put_http_meta("status", 500)
    for i in range(12):  # more than the streaming threshold: most go out before the segment
        with xray_recorder.in_subsegment(f"step-{i}"):
            time.sleep(0.001)
    try:
        with xray_recorder.in_subsegment("orders.internal", namespace="remote"):
            raise ValueError("no such order")
    except ValueError:
        pass
    trace_id = segment.trace_id
    xray_recorder.end_segment()
    print(json.dumps({"trace_id": trace_id, "segment": segment.id}))
""")


def daemon_environment(server):
    return {**os.environ, **AWS_ENVIRONMENT, "AWS_XRAY_DAEMON_ADDRESS": f"tcp:{server.ports['http']} udp:{server.ports['udp']}",
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR"}


def run_python(program, server):
    pytest.importorskip("aws_xray_sdk", reason="the X-Ray SDK for Python could not be installed here (scripts/clients.sh)")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False, env=daemon_environment(server))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def segments_of(server, trace_id, wanted):
    def get():
        traces = server.boto3().batch_get_traces(TraceIds=[trace_id])["Traces"]
        if not traces:
            return None
        documents = [json.loads(s["Document"]) for s in traces[0]["Segments"]]
        return documents if wanted(documents) else None
    return wait_for(get, what=f"trace {trace_id}")


def subsegments(document):
    for child in document.get("subsegments", []):
        yield child
        yield from subsegments(child)


def test_python_sdk_with_streamed_subsegments_and_an_exception(server):
    sent = run_python(PYTHON_PROGRAM, server)
    documents = segments_of(server, sent["trace_id"], lambda ds: any(d["id"] == sent["segment"] and len(list(subsegments(d))) == 13 for d in ds))
    segment = next(d for d in documents if d["id"] == sent["segment"])
    assert segment["name"] == "py-web" and segment["user"] == "bob" and segment["annotations"]["tenant"] == "acme"
    assert segment["metadata"]["shop"] == {"basket": {"items": [1, 2]}}
    assert segment["aws"]["xray"]["sdk"] == "X-Ray for Python"
    names = {s["name"] for s in subsegments(segment)}
    assert names == {f"step-{i}" for i in range(12)} | {"orders.internal"}
    failed = next(s for s in subsegments(segment) if s["name"] == "orders.internal")
    assert failed["fault"] is True and failed["cause"]["exceptions"][0]["message"] == "no such order"
    inferred = [d for d in documents if d.get("inferred")]
    assert [d["name"] for d in inferred] == ["orders.internal"]
    summaries = server.boto3().get_trace_summaries(StartTime=time.time() - 60, EndTime=time.time() + 60, FilterExpression='annotation.tenant = "acme"')
    assert [s["Id"] for s in summaries["TraceSummaries"]] == [sent["trace_id"]]
    assert summaries["TraceSummaries"][0]["Http"]["HttpStatus"] == 500


def test_python_sdk_samples_by_the_rules_of_the_server(server):
    program = textwrap.dedent("""
        import json, time
        from aws_xray_sdk.core import xray_recorder
        from aws_xray_sdk.core.sampling.sampler import DefaultSampler
        sampler = DefaultSampler()
        xray_recorder.configure(service="py-sampled", sampler=sampler, plugins=())
        sampler.should_trace({"service": "py-sampled"})  # starts the poller
        for _ in range(200):
            if sampler._cache.rules: break
            time.sleep(0.05)
        decisions = [bool(sampler.should_trace({"service": "py-sampled", "host": "h", "method": "GET", "path": "/"})) for _ in range(400)]
        sampler._rule_poller._refresh_cache() if hasattr(sampler, "_rule_poller") else None
        sampler._target_poller._do_work()
        rule = sampler._cache.rules[0]
        print(json.dumps({"rule": rule.name, "sampled": sum(decisions), "quota": rule.reservoir.quota}))
    """)
    told = run_python(program, server)
    assert told["rule"] == "Default"
    # 5 % of 400 are 20; far outside means that the rate was not the server's.
    assert 2 <= told["sampled"] <= 60
    assert told["quota"] == 1


def test_node_sdk(server):
    sent = run_node("xray_sdk.js", server, extra_env={"AWS_XRAY_DAEMON_ADDRESS": f"tcp:{server.ports['http']} udp:{server.ports['udp']}"})
    documents = segments_of(server, sent["trace_id"], lambda ds: any(d["id"] == sent["segment"] for d in ds))
    segment = next(d for d in documents if d["id"] == sent["segment"])
    assert segment["name"] == "node-web" and segment["annotations"] == {"tenant": "globex", "retry_count": 2}
    assert segment["aws"]["xray"]["sdk"] == "X-Ray for Node.js"
    names = {s["name"] for s in subsegments(segment)}
    assert names == {"work", "orders.internal"}
    failed = next(s for s in subsegments(segment) if s["name"] == "orders.internal")
    assert failed["fault"] is True and "connection refused" in json.dumps(failed["cause"])
    # The reference in the parent's cause resolves to the child's exception.
    summary = server.boto3().get_trace_summaries(StartTime=time.time() - 60, EndTime=time.time() + 60,
                                                 FilterExpression='service("node-web") { fault }')["TraceSummaries"]
    assert [s["Id"] for s in summary] == [sent["trace_id"]]


def test_node_sdk_samples_by_the_rules_of_the_server(server):
    told = run_node("xray_sampling.js", server, extra_env={"AWS_XRAY_DAEMON_ADDRESS": f"tcp:{server.ports['http']} udp:{server.ports['udp']}"})
    assert told["rules"] == ["Default"]
    assert 2 <= told["sampled"] <= 60


@pytest.mark.parametrize("body, reason", [(b"", None), (b"x", "header"), (b'{"format":"json","version":2}\n{}', "header"),
                                          (b'{"format":"json","version":1}', "header"), (b'{"format":"json","version":1}\n{"a":', "document"),
                                          (b'{"format":"json","version":1}\n' + b"\xff" * 60000, "document"), (b"\0" * 65507, "header")])
def test_malformed_datagrams_are_counted_and_never_answered(server, body, reason):
    import socket
    host, port = server.ports["udp"].rsplit(":", 1)
    before = server.metric("fluoro_ingest_rejected_total")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(0.3)
        sender.sendto(body, (host, int(port)))
        with pytest.raises((TimeoutError, socket.timeout)):
            sender.recv(100)
    if reason:
        wait_for(lambda: server.metric("fluoro_ingest_rejected_total") > before, what="counter of refusals")
    assert server.request("GET", "/healthz")[0] == 200
