"""Programs that really call a model, recorded by instrumentations that we did not write, against a model server whose answers are scripted: kinds of
step, models, tokens, times to the first token, costs, retries and ledgers are those of the script.

No test asserts how long anything took: a time to the first token must lie between the delay that the script demands and what the program's own
client measured.
"""
import json
import os
import subprocess
import sys

import pytest

from genai.model_server import ModelServer, Reply
from genai.redis_server import RedisServer
from harness import CLIENTS, ROOT, Server, wait_for

GENAI = CLIENTS / "genai"
PROGRAMS = ROOT / "tests/system/genai"
FIRST_MS = 120

# What the plain scenarios script: (prompt, completion, cached, reasoning) and the model that answers.
ANSWER = {"prompt": 6120, "completion": 412, "cached": 4096, "reasoning": 128, "model": "gpt-5.6-terra-2026-08-21"}
STREAM = {**ANSWER, "first_ms": FIRST_MS, "gaps_ms": [5, 20, 5]}
TOOLS = [("get_order", {"order": "7"}), ("search_kb", {"query": "order 7"})]


def agent_script(tools):
    """A model that first asks for the tools, all at once, and then answers. Cached: 3200 of the second call."""
    return [Reply(tools=tools, prompt=3200, completion=180, first_ms=FIRST_MS), Reply(prompt=4100, cached=3200, completion=350, reasoning=50, gaps_ms=[5, 5])]


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


def run(server, script, program, *arguments, engine=None):
    """Runs a program of tests/system/genai against a model server with this script; what the program told, and its tenant."""
    tenant = "-".join([program.replace(".", "-"), *arguments[:1], *(["engine"] if engine else [])]) + "-"
    python = GENAI / "python/bin/python" if program != "xray_app.py" else sys.executable
    cache = RedisServer()
    with ModelServer(*script, engine=engine) as models:
        env = {**os.environ, "MODEL_URL": models.url, "FLUORO_OTLP": server.url + "/v1/traces", "FLUORO_URL": server.url, "FLUORO_UDP": server.ports["udp"],
               "REDIS_PORT": str(cache.port), "TENANT": tenant, "PYTHONDONTWRITEBYTECODE": "1", "NODE_PATH": str(GENAI / "node/node_modules")}
        if arguments and arguments[0].startswith("otel-v2"):
            env["PYTHONPATH"] = str(GENAI / "older")
        command = ["node", str(PROGRAMS / "node" / program)] if program.endswith(".js") else [str(python), str(PROGRAMS / "py" / program)]
        try:
            done = subprocess.run([*command, *arguments], env=env, capture_output=True, text=True, timeout=120, check=False)
        except FileNotFoundError:
            pytest.skip(f"{command[0]} could not be installed here (scripts/clients.sh)")
        finally:
            cache.close()
        missing = [line for line in done.stderr.splitlines() if "No module named" in line or "Cannot find module" in line]
        if done.returncode and missing and not (GENAI / "stamp").exists():
            pytest.skip(f"{program}: {missing[0]} (scripts/clients.sh)")
        assert done.returncode == 0, done.stderr
        assert models.left() == 0, "the program made fewer calls than the script has"
    return json.loads(done.stdout.strip().splitlines()[-1]), tenant


class Trace:
    """What Fluoro says of one trace."""

    def __init__(self, server, told, tenant):
        self.server, self.told, self.tenant = server, told, tenant
        self.json = wait_for(self._whole, what="the trace " + told["trace_id"])
        self.spans = [one for one in self.json["spans"] if not one["inferred"]]

    def _whole(self):
        done = self.server.cli("trace", "--json", self.told["trace_id"], check=False)
        trace = json.loads(done.stdout) if done.returncode == 0 else None
        return trace if trace and trace["complete"] and any(one["parent"] is None for one in trace["spans"]) else None

    def kinds(self):
        return sorted(one["step_kind"] for one in self.spans)

    def usage(self):
        return tuple(self.json["usage"][key] for key in ("prompt_tokens", "completion_tokens", "cached_tokens"))

    def matches(self, expression):
        done = self.server.cli("search", "--json", f'annotation.tenant = "{self.tenant}" AND {expression}', check=False)
        return any("trace_id" in json.loads(line) for line in done.stdout.splitlines())

    def rows(self, what, *by):
        words = [word for one in (*by, "tenant") for word in ("--by", one)]
        rows = json.loads(self.server.cli("genai", what, "--json", *words).stdout)["rows"]
        return [row for row in rows if row["tenant"] == self.tenant]

    def genai(self, command):
        return json.loads(self.server.cli("genai", command, self.json["trace_id"], "--json").stdout)

    def cost(self):
        """In billionths of a dollar."""
        audit = self.genai("audit")
        assert audit["sums_to_cost"]
        return round((audit["cost_usd"] or 0) * 1e9)

    def holds(self):
        """Holds of every trace: each nanosecond of the request and each billionth of its cost belong to one kind of step."""
        root = next(one for one in self.json["spans"] if one["parent"] is None)
        ledger = self.genai("ledger")
        assert sum(row["path_ns"] for row in ledger["rows"]) == ledger["root_ns"] == root["duration_ns"]
        assert sum(round((row["usd"] or 0) * 1e9) for row in ledger["rows"]) == round((ledger["usd"] or 0) * 1e9) == self.cost()
        return self


