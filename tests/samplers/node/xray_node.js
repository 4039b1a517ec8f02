// Driver of the X-Ray SDK for Node.js (aws-xray-sdk-core).
'use strict';
process.env.AWS_XRAY_DAEMON_ADDRESS = process.argv[2];
const sampler = require('aws-xray-sdk-core/dist/lib/middleware/sampling/default_sampler');
const schedule = require('./schedule');

schedule.run((address, serviceName, host, httpMethod) => (urlPath) => {
  const rule = sampler.shouldSample({serviceName, host, httpMethod, urlPath});
  return [Boolean(rule), typeof rule === 'string' ? rule : null];
});
