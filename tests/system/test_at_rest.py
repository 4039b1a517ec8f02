"""Encryption at rest with the real binary: nothing legible in the folder, keys that rotate, go missing and return."""
import base64
import json
import os
import subprocess
import time

from documents import put, shop_trace
from harness import BINARY, Server, wait_for

TENANT = "tenant-that-nobody-may-read"


def key_line(name):
    return f"{name} {base64.b64encode(os.urandom(32)).decode()}\n"


def write_keys(path, *lines, mode=0o600):
    path.write_text("# keys\n" + "".join(lines))
    path.chmod(mode)
    return str(path)


def legible(folder, *words):
    return [f for f in folder.rglob("*") if f.is_file() and any(word in f.read_bytes() for word in words)]


def ids_of(server, data, *more):
    done = server.cli("search", "--data", str(data), "--json", *more, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["trace_id"] for line in lines if "trace_id" in line}


def test_keys_rotate_go_missing_and_return(tmp_path):
    old, new = key_line("2025"), key_line("2026")
    data = tmp_path / "data"
    sent = []

    def send(server):
        trace_id, documents = shop_trace(time.time() - 5, tenant=TENANT)
        put(server.boto3(), documents)
        sent.append(trace_id)

    keys = write_keys(tmp_path / "keys", old)
    with Server("--at-rest-key", keys, folder=tmp_path) as server:
        send(server)
        server.kill()  # what the log holds is encrypted too
    words = TENANT.encode(), b"orders.example.com", bytes.fromhex(sent[0].removeprefix("1-").replace("-", ""))
    assert legible(data, *words) == []
    with Server("--at-rest-key", keys, folder=tmp_path) as server:
        send(server)
    assert legible(data, *words) == []

    # Without the key: named, kept, and the server works.
    with Server(folder=tmp_path) as server:
        assert server.metric("fluoro_store_locked_files") >= 1
        assert server.metric("fluoro_store_damaged") == 0
        assert server.boto3().batch_get_traces(TraceIds=sent)["Traces"] == []
        assert "key 2025 is not available" in server.cli("search", check=False).stdout
        send(server)
    unchecked = server.cli("verify", str(data), check=False)
    assert unchecked.returncode == 1 and "key 2025 is not available" in unchecked.stdout and "0 damaged" in unchecked.stdout
    assert ids_of(server, data) == {sent[2]}
    assert ids_of(server, data, "--at-rest-key", keys) == set(sent)

    # A new key: new files at once, data keys of the old ones soon, and then the old key may go.
    keys = write_keys(tmp_path / "keys", new, old)
    with Server("--at-rest-key", keys, folder=tmp_path) as server:
        send(server)
        traces = server.boto3().batch_get_traces(TraceIds=sent)["Traces"]
        assert {t["Id"] for t in traces} == set(sent)
        wait_for(lambda: server.metric("fluoro_store_rewraps_total") > 0 and server.metric("fluoro_store_old_key_files") == 0,
                 what="data keys under the new key")
        for secret in (old, new):
            assert secret.split()[1] not in server.log() and secret.split()[1] not in server.request("GET", "/metrics")[2].decode()
    keys = write_keys(tmp_path / "keys", new)
    with Server("--at-rest-key", keys, folder=tmp_path) as server:
        assert len(server.boto3().batch_get_traces(TraceIds=sent)["Traces"]) == len(sent)
        assert server.metric("fluoro_store_locked_files") == 0
    assert server.cli("verify", str(data), "--at-rest-key", keys).returncode == 0

    # Another key under that name.
    wrong = write_keys(tmp_path / "wrong", key_line("2026"))
    found = server.cli("verify", str(data), "--at-rest-key", wrong, check=False)
    assert found.returncode == 1 and "is not the key of that name" in found.stdout


def test_key_files_are_checked(tmp_path):
    line = key_line("main")
    keys = write_keys(tmp_path / "keys", line)
    shown = subprocess.run([str(BINARY), "serve", "--at-rest-key", keys, "--print-config"], capture_output=True, text=True, check=True)
    assert keys in shown.stdout and line.split()[1] not in shown.stdout + shown.stderr

    def refused(text):
        path = tmp_path / "bad"
        path.write_text(text)
        path.chmod(0o600)
        done = subprocess.run([str(BINARY), "serve", "--data", str(tmp_path / "x"), "--at-rest-key", str(path)],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2 and str(path) in done.stderr, done
        return done.stderr

    assert "it holds no key" in refused("# nothing\n")
    said = refused(line + "second " + line.split()[1][:-4] + "\n")
    assert "line 2" in said and line.split()[1][:20] not in said
    missing = subprocess.run([str(BINARY), "verify", str(tmp_path), "--at-rest-key", str(tmp_path / "none")],
                             capture_output=True, text=True, timeout=60, check=False)
    assert missing.returncode == 2 and "no such file" in missing.stderr

    readable = write_keys(tmp_path / "readable", line, mode=0o644)
    with Server("--at-rest-key", readable, folder=tmp_path) as server:
        assert "can be read by others" in server.log()


def test_put_encryption_config_makes_a_key_that_outlives_the_server(tmp_path):
    with Server(folder=tmp_path) as server:
        xray = server.boto3()
        assert xray.get_encryption_config()["EncryptionConfig"] == {"Type": "NONE", "Status": "ACTIVE"}
        config = xray.put_encryption_config(Type="KMS", KeyId="alias/traces")["EncryptionConfig"]
        assert config == {"KeyId": "arn:aws:kms:us-east-1:000000000000:alias/traces", "Type": "KMS", "Status": "ACTIVE"}
        trace_id, documents = shop_trace(time.time() - 5, tenant=TENANT)
        put(xray, documents)
    data = tmp_path / "data"
    assert (data / "made-keys").stat().st_mode & 0o777 == 0o600
    assert legible(data, TENANT.encode()) == []
    with Server(folder=tmp_path) as server:
        xray = server.boto3()
        assert xray.get_encryption_config()["EncryptionConfig"] == config
        assert xray.batch_get_traces(TraceIds=[trace_id])["Traces"]
        assert xray.put_encryption_config(Type="NONE")["EncryptionConfig"] == {"Type": "NONE", "Status": "ACTIVE"}
    done = server.cli("verify", str(data), check=False)
    assert done.returncode == 0, done.stdout
