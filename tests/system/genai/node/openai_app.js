// The OpenAI client under one of three instrumentations, one trace a scenario. Usage: openai_app.js otel|openinference|traceloop SCENARIO...
const {context, trace, SpanKind} = require('@opentelemetry/api');
const {NodeTracerProvider, BatchSpanProcessor} = require('@opentelemetry/sdk-trace-node');
const {OTLPTraceExporter} = require('@opentelemetry/exporter-trace-otlp-proto');
const {resourceFromAttributes} = require('@opentelemetry/resources');
const {registerInstrumentations} = require('@opentelemetry/instrumentation');
const {UndiciInstrumentation} = require('@opentelemetry/instrumentation-undici');

const [kind, ...scenarios] = process.argv.slice(2);
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({'service.name': 'shop'}),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({url: process.env.FLUORO_OTLP}))],
});
provider.register();
const instrumentation = {
  otel: () => new (require('@opentelemetry/instrumentation-openai').OpenAIInstrumentation)(),
  openinference: () => new (require('@arizeai/openinference-instrumentation-openai').OpenAIInstrumentation)(),
  traceloop: () => new (require('@traceloop/instrumentation-openai').OpenAIInstrumentation)(),
}[kind]();
registerInstrumentations({tracerProvider: provider, instrumentations: [instrumentation, new UndiciInstrumentation()]});
const OpenAI = require('openai');
if (kind === 'openinference') instrumentation.manuallyInstrument(OpenAI);

const told = {};
const MODEL = 'gpt-5.6-terra';
const messages = [{role: 'user', content: 'Will it rain?'}];

async function act(client, scenario, about, elapsed) {
  if (scenario === 'stream') {
    for await (const chunk of await client.chat.completions.create({model: MODEL, messages, stream: true, stream_options: {include_usage: true}})) {
      if (about.ttft_ns === undefined && chunk.choices[0]?.delta.content) about.ttft_ns = elapsed();
    }
  } else if (scenario === 'embed') {
    await client.embeddings.create({model: 'text-embedding-3-small', input: ['one passage', 'another']});
  } else {
    await client.chat.completions.create({model: MODEL, messages}, scenario === 'timeout' ? {timeout: 400} : {});
  }
}

async function main() {
  const client = new OpenAI({baseURL: process.env.MODEL_URL + '/v1', apiKey: 'scripted', maxRetries: 2});
  for (const scenario of scenarios) {
    const span = trace.getTracer('shop.web').startSpan('POST /chat', {kind: SpanKind.SERVER, attributes: {
      'http.request.method': 'POST', 'http.route': '/chat', 'tenant.id': process.env.TENANT + scenario}});
    const about = told[scenario] = {trace_id: span.spanContext().traceId};
    const begin = process.hrtime.bigint();
    const elapsed = () => Number(process.hrtime.bigint() - begin);
    await context.with(trace.setSpan(context.active(), span), () => act(client, scenario, about, elapsed));
    about.total_ns = elapsed();
    span.end();
  }
  await provider.shutdown();
  console.log(JSON.stringify(told));
}
main();