def check_ttft(trace, stated):
    """Not before the server sent the first token, not after this client saw it; absent where the instrumentation does not tell."""
    if stated:
        assert trace.matches(f"annotation.ttft_ms >= {FIRST_MS} AND annotation.ttft_ms <= {trace.told['ttft_ns'] / 1e6 + 1}")
    else:
        assert not trace.matches("annotation.ttft_ms >= 0")


# What each instrumentation tells. Not told is absent, never 0 and never guessed.
OPENAI = {
    "otel-v2": {"cached": False, "ttft": False, "responses": False},
    "otel-v2-new": {"cached": False, "ttft": False, "responses": False},
    "otel-genai": {"cached": True, "ttft": True, "responses": True},
    "openinference": {"cached": True, "ttft": True, "responses": True},
    "traceloop": {"cached": True, "ttft": True, "responses": True},
}


@pytest.mark.parametrize("kind", OPENAI)
def test_openai_client_in_python(server, kind):
    tells = OPENAI[kind]
    scripts = {"chat": [Reply(**ANSWER)], "stream": [Reply(**STREAM)], "embed": [Reply(prompt=18)], "throttled": [Reply(status=429), Reply(prompt=100, completion=20)],
               "timeout": [Reply(hang=True), Reply(prompt=100, completion=20)], "failed": [Reply(status=500, text="the model broke")]}
    if tells["responses"]:
        scripts.update({"responses": [Reply(**ANSWER)], "responses-stream": [Reply(**STREAM)]})
    told, tenant = run(server, [reply for script in scripts.values() for reply in script], "openai_app.py", kind, *scripts)
    traces = {name: Trace(server, told[name], tenant + name).holds() for name in scripts}

    for name in ("chat", "stream", *(name for name in ("responses", "responses-stream") if name in scripts)):
        trace = traces[name]
        assert trace.kinds() == ["gateway", "http", "llm"], name
        assert trace.usage() == (6120, 412, 4096 if tells["cached"] else 0), name
        (row,) = trace.rows("models", "provider", "model", "route")
        assert (row["provider"], row["model"], row["route"]) == ("openai", "gpt-5.6-terra-2026-08-21", "/chat"), name
        assert (row["calls"], row["failed"], row["retries"], row["prompt_tokens"], row["completion_tokens"]) == (1, 0, 0, 6120, 412), name
        assert trace.cost() == (9_811_200 if tells["cached"] else 17_184_000), name
        assert trace.matches('annotation.experiment_id = "prompt-v2" AND annotation.experiment_arm = "B"'), name
    check_ttft(traces["stream"], tells["ttft"])

    assert traces["embed"].kinds() == ["embedding", "gateway", "http"] and traces["embed"].usage() == (18, 0, 0)
    (row,) = traces["embed"].rows("models", "kind", "model")
    assert (row["kind"], row["model"], row["calls"], row["prompt_tokens"]) == ("embedding", "text-embedding-3-small", 1, 18)

    for name in ("throttled", "timeout"):
        trace = traces[name]
        assert trace.kinds() == ["gateway", "http", "http", "llm"] and trace.usage() == (100, 20, 0), name
        (row,) = trace.rows("models", "model")
        # One call, that was tried again and succeeded: it neither failed nor timed out.
        assert (row["calls"], row["retries"], row["failed"], row["timeouts"], row["prompt_tokens"]) == (1, 1, 0, 0, 100), name
        assert next(one for one in trace.spans if one["step_kind"] == "llm")["outcome"] == "ok"
        # Nothing else went on: what the failed attempt and the pause after it took is lost, and could all be had back.
        waste = trace.genai("waste")
        (lost,) = waste["rows"]
        assert (lost["kind"], lost["cause"], lost["attempts"]) == ("llm", {"throttled": "throttled", "timeout": "timeout"}[name], 1)
        assert lost["failed_ns"] > 0 and lost["backoff_ns"] > 0 and lost["waste_ns"] == lost["failed_ns"] + lost["backoff_ns"] == waste["recoverable_ns"]
    assert traces["throttled"].matches("annotation.throttled = true") and traces["timeout"].matches("annotation.timeout = true")

    assert told["failed"]["status"] == 500
    (row,) = traces["failed"].rows("models", "model")
    # OpenInference names the model of a call that failed in the call's parameters only.
    assert row["model"] == (None if kind == "openinference" else "gpt-5.6-terra")
    assert (row["calls"], row["failed"], row["retries"], row["prompt_tokens"]) == (1, 1, 0, 0)


