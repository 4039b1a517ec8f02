"""Real GenAI data, end to end: recorded answers of model providers, agent traces exported by Langfuse, Jaeger's sample trace.

The collection is not part of the project; without it these tests are skipped. Each test prints a table of what it compared (pytest -s).
Vectors of our own that cover the same ground: src/genai/*_test.cc.
"""
import base64
import collections
import gzip
import hashlib
import json
import re

import pytest

from harness import SHARED_DATA, Server

DATA = SHARED_DATA / "genai"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"{DATA.name}: the collection of real-world documents is absent")

Usage = collections.namedtuple("Usage", "prompt completion cached write reasoning total")


@pytest.fixture(name="any_age", scope="module")
def fixture_any_age():
    with Server("--accept-age", "any") as server:
        yield server


def value_of(value):
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value if isinstance(value, str) else json.dumps(value)}


def attributes_of(attributes):
    return [{"key": key, "value": value_of(value)} for key, value in attributes.items()]


def trace_id_of(*parts):
    return hashlib.md5("/".join(parts).encode()).hexdigest()


def send(server, spans, scope="test", version=""):
    for span in spans:
        span.setdefault("startTimeUnixNano", "1750000000000000000")
        span.setdefault("endTimeUnixNano", "1750000001000000000")
    status, answer = server.post_json("/v1/traces", {"resourceSpans": [{"scopeSpans": [{
        "scope": {"name": scope, "version": version}, "spans": spans}]}]})
    assert status == 200 and answer == {}, answer


def read(server, path):
    status, _, body = server.request("GET", "/ui/api/" + path)
    assert status == 200, body
    return json.loads(body)


# ---- Recorded exchanges ----

def objects_behind(text, names):
    """JSON objects of the members so named, in order."""
    for match in re.finditer(r'"(?:%s)"\s*:\s*\{' % "|".join(names), text):
        depth, at = 0, match.end() - 1
        for at in range(match.end() - 1, len(text)):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            if depth == 0:
                break
        try:
            yield json.loads(text[match.end() - 1:at + 1])
        except ValueError:
            continue


