#!/usr/bin/env python3
"""Real samplers as judges: each client decides on root requests at a constant rate for minutes, by rules of a fresh server; what it sampled is
compared with what the rule gives it. `make samplers` runs it; docs/sampling.md, "Judged by real samplers", tells what is compared and how.

Usage: judge.py [--seconds 240] [--rate 50] [--sigmas 3] [--clients NAME,...] [--markdown]
Exit code 1 where a figure is out of bounds or a client was answered wrongly.
"""
import argparse
import bisect
import dataclasses
import datetime
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
sys.path.insert(0, str(ROOT / "tests/samplers"))

from harness import AWS_ENVIRONMENT, CLIENTS, Server  # noqa: E402
from relay import Relay  # noqa: E402
from twin import Bucket, Calendar  # noqa: E402

HERE = ROOT / "tests/samplers"
EXTRA = CLIENTS / "samplers"
HOST, METHOD = "shop.example.com", "GET"
INTERVAL = 10  # seconds between two reports, as the server asks for
CHANGED_RATE = 0.5


@dataclasses.dataclass(frozen=True)
class Client:
    """A kind of sampler and how it is run. `found`: exists where the client is installed."""
    name: str
    package: str
    pinned: tuple  # (file, expression whose first group is the version)
    found: pathlib.Path
    command: tuple
    twin: object  # rule name -> twin
    env: dict = dataclasses.field(default_factory=dict)
    borrows_apart: bool = False  # SampledCount leaves out what was borrowed
    forgets: bool = False  # what it counts while a report is under way is lost

    def version(self):
        file, expression = self.pinned
        found = re.search(expression, file.read_text()) if file.exists() else None
        return found.group(1) if found else "?"


def java(name):
    return ("java", "-Xmx128m", "-XX:+UseSerialGC", "-cp", f"{EXTRA / name}:{EXTRA / name}/*")


ALL = (
    Client("xray-python", "aws_xray_sdk", (ROOT / "tests/clients/requirements.txt", r"aws-xray-sdk==(\S+)"), CLIENTS / "python/bin/python",
           (str(CLIENTS / "python/bin/python"), str(HERE / "python/xray_python.py")), Calendar, borrows_apart=True),
    Client("xray-node", "aws-xray-sdk-core", (CLIENTS / "node/node_modules/aws-xray-sdk-core/package.json", r'"version": "([^"]+)'),
           CLIENTS / "node/node_modules/aws-xray-sdk-core", ("node", str(HERE / "node/xray_node.js")), lambda rule: Calendar(rule, uses_quota=False),
           env={"NODE_PATH": str(CLIENTS / "node/node_modules")}, borrows_apart=True),
    Client("xray-go", "github.com/aws/aws-xray-sdk-go", (HERE / "go/go.mod", r"aws-xray-sdk-go v(\S+)"), EXTRA / "xray-go", (str(EXTRA / "xray-go"),),
           Calendar, borrows_apart=True),
    Client("xray-java", "aws-xray-recorder-sdk-core", (HERE / "clients/xray-java.xml", r"sdk-core</artifactId>\s*<version>([^<]+)"),
           EXTRA / "xray-java/XrayJava.class", (*java("xray-java"), "XrayJava"), Calendar, borrows_apart=True),
    Client("otel-python", "aws-opentelemetry-distro", (HERE / "clients/requirements.txt", r"aws-opentelemetry-distro==(\S+)"),
           EXTRA / "python/bin/python", (str(EXTRA / "python/bin/python"), str(HERE / "python/otel_python.py")), lambda rule: Bucket(rule, full=False)),
    Client("otel-node", "aws-distro-opentelemetry-node-autoinstrumentation", (HERE / "clients/package.json", r'autoinstrumentation": "([^"]+)'),
           EXTRA / "node/node_modules/@aws", ("node", str(HERE / "node/otel_node.js")), lambda rule: Bucket(rule, full=False),
           env={"NODE_PATH": str(EXTRA / "node/node_modules")}, forgets=True),
    Client("otel-java", "opentelemetry-aws-xray", (HERE / "clients/otel-java.xml", r"aws-xray</artifactId>\s*<version>([^<]+)"),
           EXTRA / "otel-java/OtelJava.class", (*java("otel-java"), "OtelJava"), lambda rule: Bucket(rule, full=True, by_answer=True)),
)

# Path -> (reservoir, fixed rate). /own has a rule for each client, the others one for all of them.
PATHS = {"/own": (5, 0.10), "/shared": (11, 0.05), "/changed": (7, 0.10), "/empty": (0, 0.30), "/all": (1, 1.0)}
# Before all of them, and matching nothing that is asked for: a client that leaves out a field of the match samples nothing at all.
DECOYS = {"other-host": {"Host": "*.example.org"}, "other-method": {"HTTPMethod": "POST"}, "other-path": {"URLPath": "/own/?*"},
          "other-service": {"ServiceName": "billing-*"}}


