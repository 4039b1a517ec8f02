// One request recorded with the OpenTelemetry SDK for Node.js, exported by the protocol named in the first argument.
const {NodeTracerProvider, BatchSpanProcessor} = require('@opentelemetry/sdk-trace-node');
const {resourceFromAttributes} = require('@opentelemetry/resources');
const {SpanKind, trace, context} = require('@opentelemetry/api');

function exporter(protocol) {
  const http = `http://${process.env.FLUORO_OTLP_HTTP}/v1/traces`;
  switch (protocol) {
    case 'grpc': {
      const {OTLPTraceExporter} = require('@opentelemetry/exporter-trace-otlp-grpc');
      return new OTLPTraceExporter({url: `http://${process.env.FLUORO_OTLP_GRPC}`});
    }
    case 'http-json': {
      const {OTLPTraceExporter} = require('@opentelemetry/exporter-trace-otlp-http');
      return new OTLPTraceExporter({url: http});
    }
    case 'http-proto': {
      const {OTLPTraceExporter} = require('@opentelemetry/exporter-trace-otlp-proto');
      return new OTLPTraceExporter({url: http});
    }
    default: {
      const {ZipkinExporter} = require('@opentelemetry/exporter-zipkin');
      return new ZipkinExporter({url: `http://${process.env.FLUORO_HTTP}/api/v2/spans`});
    }
  }
}

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({'service.name': 'node-otel'}),
  spanProcessors: [new BatchSpanProcessor(exporter(process.argv[2]))],
});
provider.register();
const tracer = trace.getTracer('test');
const root = tracer.startSpan('GET /cart', {kind: SpanKind.SERVER, attributes: {tenant: 'globex', items: 3}});
const child = tracer.startSpan('chat gpt', {kind: SpanKind.CLIENT, attributes: {
  'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'gpt-4o', 'gen_ai.provider.name': 'openai',
  'gen_ai.usage.input_tokens': 120, 'gen_ai.usage.output_tokens': 30, 'peer.service': 'llm'}}, trace.setSpan(context.active(), root));
child.end();
root.end();
provider.shutdown().then(() => console.log(JSON.stringify({trace_id: root.spanContext().traceId})));