def answers_of(cassette):
    """The cassette's text with folds and escapes undone, then each compressed answer in it."""
    text = cassette.read_text()
    packed = re.findall(r"!!binary \|\n((?:[ \t]+[A-Za-z0-9+/=]+\n)+)", text)
    plain = re.sub(r"!!binary \|\n(?:[ \t]+[A-Za-z0-9+/=]+\n)+", "", text).replace('\\"', '"')
    plain = re.sub(r"\s+", " ", re.sub(r"\\n", " ", re.sub(r"\\\n\s*\\?", "", plain)))
    yield plain.replace("\\ ", "").replace("\\}", "}").replace("\\]", "]")
    for block in packed:
        raw = base64.b64decode(re.sub(r"\s", "", block))
        yield (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode(errors="replace")


def true_usage(usage):
    """What the provider counted: all tokens of prompt and completion, whatever its own convention; None if it did not count both."""
    def get(*path):
        value = usage
        for name in path:
            value = value.get(name, {}) if isinstance(value, dict) else {}
        return value if isinstance(value, int) else None
    if get("promptTokenCount") is not None:  # Google: thoughts stand beside the candidates
        thoughts = get("thoughtsTokenCount") or 0
        return Usage(get("promptTokenCount"), (get("candidatesTokenCount") or 0) + thoughts, get("cachedContentTokenCount") or 0, 0,
                     thoughts, get("totalTokenCount"))
    if get("total_input_tokens") is not None:
        thoughts = get("total_thought_tokens") or 0
        return Usage(get("total_input_tokens"), get("total_output_tokens") + thoughts, get("total_cached_tokens") or 0, 0, thoughts,
                     get("total_tokens"))
    if get("prompt_tokens") is not None and get("completion_tokens") is not None:  # OpenAI and Mistral
        return Usage(get("prompt_tokens"), get("completion_tokens"), get("prompt_tokens_details", "cached_tokens") or 0, 0,
                     get("completion_tokens_details", "reasoning_tokens") or 0, get("total_tokens"))
    if get("input_tokens") is not None and get("output_tokens") is not None:  # Anthropic: the cache stands beside the input
        cached, write = get("cache_read_input_tokens") or 0, get("cache_creation_input_tokens") or 0
        prompt = get("input_tokens") + cached + write
        return Usage(prompt, get("output_tokens"), cached, write, 0, prompt + get("output_tokens"))
    if get("prompt_eval_count") is not None and get("eval_count") is not None:  # Ollama
        return Usage(get("prompt_eval_count"), get("eval_count"), 0, 0, 0, get("prompt_eval_count") + get("eval_count"))
    return None


def exchanges():
    for cassette in sorted((DATA / "cassettes").rglob("*.yaml")):
        name = str(cassette.relative_to(DATA / "cassettes"))
        for number, answer in enumerate(answers_of(cassette)):
            found = [true_usage(usage) for usage in objects_behind(answer, ["usage", "usageMetadata", "usage_metadata"])]
            counts = dict(re.findall(r'"(prompt_eval_count|eval_count)" ?: ?(\d+)', answer))
            found.append(true_usage({key: int(count) for key, count in counts.items()}))
            found = [usage for usage in found if usage]
            if found:  # of a stream the last one is whole
                yield f"{name}#{number}", found[-1]


def conventions(u):
    """What an instrumentation of each convention puts on the span of a call with this usage."""
    uncached, visible = u.prompt - u.cached - u.write, u.completion - u.reasoning
    yield "OpenTelemetry", {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": u.prompt, "gen_ai.usage.output_tokens": u.completion,
                            "gen_ai.usage.cache_read.input_tokens": u.cached, "gen_ai.usage.cache_creation.input_tokens": u.write,
                            "gen_ai.usage.reasoning.output_tokens": u.reasoning}
    yield "OpenTelemetry 1.26", {"gen_ai.operation.name": "chat", "gen_ai.usage.prompt_tokens": u.prompt,
                                 "gen_ai.usage.completion_tokens": u.completion}
    yield "OpenInference", {"openinference.span.kind": "LLM", "llm.token_count.prompt": u.prompt, "llm.token_count.completion": u.completion,
                            "llm.token_count.total": u.total, "llm.token_count.prompt_details.cache_read": u.cached,
                            "llm.token_count.prompt_details.cache_write": u.write,
                            "llm.token_count.completion_details.reasoning": u.reasoning}
    yield "OpenLLMetry", {"llm.request.type": "chat", "gen_ai.usage.input_tokens": u.prompt, "gen_ai.usage.output_tokens": u.completion,
                          "gen_ai.usage.total_tokens": u.total, "gen_ai.usage.cache_read_input_tokens": u.cached,
                          "gen_ai.usage.cache_creation_input_tokens": u.write, "gen_ai.usage.reasoning_tokens": u.reasoning}
    yield "Vercel 6", {"ai.operationId": "ai.generateText.doGenerate", "ai.usage.inputTokens": u.prompt, "ai.usage.outputTokens": u.completion,
                       "ai.usage.totalTokens": u.total, "ai.usage.inputTokenDetails.noCacheTokens": uncached,
                       "ai.usage.inputTokenDetails.cacheReadTokens": u.cached, "ai.usage.inputTokenDetails.cacheWriteTokens": u.write,
                       "ai.usage.outputTokenDetails.reasoningTokens": u.reasoning}
    yield "Vercel 4", {"ai.operationId": "ai.generateText.doGenerate", "ai.usage.promptTokens": u.prompt, "ai.usage.completionTokens": u.completion}
    yield "LangSmith", {"langsmith.span.kind": "llm", "gen_ai.usage.input_tokens": u.prompt, "gen_ai.usage.output_tokens": u.completion,
                        "gen_ai.usage.input_token_details": str({"cache_read": u.cached, "cache_creation": u.write}),
                        "gen_ai.usage.output_token_details": str({"reasoning": u.reasoning})}
    yield "LangSmith metadata", {"langsmith.span.kind": "llm", "langsmith.usage_metadata": {
        "input_tokens": u.prompt, "output_tokens": u.completion, "total_tokens": u.total,
        "input_token_details": {"cache_read": u.cached, "cache_creation": u.write}, "output_token_details": {"reasoning": u.reasoning}}}
    yield "Langfuse", {"langfuse.observation.type": "generation", "langfuse.observation.usage_details": {
        "input": uncached, "output": visible, "input_cached_tokens": u.cached, "input_cache_creation": u.write,
        "output_reasoning_tokens": u.reasoning, "total": u.total}}
    yield "Langfuse without total", {"langfuse.observation.type": "generation", "langfuse.observation.usage_details": {
        "input": uncached, "output": visible, "input_cached_tokens": u.cached, "input_cache_creation": u.write,
        "output_reasoning_tokens": u.reasoning}}
    yield "MLflow", {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.chat.tokenUsage": {
        "input_tokens": u.prompt, "output_tokens": u.completion, "total_tokens": u.total, "cache_read_input_tokens": u.cached,
        "cache_creation_input_tokens": u.write}}
    yield "canonical names", {"step_kind": "llm", "prompt_tokens": u.prompt, "completion_tokens": u.completion, "cached_tokens": u.cached}
    yield "texts", {"step_kind": "llm", "prompt_tokens": str(u.prompt), "completion_tokens": f"{u.completion}.0"}


