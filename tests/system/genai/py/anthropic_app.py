"""The Anthropic client, which records spans of its own, under one more instrumentation, one trace a scenario.

Usage: anthropic_app.py otel-genai|openinference|traceloop
"""
import sys

import anthropic

from common import MODEL_URL, drain, finish, provider, request

made = provider()
if sys.argv[1] == "otel-genai":
    from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
elif sys.argv[1] == "openinference":
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
else:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
AnthropicInstrumentor().instrument()
client = anthropic.Anthropic(base_url=MODEL_URL, api_key="scripted")
ask = {"model": "claude-sonnet-5", "max_tokens": 1000, "messages": [{"role": "user", "content": "Will it rain?"}]}
with request(scenario="chat"):
    client.messages.create(**ask)
with request(scenario="stream") as about:
    drain(about, client.messages.create(**ask, stream=True), lambda event: event.type == "content_block_delta")
finish(made)
