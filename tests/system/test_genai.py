"""Calls of models and tools that an OpenTelemetry SDK records are summed by model, tool, tenant and route."""
import json

import pytest

from harness import wait_for


def need(*modules):
    for module in modules:
        pytest.importorskip(module, reason=f"{module} could not be installed here (scripts/clients.sh)")


def record(server):
    """A chat request: an agent that repeats the tokens of its two model calls, and a tool that is tried twice."""
    need("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind, Status, StatusCode
    provider = TracerProvider(resource=Resource.create({"service.name": "assistant"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=server.url + "/v1/traces")))
    tracer = provider.get_tracer("agent")

    def chat(prompt, completion, cached=0, cost=None):
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-sonnet-5",
                      "gen_ai.usage.input_tokens": prompt, "gen_ai.usage.output_tokens": completion,
                      "gen_ai.usage.cache_read.input_tokens": cached}
        if cost is not None:
            attributes["gen_ai.usage.cost"] = cost
        tracer.start_span("chat claude-sonnet-5", kind=SpanKind.CLIENT, attributes=attributes).end()

    with tracer.start_as_current_span("POST /agent", kind=SpanKind.SERVER, attributes={"http.route": "/agent", "tenant.id": "globex"}):
        with tracer.start_as_current_span("invoke_agent support", attributes={
                "gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 7300, "gen_ai.usage.output_tokens": 530}):
            chat(3200, 180, cost=0.0098)
            with tracer.start_as_current_span("execute_tool refund", attributes={
                    "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "refund"}):
                for attempt in range(2):
                    with tracer.start_as_current_span("POST", kind=SpanKind.CLIENT, attributes={"http.request.resend_count": attempt}) as span:
                        if attempt == 0:
                            span.set_status(Status(StatusCode.ERROR, "timeout"))
            chat(4100, 350, cached=3200)
    provider.shutdown()


def rows(server, *args):
    return json.loads(server.cli("genai", *args, "--json").stdout)["rows"]


def test_calls_count_once_and_by_what_was_asked(server):
    record(server)
    wait_for(lambda: rows(server, "models"), what="calls")
    (model,) = rows(server, "models", "--by", "model", "--by", "tenant", "--by", "route")
    assert (model["model"], model["tenant"], model["route"]) == ("claude-sonnet-5", "globex", "/agent")
    assert (model["calls"], model["prompt_tokens"], model["completion_tokens"], model["cached_tokens"]) == (2, 7300, 530, 3200)
    # One call states its cost; the other comes to 900 x 2.00 + 3,200 x 0.20 + 350 x 10.00 USD a million.
    assert (model["stated_cost_usd"], model["cost_usd"], model["unpriced_calls"]) == (0.0098, 0.01574, 0)
    (request,) = rows(server, "requests", "--by", "tenant", "--where", "route=/agent")
    assert (request["tenant"], request["calls"], request["failed"]) == ("globex", 1, 0)
    assert rows(server, "requests", "--where", "route=/other") == []
    (tool,) = rows(server, "tools")
    assert (tool["tool"], tool["calls"], tool["retries"]) == ("refund", 1, 1)
    assert "claude-sonnet-5" in server.cli("genai", "models").stdout
    assert rows(server, "models", "--from", "2020-01-01T00:00:00Z", "--to", "2020-01-02T00:00:00Z") == []
    wrong = server.cli("genai", "models", "--by", "user", check=False)
    assert wrong.returncode == 2 and "user" in wrong.stderr
    wrong = server.cli("genai", "models", "--where", "user=x", check=False)
    assert wrong.returncode == 2 and "user=x" in wrong.stderr
