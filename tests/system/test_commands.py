"""Our own commands on a server and on a folder; the other doors of the main port."""
import gzip
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from documents import put, same_json, shop_trace
from harness import BINARY, Server, wait_for

NOW = int(time.time())


@pytest.fixture
def shop(server):
    ids = []
    for i in range(4):
        trace_id, documents = shop_trace(NOW - 60 + i, fault=i == 0)
        put(server.boto3(), documents)
        ids.append(trace_id)
    return server, ids


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_trace_shows_a_waterfall_and_its_json_adds_up(shop):
    server, ids = shop
    picture = server.cli("trace", ids[0]).stdout
    assert "orders" in picture and "OutOfStock: nothing left" in picture and "critical path" in picture and "\x1b" not in picture
    trace = json.loads(server.cli("trace", "--json", ids[0]).stdout)
    assert trace["trace_id"] == ids[0] and trace["complete"] is True
    root = next(s for s in trace["spans"] if s["parent"] is None)
    path = trace["critical_path"]
    assert path[0]["start_ns"] == root["start_ns"] and path[-1]["end_ns"] == root["start_ns"] + root["duration_ns"]
    assert all(a["end_ns"] == b["start_ns"] for a, b in zip(path, path[1:]))
    assert sum(entry["path_ns"] for entry in trace["ledger"]) == root["duration_ns"]
    assert all(s["self_ns"] >= 0 for s in trace["spans"])
    hex_form = ids[0][2:].replace("-", "")
    assert json.loads(server.cli("trace", "--json", hex_form).stdout) == trace


def test_search_pages_and_says_what_it_examined(shop):
    server, ids = shop
    *found, last = lines(server.cli("search", "--json").stdout)
    assert [t["trace_id"] for t in found] == ids[::-1] and last["scanned_traces"] == 4 and last["next_token"] is None
    *found, last = lines(server.cli("search", "--json", "--limit", "3").stdout)
    assert len(found) == 3 and last["next_token"]
    *found, _ = lines(server.cli("search", "fault", "--json", "--last", "1h").stdout)
    assert [t["trace_id"] for t in found] == [ids[0]] and found[0]["outcome"] == "fault" and found[0]["http_status"] == 502
    assert found[0]["annotations"]["tenant"] == ["acme"] and found[0]["users"] == ["alice"]
    *full, _ = lines(server.cli("search", "--json").stdout)
    *brief, _ = lines(server.cli("search", "--json", "--brief").stdout)
    assert brief == [{k: sorted(t[k]) if k == "services" else t[k] for k in b} for t, b in zip(full, brief)] and len(brief) == 4
    for form in ((), ("--json",)):
        assert server.cli("search", "duration > 100", *form, check=False).returncode == 1
    *_, last = lines(server.cli("search", 'annotation.tenant = "nobody"', "--json", "--explain", check=False).stdout)
    plan = last["explain"]
    assert plan["passed_over"] == last["scanned_traces"] == 4 and plan["spans_read"] == 0 and "nobody" in plan["sieve"], plan
    bad = server.cli("search", "responsetme > 1", check=False)
    assert bad.returncode == 2 and "responsetime" in bad.stderr


def test_graph_counts_exclude_one_another(shop):
    server, _ = shop
    graph = json.loads(server.cli("graph", "--json").stdout)
    services = {s["name"]: s for s in graph["services"]}
    assert services["web.example.com"]["total"] == 4 and services["web.example.com"]["fault"] == 1
    for row in graph["services"] + graph["edges"]:
        assert row["ok"] + row["error"] + row["fault"] + row["throttle"] == row["total"]
    assert {(e["from"], e["to"]) for e in graph["edges"]} >= {("web.example.com", "orders"), ("web.example.com", "carts")}
    assert "web.example.com → orders" in server.cli("graph").stdout


def test_tail_prints_traces_as_they_complete(server):
    tail = subprocess.Popen([str(BINARY), "tail", "fault", "--json", "--server", server.url], stdout=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: server.metric("fluoro_tail_subscribers") == 1, what="subscriber")
        put(server.boto3(), shop_trace(time.time() - 1)[1])
        trace_id, documents = shop_trace(time.time() - 1, fault=True)
        put(server.boto3(), documents)
        assert json.loads(tail.stdout.readline())["trace_id"] == trace_id
    finally:
        tail.send_signal(signal.SIGINT)
        tail.wait(timeout=10)


