"""Where the time and the money of an agent's request went, asked of the real binary: an agent with three tools in parallel, of which one ran
into a timeout and was tried again (docs/genai.md, "Four requests", B), and answers streamed by an engine of one's own (C)."""
import json
import time

import pytest

from harness import wait_for

BEGIN_NS = int(time.time() - 60) * 1_000_000_000
TRACE = "0af7651916cd43dd8448eb211c8031{:02x}"
MS = 1_000_000


def value(of):
    if isinstance(of, bool):
        return {"boolValue": of}
    if isinstance(of, int):
        return {"intValue": str(of)}
    return {"doubleValue": of} if isinstance(of, float) else {"stringValue": of}


def span(trace, number, parent, name, kind, start_ms, end_ms, failed=False, **attributes):
    return {"traceId": TRACE.format(trace), "spanId": f"{number:016x}", "name": name, "kind": kind,
            **({"parentSpanId": f"{parent:016x}"} if parent else {}), **({"status": {"code": 2}} if failed else {}),
            "startTimeUnixNano": str(BEGIN_NS + start_ms * MS), "endTimeUnixNano": str(BEGIN_NS + end_ms * MS),
            "attributes": [{"key": key.replace("__", "."), "value": value(of)} for key, of in attributes.items()]}


def agent(trace, tenant="globex"):
    def chat(number, start, end, prompt, cached, written, completion):
        return span(trace, number, 2, "chat claude-sonnet-5", 3, start, end, gen_ai__operation__name="chat",
                    gen_ai__provider__name="anthropic", gen_ai__request__model="claude-sonnet-5", **{
                        "gen_ai.usage.input_tokens": prompt, "gen_ai.usage.cache_read.input_tokens": cached,
                        "gen_ai.usage.cache_creation.input_tokens": written, "gen_ai.usage.output_tokens": completion})

    def tool(number, name, end, **more):
        return span(trace, number, 2, "execute_tool " + name, 1, 1530, end, gen_ai__operation__name="execute_tool",
                    gen_ai__tool__name=name, **more)
    return [
        span(trace, 1, 0, "POST /agent", 2, 0, 9320, http__route="/agent", tenant=tenant),
        span(trace, 2, 1, "invoke_agent support", 1, 10, 9310, gen_ai__operation__name="invoke_agent", **{
            "gen_ai.usage.input_tokens": 7300, "gen_ai.usage.output_tokens": 530}),
        chat(3, 20, 1520, 3200, 0, 3200, 180), tool(4, "get_order", 1770), tool(5, "search_kb", 2330),
        tool(6, "refund_quote", 5630, retry_count=1, timeout=False),
        span(trace, 7, 6, "POST", 3, 1530, 4530, failed=True, http__request__method="POST", error__type="timeout", timeout=True),
        span(trace, 8, 6, "POST", 3, 5030, 5630, http__request__method="POST", **{"http.request.resend_count": 1}),
        chat(9, 5640, 9290, 4100, 3200, 0, 350)]


def streamed(trace):
    return [
        span(trace, 1, 0, "POST /v1/chat", 2, 0, 6200, http__route="/v1/chat"),
        span(trace, 2, 1, "chat llama-3.3-70b", 3, 20, 6180, gen_ai__operation__name="chat", gen_ai__request__model="llama-3.3-70b", **{
            "gen_ai.request.stream": True, "gen_ai.usage.input_tokens": 900, "gen_ai.usage.output_tokens": 240,
            "gen_ai.response.time_to_first_chunk": 1.42}),
        span(trace, 3, 2, "POST", 3, 25, 6178, http__request__method="POST", server__address="vllm"),
        span(trace, 4, 3, "llm_request", 2, 60, 6150, gen_ai__request__id="r-1", **{
            "gen_ai.latency.time_in_queue": 0.9, "gen_ai.latency.time_in_model_prefill": 0.43, "gen_ai.latency.time_in_model_decode": 4.76,
            "gen_ai.latency.time_to_first_token": 1.33, "gen_ai.usage.prompt_tokens": 900, "gen_ai.usage.completion_tokens": 240})]


