"""A model server whose every answer, token count, delay and failure is scripted, so that the truth about a trace is known.

Speaks OpenAI's chat completions (whole and streamed), responses (whole and streamed), embeddings, Anthropic's messages (whole and
streamed) and a rerank call, as clients of those services expect them. A script is a list of replies; each request takes the next one.
"""
import base64
import dataclasses
import http.server
import json
import struct
import threading
import time


@dataclasses.dataclass
class Reply:
    """What one request gets. Token counts are those of OpenAI: `prompt` includes `cached` and `cache_write`, `completion` includes `reasoning`."""
    text: str = "It will rain at four."
    tools: list = dataclasses.field(default_factory=list)  # (name, {arguments}) that the model asks for instead of a text
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    model: str = ""  # the model that answers, where it is not the one asked for
    status: int = 200
    retry_after_ms: int = 1
    hang: bool = False  # no answer until the client leaves
    queue_ms: int = 0  # before an engine begins
    first_ms: int = 0  # from then until the first token of a stream
    gaps_ms: list = dataclasses.field(default_factory=list)  # before each further piece; the text is cut into one piece more
    dimensions: int = 4
    documents: list = dataclasses.field(default_factory=list)  # (index, score) of a rerank

    def pieces(self):
        words = self.text.split(" ")
        count = len(self.gaps_ms) + 1
        cut = [words[i * len(words) // count:(i + 1) * len(words) // count] for i in range(count)]
        return [" ".join(part) + " " for part in cut]


class ModelServer:
    """Use as a context manager. `seen` holds (path, headers, body) of each request in order of arrival."""

    def __init__(self, *script, engine=None):
        self._script = list(script)
        self.engine = engine  # records what a streamed answer took (engine.py)
        self._lock = threading.Lock()
        self.stopped = threading.Event()
        self.seen = []
        owner = self

        class Handler(_Handler):
            server_owner = owner

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.host = "127.0.0.1:%d" % self._http.server_address[1]
        self.url = "http://" + self.host

    def next_reply(self, path, headers, body):
        with self._lock:
            self.seen.append((path, headers, body))
            return self._script.pop(0) if self._script else Reply(status=500, text="the script is at its end")

    def left(self):
        with self._lock:
            return len(self._script)

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self._http.shutdown()
        self._http.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_owner = None

    def log_message(self, *_):
        pass

    def do_POST(self):  # the name is the standard library's
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        path = self.path.split("?")[0]
        reply = self.server_owner.next_reply(path, dict(self.headers), body)
        try:
            self._answer(path, reply, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _answer(self, path, reply, body):
        if reply.hang:
            self.server_owner.stopped.wait(30)
            self.close_connection = True
            return
        if reply.status != 200:
            self._whole(reply.status, _error(reply), {"retry-after-ms": str(reply.retry_after_ms)})
            return
        model = reply.model or body.get("model", "")
        stream = bool(body.get("stream"))
        if path.endswith("/chat/completions"):
            self._events(reply, _chat_events(reply, model, body)) if stream else self._after(reply, _chat(reply, model))
        elif path.endswith("/responses"):
            self._events(reply, _response_events(reply, model)) if stream else self._after(reply, _response(reply, model, "completed"))
        elif path.endswith("/messages"):
            self._events(reply, _message_events(reply, model)) if stream else self._after(reply, _message(reply, model))
        elif path.endswith("/embeddings"):
            self._after(reply, _embeddings(reply, model, body))
        elif path.endswith("/rerank"):
            self._after(reply, {"id": "rr-1", "results": [{"index": i, "relevance_score": s} for i, s in reply.documents]})
        else:
            self._whole(404, {"error": {"message": "no such path: " + path, "type": "invalid_request_error"}})

    def _after(self, reply, value):
        time.sleep(reply.first_ms / 1000)
        self._whole(200, value)

    def _whole(self, status, value, headers=None):
        raw = json.dumps(value).encode()
        self.send_response(status)
        for key, text in {"Content-Type": "application/json", "Content-Length": str(len(raw)), **(headers or {})}.items():
            self.send_header(key, text)
        self.end_headers()
        self.wfile.write(raw)

    def _events(self, reply, events):
        """Server-sent events; `events` are (delay in ms before it, name or "", value)."""
        begin_ns, first_ns = time.time_ns(), None
        time.sleep(reply.queue_ms / 1000)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for delay_ms, name, value in events:
            if delay_ms:
                time.sleep(delay_ms / 1000)
            text = (f"event: {name}\n" if name else "") + "data: " + (value if isinstance(value, str) else json.dumps(value)) + "\n\n"
            raw = text.encode()
            first_ns = first_ns or time.time_ns()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
            self.wfile.flush()
        if self.server_owner.engine:
            self.server_owner.engine.record(dict(self.headers), reply, reply.model, begin_ns, first_ns, time.time_ns())
        self.wfile.write(b"0\r\n\r\n")


def _error(reply):
    kind = {429: "rate_limit_exceeded", 529: "overloaded_error"}.get(reply.status, "server_error")
    return {"type": "error", "error": {"message": reply.text, "type": kind, "code": kind, "param": None}}


def _tool_calls(reply):
    return [{"id": f"call_{i}_{name}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for i, (name, arguments) in enumerate(reply.tools)]


def _usage(reply):
    return {"prompt_tokens": reply.prompt, "completion_tokens": reply.completion, "total_tokens": reply.prompt + reply.completion,
            "prompt_tokens_details": {"cached_tokens": reply.cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": reply.reasoning, "audio_tokens": 0}}


def _chat(reply, model):
    message = {"role": "assistant", "content": None if reply.tools else reply.text, "refusal": None}
    if reply.tools:
        message["tool_calls"] = _tool_calls(reply)
    return {"id": f"chatcmpl-{id(reply):x}", "object": "chat.completion", "created": int(time.time()), "model": model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if reply.tools else "stop"}],
            "usage": _usage(reply), "service_tier": "default", "system_fingerprint": "fp_scripted"}


def _chat_events(reply, model, body):
    head = {"id": f"chatcmpl-{id(reply):x}", "object": "chat.completion.chunk", "created": int(time.time()), "model": model,
            "system_fingerprint": "fp_scripted"}

    def chunk(delta, finish=None):
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    if reply.tools:
        calls = [{"index": i, **call} for i, call in enumerate(_tool_calls(reply))]
        yield reply.first_ms, "", chunk({"role": "assistant", "content": None, "tool_calls": calls})
    else:
        for i, piece in enumerate(reply.pieces()):
            first = {"role": "assistant"} if i == 0 else {}
            yield (reply.first_ms if i == 0 else reply.gaps_ms[i - 1]), "", chunk({**first, "content": piece})
    yield 0, "", chunk({}, "tool_calls" if reply.tools else "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        yield 0, "", {**head, "choices": [], "usage": _usage(reply)}
    yield 0, "", "[DONE]"


def _response(reply, model, status):
    output = []
    if status == "completed" and reply.tools:
        output = [{"type": "function_call", "id": f"fc_{i}", "call_id": f"call_{i}_{name}", "name": name, "arguments": json.dumps(arguments),
                   "status": "completed"} for i, (name, arguments) in enumerate(reply.tools)]
    elif status == "completed":
        output = [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                   "content": [{"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}]}]
    usage = {"input_tokens": reply.prompt, "output_tokens": reply.completion, "total_tokens": reply.prompt + reply.completion,
             "input_tokens_details": {"cached_tokens": reply.cached, "cache_write_tokens": reply.cache_write},
             "output_tokens_details": {"reasoning_tokens": reply.reasoning}}
    return {"id": f"resp_{id(reply):x}", "object": "response", "created_at": int(time.time()), "status": status, "model": model, "output": output,
            "error": None, "incomplete_details": None, "instructions": None, "max_output_tokens": None, "metadata": {}, "parallel_tool_calls": True,
            "previous_response_id": None, "reasoning": {"effort": None, "summary": None}, "service_tier": "default", "store": False,
            "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled",
            "usage": usage if status == "completed" else None}


def _response_events(reply, model):
    number = iter(range(1000))

    def event(kind, **members):
        return {"type": kind, "sequence_number": next(number), **members}

    done = _response(reply, model, "completed")
    yield 0, "response.created", event("response.created", response=_response(reply, model, "in_progress"))
    for index, item in enumerate(done["output"]):
        start = {**item, "status": "in_progress", **({"arguments": ""} if reply.tools else {"content": []})}
        yield (reply.first_ms if index == 0 else 0), "response.output_item.added", event("response.output_item.added", output_index=index, item=start)
        at = {"item_id": item["id"], "output_index": index}
        if reply.tools:
            yield 0, "response.function_call_arguments.delta", event("response.function_call_arguments.delta", **at, delta=item["arguments"])
            yield 0, "response.function_call_arguments.done", event("response.function_call_arguments.done", **at, name=item["name"],
                                                                    arguments=item["arguments"])
        else:
            at["content_index"] = 0
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            yield 0, "response.content_part.added", event("response.content_part.added", **at, part=part)
            for i, piece in enumerate(reply.pieces()):
                yield (0 if i == 0 else reply.gaps_ms[i - 1]), "response.output_text.delta", event("response.output_text.delta", **at, delta=piece,
                                                                                                   logprobs=[])
            yield 0, "response.output_text.done", event("response.output_text.done", **at, text=reply.text, logprobs=[])
            yield 0, "response.content_part.done", event("response.content_part.done", **at, part={**part, "text": reply.text})
        yield 0, "response.output_item.done", event("response.output_item.done", output_index=index, item=item)
    yield 0, "response.completed", event("response.completed", response=done)


def _message(reply, model):
    """Anthropic states input without what was read from and written to the cache."""
    content = [{"type": "tool_use", "id": f"toolu_{i}", "name": name, "input": arguments} for i, (name, arguments) in enumerate(reply.tools)]
    return {"id": f"msg_{id(reply):x}", "type": "message", "role": "assistant", "model": model,
            "content": content or [{"type": "text", "text": reply.text, "citations": None}],
            "stop_reason": "tool_use" if reply.tools else "end_turn", "stop_sequence": None,
            "usage": {"input_tokens": reply.prompt - reply.cached - reply.cache_write, "output_tokens": reply.completion,
                      "cache_read_input_tokens": reply.cached, "cache_creation_input_tokens": reply.cache_write}}


def _message_events(reply, model):
    whole = _message(reply, model)
    start = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    yield reply.first_ms, "message_start", {"type": "message_start", "message": start}
    for index, block in enumerate(whole["content"]):
        empty = {**block, "input": {}} if reply.tools else {**block, "text": ""}
        yield 0, "content_block_start", {"type": "content_block_start", "index": index, "content_block": empty}
        if reply.tools:
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            yield 0, "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        else:
            for i, piece in enumerate(reply.pieces()):
                yield (0 if i == 0 else reply.gaps_ms[i - 1]), "content_block_delta", {
                    "type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": piece}}
        yield 0, "content_block_stop", {"type": "content_block_stop", "index": index}
    yield 0, "message_delta", {"type": "message_delta", "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
                               "usage": {"output_tokens": reply.completion}}
    yield 0, "message_stop", {"type": "message_stop"}


def _embeddings(reply, model, body):
    texts = body.get("input")
    texts = texts if isinstance(texts, list) and texts and not isinstance(texts[0], int) else [texts]
    vector = [0.25] * reply.dimensions
    value = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if body.get("encoding_format") == "base64" else vector
    return {"object": "list", "model": model, "data": [{"object": "embedding", "index": i, "embedding": value} for i in range(len(texts))],
            "usage": {"prompt_tokens": reply.prompt, "total_tokens": reply.prompt}}
