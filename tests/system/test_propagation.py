"""Where trace context is lost: real services with OpenTelemetry's SDK, of which some do not understand each other."""
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

for module in ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.propagators.b3"):
    pytest.importorskip(module, reason=f"{module} could not be installed here (scripts/clients.sh)")

from harness import SHARED_DATA, wait_for  # noqa: E402

REQUESTS = 24


@contextlib.contextmanager
def service(server, name, following, propagators="tracecontext,baggage"):
    """A process of its own; yields its address."""
    script = pathlib.Path(__file__).parent / "propagation_service.py"
    env = {**os.environ, "OTEL_PROPAGATORS": propagators, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://{server.ports['otlp_http']}/v1/traces"}
    with subprocess.Popen([sys.executable, str(script), name, "0", json.dumps(following)], stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            ready = process.stdout.readline().split()
            assert ready[:1] == ["ready"], name
            yield f"http://127.0.0.1:{ready[1]}"
        finally:
            process.terminate()


@contextlib.contextmanager
def stripping_proxy(to, every):
    """Hands requests on; of every `every`-th it drops what it does not know. Yields its address."""
    count = iter(range(10**9))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            headers = {} if next(count) % every == 0 else {key: self.headers[key] for key in ("traceparent", "tracestate") if key in self.headers}
            with urllib.request.urlopen(urllib.request.Request(to + self.path, headers=headers), timeout=30) as answer:
                body = answer.read()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()


def ask(url, times=REQUESTS):
    for _ in range(times):
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert answer.status == 200


def edges(server, *arguments):
    """Of calls, by caller and callee; the server has all spans when the services have answered."""
    report = json.loads(server.cli("propagation", "--settle", "0s", "--json", *arguments).stdout)
    assert report["complete"] and report["left_out"] == 0
    return {(e["caller"], e["callee"]): e for e in report["edges"] if e["kind"] == "call"}


def test_a_service_that_reads_b3_only_is_found_and_the_fix_that_is_named_mends_it(server):
    with service(server, "stock", {}) as stock, service(server, "billing", {}, "b3multi") as billing, \
            service(server, "front", {"/buy": [stock + "/stock", billing + "/bill"]}) as front:
        ask(front + "/buy")
        found = wait_for(lambda: (lambda e: e if e.get(("front", "billing"), {}).get("causes") else None)(edges(server)), what="the broken edge")
        lost = found["front", "billing"]
        assert lost["survived"] == 0 and lost["share"] == 0 and lost["share_high"] < 0.2 and lost["calls"] >= REQUESTS - 1
        cause = lost["causes"][0]
        assert cause["cause"] == "different_propagator" and cause["confidence"] == "high", cause
        assert "OTEL_PROPAGATORS=" in cause["fix"] and "on billing" in cause["fix"]
        example = cause["examples"][0]
        assert example["suggested_link"] and example["caller_trace"] != example["callee_trace"]
        caller = json.loads(server.cli("trace", "--json", example["caller_trace"]).stdout)
        callee = json.loads(server.cli("trace", "--json", example["callee_trace"]).stdout)
        assert example["caller_span"] in {s["id"] for s in caller["spans"] if s["kind"] == "client"}
        assert example["callee_span"] in {s["id"] for s in callee["spans"] if s["service"] == "billing"}
        # Shown, never joined.
        assert {s["service"] for s in callee["spans"]} == {"billing"}
        whole = found["front", "stock"]
        assert whole["share"] == 1 and whole["causes"] == []
        text = server.cli("propagation", "--settle", "0s").stdout
        assert "front → billing" in text and "different_propagator" in text and "Fix: " in text and "1 of 2 edges have a fault" in text

    mended = time.time()
    with service(server, "stock", {}) as stock, service(server, "billing", {}, "tracecontext,baggage,b3,b3multi,xray") as billing, \
            service(server, "front", {"/buy": [stock + "/stock", billing + "/bill"]}) as front:
        ask(front + "/buy")
        since = ("--from", f"{mended:.3f}")
        found = wait_for(lambda: (lambda e: e if len(e) == 2 else None)(edges(server, *since)), what="both edges")
        assert all(edge["causes"] == [] and edge["share"] == 1 for edge in found.values()), found
        assert "context is kept on all 2 edges" in server.cli("propagation", "--settle", "0s", *since).stdout


def test_a_proxy_that_strips_the_header_of_every_third_call(server):
    with service(server, "stock", {}) as stock, stripping_proxy(stock, 3) as proxy, service(server, "front", {"/buy": [proxy + "/stock"]}) as front:
        ask(front + "/buy", 3 * REQUESTS)
        edge = wait_for(lambda: (lambda e: e if e and e["causes"] else None)(edges(server).get(("front", "stock"))), what="the broken edge")
    assert edge["causes"][0]["cause"] == "header_stripped", edge
    assert edge["share_low"] <= 2 / 3 <= edge["share_high"] and abs(edge["share"] - 2 / 3) < 0.05, edge
    assert proxy.removeprefix("http://") in edge["causes"][0]["fix"]


def test_traces_that_may_still_grow_are_not_judged(server):
    with service(server, "stock", {}) as stock, service(server, "front", {"/buy": [stock + "/stock"]}) as front:
        ask(front + "/buy")
    report = json.loads(server.cli("propagation", "--json").stdout)
    assert report["edges"] == [] and report["unsettled_traces"] == report["traces"] == REQUESTS


def test_wrong_questions_are_refused(server):
    for body in ({"settle": -1}, {"settle": "1s"}, {"expression": "service("}):
        status, answer = server.post_json("/ui/api/propagation", body)
        assert status == 400 and answer["error"]["message"], body
    assert server.cli("propagation", "--settle", "soon", check=False).returncode == 2
    assert server.post_json("/ui/api/propagation", {})[1]["edges"] == []


def test_real_systems_raise_no_alarm(server):
    """Minutes of two microservice systems, in which every call keeps its context."""
    folder = SHARED_DATA / "workloads"
    if not folder.exists():
        pytest.skip(f"{folder} is absent")
    server.cli("import", *(str(f) for f in sorted(folder.glob("*.csv.gz"))))
    report = json.loads(server.cli("propagation", "--json").stdout)
    assert report["traces"] >= 870 and len(report["edges"]) > 20
    broken = [(e["caller"], e["callee"], [c["cause"] for c in e["causes"]]) for e in report["edges"] if e["causes"]]
    assert broken == []
