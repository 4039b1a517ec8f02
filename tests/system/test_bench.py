"""The benchmark commands end to end, small. What they measure is theirs; that they check what they measure is tested here."""
import json
import os
import subprocess

import pytest

from harness import BINARY


def bench(*words):
    done = subprocess.run([str(BINARY), "bench", *words, "--json"], capture_output=True, text=True, timeout=300, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


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
