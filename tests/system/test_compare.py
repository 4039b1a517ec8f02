"""What differs between sets of traces, experiments, and differences of two traces, on the real binary."""
import json
import random

from harness import wait_for

MS = 1_000_000
START = 1_790_000_000_000_000_000


def attribute(key, value):
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return {"key": key, "value": {kinds[type(value)]: value}}


def span(trace, number, name, begin_ms, end_ms, parent=None, kind=1, attributes=None, failed=False):
    return {"traceId": f"{trace + 1:032x}", "spanId": f"{trace + 1:08x}{number:08x}", "name": name, "kind": kind,
            **({"parentSpanId": f"{trace + 1:08x}{parent:08x}"} if parent is not None else {}),
            "startTimeUnixNano": str(START + trace * 1000 * MS + int(begin_ms * MS)), "endTimeUnixNano": str(START + trace * 1000 * MS + int(end_ms * MS)),
            "attributes": [attribute(key, value) for key, value in (attributes or {}).items()],
            **({"status": {"code": 2}} if failed else {})}


def send(server, spans, service="shop"):
    for at in range(0, len(spans), 2000):
        status, answer = server.post_json("/v1/traces", {"resourceSpans": [{
            "resource": {"attributes": [attribute("service.name", service)]}, "scopeSpans": [{"spans": spans[at:at + 2000]}]}]})
        assert status == 200, answer


def shop(server, traces=400, seed=7):
    """Requests of which those on shard-7 are slow."""
    rng = random.Random(seed)
    spans = []
    for trace in range(traces):
        shard = rng.randrange(10)
        took = rng.uniform(50, 150) * (4 if shard == 7 else 1)
        spans.append(span(trace, 1, "GET /items", 0, took, kind=2,
                          attributes={"http.route": "/items", "user.agent": rng.choice("abc"), "request.key": f"r{trace}", "size": rng.randrange(10_000)}))
        spans.append(span(trace, 2, "SELECT", 5, took - 5, parent=1, kind=3,
                          attributes={"db.system": "postgresql", "db.shard": f"shard-{shard}", "db.host": f"db-{shard}"}))
    send(server, spans)
    wait_for(lambda: server.cli("search", "--limit", "10000", "--json", check=False).stdout.count("\n") == traces + 1, what="all traces")


def test_the_planted_cause_is_named_first(server):
    shop(server)
    answer = json.loads(server.cli("differ", 'service("shop")', "--slowest", "5%", "--json").stdout)
    assert answer["selection"]["traces"] == 20 and answer["baseline"]["traces"] == 380 and answer["complete"]
    first = answer["findings"][0]
    assert (first["key"], first["verdict"], [same["key"] for same in first["same_as"]]) == ("db.shard", "sure", ["db.host"]) \
        or (first["key"], [same["key"] for same in first["same_as"]]) == ("db.host", ["db.shard"])
    lead = first["values"][0]
    assert lead["value"].endswith("-7") and lead["selection"] > 0.9 and lead["baseline"] < 0.1
    assert [row["key"] for row in answer["ids"]] == ["request.key"]
    assert all(row["verdict"] != "sure" for row in answer["findings"][1:])
    # Its expression selects those traces, and both examples are there.
    again = json.loads(server.cli("differ", "--select", lead["expression"], "--json").stdout)
    assert 20 <= again["selection"]["traces"] < 80
    assert [row["key"] for row in again["given"]] in (["db.shard"], ["db.host"])
    for side in ("selection_trace", "baseline_trace"):
        assert json.loads(server.cli("trace", lead[side], "--json").stdout)["spans"]
    picture = server.cli("differ", "--slowest", "5%").stdout
    assert "selection: 20 traces, the slowest 5 %" in picture and "shard-7" in picture and "sure" in picture and "\x1b" not in picture