def test_recorded_answers_give_their_true_counts_in_every_convention(any_age):
    table = list(exchanges())
    assert len(table) >= 35, "the answers were not found"
    assert any(usage.reasoning for _, usage in table) and any(usage.cached for _, usage in table)
    compared = collections.Counter()
    for name, usage in table:
        spans = {trace_id_of(name, convention): (convention, attributes) for convention, attributes in conventions(usage)}
        send(any_age, [{"traceId": trace, "spanId": "0000000000000001", "name": "chat", "kind": 3, "attributes": attributes_of(attributes)}
                       for trace, (_, attributes) in spans.items()])
        for trace, (convention, _) in spans.items():
            got = read(any_age, "trace/" + trace)
            assert [span["step_kind"] for span in got["spans"] if not span["inferred"]][-1] == "llm", (name, convention)
            counts = got["usage"]
            assert (counts["prompt_tokens"], counts["completion_tokens"]) == (usage.prompt, usage.completion), (name, convention)
            compared[convention] += 1
        print(f"{name:100} prompt {usage.prompt:6} completion {usage.completion:5} cached {usage.cached:4} reasoning {usage.reasoning:4}")
    print(dict(compared))


# ---- Agent traces exported by Langfuse ----

TRACES = sorted(path.name[:-len(".trace.json")] for path in (DATA / "langfuse").glob("*.trace.json")) if DATA.exists() else []


def load(name):
    document = json.loads((DATA / "langfuse" / f"{name}.trace.json").read_text())
    for observation in document["observations"]:
        metadata = observation["metadata"] or {}
        observation["metadata"] = json.loads(metadata) if isinstance(metadata, str) else metadata
    return document["observations"]


def parsed(value):
    return json.loads(value) if isinstance(value, str) and value[:1] in "{[" else value


def otel_attributes(observation):
    """As they came to Langfuse; it keeps them in the metadata, but for what it has understood as input and output."""
    return dict(parsed(observation["metadata"].get("attributes")) or {})


def langfuse_attributes(observation):
    """As Langfuse's own SDK writes the same observation."""
    attributes = {"langfuse.observation.type": observation["type"].lower()}
    for key, value in (("model.name", observation["model"]), ("usage_details", observation["usageDetails"]),
                       ("cost_details", observation["costDetails"]), ("input", observation["input"]), ("output", observation["output"])):
        if value not in (None, {}, ""):
            attributes["langfuse.observation." + key] = value
    return attributes


