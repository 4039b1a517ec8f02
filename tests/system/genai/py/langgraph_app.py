"""An agent of LangGraph with three tools at once.

Usage: langgraph_app.py openinference|otel-genai|langsmith
"""
import os
import sys
import time

kind = sys.argv[1]
if kind == "langsmith":
    os.environ.update(LANGSMITH_TRACING="true", LANGSMITH_OTEL_ENABLED="true", LANGSMITH_OTEL_ONLY="true", LANGSMITH_API_KEY="scripted",
                      LANGSMITH_ENDPOINT="http://127.0.0.1:9", LANGSMITH_PROJECT="shop")

from langchain.agents import create_agent  # noqa: E402
from langchain.tools import tool  # noqa: E402
from langchain_openai import ChatOpenAI  # noqa: E402

from common import OPENAI_URL, TENANT, finish, provider, request  # noqa: E402

made = provider()
if kind == "openinference":
    from openinference.instrumentation.langchain import LangChainInstrumentor
    LangChainInstrumentor().instrument()
elif kind == "otel-genai":
    from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor
    LangChainInstrumentor().instrument()


@tool
def get_order(order: str) -> str:
    """Reads an order."""
    time.sleep(0.02)
    return f"order {order}: paid"


@tool
def search_kb(query: str) -> str:
    """Searches the knowledge base."""
    time.sleep(0.06)
    return f"refunds of {query}: within 30 days"


@tool
def refund_quote(order: str) -> str:
    """Works out a refund."""
    time.sleep(0.3)
    return f"{order}: 12.50"


model = ChatOpenAI(model="gpt-5.6-terra", base_url=OPENAI_URL, api_key="scripted", temperature=None)
agent = create_agent(model, [get_order, search_kb, refund_quote], name="support")
with request("/agent"):
    agent.invoke({"messages": [{"role": "user", "content": "Can I have my money back for order 7?"}]},
                 config={"configurable": {"thread_id": "thread-7"}, "metadata": {"session_id": "thread-7", "tenant": TENANT}})
if kind == "langsmith":
    from langchain_core.tracers.langchain import wait_for_all_tracers
    wait_for_all_tracers()
finish(made)
