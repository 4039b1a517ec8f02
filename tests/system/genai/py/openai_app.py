"""The OpenAI client under one of five instrumentations, one trace a scenario. Usage: openai_app.py KIND SCENARIO..."""
import os
import sys

import openai
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor

from common import OPENAI_URL, drain, finish, provider, request

MODEL = "gpt-5.6-terra"
QUESTION = "Will it rain?"
MESSAGES = [{"role": "user", "content": QUESTION}]


def instrument(kind):
    if kind in ("otel-v2", "otel-v2-new"):
        if kind == "otel-v2-new":
            os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
        from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
    elif kind == "otel-genai":
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
    elif kind == "openinference":
        from openinference.instrumentation.openai import OpenAIInstrumentor
    else:
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor
    OpenAIInstrumentor().instrument()
    HTTPX2ClientInstrumentor().instrument()


def act(client, scenario, about):
    match scenario:
        case "chat" | "throttled":
            client.chat.completions.create(model=MODEL, messages=MESSAGES)
        case "timeout":
            client.with_options(timeout=0.4).chat.completions.create(model=MODEL, messages=MESSAGES)
        case "failed":
            try:
                client.with_options(max_retries=0).chat.completions.create(model=MODEL, messages=MESSAGES)
            except openai.APIStatusError as error:
                about["status"] = error.status_code
        case "stream":
            drain(about, client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}),
                  lambda chunk: chunk.choices and chunk.choices[0].delta.content)
        case "responses":
            client.responses.create(model=MODEL, input=QUESTION)
        case "responses-stream":
            drain(about, client.responses.create(model=MODEL, input=QUESTION, stream=True), lambda event: event.type.endswith("text.delta"))
        case "embed":
            client.embeddings.create(model="text-embedding-3-small", input=["one passage", "another"])


made = provider()
instrument(sys.argv[1])
client = openai.OpenAI(base_url=OPENAI_URL, api_key="sk-scripted", max_retries=2)
for name in sys.argv[2:]:
    with request(scenario=name, experiment_id="prompt-v2", experiment_arm="B") as about:
        act(client, name, about)
finish(made)
