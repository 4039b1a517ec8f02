"""A small service with the OpenTelemetry SDK: takes requests, calls others, propagates as OTEL_PROPAGATORS says.

    propagation_service.py NAME PORT '{"/path": "http://next/path", ...}'

Prints "ready" once it listens. A path without a next one is answered at once.
"""
import json
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind

NAME, PORT, NEXT = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
PROVIDER = TracerProvider(resource=Resource.create({"service.name": NAME}))
PROVIDER.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
TRACER = PROVIDER.get_tracer("service")


def call(url):
    with TRACER.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes={"http.request.method": "GET", "url.full": url}) as span:
        headers = {}
        inject(headers)
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            span.set_attribute("http.response.status_code", answer.status)
            return answer.read()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        context = extract({key.lower(): value for key, value in self.headers.items()})
        with TRACER.start_as_current_span("GET " + self.path, context=context, kind=SpanKind.SERVER,
                                          attributes={"http.request.method": "GET", "url.path": self.path}) as span:
            for url in NEXT.get(self.path, []):
                call(url)
            span.set_attribute("http.response.status_code", 200)
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


trace.set_tracer_provider(PROVIDER)
SERVER = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
print("ready", SERVER.server_address[1], flush=True)
SERVER.serve_forever()