# The two that tell no usage of a stream, tell none: the call counts, its tokens are not there.
NODE = {
    "otel": {"cached": False, "ttft": False, "stream_usage": True, "embed": True},
    "openinference": {"cached": True, "ttft": False, "stream_usage": False, "embed": False},
    "traceloop": {"cached": False, "ttft": False, "stream_usage": False, "embed": None},
}


@pytest.mark.parametrize("kind", NODE)
def test_openai_client_in_node(server, kind):
    tells = NODE[kind]
    told, tenant = run(server, [Reply(**ANSWER), Reply(**STREAM), Reply(prompt=18), Reply(hang=True), Reply(prompt=100, completion=20)],
                       "openai_app.js", kind, "chat", "stream", "embed", "timeout")
    traces = {name: Trace(server, told[name], tenant + name).holds() for name in told}
    for name in ("chat", "stream"):
        trace = traces[name]
        known = name == "chat" or tells["stream_usage"]
        assert trace.kinds() == ["gateway", "http", "llm"], name
        assert trace.usage() == ((6120, 412, 4096 if tells["cached"] else 0) if known else (0, 0, 0)), name
        (row,) = trace.rows("models", "provider")
        assert (row["provider"], row["calls"], row["failed"]) == ("openai", 1, 0), name
    check_ttft(traces["stream"], tells["ttft"])
    if tells["embed"] is not None:
        assert traces["embed"].kinds() == ["embedding", "gateway", "http"] and traces["embed"].usage() == (18 if tells["embed"] else 0, 0, 0)
    (row,) = traces["timeout"].rows("models", "model")
    assert (row["calls"], row["retries"], row["failed"], row["prompt_tokens"]) == (1, 1, 0, 100)


