"""What a rule gives a client: the chance of each request of being sampled, from the rules and targets that the client was given and from how its
kind of sampler keeps its reservoir. Taken from the clients' sources; docs/sampling.md tells the differences."""


class Calendar:
    """The X-Ray SDKs: a quota each calendar second; while there is none, one borrowed request a second."""

    def __init__(self, rule_name, uses_quota=True):
        self._name, self._uses_quota = rule_name, uses_quota
        self.rate = None  # None: the client has no rules yet
        self.quota, self._size, self._until = None, 0, 0
        self._second, self._taken, self._borrowed = None, 0, 0

    def rules(self, _, rules):
        for rule in rules:
            if rule["RuleName"] == self._name:
                self.rate, self._size = rule["FixedRate"], rule["ReservoirSize"]

    def target(self, _, target):
        self.rate = target["FixedRate"]
        self.quota = target.get("ReservoirQuota", self.quota)
        self._until = target.get("ReservoirQuotaTTL", self._until)

    def chance(self, now):
        second = int(now)
        if second != self._second:
            self._second, self._taken, self._borrowed = second, 0, 0
        if self._uses_quota and self.quota is not None and self._until >= second:
            if self._taken < self.quota:
                self._taken += 1
                return 1
        elif self._size > 0 and self._borrowed < 1:
            self._borrowed += 1
            return 1
        return self.rate


class Bucket:
    """The OpenTelemetry samplers: a bucket of one second's quota, a new one with each target; one unit a second is borrowed before the first.
    `full`: a new bucket is full, else empty. `by_answer`: rules are started anew when anything in the answer is new, else when they are."""

    def __init__(self, rule_name, full, by_answer=False):
        self._name, self._full, self._by_answer = rule_name, full, by_answer
        self.rate = None
        self.quota, self._known, self._until, self._floor = None, None, 0, 0

    def _start(self, now, quota, until):
        self.quota, self._until = quota, until
        self._floor = now - (1 if self._full else 0)

    def rules(self, now, rules):
        for rule in rules:
            known = rules if self._by_answer else rule
            if rule["RuleName"] == self._name and known != self._known:
                self._known, self.rate = known, rule["FixedRate"]
                self._start(now, 1 if rule["ReservoirSize"] > 0 else 0, float("inf"))

    def target(self, now, target):
        self.rate = target["FixedRate"]
        self._start(now, target.get("ReservoirQuota") or 0, target.get("ReservoirQuotaTTL") or now)

    def chance(self, now):
        if self.quota and now < self._until:
            balance = min(now - self._floor, 1) - 1 / self.quota
            if balance >= -1e-9:
                self._floor = now - balance
                return 1
        return self.rate
