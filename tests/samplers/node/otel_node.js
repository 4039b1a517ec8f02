// Driver of the X-Ray remote sampler of AWS's OpenTelemetry distribution for Node.js. The package does not export the sampler: it is reached by
// its path, so NODE_PATH names one folder.
'use strict';
const crypto = require('crypto');
const path = require('path');
const api = require('@opentelemetry/api');
const {AwsXRayRemoteSampler} = require(path.join(process.env.NODE_PATH,
    '@aws/aws-distro-opentelemetry-node-autoinstrumentation/build/src/sampler/aws-xray-remote-sampler.js'));
const schedule = require('./schedule');

schedule.run((address, service, host, method) => {
  const sampler = new AwsXRayRemoteSampler({resource: {attributes: {'service.name': service}}, endpoint: 'http://' + address});
  return (urlPath) => {
    const attributes = {'url.path': urlPath, 'http.request.method': method, 'server.address': host};
    const result = sampler.shouldSample(api.ROOT_CONTEXT, crypto.randomBytes(16).toString('hex'), method, api.SpanKind.SERVER, attributes, []);
    return [result.decision === 2, null];
  };
});
