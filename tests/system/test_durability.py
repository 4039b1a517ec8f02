"""Acknowledged means durable: SIGKILL in the middle of traffic, restarts, graceful stops, retention of ports and folders."""
import json
import os
import resource
import secrets
import socket
import subprocess
import threading
import time

import pytest

from documents import new_id, put, shop_trace
from harness import Server, wait_for
from test_otel_sdks import minimal

NOW = int(time.time())


def load(server, acknowledged, stop):
    """Puts traces until told to stop or the server is gone; ledger lines only after the 200."""
    client = server.boto3()
    while not stop.is_set():
        trace_id, documents = shop_trace(time.time() - 5)
        try:
            put(client, documents)
        except Exception:  # pylint: disable=broad-except
            return
        acknowledged.append((trace_id, {json.loads(d)["id"] for d in documents}))


@pytest.mark.parametrize("delay", [0.05, 0.3, 0.8, 1.6])
def test_sigkill_loses_nothing_acknowledged(tmp_path, delay):
    acknowledged, stop = [], threading.Event()
    server = Server(folder=tmp_path).start()
    writers = [threading.Thread(target=load, args=(server, acknowledged, stop)) for _ in range(3)]
    for writer in writers:
        writer.start()
    wait_for(lambda: len(acknowledged) > 0, what="first acknowledgement")
    time.sleep(delay)
    server.kill()
    stop.set()
    for writer in writers:
        writer.join()
    for _ in range(2):  # the second start recovers from what the first one left
        with Server(folder=tmp_path) as again:
            client = again.boto3()
            for trace_id, segments in acknowledged:
                traces = client.batch_get_traces(TraceIds=[trace_id])["Traces"]
                assert traces, f"{trace_id} of {len(acknowledged)} is lost"
                documents = [json.loads(s["Document"]) for s in traces[0]["Segments"]]
                assert sorted(d["id"] for d in documents if not d.get("inferred")) == sorted(segments)
            assert json.loads(again.cli("graph", "--json").stdout)["services"]
        assert again.cli("verify", str(tmp_path / "data"), check=False).returncode == 0


