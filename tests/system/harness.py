"""Starts the real binary on free ports and a fresh folder; speaks only its public protocols."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("FLUORO_BINARY", ROOT / "build/dev/fluoro"))
CLIENTS = pathlib.Path(os.environ.get("FLUORO_CLIENTS", ROOT / "build/clients"))
SHARED_DATA = ROOT.parent / "shared" / "data"
NODE_CLIENTS = CLIENTS / "node"

AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_MAX_ATTEMPTS": "1",
}


class Server:
    """One `fluoro serve` process. Use as a context manager; `stop()` sends SIGTERM and checks the exit code."""

    def __init__(self, *flags, folder=None, env=None):
        self._own_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="fluoro-test-"))
        self.flags = flags
        self.env = env or {}
        self.process = None
        self.log_path = self.folder.parent / (self.folder.name + ".log")

    def start(self):
        ports_file = self.folder.parent / (self.folder.name + ".ports.json")
        with contextlib.suppress(FileNotFoundError):
            ports_file.unlink()
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            [str(BINARY), "serve", "--data", str(self.folder / "data"), "--ports-file", str(ports_file),
             *(word for flag in ("--http", "--udp", "--otlp-http", "--otlp-grpc") if flag not in self.flags for word in (flag, "127.0.0.1:0")),
             *self.flags],
            stderr=open(self.log_path, "ab"), stdout=subprocess.DEVNULL, env={**os.environ, **self.env})
        deadline = time.monotonic() + 60
        while not ports_file.exists():
            if self.process.poll() is not None:
                raise RuntimeError(f"fluoro serve ended with {self.process.returncode}: {self.log()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"fluoro serve is not ready: {self.log()}")
            time.sleep(0.02)
        self.ports = json.loads(ports_file.read_text())
        ports_file.unlink()
        return self

    def log(self):
        return self.log_path.read_text(errors="replace")[-4000:]

    @property
    def url(self):
        return "http://" + self.ports["http"]

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        assert code == 0, f"exit code {code}: {self.log()}"
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            if self.process.poll() is None:
                self.kill()
            if self._own_folder:
                shutil.rmtree(self.folder, ignore_errors=True)
                with contextlib.suppress(FileNotFoundError):
                    self.log_path.unlink()

    def request(self, method, path, body=None, headers=None):
        """(status, headers, body bytes); never raises for a status."""
        call = urllib.request.Request(self.url + path, data=body, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(call, timeout=60) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def post_json(self, path, value):
        status, _, body = self.request("POST", path, json.dumps(value).encode(), {"Content-Type": "application/json"})
        return status, json.loads(body or b"{}")

    def cli(self, *arguments, check=True, input=None, text=True):
        """Runs a fluoro command against this server."""
        done = subprocess.run([str(BINARY), *arguments], capture_output=True, text=text, input=input, timeout=120, check=False,
                              env={**os.environ, "FLUORO_SERVER": self.url, "NO_COLOR": "1"})
        if check:
            assert done.returncode == 0, f"{arguments}: exit {done.returncode}: {done.stderr}"
        return done

    def aws(self, *arguments, check=True):
        """Runs the AWS CLI's xray commands against this server; parsed JSON where it succeeds."""
        pytest.importorskip("awscli", reason="the AWS CLI could not be installed here (scripts/clients.sh)")
        done = subprocess.run([sys.executable, "-m", "awscli", "xray", *arguments, "--endpoint-url", self.url, "--output", "json"],
                              capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **AWS_ENVIRONMENT})
        if not check:
            return done
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def boto3(self):
        pytest.importorskip("boto3", reason="boto3 could not be installed here (scripts/clients.sh)")
        import boto3
        from botocore.config import Config
        return boto3.client("xray", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
                            config=Config(retries={"max_attempts": 1, "mode": "standard"}))

    def metric(self, name):
        """Sum of a metric over its labels."""
        _, _, body = self.request("GET", "/metrics")
        total = 0.0
        for line in body.decode().splitlines():
            if line.startswith(name + "{") or line.startswith(name + " "):
                total += float(line.rsplit(" ", 1)[1])
        return total


def wait_for(condition, seconds=30, what="condition"):
    """Polls until `condition()` is true; its value is returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def run_node(script, server, *arguments, extra_env=None):
    """Runs tests/system/node/SCRIPT with the pinned Node.js clients."""
    if not (NODE_CLIENTS / "node_modules").exists():
        pytest.skip("Node.js clients could not be installed here (scripts/clients.sh)")
    source = ROOT / "tests/system/node" / script
    env = {**os.environ, **AWS_ENVIRONMENT, "NODE_PATH": str(NODE_CLIENTS / "node_modules"), "FLUORO_HTTP": server.ports["http"],
           "FLUORO_UDP": server.ports["udp"], "FLUORO_OTLP_HTTP": server.ports["otlp_http"], "FLUORO_OTLP_GRPC": server.ports["otlp_grpc"],
           **(extra_env or {})}
    done = subprocess.run(["node", str(source), *arguments], capture_output=True, text=True, timeout=120, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else None
