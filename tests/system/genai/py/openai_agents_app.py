"""An agent of the OpenAI Agents SDK with two tools, by the Responses API. Usage: openai_agents_app.py openinference|otel-genai"""
import asyncio
import sys
import time

import openai
from agents import Agent, Runner, function_tool, set_default_openai_client

from common import OPENAI_URL, finish, provider, request

made = provider()
if sys.argv[1] == "openinference":
    from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
else:
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
    from opentelemetry.instrumentation.genai.openai_agents import OpenAIAgentsInstrumentor
    OpenAIInstrumentor().instrument(tracer_provider=made)  # the model's calls are its, not the other one's
OpenAIAgentsInstrumentor().instrument(tracer_provider=made)
set_default_openai_client(openai.AsyncOpenAI(base_url=OPENAI_URL, api_key="scripted"), use_for_tracing=False)


@function_tool
def get_order(order: str) -> str:
    """Reads an order."""
    time.sleep(0.02)
    return f"order {order}: paid"


@function_tool
def search_kb(query: str) -> str:
    """Searches the knowledge base."""
    time.sleep(0.06)
    return f"refunds of {query}: within 30 days"


async def main():
    agent = Agent(name="support", instructions="Help.", tools=[get_order, search_kb], model="gpt-5.6-terra")
    with request("/agent"):
        await Runner.run(agent, "Can I have my money back for order 7?")


asyncio.run(main())
finish(made)