def test_a_selection_is_needed_and_may_be_empty(server):
    shop(server, traces=40)
    for arguments in (["differ"], ["differ", "--slowest", "x"], ["differ", "--slowest", "70%"], ["differ", "--select", "nonsense ="]):
        assert server.cli(*arguments, check=False).returncode != 0, arguments
    nothing = json.loads(server.cli("differ", "--failing", "--json").stdout)
    assert nothing["selection"]["traces"] == 0 and nothing["findings"] == []
    assert server.post_json("/ui/api/differ", {"select": {"failing": 1}})[0] == 400
    assert server.post_json("/ui/api/differ", {"select": []})[0] == 400
    slow = json.loads(server.cli("differ", "--min-duration", "200ms", "--max-duration", "1s", "--json").stdout)
    assert slow["selection"]["words"] == "0.2 s and more, at most 1 s"


def found(server, *arguments):
    return json.loads(server.cli(*arguments, "--json").stdout)


def trace_id(trace):
    return f"{trace + 1:032x}"


def test_two_traces_differ_where_the_time_went(server):
    calls = {"db.system": "postgresql"}
    usual = [span(0, 1, "GET /items", 0, 100, kind=2), span(0, 2, "load", 5, 95, parent=1), span(0, 3, "SELECT", 10, 90, parent=2, kind=3, attributes={**calls, "db.shard": "1"})]
    slow = [span(1, 1, "GET /items", 0, 900, kind=2, failed=True), span(1, 2, "load", 5, 895, parent=1), span(1, 3, "SELECT", 10, 790, parent=2, kind=3, attributes={**calls, "db.shard": "7"}),
            span(1, 4, "retry", 800, 890, parent=2)]
    send(server, usual + slow)
    wait_for(lambda: server.cli("trace", trace_id(1), check=False).returncode == 0, what="the traces")
    diff = found(server, "compare", trace_id(0), trace_id(1))
    nodes = diff["nodes"]
    told = [(nodes[i]["change"], nodes[i]["name"]) for i in diff["explained_by"]]
    assert told[0] == ("slower", "SELECT") and ("added", "retry") in told and not diff["same"]
    assert ("slower", "load") not in told
    assert sum(node["path_delta_ns"] for node in nodes) == diff["root_delta_ns"] == 800 * MS
    select = nodes[diff["explained_by"][0]]
    assert {"key": "db.shard", "a": "1", "b": "7"} in select["attributes"]
    assert next(node for node in nodes if node["parent"] is None)["outcome_changed"]
    back = found(server, "compare", trace_id(1), trace_id(0))
    assert [(node["change"], node["path_delta_ns"]) for node in back["nodes"]] == \
        [({"slower": "faster", "added": "removed"}.get(node["change"], node["change"]), -node["path_delta_ns"]) for node in nodes]
    same = found(server, "compare", trace_id(0), trace_id(0))
    assert same["same"] and same["explained_by"] == []
    assert "no difference" in server.cli("compare", trace_id(0), trace_id(0)).stdout
    picture = server.cli("compare", trace_id(0), trace_id(1)).stdout
    assert "> shop SELECT" in picture and "+ shop retry" in picture and "db.shard: 1 -> 7" in picture and "\x1b" not in picture
    for wrong in (["compare", trace_id(0)], ["compare", trace_id(0), trace_id(1), "--typical"], ["compare", "x", trace_id(0)]):
        assert server.cli(*wrong, check=False).returncode == 2, wrong
    assert server.cli("compare", trace_id(0), trace_id(77), check=False).returncode == 1


def test_a_slow_trace_differs_from_the_typical_ones(server):
    shop(server, traces=120)
    *traces, _ = (json.loads(line) for line in server.cli("search", "--limit", "200", "--json").stdout.splitlines())
    slowest = max(traces, key=lambda trace: trace["duration_ns"])["trace_id"]
    diff = found(server, "compare", slowest, "--typical")
    assert diff["typical"]["traces"] == 119 and diff["complete"] and 50 * MS < diff["typical"]["duration_ns"] < 200 * MS
    told = [(diff["nodes"][i]["change"], diff["nodes"][i]["name"]) for i in diff["explained_by"]]
    assert told == [("slower", "SELECT")]
    median = diff["typical"]["median_trace"]
    assert found(server, "compare", median, "--typical")["same"]
    assert found(server, "compare", slowest, median)["root_delta_ns"] < 0
    assert "typical of 119 traces" in server.cli("compare", slowest, "--typical").stdout
    assert server.cli("compare", slowest, "--typical", "--filter", 'service("nobody")', check=False).returncode == 1