@pytest.mark.parametrize("form", ["xray", "otlp-json", "otlp-proto"])
def test_export_then_import_gives_the_same_traces(shop, form, tmp_path):
    server, ids = shop
    file = tmp_path / "traces"
    server.cli("export", "--format", form, "--output", str(file))
    (tmp_path / "traces.gz").write_bytes(gzip.compress(file.read_bytes()))
    before = {t["Id"]: t for t in server.boto3().batch_get_traces(TraceIds=ids)["Traces"]}
    with Server("--accept-age", "any") as other:
        told = json.loads(other.cli("import", "--json", str(tmp_path / "traces.gz")).stdout)
        assert told["traces"] == 4 and told["refused"] == 0 and told["format"] == form
        after = {t["Id"]: t for t in other.boto3().batch_get_traces(TraceIds=ids)["Traces"]}
    assert after.keys() == before.keys()
    for trace_id, trace in before.items():
        documents = {s["Id"]: json.loads(s["Document"]) for s in after[trace_id]["Segments"]}
        for segment in trace["Segments"]:
            assert same_json(documents[segment["Id"]], json.loads(segment["Document"])), form


def test_csv_export_has_the_columns_of_import(shop):
    server, _ = shop
    rows = server.cli("export", "--format", "csv").stdout.splitlines()
    assert rows[0].startswith("TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano,Duration")
    assert len(rows) > 4 * 4


def test_delete_takes_ids_or_a_filter_and_says_how_many(shop, tmp_path):
    server, ids = shop
    dry = server.cli("delete", ids[1], check=False)
    assert dry.returncode == 2 and "1 trace would be deleted" in dry.stdout
    assert server.cli("trace", ids[1]).returncode == 0
    assert server.cli("delete", ids[1], ids[2], "--yes").stdout == "2 traces deleted\n"
    assert server.cli("trace", ids[1], check=False).returncode == 1
    assert server.cli("delete", ids[1], "--yes", check=False).returncode == 1  # nothing left to delete
    counted = json.loads(server.cli("delete", "fault", "--last", "1h", "--json", check=False).stdout)
    assert counted == {"traces": 1, "complete": True, "damaged": []}
    assert json.loads(server.cli("delete", "fault", "--last", "1h", "--yes", "--json").stdout)["traces"] == 1
    *left, _ = lines(server.cli("search", "--json").stdout)
    assert [t["trace_id"] for t in left] == [ids[3]]
    for wrong in (("nonsense", "more"), ("responsetme > 1",), (ids[3], "--last", "1h")):
        assert server.cli("delete", *wrong, "--yes", check=False).returncode == 2, wrong
    # Not by a form that a page of another origin can send, and never everything for want of an expression.
    http = server.ports["http"]
    for content_type, body in (("text/plain", b'{"expression":"fault"}'), ("application/json", b"{}"), ("application/json", b'{"expression":""}')):
        request = urllib.request.Request(f"http://{http}/ui/api/delete", body, {"content-type": content_type})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        assert refused.value.code == 400
    assert len(lines(server.cli("search", "--json").stdout)) == 2