# What each framework's spans are by their own attributes: nothing is known of those without any.
KINDS = {
    "autogen-2025-06-06": {},
    "crewai-2025-07-11": {"completion": "llm", "Crew.kickoff": "chain", "Task._execute_core": "agent"},
    "google-gemini-2025-08-01": {"GenerateContent": "llm"},
    "koog-2025-08-26": {"agent.f9f77d1a-437f-4ba6-890e-b592a50cbd21": "agent", "run.6f8d2449-33ed-4c7c-82e7-5410e34ee4e6": "agent",
                        "llm.chat": "llm", "tool.ByeTool": "tool", "tool.HelloTool": "tool"},
    "langgraph-python-2025-08-22": {},
    "microsoft-agent-2025-12-17": {"invoke_agent 171105b7-59dd-49c0-9677-0b95395aa46a": "agent", "chat gpt-5-mini": "llm",
                                   "get_weather": "tool"},
    "openai-agents-2025-09-30": {"Agent workflow": "agent", "Hello world": "agent", "response": "llm", "get_weather": "tool"},
    "pydantic-ai-2025-06-06": {"chat gpt-4o": "llm"},
    "vercel-aisdk-2025-11-17": {"ai.generateText": "agent", "ai.generateText.doGenerate": "llm", "getWeather": "tool"},
}
# Of these the spans do not tell the tokens, or Langfuse counted itself what an outer span repeats.
WITHOUT_COUNTS = {"koog-2025-08-26", "autogen-2025-06-06", "langgraph-python-2025-08-22"}
OF_KIND = {"generation": "llm", "span": "chain"}


def send_alone(server, name, observation, attributes, purpose):
    """Each observation in a trace of its own, so that the trace's sums are its own."""
    trace = trace_id_of(name, observation["id"], purpose)
    scope = parsed(observation["metadata"].get("scope")) or {}
    send(server, [{"traceId": trace, "spanId": observation["id"], "parentSpanId": "00000000000000ff", "name": observation["name"], "kind": 1,
                   "attributes": attributes_of(attributes)}], scope.get("name", ""), scope.get("version", "") or "")
    return trace


def shown(trace):
    (span,) = [span for span in trace["spans"] if not span["inferred"]]
    return span


@pytest.mark.parametrize("name", TRACES)
def test_agent_traces_have_their_kinds_counts_and_costs(any_age, name):
    for observation in load(name):
        by_otel = read(any_age, "trace/" + send_alone(any_age, name, observation, otel_attributes(observation), "otel"))
        assert shown(by_otel)["step_kind"] == KINDS[name].get(observation["name"], "chain"), observation["name"]
        kind = observation["type"].lower()
        by_langfuse = read(any_age, "trace/" + send_alone(any_age, name, observation, langfuse_attributes(observation), "langfuse"))
        assert shown(by_langfuse)["step_kind"] == OF_KIND.get(kind, kind), observation["name"]
        wanted = (observation["inputUsage"], observation["outputUsage"])
        if kind == "generation":
            usage = by_langfuse["usage"]
            assert (usage["prompt_tokens"], usage["completion_tokens"]) == wanted, observation["name"]
            if usage["cost_usd"] is not None:
                assert usage["cost_usd"] == pytest.approx(observation["costDetails"]["total"], abs=1e-9)
            if name not in WITHOUT_COUNTS and shown(by_otel)["step_kind"] == "llm":
                usage = by_otel["usage"]
                assert (usage["prompt_tokens"], usage["completion_tokens"]) == wanted, observation["name"]
        print(f"{name:30} {observation['name'][:42]:43} otel {shown(by_otel)['step_kind']:8} langfuse {shown(by_langfuse)['step_kind']:8} "
              f"{wanted[0]:5} {wanted[1]:5} {observation['costDetails'].get('total', '-')}")


def canonical(text):
    """JSON without its blanks; other texts as they are."""
    value = text
    if isinstance(text, str):
        try:
            value = json.loads(text)
        except ValueError:
            return text.strip()
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def expected_messages(side):
    """Role, text, calls of tools; None where Langfuse could not read the side."""
    if not side or not side["success"]:
        return None
    messages = []
    for message in side["data"]:
        if "role" not in message:
            return None  # kept as JSON, not read
        role = {"model": "assistant"}.get(message["role"], message["role"])
        text = message.get("content") or ""
        calls = [(call["id"], call["name"], canonical(call["arguments"])) for call in message.get("tool_calls", [])]
        messages.append((role, canonical(text), calls))
    return messages


