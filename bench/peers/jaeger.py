#!/usr/bin/env python3
"""Jaeger with its Badger storage as a peer of `make bench`. Usage:

    jaeger.py JAEGER FLUORO DATA SPANS CORE        DATA: a folder, emptied before and after; CORE: where Jaeger runs

Sends the generated spans by OTLP/HTTP (`fluoro bench send`), waits until nothing more is done with them, stops Jaeger, starts it again
and asks for 1,000 random traces by id, each of which must come with all its spans. Prints one JSON object; fails if a span is missing.
"""
import json
import pathlib
import subprocess
import sys

import peer_server

CONFIG = pathlib.Path(__file__).resolve().parent / "jaeger" / "config.yaml"


def look_up(port, traces):
    return peer_server.look_up(port, traces, lambda trace_id: f"/api/traces/{trace_id}",
                               lambda body: sum(len(trace["spans"]) for trace in json.loads(body)["data"]))


def main():
    binary, fluoro, data, spans, core = sys.argv[1:]
    data = pathlib.Path(data).resolve()
    otlp, query, grpc = peer_server.free_ports(3)
    env = {"BENCH_OTLP_PORT": str(otlp), "BENCH_QUERY_PORT": str(query), "BENCH_QUERY_GRPC_PORT": str(grpc), "BENCH_DATA": str(data)}
    start = lambda: peer_server.PeerServer([binary, "--config", CONFIG], core, (otlp, query), data.parent / "jaeger.log", env)
    send = lambda: json.loads(subprocess.run([fluoro, "bench", "send", "--to", f"127.0.0.1:{otlp}", "--spans", spans, "--json"], stdout=subprocess.PIPE,
                                             text=True, check=True).stdout)
    peer_server.measure(data, start, lambda server: peer_server.receive(server, data, send), lambda server, traces: look_up(query, traces))


if __name__ == "__main__":
    main()