def test_a_graceful_stop_loses_nothing_not_even_datagrams(tmp_path):
    sent = []
    with Server(folder=tmp_path) as server:
        host, port = server.ports["udp"].rsplit(":", 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for i in range(300):
                trace_id, documents = shop_trace(NOW - 30 + i * 0.01)
                sender.sendto(b'{"format":"json","version":1}\n' + documents[0].encode(), (host, int(port)))
                sent.append(trace_id)
        server.stop()
    with Server(folder=tmp_path) as again:
        *found, _ = [json.loads(line) for line in again.cli("search", "--json", "--limit", "1000").stdout.splitlines()]
        assert {t["trace_id"] for t in found} == set(sent)


def test_a_taken_port_is_one_clear_line(server):
    other = Server("--http", server.ports["http"])
    with pytest.raises(RuntimeError) as error:
        other.start()
    assert server.ports["http"] in str(error.value) and "ended with 1" in str(error.value)


def test_old_and_future_spans_are_refused_and_counted():
    with Server() as server:
        old = server.boto3().put_trace_segments(TraceSegmentDocuments=[shop_trace(NOW - 40 * 86400)[1][0]])
        assert len(old["UnprocessedTraceSegments"]) == 1
        ahead = minimal(new_id())
        for span in ahead["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            span["startTimeUnixNano"] = span["endTimeUnixNano"] = str((NOW + 3 * 3600) * 10**9)
        status, answer = server.post_json("/v1/traces", ahead)
        assert status == 200 and answer["partialSuccess"]["rejectedSpans"] == "1"
        assert server.metric("fluoro_ingest_rejected_total") == 2


def test_sampling_profiles():
    for profile, rate in (("dev", 1), ("prod", 0.05)):
        with Server("--profile", profile) as server:
            rule = server.boto3().get_sampling_rules()["SamplingRuleRecords"][0]["SamplingRule"]
            assert rule["FixedRate"] == rate and rule["ReservoirSize"] == 1


def test_tls_on_the_tcp_listeners(tmp_path):
    import ssl
    import subprocess
    import urllib.request
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    with Server("--tls-cert", str(cert), "--tls-key", str(key)) as server:
        context = ssl.create_default_context(cafile=str(cert))
        for port in ("http", "otlp_http"):
            call = urllib.request.Request(f"https://{server.ports[port]}/v1/traces", data=json.dumps(minimal()).encode(), headers={"Content-Type": "application/json"})
            with urllib.request.urlopen(call, context=context, timeout=30) as answer:
                assert answer.status == 200
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        import grpc
        from test_otel_sdks import record
        exporter = OTLPSpanExporter(endpoint="https://" + server.ports["otlp_grpc"], credentials=grpc.ssl_channel_credentials(cert.read_bytes()))
        trace_id = record(exporter)
        import boto3
        client = boto3.client("xray", endpoint_url="https://" + server.ports["http"], region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b",
                              verify=str(cert))
        wait_for(lambda: client.batch_get_traces(TraceIds=[f"1-{trace_id[:8]}-{trace_id[8:]}"])["Traces"], what="trace over TLS")


def test_one_process_a_folder(tmp_path):
    with Server(folder=tmp_path / "one") as server:
        with pytest.raises(RuntimeError) as error:
            Server(folder=tmp_path / "one").start()
        assert "ended with 1" in str(error.value) and "another process" in str(error.value)
        assert server.post_json("/v1/traces", minimal())[0] == 200


def large(trace_id):
    """A request of some 300 kB that does not compress well."""
    body = minimal(trace_id=trace_id)
    span = body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span.setdefault("attributes", []).extend({"key": f"noise.{i}", "value": {"stringValue": secrets.token_hex(2_000)}} for i in range(75))
    return body


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_a_full_disk_refuses_writes_serves_reads_and_recovers_without_a_restart(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=False, capture_output=True).returncode != 0:
        pytest.skip("cannot mount here")
    try:
        with Server(folder=disk / "s") as server:
            acknowledged = []

            def send():
                trace_id = secrets.token_hex(16)
                status, headers, _ = server.request("POST", "/v1/traces", json.dumps(large(trace_id)).encode(), {"Content-Type": "application/json"})
                if status == 200:
                    acknowledged.append(trace_id)
                return status, headers

            refused = None
            for _ in range(600):
                status, headers = send()
                if status != 200:
                    refused = status, headers
                    break
            assert refused and refused[0] == 503 and any(name.lower() == "retry-after" for name in refused[1])
            for trace_id in acknowledged[:3]:
                assert server.cli("trace", trace_id, "--json").stdout
            subprocess.run(["mount", "-o", "remount,size=256m", str(disk)], check=True)
            wait_for(lambda: send()[0] == 200, what="writes after space returned")
            for trace_id in acknowledged[:: max(1, len(acknowledged) // 40)]:
                assert json.loads(server.cli("trace", trace_id, "--json").stdout)
        assert server.cli("verify", str(disk / "s" / "data"), check=False).returncode == 0
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def test_64_descriptors_are_enough_to_lose_nothing(tmp_path):
    with Server(folder=tmp_path) as server:
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (64, 64))
        host, port = server.ports["http"].rsplit(":", 1)
        before = secrets.token_hex(16)
        assert server.post_json("/v1/traces", minimal(trace_id=before))[0] == 200
        crowd = []
        for _ in range(1000):
            one = socket.socket()
            one.settimeout(5)
            try:
                one.connect((host, int(port)))
            except OSError:
                one.close()
                break
            crowd.append(one)
        for one in crowd:
            one.close()
        after = secrets.token_hex(16)
        wait_for(lambda: server.post_json("/v1/traces", minimal(trace_id=after))[0] == 200, what="an answer after the crowd left")
        for trace_id in (before, after):
            assert json.loads(server.cli("trace", trace_id, "--json").stdout)
