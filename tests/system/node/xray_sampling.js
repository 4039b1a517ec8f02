// Decisions of the SDK's centralised sampler against our server.
const xray = require('aws-xray-sdk-core');
const sampler = xray.middleware.sampler || require('aws-xray-sdk-core/dist/lib/middleware/sampling/default_sampler');
const request = {serviceName: 'node-sampled', host: 'h', httpMethod: 'GET', urlPath: '/'};
sampler.shouldSample(request);
const cache = require('aws-xray-sdk-core/dist/lib/middleware/sampling/rule_cache');
let waited = 0;
const timer = setInterval(() => {
  const rules = cache.getRules();
  if (rules.length === 0 && ++waited < 200) return;
  clearInterval(timer);
  let sampled = 0;
  for (let i = 0; i < 400; ++i) if (sampler.shouldSample(request)) ++sampled;
  console.log(JSON.stringify({rules: rules.map((r) => r.getName()), sampled}));
  process.exit(0);
}, 50);