def our_messages(messages):
    ours = []
    for message in messages:
        text, calls = [], []
        for part in message["parts"]:
            if part["type"] == "tool_call":
                calls.append((part.get("id"), part.get("name"), canonical(json.dumps(part["arguments"]))))
            elif part["type"] == "tool_call_response":
                text.append(part["response"] if isinstance(part["response"], str) else json.dumps(part["response"]))
            else:
                content = part.get("content")
                text.append(content if isinstance(content, str) else json.dumps(content))
        ours.append((message["role"], canonical("\n".join(text)), calls))
    return ours


@pytest.mark.parametrize("name", TRACES)
def test_conversations_are_those_that_langfuse_reads(any_age, name):
    chat = json.loads((DATA / "langfuse" / f"{name}.chatml.json").read_text())
    compared = 0
    for observation in load(name):
        sides = chat.get(observation["id"], {})
        trace = send_alone(any_age, name, observation, {**otel_attributes(observation), **langfuse_attributes(observation)}, "both")
        own = send_alone(any_age, name, observation, langfuse_attributes(observation), "chat")
        for side in ("input", "output"):
            wanted = expected_messages(sides.get(side))
            steps = read(any_age, "genai/conversation/" + own)["steps"]
            ours = our_messages(steps[0][side]) if steps else []
            both = read(any_age, "genai/conversation/" + trace)["steps"]
            print(f"{name:30} {observation['name'][:30]:31} {side:6} langfuse {'-' if wanted is None else len(wanted):>2} ours {len(ours):2} "
                  f"with its OpenTelemetry attributes {len(both[0][side]) if both else 0:2}")
            if wanted is None:
                continue
            assert ours == wanted, (observation["name"], side)
            compared += 1
            # Flattened messages of OpenInference begin with the instructions, which the request held apart.
            from_otel = [message for message in our_messages(both[0][side]) if message[0] != "system"]
            assert from_otel == [message for message in wanted if message[0] != "system"], (observation["name"], side)
    assert compared or name in ("autogen-2025-06-06",)


# ---- Jaeger's sample ----

def test_the_sample_trace_of_jaeger_by_its_importer(any_age):
    path = DATA / "jaeger-ui-genaiTestTrace.json"
    any_age.cli("import", str(path))
    document = json.loads(path.read_text())
    (sent,) = document["data"] if "data" in document else [document]
    trace = read(any_age, "trace/" + sent["traceID"].rjust(32, "0"))
    spans = [span for span in trace["spans"] if not span["inferred"]]
    tags = {span["spanID"].rjust(16, "0"): {tag["key"]: tag["value"] for tag in span["tags"]} for span in sent["spans"]}
    operations = {"chat": "llm", "invoke_agent": "agent", "execute_tool": "tool", "retrieval": "retriever"}
    kinds = collections.Counter()
    for span in spans:
        if span["id"] not in tags:
            continue  # a segment made for a service
        kinds[span["step_kind"]] += 1
        operation = tags[span["id"]].get("gen_ai.operation.name")
        if operation:
            assert span["step_kind"] == operations[operation], span["name"]
        elif tags[span["id"]].get("db.system.name") == "qdrant":
            assert span["step_kind"] == "retriever"
        elif "db.system.name" in tags[span["id"]]:
            assert span["step_kind"] == "db"
    chats = [t for t in tags.values() if t.get("gen_ai.operation.name") == "chat"]
    assert trace["usage"]["prompt_tokens"] == sum(t["gen_ai.usage.input_tokens"] for t in chats)
    assert trace["usage"]["completion_tokens"] == sum(t["gen_ai.usage.output_tokens"] for t in chats)
    assert trace["usage"]["cached_tokens"] == sum(t["gen_ai.usage.cache_read.input_tokens"] for t in chats)
    talk = read(any_age, "genai/conversation/" + sent["traceID"].rjust(32, "0"))
    steps = [step for step in talk["steps"] if step["step_kind"] == "llm"]
    assert len(steps) == len(chats) and all(step["system"] and step["input"] and step["output"] for step in steps)
    print(dict(kinds), trace["usage"], len(talk["steps"]), "steps said something")
