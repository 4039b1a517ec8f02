"""What every driver does: root requests at a constant rate, one line of JSON for each path every ten seconds.

Arguments: ADDRESS SERVICE SECONDS RATE HOST METHOD PATH... (RATE: requests a second of each path).
A line: {"path", "from_ms" (Unix), "requests", "sampled", "rules" (name -> decisions that told it), "at" (ms after from_ms, one a request), "yes" (0 or 1 a request)}.
"""
import collections
import json
import sys
import time


class Ten:
    """The requests of one path within ten seconds."""

    def __init__(self, now):
        self.start, self.at, self.yes, self.rules = now, [], [], collections.Counter()

    def line(self, path):
        return json.dumps({"path": path, "from_ms": int(self.start * 1000), "requests": len(self.at), "sampled": sum(self.yes), "rules": self.rules,
                           "at": self.at, "yes": "".join(map(str, self.yes))})


def run(make_decide):
    """make_decide(address, service, host, method) gives decide(path) -> (sampled, name of the rule or None)."""
    address, service, seconds, rate, host, method, *paths = sys.argv[1:]
    decide = make_decide(address, service, host, method)
    step = 1 / (float(rate) * len(paths))
    begin = time.time()
    tens = {path: Ten(begin) for path in paths}
    flush_at, count = begin + 10, int(float(seconds) / step)
    for i in range(count):
        late = begin + i * step - time.time()
        if late > 0:
            time.sleep(late)
        path = paths[i % len(paths)]
        now = time.time()
        sampled, rule = decide(path)
        ten = tens[path]
        ten.at.append(int((now - ten.start) * 1000))
        ten.yes.append(1 if sampled else 0)
        if rule:
            ten.rules[rule] += 1
        if now >= flush_at or i == count - 1:
            for name in paths:
                print(tens[name].line(name), flush=True)
                tens[name] = Ten(now)
            flush_at += 10