@pytest.fixture
def stored(server):
    spans = agent(1) + agent(2, "acme") + streamed(3)
    status, _ = server.post_json("/v1/traces", {"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "assistant"}}]}, "scopeSpans": [{"spans": spans}]}]})
    assert status == 200
    wait_for(lambda: answer(server, "ledger")["traces"] == 3, what="traces")
    return server


def answer(server, *arguments):
    return json.loads(server.cli("genai", *arguments, "--json").stdout)


def test_ledger_of_one_trace_and_of_many(stored):
    one = answer(stored, "ledger", TRACE.format(1))
    assert {row["kind"]: row["path_ns"] // MS for row in one["rows"]} == {"llm": 5150, "tool": 4100, "agent": 50, "gateway": 20}
    assert (one["root_ns"], one["usd"], one["waste_ns"]) == (9320 * MS, 0.01574, 3500 * MS)
    assert not any(one["trace"]["flags"].values())
    many = answer(stored, "ledger", 'annotation.tenant = "globex"', "--by", "tenant", "--by", "model")
    assert many["traces"] == 1
    tenants = answer(stored, "ledger", "--by", "tenant")
    assert {row["tenant"]: (row["path_ns"] // MS, row["usd"]) for row in tenants["rows"]} == {
        "globex": (9320, 0.01574), "acme": (9320, 0.01574), None: (6200, None)}
    assert sum(row["path_ns"] for row in tenants["rows"]) == tenants["root_ns"] and tenants["unpriced_tokens"] == 1140
    picture = stored.cli("genai", "ledger", "--by", "kind", "--by", "tool").stdout
    assert "refund_quote" in picture and "1140 tokens have no price" in picture and "+" in picture
    first = answer(stored, "ledger", TRACE.format(3), "--clock", "first_token")
    assert first["root_ns"] == 1440 * MS == sum(row["path_ns"] for row in first["rows"])


def test_what_if_steps_were_faster(stored):
    def new_ms(what_if, trace=TRACE.format(1)):
        return answer(stored, "ledger", trace, "--what-if", what_if)["what_if"]["new_root_ns"] // MS
    assert new_ms("tool=refund_quote:2x") == 7270
    assert new_ms("tool=refund_quote:cached") == 6020
    assert new_ms("tool=get_order:cached") == 9320
    assert "saves" in stored.cli("genai", "ledger", "--what-if", "model=claude-sonnet-5:cached").stdout
    wrong = stored.cli("genai", "ledger", "--what-if", "everything:faster", check=False)
    assert wrong.returncode == 2 and "what if" in wrong.stderr


def test_waste_names_the_spans_and_what_was_recoverable(stored):
    (finding,) = answer(stored, "waste", TRACE.format(1))["trace"]["findings"]
    assert (finding["tool"], finding["cause"], finding["failed"], finding["stood"]) == ("refund_quote", "timeout", [f"{7:016x}"], f"{8:016x}")
    assert [finding[key] // MS for key in ("failed_ns", "backoff_ns", "waste_ns", "recoverable_ns")] == [3000, 500, 3500, 3300]
    (row,) = answer(stored, "waste", "--by", "tool")["rows"]
    assert (row["tool"], row["traces"], row["waste_ns"] // MS) == ("refund_quote", 2, 7000)
    assert "refund_quote" in stored.cli("genai", "waste", "--by", "tool").stdout and f"{7:016x}" in stored.cli("genai", "waste", TRACE.format(1)).stdout


def test_time_to_first_token(stored):
    (step,) = answer(stored, "ttft", TRACE.format(3))["steps"]
    assert {key: ns // MS for key, ns in step["phases"].items()} == {
        "connect_send_ns": 40, "queue_ns": 900, "prefill_ns": 430, "first_token_return_ns": 50}
    assert (step["first_token_ns"] // MS, round(step["per_token_ms"], 2)) == (1420, 19.83)
    (model,) = answer(stored, "ttft")["models"]
    assert model["phases"]["queue_mean_ns"] == 900 * MS
    assert "queue" in stored.cli("genai", "ttft", TRACE.format(3)).stdout and "llama" in stored.cli("genai", "ttft").stdout
    assert stored.cli("genai", "ttft", "0af7651916cd43dd8448eb211c8031ff", check=False).returncode == 1
