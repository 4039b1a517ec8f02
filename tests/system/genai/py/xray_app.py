"""AWS X-Ray SDK: segments and subsegments with annotations of the canonical names, by UDP. Run with the Python of the X-Ray SDK."""
import json
import os
import time
import urllib.request

from aws_xray_sdk.core import xray_recorder

xray_recorder.configure(service="shop", daemon_address=os.environ["FLUORO_UDP"], sampling=False, context_missing="RUNTIME_ERROR")
told = {}


def ask(model, attempts):
    """One call of a model that is tried again when it is throttled or times out."""
    with xray_recorder.in_subsegment("chat " + model, namespace="remote") as step:
        for attempt in range(attempts):
            with xray_recorder.in_subsegment("POST", namespace="remote") as call:
                body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Will it rain?"}]}).encode()
                call.put_http_meta("url", os.environ["MODEL_URL"] + "/v1/chat/completions")
                call.put_http_meta("method", "POST")
                call.put_annotation("attempt", attempt)
                try:
                    with urllib.request.urlopen(urllib.request.Request(os.environ["MODEL_URL"] + "/v1/chat/completions", data=body), timeout=0.4) as answer:
                        call.put_http_meta("status", answer.status)
                        usage = json.load(answer)["usage"]
                        break
                except TimeoutError as error:
                    call.put_annotation("timeout", True)
                    call.add_exception(error, [])
        for key, value in {"step_kind": "llm", "provider": "openai", "model": model, "prompt_tokens": usage["prompt_tokens"],
                           "completion_tokens": usage["completion_tokens"], "cached_tokens": usage["prompt_tokens_details"]["cached_tokens"],
                           "retry_count": attempt}.items():
            step.put_annotation(key, value)


with xray_recorder.in_segment("shop") as segment:
    told["trace_id"] = segment.trace_id
    segment.put_http_meta("url", "https://shop.example/chat")
    segment.put_http_meta("method", "POST")
    segment.put_http_meta("status", 200)
    for key, value in {"tenant": os.environ["TENANT"], "route": "/chat", "experiment_id": "prompt-v2", "experiment_arm": "B"}.items():
        segment.put_annotation(key, value)
    with xray_recorder.in_subsegment("execute_tool get_order") as tool:
        time.sleep(0.02)
        for key, value in {"step_kind": "tool", "tool_name": "get_order", "tool_latency_ms": 20, "retry_count": 0}.items():
            tool.put_annotation(key, value)
    ask("gpt-5.6-terra", 2)
print(json.dumps(told))
