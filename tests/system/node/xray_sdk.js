// One request recorded with the X-Ray SDK for Node.js.
const xray = require('aws-xray-sdk-core');
xray.enableManualMode();
const segment = new xray.Segment('node-web');
segment.addAnnotation('tenant', 'globex');
segment.addAnnotation('retry_count', 2);
segment.addMetadata('basket', {items: [1, null, 'x']}, 'shop');
const work = segment.addNewSubsegment('work');
work.close();
const call = segment.addNewSubsegment('orders.internal');
call.namespace = 'remote';
call.addError(new Error('connection refused'));
call.addFaultFlag();
call.close();
segment.addFaultFlag();
segment.close();
setTimeout(() => {
  console.log(JSON.stringify({trace_id: segment.trace_id, segment: segment.id}));
  process.exit(0);
}, 300);
