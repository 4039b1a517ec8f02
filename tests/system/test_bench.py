"""The benchmark commands end to end, small. What they measure is theirs; that they check what they measure is tested here."""
import importlib
import json
import os
import subprocess

import pytest

from harness import BINARY, ROOT


def bench(*words):
    done = subprocess.run([str(BINARY), "bench", *words, "--json"], capture_output=True, text=True, timeout=300, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def program(monkeypatch):
    """Loads a program of bench/ as a module."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    monkeypatch.syspath_prepend(ROOT / "bench" / "peers")
    monkeypatch.syspath_prepend(ROOT / "bench")
    return importlib.import_module


@pytest.mark.parametrize("workload", ["flat", "cluster"])
def test_ingest_finds_every_span_again(workload):
    rows = bench("ingest", "--spans", "2000", "--workload", workload)
    assert [row["name"] for row in rows] == ["otlp-http", "otlp-http-gzip", "otlp-http-zstd", "otlp-grpc"]
    for row in rows:
        assert row["found"] == row["spans"] >= 2000
        assert 0 < row["sealed_cpu_seconds"] <= row["merged_cpu_seconds"]
        assert 0 < row["block_bytes_per_span"] <= row["disk_bytes_per_span"]
    if workload == "flat":
        assert 670 < rows[0]["wire_bytes_per_span"] < 684


def test_ingest_of_one_protocol():
    assert [row["name"] for row in bench("ingest", "--spans", "2000", "--protocol", "otlp-grpc")] == ["otlp-grpc"]
    done = subprocess.run([str(BINARY), "bench", "ingest", "--protocol", "carrier-pigeon"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and "carrier-pigeon" in done.stderr


def test_questions_answer_about_all_spans():
    lookups = bench("lookup", "--spans", "2000", "--lookups", "20")
    assert [row["name"] for row in lookups] == ["cold", "warm"] and lookups[0]["cold_by"] in ("drop_caches", "fadvise")
    searches = {row["name"]: row for row in bench("search", "--spans", "2000")}
    assert searches["unique"]["matched"] == 1 and searches["nobody"]["matched"] == 0
    assert all(row["spans"] == 2000 for name, row in searches.items() if name != "newest")
    assert [row["name"] for row in bench("graph", "--spans", "2000")] == ["graph", "graph_from_spans", "graph_of_tenant"]


def test_udp_accounts_for_every_segment():
    highest, quiet = bench("udp", "--spans", "2000")
    assert quiet["sent"] == quiet["stored"] + quiet["kernel_drops"] + quiet["rejected"] == 2000 and quiet["lost"] == 0
    assert quiet["offered_per_second"] == pytest.approx(0.9 * highest["offered_per_second"])


def test_what_is_sent_to_a_peer_can_be_asked_for(server, program):
    sent = bench("send", "--to", server.ports["otlp_http"], "--spans", "2000")[0]
    assert sent["spans"] == 2000 and 670 < sent["wire_bytes_per_span"] < 684
    assert len(sent["traces"]) == 1000 and {trace["spans"] for trace in sent["traces"]} == {10}
    look_up = program("peer_server").look_up
    port = int(server.ports["http"].rsplit(":", 1)[1])
    ask = lambda traces: look_up(port, traces, lambda trace_id: f"/api/traces/{trace_id}", lambda body: len(json.loads(body)["data"][0]["spans"]))
    lookup = ask(sent["traces"][:50])
    assert lookup["lookups"] == 50 and 0 < lookup["p50_ms"] <= lookup["p99_ms"] <= lookup["max_ms"]
    with pytest.raises(RuntimeError, match="acknowledged with 11 spans and comes with 10"):
        ask([{**sent["traces"][0], "spans": 11}])
    with pytest.raises(RuntimeError, match="the answer is .*404"):
        ask([{"id": "0123456789abcdef0123456789abcdef", "spans": 10}])


def test_send_fails_where_nobody_takes_the_spans():
    done = subprocess.run([str(BINARY), "bench", "send", "--to", "127.0.0.1:1", "--spans", "1000"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and "cannot connect to 127.0.0.1:1" in done.stderr


def test_spans_as_log_records(program):
    records, sent = program("victorialogs").requests_of(BINARY, "1000")
    logs = program("otlp_logs")
    read = logs.fields
    only = lambda data, number: [value for found, value in read(data) if found == number]
    wanted = [span for body in records for resource in only(body, 1) for scope in only(resource, 2) for span in only(scope, 2)]
    made = [record for body in map(logs.from_traces, records) for resource in only(body, 1) for scope in only(resource, 2) for record in only(scope, 2)]
    assert len(wanted) == len(made) == sent["spans"] == 1000
    for span, record in zip(wanted, made):
        assert only(record, 9) == only(span, 1) and only(record, 10) == only(span, 2)  # ids
        assert only(record, 1) == only(span, 8)  # time: the span's end
        attributes = only(record, 6)
        assert [one for one in attributes if one in only(span, 9)] == only(span, 9)
        texts = {only(one, 1)[0]: only(only(one, 2)[0], 1) for one in attributes}
        numbers = {only(one, 1)[0]: only(only(one, 2)[0], 3) for one in attributes}
        assert texts[b"name"] == only(span, 5) and numbers[b"kind"] == only(span, 6)
        assert texts.get(b"parent_span_id", [b""])[0].decode() == b"".join(only(span, 4)).hex()
        start, end = (int.from_bytes(only(span, number)[0], "little") for number in (7, 8))
        assert numbers[b"start_time_unix_nano"] == [start] and numbers[b"duration"] == [end - start]
    resources = lambda bodies: [only(resource, 1) for body in bodies for resource in only(body, 1)]
    assert resources(records) == resources(map(logs.from_traces, records))


def test_table_beside_servers(monkeypatch, tmp_path, program):
    side_by_side = program("side_by_side")
    for name, words in (("BENCH_JAEGER", "left out (BENCH_JAEGER=off)"), ("BENCH_PEER", "left out (BENCH_PEER=off)"), ("PATH", "Go is not installed")):
        with monkeypatch.context() as patch:
            patch.setenv("PATH", "")
            patch.setenv(name, "off")
            servers = side_by_side.server_peers(tmp_path / "bench")
            assert servers[0].note() == f"Jaeger was not measured: {words}."
    assert list(tmp_path.iterdir()) == [] and side_by_side.build_server_table([], servers) == (None, None)
    side = lambda cpu, ms: {"ingest": {"cpu_seconds_per_million_spans": cpu, "disk_bytes_per_span": 10 * cpu, "peak_rss_bytes": cpu * 2**20},
                            "lookup": {"p50_ms": ms, "p99_ms": 2 * ms}}
    rounds = [{"counts": counts, "servers": {"ours": side(cpu, 1), "jaeger": side(50, 4)}} for counts, cpu in ((True, 4), (False, 900), (True, 6))]
    servers[0].problem = None
    rows, text = side_by_side.build_server_table(rounds, servers)
    cells = {line[1]: line[2:5] for line in ([cell.strip() for cell in line.split("|")] for line in text.splitlines())}
    assert cells[""] == ["Fluoro", "Jaeger", "ratio (of the rounds)"]
    assert cells["the same as CPU-seconds per million spans"] == ["5.00", "50.00", "0.10× (0.08–0.12)"]
    assert cells["trace by id, warm, p99, ms"] == ["2.00", "8.00", "0.25× (0.25–0.25)"]
    assert rows[0]["jaeger"] == {"value": 20_000, "ratio": pytest.approx((12.5 + 50 / 6) / 2), "ratio_range": pytest.approx((50 / 6, 12.5))}