@pytest.mark.parametrize("kind", ["otel-genai", "openinference", "traceloop"])
def test_anthropic_client(server, kind):
    """Its input counts leave out the cache, and it records each call itself: one call all the same, tokens with the cache."""
    usage = {"prompt": 6120, "completion": 412, "cached": 4096, "cache_write": 1000}
    told, tenant = run(server, [Reply(**usage), Reply(**usage, first_ms=FIRST_MS, gaps_ms=[5, 20, 5])], "anthropic_app.py", kind)
    for name in ("chat", "stream"):
        trace = Trace(server, told[name], tenant + name).holds()
        assert trace.kinds() == ["gateway", "llm", "llm"], name
        assert trace.usage() == (6120, 412, 4096), name
        (row,) = trace.rows("models", "provider", "model")
        assert (row["provider"], row["model"], row["calls"]) == ("anthropic", "claude-sonnet-5", 1), name
        assert (row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"], row["cache_write_tokens"]) == (6120, 412, 4096, 1000), name
        assert trace.cost() == 9_487_200, name
    check_ttft(trace, True)


def test_an_engine_behind_a_client_is_its_shadow_and_tells_the_phases(server):
    pytest.importorskip("opentelemetry.sdk.trace", reason="the OpenTelemetry SDK could not be installed here (scripts/clients.sh)")
    from genai.engine import Engine
    told, tenant = run(server, [Reply(**{**STREAM, "model": "llama-3.3-70b"}, queue_ms=80)], "openai_app.py", "otel-genai", "stream",
                       engine=Engine(server.url + "/v1/traces"))
    trace = Trace(server, told["stream"], tenant + "stream").holds()
    assert trace.kinds() == ["gateway", "http", "llm", "llm"]
    assert trace.usage() == (6120, 412, 4096)
    (row,) = trace.rows("models", "model")
    assert (row["model"], row["calls"], row["prompt_tokens"]) == ("llama-3.3-70b", 1, 6120)
    assert trace.matches("annotation.queue_ms >= 79 AND annotation.queue_ms <= 81") and trace.matches(f"annotation.prefill_ms >= {FIRST_MS}")
    (step,) = trace.genai("ttft")["steps"]
    assert step["first_token_ns"] == sum(step["phases"].values()) and step["phases"]["queue_ns"] == 80_000_000
    # The client sees what the engine took, and the way there and back.
    assert trace.matches(f"annotation.ttft_ms >= {80 + FIRST_MS} AND annotation.ttft_ms <= {told['stream']['ttft_ns'] / 1e6 + 1}")


AGENTS = {
    "langgraph_app.py openinference": ["chain"] * 6,  # the graph, two turns of the model, three of the tools
    "langgraph_app.py otel-genai": ["agent"],
    "langgraph_app.py langsmith": ["chain"] * 6,
    "pydantic_ai_app.py": ["agent"],
    "openai_agents_app.py openinference": ["agent", "agent", "chain", "chain", "chain"],
    "openai_agents_app.py otel-genai": ["agent", "chain"],
    "ai_sdk_app.js 6": ["agent"],
    "ai_sdk_app.js 7": ["agent", "chain", "chain"],
}


@pytest.mark.parametrize("program", AGENTS)
def test_agents_with_tools_at_once(server, program):
    if program == "ai_sdk_app.js 7" and subprocess.run(["node", "-e", "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)"], check=False).returncode:
        pytest.skip("AI SDK 7 wants Node.js 20")
    tools = TOOLS + ([("refund_quote", {"order": "7"})] if program.startswith("langgraph") else [])
    told, tenant = run(server, agent_script(tools), *program.split())
    trace = Trace(server, told, tenant).holds()
    assert trace.kinds() == sorted([*AGENTS[program], "gateway", "llm", "llm"] + ["tool"] * len(tools))
    # What the agent's span repeats of its models' tokens counts once.
    assert trace.usage() == (7300, 530, 3200) and trace.cost() == 15_200_000
    (row,) = trace.rows("models", "provider", "model")
    assert (row["provider"], row["model"], row["calls"], row["reasoning_tokens"] or 0) in [("openai", "gpt-5.6-terra", 2, 50), ("openai", "gpt-5.6-terra", 2, 0)]
    called = {row["tool"]: (row["calls"], row["failed"], row["retries"]) for row in trace.rows("tools", "tool")}
    assert called == {name: (1, 0, 0) for name, _ in tools}
    # Of the tools that ran at once the slowest one alone is on the critical path.
    longest = max((one for one in trace.spans if one["step_kind"] == "tool"), key=lambda one: one["start_ns"] + one["duration_ns"])
    on_path = {part["span_id"] for part in trace.json["critical_path"]}
    assert {one["id"] for one in trace.spans if one["step_kind"] == "tool"} & on_path <= {longest["id"]}


def test_retrieval_with_every_kind_of_step(server):
    told, tenant = run(server, [Reply(prompt=18), Reply(documents=[(3, 0.9), (1, 0.7), (0, 0.2)]), Reply(**ANSWER)], "rag_app.py", "B")
    trace = Trace(server, told, tenant).holds()
    kinds = trace.kinds()
    assert {"gateway", "cache", "retriever", "embedding", "reranker", "chain", "llm", "db", "http"} == set(kinds)
    assert kinds.count("llm") == 2, "LangChain's callbacks and the OpenAI client's instrumentation both saw the call"
    assert trace.usage() == (6138, 412, 4096)
    models = {row["model"]: (row["kind"], row["calls"], row["prompt_tokens"]) for row in trace.rows("models", "model", "kind")}
    assert {kind: calls for kind, calls, _ in models.values()} == {"embedding": 1, "reranker": 1, "llm": 1}
    assert models["text-embedding-3-small"][2] == 18
    assert trace.matches('annotation.experiment_id = "rerank-v2" AND annotation.experiment_arm = "B"')
    assert trace.matches("annotation.top_k = 3")
    # To the billionth: the model's call and the embedding.
    assert trace.cost() == 9_811_560


def test_langfuse(server):
    told, tenant = run(server, [Reply(**STREAM)], "langfuse_app.py")
    trace = Trace(server, told, tenant).holds()
    assert trace.kinds() == ["agent", "llm", "retriever", "tool"]
    assert trace.usage() == (6120, 412, 4096)
    (row,) = trace.rows("tools", "tool")
    assert (row["tool"], row["calls"]) == ("get_order", 1)
    assert trace.matches('annotation.session_id = "thread-7" AND annotation.user_id = "user-1"')
    check_ttft(trace, True)


def test_xray_sdk_with_annotations_of_our_names(server):
    pytest.importorskip("aws_xray_sdk", reason="the X-Ray SDK could not be installed here (scripts/clients.sh)")
    told, tenant = run(server, [Reply(hang=True), Reply(prompt=6120, cached=4096, completion=412)], "xray_app.py")
    trace = Trace(server, told, tenant).holds()
    assert trace.kinds() == ["gateway", "http", "http", "llm", "tool"]
    (row,) = trace.rows("models", "provider", "model", "route")
    assert (row["provider"], row["model"], row["route"]) == ("openai", "gpt-5.6-terra", "/chat")
    assert (row["calls"], row["retries"], row["failed"], row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"]) == (1, 1, 0, 6120, 412, 4096)
    (row,) = trace.rows("tools", "tool", "route")
    assert (row["tool"], row["route"], row["calls"]) == ("get_order", "/chat", 1)
    assert trace.matches("annotation.timeout = true") and trace.matches("annotation.retry_count = 1")
