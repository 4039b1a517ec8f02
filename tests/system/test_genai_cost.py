"""What calls of models cost: by the price table, by prices that are put while the server runs, and as an audit of one trace."""
import json
import time
import urllib.error
import urllib.request

import pytest

from harness import wait_for

NANO = 1_000_000_000


def attribute(key, value):
    kind = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}[type(value)]
    return {"key": key, "value": {kind: str(value) if kind == "intValue" else value}}


def put(server, trace, spans):
    """spans: (id, parent, name, kind, start ms, end ms, attributes); times within the last minute."""
    base = time.time_ns() - 60 * NANO
    body = {"resourceSpans": [{"resource": {"attributes": [attribute("service.name", "assistant")]}, "scopeSpans": [{"spans": [
        {"traceId": trace, "spanId": f"{number:016x}", "parentSpanId": f"{parent:016x}" if parent else "", "name": name, "kind": kind,
         "startTimeUnixNano": str(base + start * 1_000_000), "endTimeUnixNano": str(base + end * 1_000_000),
         "attributes": [attribute(key, value) for key, value in attributes.items()]}
        for number, parent, name, kind, start, end, attributes in spans]}]}]}
    call(server, "POST", "/v1/traces", body)


def call(server, method, path, body=None):
    request = urllib.request.Request(server.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or "{}")


def used(prompt, completion, model, provider, **more):
    names = {"cached": "gen_ai.usage.cache_read.input_tokens", "written": "gen_ai.usage.cache_write.input_tokens",
             "reasoning": "gen_ai.usage.reasoning.output_tokens"}
    return {"gen_ai.operation.name": "chat", "gen_ai.request.model": model, "gen_ai.provider.name": provider,
            "gen_ai.usage.input_tokens": prompt, "gen_ai.usage.output_tokens": completion,
            **{names[key]: value for key, value in more.items()}}


RAG, AGENT, OWN = "a" * 32, "b" * 32, "c" * 32


@pytest.fixture()
def traces(server):
    put(server, RAG, [
        (1, 0, "POST /v1/chat", 2, 0, 2480, {"tenant": "acme", "http.route": "/v1/chat", "experiment_id": "rerank_v2", "experiment_arm": "B"}),
        (2, 1, "embeddings", 3, 75, 135, {"gen_ai.operation.name": "embeddings", "gen_ai.provider.name": "openai",
                                          "gen_ai.request.model": "text-embedding-3-small", "gen_ai.usage.input_tokens": 18}),
        (3, 1, "chat", 3, 525, 2440, used(6120, 412, "gpt-5.6-terra", "openai", cached=4096, reasoning=128)),
    ])
    put(server, AGENT, [
        (1, 0, "POST /agent", 2, 0, 9320, {"tenant": "globex", "http.route": "/agent"}),
        (2, 1, "invoke_agent support", 1, 10, 9310, {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support",
                                                     "gen_ai.usage.input_tokens": 7300, "gen_ai.usage.output_tokens": 530}),
        (3, 2, "chat", 3, 20, 1520, used(3200, 180, "claude-sonnet-5", "anthropic", written=3200)),
        (4, 2, "chat", 3, 5640, 9290, used(4100, 350, "claude-sonnet-5", "anthropic", cached=3200)),
    ])
    put(server, OWN, [(1, 0, "chat", 3, 0, 900, used(1000, 100, "house-model", "other"))])
    wait_for(lambda: call(server, "POST", "/ui/api/genai/cost", {})["traces"] == 3, what="three traces")
    return server


def test_cost_of_traces_and_over_traces(traces):
    usage = json.loads(traces.cli("trace", AGENT, "--json").stdout)["usage"]
    assert (usage["cost_usd"], usage["prompt_tokens"], usage["unpriced_spans"]) == (0.01574, 7300, 0)
    own = json.loads(traces.cli("trace", OWN, "--json").stdout)["usage"]
    assert (own["cost_usd"], own["unpriced_spans"], own["unpriced_tokens"]) == (None, 1, 1100)
    answer = json.loads(traces.cli("genai", "cost", "--by", "tenant", "--json").stdout)
    assert {row["tenant"]: row["cost_usd"] for row in answer["rows"]} == {"globex": 0.01574, "acme": 0.00981156, None: None}
    assert (answer["total"]["cost_usd"], answer["total"]["unpriced_tokens"]) == (0.02555156, 1100)
    table = traces.cli("genai", "cost", "--by", "model", "--by", "agent").stdout
    assert "claude-sonnet-5" in table and "support" in table and "1100 tokens unpriced" in table
    filtered = call(traces, "POST", "/ui/api/genai/cost", {"expression": 'annotation.experiment_arm = "B"', "by": ["experiment", "arm"]})
    assert [(row["experiment"], row["arm"], row["cost_usd"]) for row in filtered["rows"]] == [("rerank_v2", "B", 0.00981156)]
    with pytest.raises(urllib.error.HTTPError) as wrong:
        call(traces, "POST", "/ui/api/genai/cost", {"by": ["colour"]})
    assert wrong.value.code == 400


def test_an_audit_tells_every_dollar(traces):
    audit = json.loads(traces.cli("genai", "audit", AGENT, "--json").stdout)
    assert audit["sums_to_cost"] and audit["sum_of_lines_usd"] == audit["cost_usd"] == 0.01574
    assert [(step["cost_usd"], step["price"]["id"]) for step in audit["counted"]] == [
        (0.0098, "anthropic/claude-sonnet-5"), (0.00594, "anthropic/claude-sonnet-5")]
    assert [(step["role"], step["prompt_tokens"]) for step in audit["not_counted"]] == [("rollup", 7300)]
    page = traces.cli("genai", "audit", AGENT).stdout
    assert "3200 tokens x 2.5 USD / 1M = 0.008 USD" in page and "equal to the trace's cost" in page
    assert traces.cli("genai", "audit", "d" * 32, check=False).returncode == 1


def test_prices_are_put_while_the_server_runs(traces):
    entry = {"id": "house", "match": ["house-*"], "valid_from": "2026-01-01", "input": 1, "output": 3}
    assert call(traces, "POST", "/ui/api/model-prices", entry) == {"name": "house@2026-01-01"}
    assert json.loads(traces.cli("trace", OWN, "--json").stdout)["usage"]["cost_usd"] == 0.0013
    listed = [row for row in call(traces, "GET", "/ui/api/model-prices")["prices"] if not row["built_in"]]
    assert [row["name"] for row in listed] == ["house@2026-01-01"]
    records = call(traces, "GET", "/ui/api/records?kind=model-price")
    call(traces, "DELETE", "/ui/api/model-prices?name=house@2026-01-01")
    assert json.loads(traces.cli("trace", OWN, "--json").stdout)["usage"]["cost_usd"] is None
    call(traces, "POST", "/ui/api/records", records)
    assert json.loads(traces.cli("trace", OWN, "--json").stdout)["usage"]["cost_usd"] == 0.0013
    with pytest.raises(urllib.error.HTTPError) as wrong:
        call(traces, "POST", "/ui/api/model-prices", {"id": "house", "match": ["house-*"], "input": "cheap"})
    assert b"input: a number of 0 to 1000000 wanted" in wrong.value.read()