def chats(server, traces, share_of_b, slower=1.5, seed=3):
    """Chat requests of two arms; the model of B takes longer and says more."""
    rng = random.Random(seed)
    spans = []
    for trace in range(traces):
        arm = "B" if rng.random() < share_of_b else "A"
        model_ms = round(rng.uniform(300, 700) * (slower if arm == "B" else 1))
        failed = rng.random() < 0.05
        spans.append(span(trace, 1, "POST /chat", 0, model_ms + 60, kind=2, failed=failed, attributes={
            "http.route": "/chat", "tenant": "acme", "experiment_id": "longer_answers", "experiment_arm": arm}))
        spans.append(span(trace, 2, "retrieval kb", 5, 45, parent=1, attributes={"gen_ai.operation.name": "retrieval"}))
        spans.append(span(trace, 3, "chat claude-sonnet-5", 50, 50 + model_ms, parent=1, kind=3, attributes={
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-sonnet-5", "gen_ai.request.stream": True,
            "gen_ai.response.time_to_first_chunk": round(rng.uniform(0.1, 0.2), 3),
            "gen_ai.usage.input_tokens": 3000, "gen_ai.usage.output_tokens": rng.randrange(150, 250) * (2 if arm == "B" else 1)}))
    send(server, spans, service="assistant")
    wait_for(lambda: server.cli("search", "--limit", "10000", "--json", check=False).stdout.count("\n") == traces + 1, what="all traces")


def test_arms_of_an_experiment_are_compared(server):
    chats(server, traces=400, share_of_b=0.5)
    answer = found(server, "genai", "experiments")
    (experiment,) = answer["experiments"]
    assert (experiment["id"], experiment["control"], experiment["ratio_mismatch"]) == ("longer_answers", "A", False)
    control, arm = experiment["arms"]
    assert control["requests"] + arm["requests"] == 400 and control["unpriced"] == arm["unpriced"] == 0
    metrics = arm["metrics"]
    for name in ("latency_mean", "latency_p50", "latency_p95", "cost_mean", "tokens_mean"):
        assert metrics[name]["differs"] and metrics[name]["difference"]["low"] > 0, name
        assert metrics[name]["more_requests"] == 0, name
    for name in ("error_rate", "timeout_rate", "ttft_mean"):
        assert not metrics[name]["differs"], name
    # 3,000 tokens in at 2 USD a million, 200 or 400 out at 10.
    assert abs(control["metrics"]["cost_mean"]["value"] - 0.008) < 0.0002 and abs(metrics["cost_mean"]["difference"]["value"] - 0.002) < 0.0003
    assert control["metrics"]["ttft_mean"]["requests"] == control["requests"]
    first = arm["steps"][0]
    assert "llm" in first["step"] and first["path_ns"]["low"] > 150 * MS and first["cost_usd"]["low"] > 0
    assert abs(sum(step["path_ns"]["value"] for step in arm["steps"]) - metrics["latency_mean"]["difference"]["value"]) < 1000
    text = server.cli("genai", "experiments", "longer_answers").stdout
    assert "longer_answers" in text and "differs" in text and "llm" in text and "\x1b" not in text
    assert found(server, "genai", "experiments", "--control", "B")["experiments"][0]["arms"][1]["metrics"]["latency_mean"]["difference"]["high"] < 0
    assert server.cli("genai", "experiments", "unknown", check=False).returncode == 1
    assert server.cli("genai", "experiments", "--share", "A", check=False).returncode == 2


def test_arms_of_the_wrong_size_are_told(server):
    chats(server, traces=300, share_of_b=0.2, slower=1)
    assert found(server, "genai", "experiments")["experiments"][0]["ratio_mismatch"]
    assert "do not trust" in server.cli("genai", "experiments").stdout
    declared = found(server, "genai", "experiments", "--share", "A=0.8", "--share", "B=0.2")
    assert not declared["experiments"][0]["ratio_mismatch"]
