// Vercel's AI SDK: an agent of two steps with two tools at once, streamed. Usage: ai_sdk_app.js 6|7
// Version 6 records its own names by experimental_telemetry, version 7 OpenTelemetry's by a package of its own.
const {context, trace, SpanKind} = require('@opentelemetry/api');
const {NodeTracerProvider, BatchSpanProcessor} = require('@opentelemetry/sdk-trace-node');
const {OTLPTraceExporter} = require('@opentelemetry/exporter-trace-otlp-proto');
const {resourceFromAttributes} = require('@opentelemetry/resources');
const {z} = require('zod');

const version = process.argv[2];
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({'service.name': 'shop'}),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({url: process.env.FLUORO_OTLP}))],
});
provider.register();
const told = {};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function main() {
  const ai = version === '7' ? require('ai') : require('ai-6');
  const {createOpenAI} = version === '7' ? require('@ai-sdk/openai') : require('ai-6-openai');
  const telemetry = {isEnabled: true, functionId: 'support', metadata: {tenantId: process.env.TENANT, sessionId: 'thread-7'}};
  if (version === '7') {
    const {OpenTelemetry} = require('@ai-sdk/otel');
    ai.registerTelemetry(new OpenTelemetry());
  }
  const openai = createOpenAI({baseURL: process.env.MODEL_URL + '/v1', apiKey: 'scripted'});
  const tools = {
    get_order: ai.tool({description: 'Reads an order.', inputSchema: z.object({order: z.string()}), execute: async ({order}) => {
      await pause(20);
      return `order ${order}: paid`;
    }}),
    search_kb: ai.tool({description: 'Searches the knowledge base.', inputSchema: z.object({query: z.string()}), execute: async ({query}) => {
      await pause(60);
      return `refunds of ${query}: within 30 days`;
    }}),
  };
  const span = trace.getTracer('shop.web').startSpan('POST /agent', {kind: SpanKind.SERVER, attributes: {
    'http.request.method': 'POST', 'http.route': '/agent', 'tenant.id': process.env.TENANT}});
  told.trace_id = span.spanContext().traceId;
  const begin = process.hrtime.bigint();
  await context.with(trace.setSpan(context.active(), span), async () => {
    const answer = ai.streamText({model: openai.chat('gpt-5.6-terra'), tools, prompt: 'Can I have my money back for order 7?', stopWhen: ai.stepCountIs(4),
      ...(version === '7' ? {telemetry} : {experimental_telemetry: telemetry})});
    for await (const piece of answer.textStream) {
      if (piece && told.ttft_ns === undefined) told.ttft_ns = Number(process.hrtime.bigint() - begin);
    }
    await answer.usage;
  });
  told.total_ns = Number(process.hrtime.bigint() - begin);
  span.end();
  await provider.shutdown();
  console.log(JSON.stringify(told));
}
main();
