"""Acknowledged means durable: SIGKILL in the middle of traffic, restarts, graceful stops, retention of ports and folders."""
import json
import os
import pathlib
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


class Sender:
    """Sends large requests and keeps the ids of those that were acknowledged."""

    def __init__(self, server):
        self.server = server
        self.acknowledged = []

    def send(self):
        trace_id = secrets.token_hex(16)
        status, headers, _ = self.server.request("POST", "/v1/traces", json.dumps(large(trace_id)).encode(), {"Content-Type": "application/json"})
        if status == 200:
            self.acknowledged.append(trace_id)
        return status, {name.lower() for name in headers}

    def send_until_refused(self, most=600):
        for _ in range(most):
            status, headers = self.send()
            if status != 200:
                return status, headers
        raise AssertionError(f"{most} requests were all taken")

    def check(self, server, count=40):
        for trace_id in self.acknowledged[:: max(1, len(self.acknowledged) // count)]:
            assert json.loads(server.cli("trace", trace_id, "--json").stdout)


@pytest.fixture(name="mounted")
def _mounted(tmp_path):
    """mounted(*options of mount) -> a folder on a file system of its own; skips where that is not possible."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options):
        if os.geteuid() != 0 or subprocess.run(["mount", *options, str(folder)], check=False, capture_output=True).returncode != 0:
            pytest.skip("cannot mount here")
        return folder

    yield mount
    subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def test_a_full_disk_refuses_writes_serves_reads_and_recovers_without_a_restart(mounted):
    disk = mounted("-t", "tmpfs", "-o", "size=64m", "tmpfs")
    with Server(folder=disk / "s") as server:
        sender = Sender(server)
        status, headers = sender.send_until_refused()
        assert status == 503 and "retry-after" in headers
        sender.check(server, 3)
        subprocess.run(["mount", "-o", "remount,size=256m", str(disk)], check=True)
        wait_for(lambda: sender.send()[0] == 200, what="writes after space returned")
        sender.check(server)
    assert server.cli("verify", str(disk / "s" / "data"), check=False).returncode == 0


def test_a_disk_without_inodes_refuses_writes_serves_reads_and_recovers_without_a_restart(mounted):
    disk = mounted("-t", "tmpfs", "-o", "size=512m,nr_inodes=100", "tmpfs")
    with Server("--memory", "256MiB", folder=disk / "s") as server:
        sender = Sender(server)
        assert sender.send()[0] == 200
        fillers = []
        try:
            for i in range(100):
                (disk / f"filler-{i}").touch()
                fillers.append(disk / f"filler-{i}")
        except OSError:
            pass
        assert 0 < len(fillers) < 100
        status, headers = sender.send_until_refused(1_500)
        assert status == 503 and "retry-after" in headers
        sender.check(server, 3)
        for filler in fillers:
            filler.unlink()
        wait_for(lambda: sender.send()[0] == 200, what="writes after inodes returned")
        sender.check(server)
    assert server.cli("verify", str(disk / "s" / "data"), check=False).returncode == 0


def test_a_disk_that_turns_read_only_refuses_writes_serves_reads_and_loses_nothing(tmp_path, mounted):
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(96 << 20)
    if subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=False, capture_output=True).returncode != 0:
        pytest.skip("mkfs.ext4 is not here")
    disk = mounted("-o", "loop,errors=remount-ro", str(image))
    device = subprocess.run(["findmnt", "-no", "SOURCE", str(disk)], check=True, capture_output=True, text=True).stdout.strip()
    error = pathlib.Path("/sys/fs/ext4") / pathlib.Path(device).name / "trigger_fs_error"
    if not error.exists():
        pytest.skip("this kernel cannot be told of an error")
    server = Server(folder=disk / "s").start()
    try:
        sender = Sender(server)
        for _ in range(20):
            assert sender.send()[0] == 200
        error.write_text("1")
        status, headers = sender.send_until_refused()
        assert status == 503 and "retry-after" in headers
        sender.check(server, 3)
        assert server.request("GET", "/healthz")[0] in (200, 503)
    finally:
        server.kill()
    subprocess.run(["umount", str(disk)], check=True)
    assert subprocess.run(["fsck.ext4", "-fy", str(image)], check=False, capture_output=True).returncode in (0, 1)
    disk = mounted("-o", "loop", str(image))
    with Server(folder=disk / "s") as again:
        sender.check(again, 1_000)
        sender.server = again
        assert sender.send()[0] == 200
    assert again.cli("verify", str(disk / "s" / "data"), check=False).returncode == 0


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