def rule_name(client, path):
    return f"own-{client.name}" if path == "/own" else path[1:]


class Problems:
    """What is wrong, each sentence once."""

    def __init__(self):
        self.found = []

    def check(self, is_good, text):
        if not is_good and text not in self.found:
            self.found.append(text)


class Run:
    """One client that is being driven."""

    def __init__(self, client, server, seconds, rate):
        self.client, self._seconds = client, seconds
        self.relay = Relay(server.ports["http"])
        env = {**os.environ, **AWS_ENVIRONMENT, **client.env, "AWS_XRAY_DAEMON_ADDRESS": self.relay.address, "AWS_XRAY_LOG_LEVEL": "silent"}
        # pylint: disable=consider-using-with
        self._process = subprocess.Popen([*client.command, self.relay.address, client.name, str(seconds), str(rate), HOST, METHOD, *PATHS],
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        self._output = None
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        self._output = self._process.communicate()

    def finish(self, problems):
        """path -> [(Unix seconds, sampled)] in order of time, and path -> names of rules that were told, by ten seconds."""
        self._thread.join(4 * self._seconds + 60)
        if self._process.poll() is None:
            self._process.kill()
            self._thread.join(10)
        self.relay.close()
        problems.check(self._process.returncode == 0, f"{self.client.name}: ended with {self._process.returncode}: {(self._output or ('', ''))[1][-600:]}")
        requests, told = {path: [] for path in PATHS}, []
        for line in (self._output or ("", ""))[0].splitlines():
            if not line.startswith("{"):  # some clients log there
                continue
            ten = json.loads(line)
            problems.check(len(ten["at"]) == len(ten["yes"]) == ten["requests"], f"{self.client.name}: a line of the driver does not add up")
            requests[ten["path"]] += [((ten["from_ms"] + at) / 1000, yes == "1") for at, yes in zip(ten["at"], ten["yes"])]
            told.append((ten["from_ms"] / 1000, ten["path"], ten["rules"]))
        return requests, told

    def answers(self, path):
        """(time asked, time answered, asked, answered) of the good answers to one kind of call."""
        return [(asked_at, at, asked, answer) for asked_at, at, called, asked, status, answer in self.relay.calls
                if called == path and status == 200 and answer is not None]


@dataclasses.dataclass
class Figure:
    """What a client sampled of one path within one stretch of time, and what the rule gives it."""
    client: str
    what: str
    seconds: float
    requests: int = 0
    sampled: int = 0
    expected: float = 0
    variance: float = 0

    @property
    def z(self):
        off = self.sampled - self.expected
        if self.variance > 0:
            return off / math.sqrt(self.variance)
        return 0.0 if abs(off) < 1e-6 else math.copysign(math.inf, off)


def figures_of(run, requests, changed_at, followed_at):
    """The requests are played again through the twin, with the rules and targets that the client was given at their times. Between the change of a rule
    and `followed_at` nothing is judged."""
    client, figures = run.client, []
    given = sorted([(at, "rules", [r["SamplingRule"] for r in answer["SamplingRuleRecords"]]) for _, at, _, answer in run.answers("/GetSamplingRules")] +
                   [(at, "targets", answer["SamplingTargetDocuments"]) for _, at, _, answer in run.answers("/SamplingTargets")], key=lambda event: event[0])
    for path, asked in requests.items():
        name = rule_name(client, path)
        twin, position, first = client.twin(name), 0, None
        stretches = [Figure(client.name, path, 0)]
        if path == "/changed":
            stretches = [Figure(client.name, "/changed before", 0), Figure(client.name, "/changed after", 0)]
        spans = [[None, None] for _ in stretches]
        for at, sampled in asked:
            while position < len(given) and given[position][0] <= at:
                when, kind, content = given[position]
                position += 1
                if kind == "rules":
                    twin.rules(when, content)
                for target in content if kind == "targets" else ():
                    if target["RuleName"] == name:
                        twin.target(when, target)
                        first = first or when
            if twin.rate is None:
                continue
            chance = twin.chance(at)
            if first is None:
                continue
            which = 0
            if path == "/changed" and at >= changed_at:
                if at < followed_at:
                    continue
                which = 1
                # By now it is the new rule that says what is right, whatever the client was told.
                chance = chance if chance == 1 else CHANGED_RATE
            figure = stretches[which]
            spans[which] = [spans[which][0] or at, at]
            figure.requests += 1
            figure.sampled += sampled
            figure.expected += chance
            figure.variance += chance * (1 - chance)
        for figure, (begin, end) in zip(stretches, spans):
            figure.seconds = end - begin if begin else 0
        figures += stretches
    return figures


def check_answers(runs, changed_at, problems):
    """The targets are those of the rules; the parts of a reservoir never sum to more than it. Gives rule -> client -> its last part while all were
    there, for rules that several share."""
    told = {}  # rule -> [(when, client, quota)]
    rule_of = {rule_name(run.client, path): (path, *PATHS[path]) for run in runs for path in PATHS}
    for run in runs:
        for _, at, _, answer in run.answers("/SamplingTargets"):
            for target in answer["SamplingTargetDocuments"]:
                name = target["RuleName"]
                if name not in rule_of:  # some samplers report rules that were never asked for
                    continue
                path, size, rate = rule_of[name]
                rates = {rate} if path != "/changed" or at < changed_at - 1 else {CHANGED_RATE} if at > changed_at + 1 else {rate, CHANGED_RATE}
                who = run.client.name
                problems.check(target["FixedRate"] in rates, f"{who} was told a rate of {target['FixedRate']} for {name}, not {rates}")
                problems.check(target["Interval"] == INTERVAL, f"{who} was told an interval of {target['Interval']}")
                problems.check(270 < target["ReservoirQuotaTTL"] - at < 330, f"{who} was told a quota for {name} until {target['ReservoirQuotaTTL']} at {at}")
                told.setdefault(name, []).append((at, who, target["ReservoirQuota"]))
    settled = {}
    for name, events in told.items():
        events.sort()
        size, parts, counts = rule_of[name][1], {}, {}
        for i, (at, who, quota) in enumerate(events):
            parts[who] = (at, quota)
            counts[who] = counts.get(who, 0) + 1
            # Two answers at once may pass the relays in the other order.
            soon = {other: less for when, other, less in events[i + 1:] if when < at + 1}
            live = {other: min(part, soon.get(other, part)) for other, (when, part) in parts.items() if at - when <= 3 * INTERVAL}
            live[who] = quota
            problems.check(sum(live.values()) <= size, f"the parts of {name} sum to more than {size}: {live}")
            # Samplers of OpenTelemetry report rules that nobody asks them for: they may hold what is left, for two intervals at first.
            users = {run.client.name for run in runs if name in (rule_name(run.client, path) for path in PATHS)}
            if users <= set(live) and min(counts.get(user, 0) for user in users) >= 3:
                settled[name] = {user: live[user] for user in users}
    for name, parts in settled.items():
        size = rule_of[name][1]
        # One unit may be on its way between two clients.
        problems.check(sum(parts.values()) >= size - 1, f"the parts of {name} are {parts}, of {size}")
        problems.check(max(parts.values()) - min(parts.values()) <= 1, f"the parts of {name} are {parts} for demands that are all above them")
    return settled


def check_told(run, told, problems):
    """Where the client tells which rule decided, it is the right one, once it had rules for a whole line."""
    rules = run.answers("/GetSamplingRules")
    problems.check(bool(rules), f"{run.client.name} was given no rules")
    for begin, path, names in told:
        if rules and begin > rules[0][1] + 1:
            problems.check(set(names) <= {rule_name(run.client, path)}, f"{run.client.name} decided {path} by {names}")


def check_counts(run, requests, rate, problems):
    """What the client reported is what it did, up to what its kind is known to lose. Gives rule -> (requests, sampled, borrowed) reported."""
    client = run.client
    rules = run.answers("/GetSamplingRules")
    sums, last, reports = {}, {}, {}
    for asked_at, _, asked, answer in run.answers("/SamplingTargets"):
        problems.check(not answer["UnprocessedStatistics"], f"{client.name}: reports were refused: {answer['UnprocessedStatistics'][:1]}")
        for document in asked.get("SamplingStatisticsDocuments", []):
            counts = (document["RequestCount"], document.get("SampledCount", document.get("SampleCount", 0)), document.get("BorrowCount", 0))
            name = document["RuleName"]
            sums[name] = tuple(a + b for a, b in zip(sums.get(name, (0, 0, 0)), counts))
            last[name], reports[name] = asked_at, reports.get(name, 0) + 1
    for path, asked in requests.items():
        name = rule_name(client, path)
        if not rules or name not in sums:
            problems.check(False, f"{client.name} never reported {name}")
            continue
        times = [at for at, _ in asked]
        begin, end = bisect.bisect(times, rules[0][1]), bisect.bisect(times, last[name])
        sampled = sum(yes for _, yes in asked[begin:end])
        told, told_sampled, borrowed = sums[name]
        # Half a second may pass between the client's count and the report's passing by.
        slack = rate / 2 + (2 * reports[name] if client.forgets else 0)
        problems.check(abs(told - (end - begin)) <= slack, f"{client.name} made {end - begin} requests for {name} and reported {told}")
        told_sampled += borrowed if client.borrows_apart else 0
        problems.check(abs(told_sampled - sampled) <= slack, f"{client.name} sampled {sampled} for {name} and reported {told_sampled}")
    for _, _, called, _, status, answer in run.relay.calls:
        problems.check(status == 200, f"{client.name}: {called} was answered {status}: {json.dumps(answer)[:300]}")
    return sums


def check_summaries(server, reported, problems):
    """GetSamplingStatisticSummaries is the sum of the reports, to the request."""
    summed, token = {}, {}
    while True:
        page = server.boto3().get_sampling_statistic_summaries(**token)
        for item in page["SamplingStatisticSummaries"]:
            counts = (item["RequestCount"], item["SampledCount"], item["BorrowCount"])
            summed[item["RuleName"]] = tuple(a + b for a, b in zip(summed.get(item["RuleName"], (0, 0, 0)), counts))
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    wanted = {}
    for sums in reported:
        for name, counts in sums.items():
            wanted[name] = tuple(a + b for a, b in zip(wanted.get(name, (0, 0, 0)), counts))
    for name in sorted(wanted):
        problems.check(summed.get(name, (0, 0, 0)) == wanted[name],
                       f"GetSamplingStatisticSummaries tells {summed.get(name)} for {name}, the clients reported {wanted[name]}")


def change_of(run, changed_at, problems):
    """(when the client was first told the new rate, when the second report after the change was answered); within two reports it must be told."""
    after = [(at, target["FixedRate"]) for _, at, _, answer in run.answers("/SamplingTargets") if at > changed_at
             for target in answer["SamplingTargetDocuments"] if target["RuleName"] == "changed"]
    told = [at for at, rate in after[:2] if rate == CHANGED_RATE]
    problems.check(bool(told), f"{run.client.name} was not told the new rate in its two reports after the change")
    return (told[0] if told else math.inf), (after[1][0] if len(after) > 1 else math.inf)


def create_rules(xray, clients):
    def create(name, priority, reservoir, rate, **match):
        xray.create_sampling_rule(SamplingRule={
            "RuleName": name, "Priority": priority, "ReservoirSize": reservoir, "FixedRate": rate, "ServiceName": "*", "ServiceType": "*",
            "Host": "*", "HTTPMethod": "*", "URLPath": "*", "ResourceARN": "*", "Version": 1, **match})
    for name, match in DECOYS.items():
        create(name, 1, 0, 0, **match)
    for path, (reservoir, rate) in PATHS.items():
        if path != "/own":
            create(path[1:], 20, reservoir, rate, Host="shop.*.com", HTTPMethod=METHOD, URLPath=path)
            continue
        for client in clients:
            create(rule_name(client, path), 10, reservoir, rate, ServiceName=client.name, Host=HOST, HTTPMethod="?ET", URLPath="/own*")


@dataclasses.dataclass
class Outcome:
    seconds: float
    rate: float
    clients: tuple
    skipped: list
    figures: list
    parts: dict  # rule -> client -> its part of the reservoir
    told_after: dict  # client -> seconds until it was told the change
    reported: dict  # client -> (requests, sampled, borrowed) that it reported
    problems: list

    def totals(self):
        """One figure a client: all that was judged."""
        sums = {}
        for figure in self.figures:
            total = sums.setdefault(figure.client, Figure(figure.client, "all of it", 0))
            for member in ("requests", "sampled", "expected", "variance"):
                setattr(total, member, getattr(total, member) + getattr(figure, member))
            total.seconds = max(total.seconds, figure.seconds)
        return list(sums.values())


def skipped_clients(wanted):
    """Why a client is not driven, by name."""
    lines = []
    told = EXTRA / "skipped"
    if told.exists():
        lines += [line for line in told.read_text().splitlines() if line.split(":")[0] not in [c.name for c in ALL if c.found.exists()]]
    for client in ALL:
        if not client.found.exists() and not any(line.startswith(client.name + ":") for line in lines):
            lines.append(f"{client.name}: not installed here")
        elif client.found.exists() and client.name not in wanted:
            lines.append(f"{client.name}: not asked for")
    return lines


def run(server, wanted, seconds, rate, sigmas, part_sigmas):
    """Drives the clients named in `wanted` that are installed. A client's total may be `sigmas` off, a single figure `part_sigmas`."""
    problems = Problems()
    clients = tuple(client for client in ALL if client.name in wanted and client.found.exists())
    create_rules(server.boto3(), clients)
    runs = [Run(client, server, seconds, rate) for client in clients]
    time.sleep(seconds / 2)
    server.boto3().update_sampling_rule(SamplingRuleUpdate={"RuleName": "changed", "FixedRate": CHANGED_RATE})
    changed_at = time.time()

    figures, reported, told_after = [], {}, {}
    done = [(one, *one.finish(problems)) for one in runs]
    for one, requests, told in done:
        told_at, followed_at = change_of(one, changed_at, problems)
        told_after[one.client.name] = told_at - changed_at
        figures += figures_of(one, requests, changed_at, followed_at)
        check_told(one, told, problems)
        reported[one.client.name] = check_counts(one, requests, rate, problems)
    parts = check_answers(runs, changed_at, problems)
    check_summaries(server, reported.values(), problems)
    sums = {name: tuple(map(sum, zip(*rules.values()))) or (0, 0, 0) for name, rules in reported.items()}
    outcome = Outcome(seconds, rate, clients, skipped_clients(wanted), figures, parts, told_after, sums, problems.found)
    for figure in figures:
        problems.check(figure.requests > 0, f"{figure.client}: nothing to judge of {figure.what}")
        problems.check(abs(figure.z) <= part_sigmas, f"{figure.client}, {figure.what}: {figure.z:+.1f} standard deviations")
    for total in outcome.totals():
        problems.check(abs(total.z) <= sigmas, f"{total.client}: {total.z:+.1f} standard deviations over all")
    return outcome


def table(outcome, markdown):
    rows = [("client", "version", "path", "seconds", "requests", "sampled", "expected", "sigma", "z")]
    versions = {client.name: client.version() for client in outcome.clients}
    for total in outcome.totals():
        for figure in [f for f in outcome.figures if f.client == total.client] + [total]:
            rows.append((figure.client, versions[figure.client], figure.what, f"{figure.seconds:.0f}", str(figure.requests), str(figure.sampled),
                         f"{figure.expected:.1f}", f"{math.sqrt(figure.variance):.1f}", f"{figure.z:+.2f}"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) if i < 3 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        lines.append("| " + " | ".join(cells) + " |" if markdown else "  ".join(cells))
        if markdown and number == 0:
            lines.append("|" + "|".join("---" if i < 3 else "---:" for i in range(len(row))) + "|")
    return "\n".join(lines)


def report(outcome, markdown=False):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    lines = [f"{today}: {outcome.rate:g} requests a second of each of {len(PATHS)} paths for {outcome.seconds:g} s", "", table(outcome, markdown), ""]
    for client in outcome.clients:
        requests, sampled, borrowed = outcome.reported[client.name]
        lines.append(f"{client.name} ({client.package} {client.version()}): told the change after {outcome.told_after[client.name]:.1f} s; "
                     f"reported {requests} requests, {sampled} sampled, {borrowed} borrowed")
    for name, parts in sorted(outcome.parts.items()):
        lines.append(f"parts of {name}: " + ", ".join(f"{client} {part}" for client, part in sorted(parts.items())))
    lines += [f"skipped: {line}" for line in outcome.skipped]
    lines += [f"WRONG: {problem}" for problem in outcome.problems]
    lines.append("verdict: " + ("every client samples what its rule gives it" if not outcome.problems else f"{len(outcome.problems)} wrong"))
    return "\n".join(lines)


def main():
    names = [client.name for client in ALL]
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # Rules are fetched again after 300 s: OpenTelemetry's Java sampler then starts its buckets anew and forgets what it counted.
    arguments.add_argument("--seconds", type=float, default=240, help="60 to 290")
    arguments.add_argument("--rate", type=float, default=50, help="requests a second of each path")
    arguments.add_argument("--sigmas", type=float, default=3, help="bound of a client's total; of single figures one more")
    arguments.add_argument("--clients", default=",".join(names))
    arguments.add_argument("--markdown", action="store_true")
    options = arguments.parse_args()
    if not 60 <= options.seconds <= 290:
        arguments.error("--seconds: 60 to 290")
    if shutil.which("java") is None:
        print("java is not here: its clients cannot run", file=sys.stderr)
    with Server() as server:
        outcome = run(server, options.clients.split(","), options.seconds, options.rate, options.sigmas, options.sigmas + 1)
    print(report(outcome, options.markdown))
    return 1 if outcome.problems or not outcome.clients else 0


if __name__ == "__main__":
    sys.exit(main())
