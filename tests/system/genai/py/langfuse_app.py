"""Langfuse's SDK: its OpenAI client, a retriever, a tool, an agent, a user and a session; sent by its own OTLP exporter."""
import os
import time

os.environ.update(LANGFUSE_OTEL_TRACES_EXPORT_PATH="v1/traces", OTEL_SERVICE_NAME="shop")

from common import OPENAI_URL, TENANT, drain, finish, told  # noqa: E402
from langfuse import Langfuse, observe, propagate_attributes  # noqa: E402
from langfuse.openai import OpenAI  # noqa: E402
from opentelemetry import trace  # noqa: E402

made = Langfuse(public_key="pk-scripted", secret_key="sk-scripted", host=os.environ["FLUORO_URL"], flush_at=1)
client = OpenAI(base_url=OPENAI_URL, api_key="scripted")


@observe(as_type="retriever")
def retrieve(query):
    time.sleep(0.01)
    return ["passage of " + query]


@observe(as_type="tool")
def get_order(order):
    time.sleep(0.02)
    return f"order {order}: paid"


@observe(as_type="agent")
def support(question):
    told["trace_id"] = f"{trace.get_current_span().get_span_context().trace_id:032x}"
    with propagate_attributes(user_id="user-1", session_id="thread-7", metadata={"tenant": TENANT}):
        context = retrieve(question) + [get_order("7")]
        begin = time.perf_counter_ns()
        told["elapsed"] = lambda: time.perf_counter_ns() - begin
        drain(told, client.chat.completions.create(model="gpt-5.6-terra", stream=True, stream_options={"include_usage": True},
                                                   messages=[{"role": "user", "content": question + str(context)}]),
              lambda chunk: chunk.choices and chunk.choices[0].delta.content)
        del told["elapsed"]


support("Can I have my money back?")
made.flush()
finish()
