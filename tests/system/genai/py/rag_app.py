"""A retrieval request: cache, embedding, search, rerank, model, log of the answer. LangChain, OpenAI's client, redis and sqlite3 under their
instrumentations; LangChain's and the OpenAI client's both see each call of the model. Usage: rag_app.py ARM
"""
import os
import sqlite3
import sys

import httpx2
import redis
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openinference.instrumentation import OITracer, TraceConfig
from openinference.instrumentation.langchain import LangChainInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor

from common import MODEL_URL, OPENAI_URL, finish, provider, request

made = provider()
for instrumentor in (LangChainInstrumentor, OpenAIInstrumentor, RedisInstrumentor, SQLite3Instrumentor, HTTPX2ClientInstrumentor):
    instrumentor().instrument()
tracer = OITracer(trace.get_tracer("shop"), TraceConfig())
model = ChatOpenAI(model="gpt-5.6-terra", base_url=OPENAI_URL, api_key="scripted", temperature=None)
embeddings = OpenAIEmbeddings(model="text-embedding-3-small", base_url=OPENAI_URL, api_key="scripted", check_embedding_ctx_length=False)
cache = redis.Redis(host="127.0.0.1", port=int(os.environ["REDIS_PORT"]), protocol=2)
database = sqlite3.connect(":memory:", check_same_thread=False).cursor()
database.connection.executescript("CREATE TABLE passage(body TEXT); CREATE TABLE chat_log(answer TEXT);")
database.connection.executemany("INSERT INTO passage VALUES (?)", [(f"passage {i}",) for i in range(8)])
http = httpx2.Client()


class Passages(BaseRetriever):
    """Embeds the question and reads the passages."""

    def _get_relevant_documents(self, query, *, run_manager):
        embeddings.embed_query(query)
        return [Document(page_content=body) for (body,) in database.execute("SELECT body FROM passage LIMIT 5").fetchall()]


def rerank(query, documents):
    """A call of a rerank service, recorded with OpenInference's own tracer."""
    with tracer.start_as_current_span("rerank", attributes={"openinference.span.kind": "RERANKER", "reranker.model_name": "rerank-v3.5",
                                                            "reranker.query": query, "reranker.top_k": 3}):
        body = {"model": "rerank-v3.5", "query": query, "documents": [one.page_content for one in documents], "top_n": 3}
        return [documents[one["index"]] for one in http.post(MODEL_URL + "/v2/rerank", json=body).json()["results"]]


question = "Will it rain?"
with request(experiment_id="rerank-v2", experiment_arm=sys.argv[1]):
    if cache.get("answer:" + question) is None:
        found = rerank(question, Passages().invoke(question))
        chain = ChatPromptTemplate.from_messages([("system", "Answer from: {context}"), ("user", "{question}")]) | model
        answer = chain.invoke({"context": "\n".join(one.page_content for one in found), "question": question})
        database.execute("INSERT INTO chat_log VALUES (?)", (answer.content,))
finish(made)
