#!/usr/bin/env python3
"""VictoriaLogs, the storage engine that VictoriaTraces is built on, as a stand-in for it in `make bench`. Usage:

    victorialogs.py VICTORIA_LOGS FLUORO DATA SPANS CORE        DATA: a folder, emptied before and after; CORE: where VictoriaLogs runs

It knows no spans: each goes as one OTLP log record with the same fields, in requests of as many, as VictoriaTraces writes a span as one row of
that engine with service and name as its stream. What VictoriaTraces writes beside that, an index of traces, is missing here. The records are
made before the clock starts. Then as in jaeger.py; here all spans are counted as well.
"""
import http.client
import http.server
import json
import pathlib
import subprocess
import sys
import threading
import urllib.parse

import otlp_logs
import peer_server


def requests_of(fluoro, spans):
    """The bodies that `fluoro bench send` sends, and what it printed."""
    bodies = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            sent = json.loads(subprocess.run([fluoro, "bench", "send", "--to", f"127.0.0.1:{server.server_port}", "--spans", spans, "--json"],
                                             stdout=subprocess.PIPE, text=True, check=True).stdout)
        finally:
            server.shutdown()
    return bodies, sent


def post_all(port, bodies):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for body in bodies:
        connection.request("POST", "/insert/opentelemetry/v1/logs", body,
                           {"content-type": "application/x-protobuf", "VL-Stream-Fields": "service.name,name"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"a request was refused: {answer.status} {text[:200]!r}")
    connection.close()


def query(text):
    return "/select/logsql/query?" + urllib.parse.urlencode({"query": text})


def main():
    binary, fluoro, data, spans, core = sys.argv[1:]
    data = pathlib.Path(data).resolve()
    bodies, sent = requests_of(fluoro, spans)
    bodies = [otlp_logs.from_traces(body) for body in bodies]
    port, = peer_server.free_ports(1)
    start = lambda: peer_server.PeerServer([binary, f"-storageDataPath={data}", f"-httpListenAddr=127.0.0.1:{port}", "-loggerLevel=WARN"], core, (port,),
                                           data.parent / "victorialogs.log")

    def send():
        post_all(port, bodies)
        return sent

    def ask_for(_, traces):
        found = int(json.loads(peer_server.get(port, query("* | count() spans"))[0])["spans"])
        if found != sent["spans"]:
            raise RuntimeError(f"{sent['spans']} spans were acknowledged, {found} are found")
        return peer_server.look_up(port, traces, lambda trace_id: query(f"trace_id:={trace_id}"), lambda body: len(body.splitlines()))

    peer_server.measure(data, start, lambda server: peer_server.receive(server, data, send), ask_for)


if __name__ == "__main__":
    main()
