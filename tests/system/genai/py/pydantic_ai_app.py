"""An agent of Pydantic AI with two tools, recorded by its own instrumentation."""
import asyncio

from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from common import OPENAI_URL, finish, provider, request

made = provider()
model = OpenAIChatModel("gpt-5.6-terra", provider=OpenAIProvider(base_url=OPENAI_URL, api_key="scripted"))
Agent.instrument_all(InstrumentationSettings(tracer_provider=made))
agent = Agent(model, name="support")


@agent.tool_plain
async def get_order(order: str) -> str:
    """Reads an order."""
    await asyncio.sleep(0.02)
    return f"order {order}: paid"


@agent.tool_plain
async def search_kb(query: str) -> str:
    """Searches the knowledge base."""
    await asyncio.sleep(0.06)
    return f"refunds of {query}: within 30 days"


async def main():
    with request("/agent"):
        await agent.run("Can I have my money back for order 7?")


asyncio.run(main())
finish(made)
