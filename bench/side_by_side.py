#!/usr/bin/env python3
"""Measures Fluoro and its peers in turns and prints a table of each. Usage: bench/side_by_side.py BUILD_DIR [--record FILE]

Environment: BENCH_ROUNDS (3), BENCH_SPANS (2,000,000: of one round), BENCH_LOOKUP_SPANS (10,000,000), BENCH_UDP_SPANS (1,000,000),
BENCH_SERVER_SPANS (200,000: of one round beside the peers that are servers); BENCH_PEER=off leaves all peers out, BENCH_JAEGER=off and
BENCH_VICTORIALOGS=off that one. Results: BUILD_DIR/results/side_by_side.{json,txt}; with --record the text also replaces what FILE has
between its lines `<!-- figures -->` and `<!-- /figures -->`. bench/README.md says what each row means.
"""
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
CORES = sorted(os.sched_getaffinity(0))
SLOW = 1.10  # a round in which the spin loop took this much longer than at its best does not count
MIB = 1 << 20


def say(text):
    print(text, file=sys.stderr, flush=True)


def setting(name, default):
    return int(os.environ.get(name, default).replace("_", "").replace(",", ""))


def run(words, core=None):
    """Standard output of a program that must succeed."""
    pin = ["taskset", "-c", str(core)] if core is not None else []
    done = subprocess.run([*pin, *map(str, words)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: exit {done.returncode}")
    return done.stdout


def spin():
    """Seconds of a fixed loop on the server's core: the machine's speed at this moment."""
    code = "import time\nb = time.monotonic()\nfor i in range(8_000_000): pass\nprint(time.monotonic() - b)"
    return float(run([sys.executable, "-c", code], CORES[-1]))


class Fluoro:
    def __init__(self, build):
        self.binary = build / "fluoro"

    def bench(self, *words):
        lines = run([self.binary, "bench", *words, "--json", *(["--pin"] if len(CORES) > 1 else [])]).splitlines()
        return {row["name"]: row for row in map(json.loads, lines)}

    def round(self, spans):
        ingest = self.bench("ingest", "--protocol", "otlp-http", "--spans", spans)["otlp-http"]
        return {"ingest": ingest, "search": self.bench("search", "--spans", spans), "graph": self.bench("graph", "--spans", spans)}

    def beside_servers(self, spans):
        return {"ingest": self.bench("ingest", "--protocol", "otlp-http", "--spans", spans)["otlp-http"],
                "lookup": self.bench("lookup", "--spans", spans)["warm"]}


class ClickHouse:
    """None of its methods runs where `problem` is set."""

    def __init__(self, build):
        self.folder = build.parent / "peers" / "clickhouse"
        self.rows = self.folder / "spans.rows"
        self.problem = None
        self.modules = self.folder / "node_modules"
        if os.environ.get("BENCH_PEER") == "off":
            self.problem = "left out (BENCH_PEER=off)"
        elif not shutil.which("npm") or not shutil.which("node"):
            self.problem = "npm is not installed"
        elif not self.install():
            self.problem = "its npm package chdb cannot be had here"

    def install(self):
        wanted = (HERE / "peers/clickhouse/package-lock.json").read_text()
        stamp = self.folder / "installed"
        if stamp.exists() and stamp.read_text() == wanted:
            return True
        say("installing ClickHouse (npm package chdb, about 550 MB) into the build folder")
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "peers/clickhouse" / name, self.folder)
        # Not `npm ci`: newer ones want every platform's engine in the lock file, which holds the hash of the one that is used.
        done = subprocess.run(["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=self.folder, check=False)
        if done.returncode == 0:
            stamp.write_text(wanted)
        return done.returncode == 0

    def prepare(self, fluoro, spans):
        run([fluoro.binary, "bench", "rows", "--spans", spans, "--output", self.rows])

    def node(self, action, *words):
        return json.loads(run(["node", HERE / "peers/clickhouse.mjs", self.modules, action, *words], CORES[-1]).splitlines()[-1])

    def round(self):
        data = self.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        try:
            return {"ingest": self.node("insert", data, self.rows), **self.node("ask", data)}
        finally:
            shutil.rmtree(data, ignore_errors=True)

    def clean(self):
        self.rows.unlink(missing_ok=True)


class ServerPeer:
    """A server written in Go. None of its methods runs where `problem` is set. It gets fewer spans than ClickHouse, for its sake, and ours is
    measured on as few beside it."""

    def __init__(self, name, package, about, build):
        self.name, self.package, self.about = name, package, about
        self.key = name.lower()
        self.build = build
        self.folder = build.parent / "peers" / self.key
        self.pinned = {file: (HERE / "peers" / self.key / file).read_text() for file in ("go.mod", "go.sum")}
        self.problem = None
        if os.environ.get("BENCH_PEER") == "off":
            self.problem = "left out (BENCH_PEER=off)"
        elif os.environ.get(f"BENCH_{self.key.upper()}") == "off":
            self.problem = f"left out (BENCH_{self.key.upper()}=off)"
        elif not shutil.which("go"):
            self.problem = "Go is not installed"
        elif not self.install():
            self.problem = "its Go modules cannot be had or built here"

    def install(self):
        stamp = self.folder / "installed"
        if stamp.exists() and stamp.read_text() == "".join(self.pinned.values()):
            return True
        say(f"installing {self.name} (a Go program, which takes minutes) into the build folder")
        self.folder.mkdir(parents=True, exist_ok=True)
        for file, text in self.pinned.items():
            (self.folder / file).write_text(text)
        # go.sum has the hash of every module; read-only, so that another one is refused. What the machine's user set stays, as -p=1.
        flags = os.environ.get("GOFLAGS", "") + " -mod=readonly -buildvcs=false -trimpath"
        done = subprocess.run(["go", "build", "-o", "program", self.package], cwd=self.folder, env={**os.environ, "GOFLAGS": flags.strip(), "GOWORK": "off"},
                              check=False)
        if done.returncode == 0:
            stamp.write_text("".join(self.pinned.values()))
        return done.returncode == 0

    def version(self):
        module = "/".join(self.package.split("/")[:3])
        return next(line.split()[1] for line in self.pinned["go.mod"].splitlines() if line.strip().startswith(module + " ")).removeprefix("v")

    def round(self, fluoro, spans):
        """None, and `problem` set, where it fails: the figures beside the others are not lost by that."""
        try:
            program = HERE / "peers" / f"{self.key}.py"
            return json.loads(run([sys.executable, "-B", program, self.folder / "program", fluoro.binary, self.folder / "data", spans, CORES[-1]], CORES[0]))
        except RuntimeError as error:
            self.problem = f"failed ({error})".replace(str(self.build.parent), "build")
            return None

    def note(self):
        return f"{self.name} was not measured: {self.problem}." if self.problem else f"{self.name} {self.version()} {self.about}"


def server_peers(build):
    return [
        ServerPeer("Jaeger", "github.com/jaegertracing/jaeger/cmd/jaeger",
                   "stores in Badger and acknowledges what is written there and not synced (`consistency: false`, its default).", build),
        ServerPeer("VictoriaLogs", "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs",
                   "is the storage engine that VictoriaTraces is built on and stands in for it: each span comes as one OTLP log record with the same "
                   "fields; without VictoriaTraces' index of traces. It acknowledges what it holds in memory and writes it out within 5 s, its default.",
                   build),
    ]


def measure_rounds(fluoro, peer, servers, rounds, spans, server_spans):
    """Every round: ours, then ClickHouse; then ours and the servers on fewer spans; with the spin loop around each."""
    results = []
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: {spans:,} spans")
        spins = [spin()]
        ours = fluoro.round(spans)
        spins.append(spin())
        theirs = None
        if not peer.problem:
            theirs = peer.round()
            spins.append(spin())
        beside = {}
        if any(not server.problem for server in servers):
            beside["ours"] = fluoro.beside_servers(server_spans)
            spins.append(spin())
        for server in servers:
            if not server.problem:
                beside[server.key] = server.round(fluoro, server_spans)
                spins.append(spin())
        results.append({"ours": ours, "peer": theirs, "servers": beside, "spin_seconds": spins})
    best = min(s for result in results for s in result["spin_seconds"])
    for result in results:
        result["slowdown"] = max(result["spin_seconds"]) / best
        result["counts"] = result["slowdown"] <= SLOW
    if not any(result["counts"] for result in results):
        # Better one poor round than none; the table says so.
        min(results, key=lambda result: result["slowdown"])["counts"] = True
    return results


class Table:
    def __init__(self, rounds):
        self.rounds = [r for r in rounds if r["counts"]]
        self.rows = []

    def median(self, side, read):
        values = [read(r[side]) for r in self.rounds if r[side] is not None]
        return statistics.median(values) if values else None

    def ratio(self, ours, theirs):
        values = [ours(r["ours"]) / theirs(r["peer"]) for r in self.rounds if r["peer"] is not None]
        return (statistics.median(values), min(values), max(values)) if values else None

    def add(self, metric, ours, peer, ratio, gate, goal, reached, form):
        """`reached(limit)` is whether a limit is reached: None where it cannot be told."""
        verdict = "not known" if reached is None else "goal" if reached(goal[1]) else "gate" if reached(gate[1]) else "no"
        show = lambda value: "–" if value is None else form(value)
        self.rows.append({"metric": metric, "ours": ours, "peer": peer, "ratio": ratio and ratio[0], "ratio_range": ratio and ratio[1:],
                          "gate": gate[0], "goal": goal[0], "reached": verdict,
                          "cells": [metric, show(ours), show(peer), self.ratio_text(ratio), gate[0], goal[0], verdict]})

    @staticmethod
    def ratio_text(ratio):
        return "–" if not ratio else f"{ratio[0]:.2f}× ({ratio[1]:.2f}–{ratio[2]:.2f})"

    def compared(self, metric, ours, theirs, gate, goal, form):
        """A rate whose gate and goal are multiples of the peer's."""
        ratio = self.ratio(ours, theirs)
        self.add(metric, self.median("ours", ours), self.median("peer", theirs), ratio, (f"≥ {gate}×", gate), (f"≥ {goal}×", goal),
                 ratio and (lambda limit: ratio[0] >= limit), form)

    def watched(self, metric, value, goal, form):
        """Without a gate."""
        self.add(metric, value, None, None, ("–", goal), (f"≤ {goal:,}", goal), lambda limit: value <= limit, form)

    def beside(self, metric, value, form):
        """More about the row above: there is nothing to reach."""
        self.rows.append({"metric": metric, "ours": value, "peer": None, "ratio": None, "ratio_range": None, "gate": "–", "goal": "–", "reached": "–",
                          "cells": [metric, "–" if value is None else form(value), "–", "–", "–", "–", "–"]})

    def absolute(self, metric, value, gate, goal, form, peer=None, ratio=None, unit="", at_least=False):
        sign = "≥" if at_least else "≤"
        words = lambda limit: (f"{sign} {limit:,}{unit}", limit)
        fits = (lambda limit: value >= limit) if at_least else (lambda limit: value <= limit)
        self.add(metric, value, peer, ratio, words(gate), words(goal), fits, form)

    def markdown(self):
        return aligned([["", "Fluoro", "ClickHouse", "ratio (of the rounds)", "gate", "goal", "reached"], *(row["cells"] for row in self.rows)])


def aligned(lines):
    """A Markdown table; the first line is its head."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines]
    return "\n".join([text[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *text[1:]])


def build_table(rounds, lookup, udp, cluster):
    table = Table(rounds)
    number = lambda value: f"{value:,.0f}"
    two = lambda value: f"{value:,.2f}"
    one = lambda value: f"{value:,.1f}"
    mib = lambda value: f"{value:,.0f} MiB"
    rate = lambda part, name: lambda side: side[part][name]["spans_per_second_per_core"]
    ingest = lambda key: lambda side: side["ingest"][key]
    per_core, cpu, disk = ingest("spans_per_second_per_core"), ingest("cpu_seconds_per_million_spans"), ingest("disk_bytes_per_span")
    rss = lambda side: side["ingest"]["peak_rss_bytes"] / MIB
    table.compared("ingest, spans per CPU-second (ours: OTLP/HTTP, durable, sealed; peer: insert only)", per_core, per_core, 4, 7, number)
    table.absolute("CPU-seconds per million spans, merges included", table.median("ours", cpu), 5, 2.7, two, table.median("peer", cpu),
                   table.ratio(cpu, cpu))
    ratio = table.ratio(disk, disk)
    table.add("bytes per span on disk, indexes included", table.median("ours", disk), table.median("peer", disk), ratio, ("≤ 0.6×", 0.6),
              ("≤ 0.5×", 0.5), ratio and (lambda limit: ratio[0] <= limit), one)
    if cluster:
        table.watched("bytes per span on disk, `cluster` workload", cluster["otlp-http"]["disk_bytes_per_span"], 40, one)
    table.absolute("peak RSS while ingesting", table.median("ours", rss), 384, 192, mib, table.median("peer", rss), table.ratio(rss, rss), " MiB")
    if lookup:
        cold = lookup["cold"]
        label = f"trace by id among {lookup['spans'] / 1e6:g} M spans, cold by {cold['cold_by']}"
        told = lambda key: lambda side: side["lookup"][key]
        table.absolute(label + ", p50 (peer: warm, a round's spans)", cold["p50_ms"], 5, 1, two, table.median("peer", told("p50_ms")), unit=" ms")
        table.absolute(label + ", p99 (likewise)", cold["p99_ms"], 20, 5, two, table.median("peer", told("p99_ms")), unit=" ms")
    table.compared("equality, a value of one span, no index, spans/s per core", rate("search", "unique"), rate("questions", "unique"), 20, 70, number)
    table.beside("the same by the filters of row groups", table.median("ours", rate("search", "unique_by_filters")), number)
    table.compared("substring, likewise", rate("search", "substring"), rate("questions", "substring"), 8, 15, number)
    table.compared("service graph from spans, likewise", rate("graph", "graph_from_spans"), rate("questions", "graph_from_spans"), 10, 35, number)
    table.absolute("service graph of the whole time, read", table.median("ours", lambda side: side["graph"]["graph"]["ms"]), 20, 5, one, unit=" ms")
    if udp:
        clean = udp["at 90 %"]
        best = next(row for name, row in udp.items() if name != "at 90 %")
        table.absolute(f"X-Ray UDP segments/s to queryable; at 90 % {clean['lost']} of {clean['sent']:,} lost", best["segments_per_second"], 40_000,
                       80_000, number, at_least=True)
    return table


def build_server_table(rounds, servers):
    """Rows with a figure of ours and, for each server, its own and the ratio; and the same as a Markdown table. None without a server."""
    servers = [server for server in servers if not server.problem]
    if not servers:
        return None, None
    two = lambda value: f"{value:,.2f}"
    cpu = lambda side: side["ingest"]["cpu_seconds_per_million_spans"]
    metrics = [
        ("ingest, spans per CPU-second, all merges included", lambda side: 1e6 / cpu(side), lambda value: f"{value:,.0f}"),
        ("the same as CPU-seconds per million spans", cpu, two),
        ("bytes per span on disk, indexes included", lambda side: side["ingest"]["disk_bytes_per_span"], lambda value: f"{value:,.1f}"),
        ("peak RSS while ingesting", lambda side: side["ingest"]["peak_rss_bytes"] / MIB, lambda value: f"{value:,.0f} MiB"),
        ("trace by id, warm, p50, ms", lambda side: side["lookup"]["p50_ms"], two),
        ("trace by id, warm, p99, ms", lambda side: side["lookup"]["p99_ms"], two),
    ]
    tables = [Table([{"ours": r["servers"]["ours"], "peer": r["servers"][server.key], "counts": r["counts"]} for r in rounds]) for server in servers]
    rows, lines = [], [["", "Fluoro", *(head for server in servers for head in (server.name, "ratio (of the rounds)"))]]
    for metric, read, form in metrics:
        ours = tables[0].median("ours", read)
        row, line = {"metric": metric, "ours": ours}, [metric, form(ours)]
        for server, table in zip(servers, tables):
            peer, ratio = table.median("peer", read), table.ratio(read, read)
            row[server.key] = {"value": peer, "ratio": ratio[0], "ratio_range": ratio[1:]}
            line += [form(peer), Table.ratio_text(ratio)]
        rows.append(row)
        lines.append(line)
    return rows, aligned(lines)


def machine():
    model = "unknown processor"
    if pathlib.Path("/proc/cpuinfo").exists():
        model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")), model)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{len(CORES)} cores of {model}, {memory:.0f} GiB of memory, {platform.system()} {platform.release().split('-')[0]}"


def notes(rounds, peer, spans, failures):
    used = [r for r in rounds if r["counts"]]
    rounds_word = "round" if len(rounds) == 1 else "rounds"
    slow = ", ".join(f"{r['slowdown']:.2f}" for r in rounds)
    lines = [f"{datetime.date.today()}; {machine()}. {len(rounds)} {rounds_word} of {spans:,} spans, of which {len(used)} count; slowest spin loop of each round "
             f"against the best of all: {slow}."]
    if all(r["slowdown"] > SLOW for r in used):
        lines.append("No round was quiet: the figures are the least disturbed one's and say little.")
    if peer.problem:
        lines.append(f"ClickHouse was not measured: {peer.problem}.")
    else:
        version = used[0]["peer"]["ingest"]["version"]
        lines.append(f"ClickHouse {version} runs in one process without a network, a collector or fsync; ours is behind HTTP and acknowledges after "
                     "fdatasync.")
    return "\n".join(lines + failures)


def server_notes(servers, spans):
    said = [server.note() for server in servers]
    if any(not server.problem for server in servers):
        said.insert(0, f"Below, servers that get {spans:,} spans a round by OTLP/HTTP, as ours beside them; ours acknowledges after fdatasync.")
    return "\n".join(said)


def replace_figures(file, text):
    begin, end = "<!-- figures -->\n", "<!-- /figures -->\n"
    before, rest = file.read_text().split(begin)
    file.write_text(before + begin + text + end + rest.split(end)[1])


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    record = pathlib.Path(sys.argv[3]) if sys.argv[2:3] == ["--record"] else None
    results = build / "results"
    results.mkdir(parents=True, exist_ok=True)
    rounds, spans = setting("BENCH_ROUNDS", "3"), setting("BENCH_SPANS", "2000000")
    lookup_spans, udp_spans = setting("BENCH_LOOKUP_SPANS", "10000000"), setting("BENCH_UDP_SPANS", "1000000")
    begin = time.monotonic()
    fluoro, peer = Fluoro(build), ClickHouse(build)
    servers, server_spans = server_peers(build), min(spans, setting("BENCH_SERVER_SPANS", "200000"))
    if not peer.problem:
        peer.prepare(fluoro, spans)
    try:
        measured = measure_rounds(fluoro, peer, servers, rounds, spans, server_spans)
    finally:
        peer.clean()
    # After the rounds a failure of one command must not take their figures away.
    failures = []

    def once(what, *words):
        say(what)
        try:
            return fluoro.bench(*words)
        except RuntimeError as error:
            failures.append(f"Failed: {what} ({error}).".replace(str(build), "build/bench"))
            return None

    cluster = once("bytes of the cluster workload", "ingest", "--protocol", "otlp-http", "--workload", "cluster", "--spans", min(spans, 1_000_000))
    udp = once("segments by UDP", "udp", "--spans", udp_spans)
    lookup = once(f"traces by id among {lookup_spans:,} spans", "lookup", "--spans", lookup_spans)
    if lookup:
        lookup["spans"] = lookup_spans
    table = build_table(measured, lookup, udp, cluster)
    text = f"{table.markdown()}\n\n{notes(measured, peer, spans, failures)}\n{server_notes(servers, server_spans)}\n"
    server_rows, server_table = build_server_table(measured, servers)
    if server_table:
        text += f"\n{server_table}\n"
    (results / "side_by_side.txt").write_text(text)
    whole = {"table": [{k: v for k, v in row.items() if k != "cells"} for row in table.rows], "server_table": server_rows, "rounds": measured,
             "lookup": lookup, "udp": udp, "cluster": cluster, "machine": machine(), "date": str(datetime.date.today()), "seconds": time.monotonic() - begin}
    (results / "side_by_side.json").write_text(json.dumps(whole, indent=1) + "\n")
    if record:
        replace_figures(record, text)
    print(text, end="")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