def test_a_folder_that_no_server_holds_is_read_verified_and_imported_into(tmp_path):
    trace_id, documents = shop_trace(NOW - 10)
    with Server("--accept-age", "any", folder=tmp_path) as server:
        put(server.boto3(), documents)
        held = subprocess.run([str(BINARY), "serve", "--data", str(tmp_path / "data"), "--http", "127.0.0.1:0", "--udp", "off", "--otlp-http", "off",
                               "--otlp-grpc", "off"], capture_output=True, text=True, timeout=60, check=False)
        assert held.returncode == 1 and str(tmp_path / "data") in held.stderr and held.stderr.count("\n") <= 2
    data = str(tmp_path / "data")
    environment = {**os.environ, "FLUORO_SERVER": "http://127.0.0.1:1"}
    run = lambda *words: subprocess.run([str(BINARY), *words], capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert json.loads(run("trace", "--json", "--data", data, trace_id).stdout)["trace_id"] == trace_id
    assert lines(run("search", "--json", "--data", data).stdout)[0]["trace_id"] == trace_id
    verified = run("verify", "--json", data)
    assert verified.returncode == 0 and json.loads(verified.stdout)["ok"] is True
    (tmp_path / "more.json").write_text(shop_trace(NOW - 5)[1][0])
    assert run("import", "--data", data, str(tmp_path / "more.json")).returncode == 0
    assert len(lines(run("search", "--json", "--data", data).stdout)) == 3
    # One flipped byte in a block is found, named, and takes nothing else down.
    block = next((tmp_path / "data" / "blocks").rglob("*.flb"))
    raw = bytearray(block.read_bytes())
    raw[100] ^= 1  # among the columns, which stand first
    block.write_bytes(raw)
    damaged = run("verify", data)
    assert damaged.returncode == 1 and block.name in damaged.stdout
    found = run("search", "--data", data, "--json")
    assert found.returncode == 0 and len(lines(found.stdout)) == 2 and lines(found.stdout)[-1]["damaged"]


def test_header_and_sampling_and_completion(server, tmp_path):
    told = json.loads(server.cli("header", "parse", "--json", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:1").stdout)
    assert told["trace_id"] == "1-5759e988-bd862e3fe1be46a994272793" and told["extras"] == {"Lineage": "a:1"}
    assert server.cli("header", "parse", "nonsense", check=False).returncode == 1
    rules = tmp_path / "rules.json"
    rules.write_text('{"version":2,"default":{"fixed_target":1,"rate":0.05},"rules":[{"host":"*","http_method":"GET","url_path":"/p","fixed_target":0,"rate":0}]}')
    assert json.loads(server.cli("sampling", "check", "--json", str(rules)).stdout) == {"ok": True, "version": 2, "rules": 1}
    rules.write_text('{"version":2,"default":{"fixed_target":1,"rate":1.5}}')
    bad = server.cli("sampling", "check", str(rules), check=False)
    assert bad.returncode == 1 and "rate" in bad.stderr
    script = server.cli("completion", "bash").stdout + "\nCOMP_WORDS=(fluoro tr); COMP_CWORD=1; _fluoro; echo ${COMPREPLY[@]}\n" \
        "COMP_WORDS=(fluoro search --lim); COMP_CWORD=2; _fluoro; echo ${COMPREPLY[@]}\n"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["trace", "--limit"]
    for shell in ("zsh", "fish"):
        assert "fluoro" in server.cli("completion", shell).stdout


COMMANDS = ["serve", "demo", "trace", "search", "graph", "tail", "verify", "export", "import", "header", "header parse", "sampling", "sampling check",
            "bench", "bench ingest", "bench lookup", "bench search", "bench graph", "bench udp", "bench rows", "bench send", "completion"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_two_examples_and_a_version(command):
    done = subprocess.run([str(BINARY), *command.split(), "--help"], capture_output=True, text=True, check=True)
    assert len(re.findall(r"fluoro " + command.split()[0], done.stdout.split("Examples:")[1])) >= 2, done.stdout
    version = subprocess.run([str(BINARY), *command.split(), "--version"], capture_output=True, text=True, check=True)
    assert re.match(r"fluoro \d+\.\d+\.\d+", version.stdout)


def test_exit_codes():
    run = lambda *words: subprocess.run([str(BINARY), *words], capture_output=True, text=True, timeout=60, check=False).returncode
    assert run("search", "--server", "http://127.0.0.1:1") == 3
    assert run("nonsense") == 2 and run("search", "--limit", "0") == 2 and run() == 2
    assert run("verify", "/nonexistent/folder") == 1
    assert run("serve", "--http", "0.0.0.0:0") == 2 and run("serve", "--keys", "on") == 2 and run("serve", "--retention", "90d") == 2


def test_print_config_tells_where_values_came_from(tmp_path):
    (tmp_path / "f.toml").write_text('retention = "3d"\n')
    done = subprocess.run([str(BINARY), "serve", "--print-config", "--json", "--config", str(tmp_path / "f.toml"), "--region", "eu-west-1"],
                          capture_output=True, text=True, check=True, env={**os.environ, "FLUORO_ACCOUNT": "123456789012"})
    config = json.loads(done.stdout)
    assert config["retention"] == {"value": "3d", "origin": f"file {tmp_path / 'f.toml'}"}
    assert config["account"]["origin"] == "variable FLUORO_ACCOUNT" and config["region"]["origin"] == "flag --region"


def test_health_metrics_and_unknown_pages(server):
    assert server.request("GET", "/healthz")[0] == 200 and server.request("GET", "/readyz")[0] == 200
    status, headers, body = server.request("GET", "/metrics")
    assert status == 200 and {k.lower(): v for k, v in headers.items()}["content-type"].startswith("text/plain") and b"fluoro_" in body
    assert server.request("GET", "/nothing")[0] == 404


def test_jaeger_query_api(shop):
    server, ids = shop
    get = lambda path: (lambda status, _, body: (status, json.loads(body)))(*server.request("GET", path))
    status, services = get("/api/services")
    assert status == 200 and {"web.example.com", "orders"} <= set(services["data"]) and services["errors"] is None
    status, operations = get("/api/operations?service=orders")
    assert status == 200 and operations["data"][0]["name"] == "orders"
    _, traces = get("/api/traces?service=orders&limit=2")
    assert len(traces["data"]) == 2 and traces["data"][0]["spans"] and traces["data"][0]["processes"]
    _, tagged = get("/api/traces?service=web.example.com&tags=" + urllib.parse.quote('{"http.response.status_code":"502"}'))
    assert len(tagged["data"]) == 1
    hex_id = ids[1][2:].replace("-", "")
    _, one = get(f"/api/traces/{hex_id}")
    assert one["data"][0]["traceID"] == hex_id
    _, links = get(f"/api/dependencies?endTs={(NOW + 100) * 1000}&lookback=3600000")
    assert {"parent": "web.example.com", "child": "orders", "callCount": 4} in links["data"]
    assert get("/api/traces/00000000000000000000000000000abc")[0] == 404
    assert get("/api/traces")[0] == 400
