"""What the programs here share: where spans go, the request that they serve, what their client measured itself, one line of JSON at the end."""
import contextlib
import json
import os
import time

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

MODEL_URL = os.environ["MODEL_URL"]
OPENAI_URL = MODEL_URL + "/v1"
TENANT = os.environ["TENANT"]
told = {}


def provider():
    made = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=os.environ["FLUORO_OTLP"])))
    trace.set_tracer_provider(made)
    return made


@contextlib.contextmanager
def request(route="/chat", scenario="", **attributes):
    """A request that the program serves, as a web framework's instrumentation records it, with labels of the application. Yields what is told of it."""
    tracer = trace.get_tracer("shop.web")
    with tracer.start_as_current_span(f"POST {route}", kind=trace.SpanKind.SERVER, attributes={
            "http.request.method": "POST", "http.route": route, "tenant.id": TENANT + scenario, **attributes}) as span:
        about = told.setdefault(scenario, {}) if scenario else told
        about["trace_id"] = f"{span.get_span_context().trace_id:032x}"
        begin = time.perf_counter_ns()
        about["elapsed"] = lambda: time.perf_counter_ns() - begin
        yield about
        about["total_ns"] = about.pop("elapsed")()


def drain(about, stream, has_text):
    """Reads a stream to its end and tells when its first text came, by this client's clock."""
    for piece in stream:
        if "ttft_ns" not in about and has_text(piece):
            about["ttft_ns"] = about["elapsed"]()


def finish(made=None):
    if made is not None:
        made.shutdown()
    print(json.dumps(told), flush=True)
