"""What was said in a trace: from attributes, from log records that come before, with and after their span, and from a stream of chunks."""
import json
import time

from harness import Server, wait_for

TRACE = "6bc1f771a006649127e371903a2de979"
SECOND = 1_000_000_000


def text(value):
    return {"stringValue": value}


def attributes(**values):
    return [{"key": key.replace("__", "."), "value": value if isinstance(value, dict) else text(value)} for key, value in values.items()]


def span(number, name, start, end, parent=None, **more):
    found = {"traceId": TRACE, "spanId": f"{number:016x}", "name": name, "kind": 3, "startTimeUnixNano": str(start), "endTimeUnixNano": str(end)}
    if parent:
        found["parentSpanId"] = f"{parent:016x}"
    return {**found, **more}


def record(number, event, at, **more):
    return {"traceId": TRACE, "spanId": f"{number:016x}", "timeUnixNano": str(at), "eventName": event, **more}


def send_spans(server, *spans):
    status, answer = server.post_json("/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]})
    assert (status, answer) == (200, {})


def send_logs(server, *records):
    return server.post_json("/v1/logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]})


def talk_of(server):
    return json.loads(server.cli("genai", "conversation", TRACE, "--json").stdout)["steps"]


def said(messages):
    return [(message["role"], message["parts"][0].get("content")) for message in messages]


def test_log_records_chunks_and_messages_are_one_conversation(tmp_path):
    now = time.time_ns() - 20 * SECOND
    with Server(folder=tmp_path) as server:
        # Before its span; the body is the message.
        assert send_logs(server, record(2, "gen_ai.user.message", now + 1, body={"kvlistValue": {"values": attributes(content="Hi")}})) == (200, {})
        chunks = [{"timeUnixNano": str(now + 200_000_000 + i * 10_000_000), "name": "gen_ai.content.completion.chunk"} for i in range(50)]
        send_spans(server,
                   span(1, "POST /chat", now, now + 3 * SECOND, kind=2, attributes=attributes(tenant="acme", http__route="/chat")),
                   span(2, "chat m", now, now + SECOND, 1, events=chunks, attributes=attributes(
                       gen_ai__operation__name="chat", gen_ai__request__model="m", gen_ai__usage__input_tokens={"intValue": "5"})))
        # After it, twice, with one that belongs to nothing.
        answer = record(2, "gen_ai.choice", now + SECOND // 2, body={"kvlistValue": {"values": attributes(
            finish_reason="stop", message={"kvlistValue": {"values": attributes(role="assistant", content="Hello")}})}})
        status, told = send_logs(server, answer, {"body": text("of no span")})
        assert status == 200 and told["partialSuccess"]["rejectedLogRecords"] == "1", told
        assert send_logs(server, answer) == (200, {})
        send_spans(server, span(3, "chat m", now + SECOND, now + 2 * SECOND, 1, attributes=attributes(
            gen_ai__operation__name="chat", gen_ai__request__model="m", gen_ai__system_instructions='[{"type":"text","content":"Be brief."}]',
            gen_ai__input__messages=json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
                                                {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]},
                                                {"role": "user", "parts": [{"type": "text", "content": "And?"}]}]))))

        def check(read):
            first, second = read()
            assert said(first["input"]) == [("user", "Hi")] and said(first["output"]) == [("assistant", "Hello")]
            assert first["finish_reason"] == "stop" and first["model"] == "m"
            assert second["repeated"] == 2 and said(second["input"])[2] == ("user", "And?")
            assert second["system"][0]["content"] == "Be brief."
            return True

        check(lambda: talk_of(server))
        assert server.metric("fluoro_ingest_folded_chunks_total") == 50
        trace = json.loads(server.cli("trace", TRACE, "--json").stdout)
        chat = [s for s in trace["spans"] if s["id"] == f"{2:016x}"][0]
        assert chat["attributes"]["fluoro.stream.chunks"] == 50 and chat["attributes"]["fluoro.stream.first_ns"] == 200_000_000
        assert len([s for s in trace["spans"] if not s["inferred"]]) <= 4, "log records are no spans of their own"
        plain = server.cli("genai", "conversation", TRACE).stdout
        assert "Be brief." in plain and "(2 messages as before)" in plain and "llm m" in plain
        found = server.cli("search", 'annotation.ttft_ms = 200 AND annotation.tenant = "acme"').stdout
        assert TRACE[:8] in found
        # X-Ray's own tools see the canonical fields, with the tenant that the root names.
        status, answer = server.post_json("/Traces", {"TraceIds": [f"1-{TRACE[:8]}-{TRACE[8:]}"]})
        documents = json.dumps([segment["Document"] for segment in answer["Traces"][0]["Segments"]])
        for wanted in ('"step_kind":"llm"', '"tenant":"acme"', '"route":"/chat"', '"prompt_tokens":5'):
            assert json.dumps(wanted)[1:-1] in documents, wanted
        assert server.cli("genai", "conversation", "1-00000000-000000000000000000000001", check=False).returncode == 1
    # Sealed, and read from the folder.
    with Server(folder=tmp_path) as server:
        wait_for(lambda: check(lambda: talk_of(server)), what="the conversation after a restart")
