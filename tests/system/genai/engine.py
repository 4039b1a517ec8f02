"""The spans that an inference engine (vLLM) writes of the requests that it served: `llm_request` below its caller, with the phases as they were."""
from opentelemetry import propagate
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind


class Engine:
    def __init__(self, otlp_url):
        self._provider = TracerProvider(resource=Resource.create({"service.name": "vllm"}))
        self._provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=otlp_url)))
        self._tracer = self._provider.get_tracer("vllm.llm_engine")

    def record(self, headers, reply, model, begin_ns, first_ns, end_ns):
        """Unix times of the request, its first token and its end; it queued for `reply.queue_ms`."""
        caller = propagate.extract({key.lower(): value for key, value in headers.items()})
        queued_ns = reply.queue_ms * 1_000_000
        self._tracer.start_span("llm_request", context=caller, kind=SpanKind.SERVER, start_time=begin_ns, attributes={
            "gen_ai.request.id": f"cmpl-{begin_ns:x}", "gen_ai.response.model": model,
            "gen_ai.usage.prompt_tokens": reply.prompt, "gen_ai.usage.completion_tokens": reply.completion,
            "gen_ai.latency.time_in_queue": queued_ns / 1e9, "gen_ai.latency.time_to_first_token": (first_ns - begin_ns) / 1e9,
            "gen_ai.latency.time_in_model_prefill": (first_ns - begin_ns - queued_ns) / 1e9,
            "gen_ai.latency.time_in_model_decode": (end_ns - first_ns) / 1e9, "gen_ai.latency.e2e": (end_ns - begin_ns) / 1e9}).end(end_time=end_ns)
