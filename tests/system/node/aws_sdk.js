// Puts and reads a trace with the AWS SDK for JavaScript v3.
const {XRayClient, PutTraceSegmentsCommand, BatchGetTracesCommand, GetTraceSummariesCommand, GetServiceGraphCommand} = require('@aws-sdk/client-xray');
const crypto = require('crypto');

async function main() {
  const client = new XRayClient({endpoint: `http://${process.env.FLUORO_HTTP}`, region: 'us-east-1', credentials: {accessKeyId: 'a', secretAccessKey: 'b'}});
  const now = Date.now() / 1000;
  const trace = `1-${Math.floor(now).toString(16)}-${crypto.randomBytes(12).toString('hex')}`;
  const document = {name: 'js', id: crypto.randomBytes(8).toString('hex'), trace_id: trace, start_time: now - 1, end_time: now, fault: true};
  const put = await client.send(new PutTraceSegmentsCommand({TraceSegmentDocuments: [JSON.stringify(document), '{}']}));
  const window = {StartTime: new Date((now - 60) * 1000), EndTime: new Date((now + 60) * 1000)};
  const summaries = await client.send(new GetTraceSummariesCommand({...window, FilterExpression: 'fault'}));
  const graph = await client.send(new GetServiceGraphCommand(window));
  const batch = await client.send(new BatchGetTracesCommand({TraceIds: [trace]}));
  console.log(JSON.stringify({
    trace, unprocessed: put.UnprocessedTraceSegments.map((u) => u.ErrorCode), summaries: summaries.TraceSummaries.map((s) => s.Id),
    services: graph.Services.map((s) => s.Name), start: summaries.TraceSummaries[0].StartTime instanceof Date,
    equal: JSON.stringify(JSON.parse(batch.Traces[0].Segments[0].Document)) === JSON.stringify(document)}));
}
main();
