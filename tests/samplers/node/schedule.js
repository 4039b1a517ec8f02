// What every driver does: see tests/samplers/python/schedule.py, whose arguments and lines these are.
'use strict';

function fresh(now) { return {start: now, at: [], yes: [], rules: {}}; }

function print(path, ten) {
  console.log(JSON.stringify({path, from_ms: ten.start, requests: ten.at.length, sampled: ten.yes.filter((y) => y).length, rules: ten.rules,
    at: ten.at, yes: ten.yes.join('')}));
}

// makeDecide(address, service, host, method) gives decide(path) -> [sampled, name of the rule or null].
exports.run = function run(makeDecide) {
  const [address, service, seconds, rate, host, method, ...paths] = process.argv.slice(2);
  const decide = makeDecide(address, service, host, method);
  const step = 1000 / (Number(rate) * paths.length);
  const begin = Date.now();
  const count = Math.floor(Number(seconds) * 1000 / step);
  const tens = {};
  for (const path of paths) tens[path] = fresh(begin);
  let flushAt = begin + 10000;
  let i = 0;
  const tick = () => {
    for (; i < count; ++i) {
      const now = Date.now();
      if (begin + i * step > now) return setTimeout(tick, begin + i * step - now);
      const path = paths[i % paths.length];
      const [sampled, rule] = decide(path);
      const ten = tens[path];
      ten.at.push(now - ten.start);
      ten.yes.push(sampled ? 1 : 0);
      if (rule) ten.rules[rule] = (ten.rules[rule] || 0) + 1;
      if (now >= flushAt || i === count - 1) {
        for (const name of paths) {
          print(name, tens[name]);
          tens[name] = fresh(now);
        }
        flushAt += 10000;
      }
    }
    return process.exit(0);
  };
  tick();
};
