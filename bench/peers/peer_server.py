"""What the peers that are servers have in common: each runs in a process of its own on one core and is measured from /proc."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
IDLE_SECONDS = 5  # so long with less than IDLE_SHARE of the core, then all work is done
IDLE_SHARE = 0.02
PATIENCE_SECONDS = 300


def free_ports(count):
    """Ports of 127.0.0.1 that nobody has at this moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class PeerServer:
    """A running one, which listens on all of `ports`. RuntimeError: it does not start."""

    def __init__(self, command, core, ports, log, env=None):
        with open(log, "wb") as output:
            self.process = subprocess.Popen(["taskset", "-c", str(core), *map(str, command)], env={**os.environ, "GOMAXPROCS": "1", **(env or {})},
                                            stdout=output, stderr=output)
        try:
            for port in ports:
                self._wait_for(port, log)
        except RuntimeError:
            self.stop()
            raise

    def _wait_for(self, port, log):
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError as error:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError(f"it does not start: {pathlib.Path(log).read_text(encoding='utf-8')[-500:]}") from error
                time.sleep(0.1)

    def _proc(self, name):
        return pathlib.Path(f"/proc/{self.process.pid}/{name}").read_text(encoding="utf-8")

    def cpu_seconds(self):
        after_name = self._proc("stat").rsplit(")", 1)[1].split()
        return (int(after_name[11]) + int(after_name[12])) / TICKS

    def peak_rss_bytes(self):
        return next(int(line.split()[1]) * 1024 for line in self._proc("status").splitlines() if line.startswith("VmHWM"))

    def wait_until_idle(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            before = self.cpu_seconds()
            time.sleep(IDLE_SECONDS)
            if self.cpu_seconds() - before < IDLE_SHARE * IDLE_SECONDS:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"still busy {PATIENCE_SECONDS} s after the last acknowledgement")

    def stop(self):
        """Lets it write what it holds. Gives the CPU seconds of its whole life; 0 if it has ended before. RuntimeError: it had to be killed."""
        if self.process.returncode is not None:
            return 0.0
        self.process.terminate()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (ended := os.wait4(self.process.pid, os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                self.process.kill()
                self.process.wait()
                raise RuntimeError(f"it does not stop within {PATIENCE_SECONDS} s")
            time.sleep(0.02)
        self.process.returncode = os.waitstatus_to_exitcode(ended[1])
        return ended[2].ru_utime + ended[2].ru_stime


def receive(server, data, send):
    """What receiving costs; stops the server. `send()` gives what `fluoro bench send` printed. Gives also the traces to ask for."""
    before = server.cpu_seconds()
    sent = send()
    acknowledged = server.cpu_seconds() - before
    server.wait_until_idle()
    idle = server.cpu_seconds() - before
    peak = server.peak_rss_bytes()
    stopped = server.stop() - before
    size = sum(file.stat().st_size for file in data.rglob("*") if file.is_file())
    n = sent["spans"]
    return sent["traces"], {
        "spans": n, "acknowledged_cpu_seconds": acknowledged, "idle_cpu_seconds": idle, "stopped_cpu_seconds": stopped,
        "cpu_seconds_per_million_spans": stopped / n * 1e6, "disk_bytes_per_span": size / n, "peak_rss_bytes": peak}


def get(port, target):
    """The body of an answer and the milliseconds until its last byte; a connection of its own. RuntimeError: the answer is not 200."""
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(f"GET {target} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    took = (time.monotonic() - begin) * 1e3
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.split()[1:2] != [b"200"]:
        raise RuntimeError(f"{target}: the answer is {answer[:200]!r}")
    return body, took


def look_up(port, traces, target, count):
    """Percentiles of asking for these traces. `target(id)`: of the request; `count(body)`: spans in the answer. RuntimeError: one does not come with
    all its spans."""
    took = []
    for trace in traces:
        body, ms = get(port, target(trace["id"]))
        found = count(body)
        if found != trace["spans"]:
            raise RuntimeError(f"trace {trace['id']} was acknowledged with {trace['spans']} spans and comes with {found}")
        took.append(ms)
    took.sort()
    at = lambda share: took[min(len(took) - 1, int(share * len(took)))]
    return {"p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": took[-1], "lookups": len(took)}


def measure(data, start, receive_all, ask_for):
    """Prints one JSON object. `start()`: a server on the folder `data`, which is emptied before and after; `receive_all(server)` as `receive` gives;
    `ask_for(server, traces)`, of one that was started again, as `look_up` gives."""
    data = pathlib.Path(data).resolve()
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    server = None
    try:
        server = start()
        traces, ingest = receive_all(server)
        server = start()
        lookup = ask_for(server, traces)
    finally:
        if server:
            server.stop()
        shutil.rmtree(data, ignore_errors=True)
    print(json.dumps({"ingest": ingest, "lookup": lookup}))
