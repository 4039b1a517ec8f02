"""`fluoro demo` shows what real traffic of its services looks like."""
import json
import subprocess

from harness import BINARY

FREE = ["--http", "127.0.0.1:0", "--udp", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0"]


def run(*words):
    return subprocess.run([str(BINARY), *words], capture_output=True, text=True, timeout=300, check=True).stdout


def test_demo_shows_graph_slow_and_failing_traces():
    told = json.loads(run("demo", "--once", "--json", "--requests", "40", *FREE))
    services = {s["name"]: s for s in told["graph"]["services"]}
    assert {"gateway", "assistant", "retriever", "reranker", "llm", "tools"} <= services.keys()
    assert services["gateway"]["total"] == 40
    assert services["gateway"]["fault"] == 2 and services["gateway"]["error"] == 2  # of 20 questions one fails and one is empty
    assert services["llm"]["throttle"] == 2 and services["llm"]["fault"] == 2  # answered 429; hung until its caller left
    assert {(e["from"], e["to"]) for e in told["graph"]["edges"]} >= {("gateway", "assistant"), ("assistant", "llm"), ("retriever", "llm"), ("assistant", "tools"), ("tools", "tool-data")}
    assert len(told["failing"]) == 2 and len(told["slowest"]) == 3


def test_demo_prints_waterfalls_and_what_to_try_next():
    text = run("demo", "--once", "--requests", "20", *FREE)
    assert "Service graph" in text and "Slowest traces" in text and "WeatherServiceError" in text
    assert "aws xray get-trace-summaries" in text and "critical path" in text
