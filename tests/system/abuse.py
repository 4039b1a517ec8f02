"""What the abuse tests need: raw sockets, hand-made protobuf, compressed bombs, and the server's memory as the kernel counts it."""
import gzip
import http.client
import json
import os
import socket
import struct
import time
import zlib

from harness import Server

MIB = 1 << 20
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
NOW = int(time.time())
NOW_NS = NOW * 10**9


def sized(ordinary, full):
    """The size of a test: full in `make soak`."""
    return full if os.environ.get("FLUORO_SOAK") else ordinary


class AbuseServer(Server):
    """A Server whose memory and raw ports are at hand."""

    @property
    def pid(self):
        return self.process.pid

    def _status(self, name):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(name + ":"):
                    return int(line.split()[1]) * 1024
        raise AssertionError(name)

    def rss(self):
        return self._status("VmRSS")

    def peak(self):
        return self._status("VmHWM")

    def reset_peak(self):
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as refs:
            refs.write("5")

    def counter(self, name, **labels):
        """Sum of the metric's series that have these labels."""
        _, _, body = self.request("GET", "/metrics")
        total = 0.0
        for line in body.decode().splitlines():
            if line.startswith((name + "{", name + " ")) and all(f'{key}="{value}"' in line for key, value in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def refused(self):
        """What was counted as refused so far, over every protocol and reason."""
        return sum(self.counter(name) for name in ("fluoro_ingest_rejected_total", "fluoro_http_refused_total", "fluoro_grpc_refused_total"))

    def alive(self):
        assert self.process.poll() is None, self.log()
        status, _, body = self.request("GET", "/healthz")
        assert (status, body) == (200, b"ok\n")

    def send(self, path, body, headers=None, port="http"):
        """(status, headers, body) over a connection of its own; a server that answers early is heard."""
        host, number = self.ports[port].rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(number), timeout=120)
        try:
            try:
                connection.request("POST", path, body=body, headers=headers or {})
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def put_documents(self, documents, headers=None):
        status, _, body = self.send("/TraceSegments", json.dumps({"TraceSegmentDocuments": documents}).encode(), headers)
        return status, json.loads(body)

    def send_grpc(self, message):
        """(status code name, message) of one Export."""
        import grpc
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(self.ports["otlp_grpc"], options=options) as channel:
            call = channel.unary_unary(EXPORT, request_serializer=lambda b: b, response_deserializer=lambda b: b)
            try:
                call(message, timeout=120)
                return "OK", ""
            except grpc.RpcError as error:
                return error.code().name, error.details()

    def send_udp(self, *datagrams):
        host, port = self.ports["udp"].rsplit(":", 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for datagram in datagrams:
                sender.sendto(datagram, (host, int(port)))

    def raw(self, data, port="http", until=None):
        """Everything the server says to these bytes until it closes, we having closed our side at once; or until these words."""
        host, number = self.ports[port].rsplit(":", 1)
        with socket.create_connection((host, int(number)), timeout=30) as connection:
            try:
                connection.sendall(data)
                if until is None:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:  # the server closed first
                pass
            heard = b""
            while True:
                if until is not None and until in heard:
                    return heard
                try:
                    piece = connection.recv(65536)
                except OSError:
                    return heard
                if not piece:
                    return heard
                heard += piece

    def get_trace(self, trace_id):
        """Decoded documents of a trace through BatchGetTraces, all pages."""
        documents, token = [], None
        while True:
            status, answer = self.post_json("/Traces", {"TraceIds": [trace_id], **({"NextToken": token} if token else {})})
            assert status == 200, answer
            for trace in answer["Traces"]:
                documents += [json.loads(segment["Document"]) for segment in trace["Segments"]]
            token = answer.get("NextToken")
            if not token:
                return documents


def xray_id(hex_id):
    return f"1-{hex_id[:8]}-{hex_id[8:]}"


def hex_trace_id():
    return f"{NOW:08x}" + os.urandom(12).hex()


# ---- protobuf by hand ----

def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def fixed64(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value & (1 << 64) - 1)


def otlp_span(trace_id, span_id, name=b"n", parent=b"", start=NOW_NS, end=NOW_NS + 1000, more=b""):
    out = field(1, trace_id) + field(2, span_id)
    if parent:
        out += field(4, parent)
    return out + field(5, name) + fixed64(7, start) + fixed64(8, end) + more


def otlp_request(spans, resource=b""):
    scope = b"".join(field(2, span) for span in spans)
    return field(1, field(1, resource) + field(2, scope))


def key_value(key, value):
    return field(1, key) + field(2, value)


def otlp_json_span(trace_id, span_id="00f067aa0ba902b7", **more):
    return {"traceId": trace_id, "spanId": span_id, "name": "n", "kind": 2, "startTimeUnixNano": str(NOW_NS), "endTimeUnixNano": str(NOW_NS + 1000), **more}


def otlp_json(*spans, resource=()):
    return {"resourceSpans": [{"resource": {"attributes": list(resource)}, "scopeSpans": [{"spans": list(spans)}]}]}


# ---- gRPC by hand: what its own clients refuse to send ----

def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def grpc_export(message, encoding="identity", compressed=0):
    """One whole connection with one Export on it. The message fits the first window of HTTP/2."""
    headers = b""
    for name, value in ((":method", "POST"), (":scheme", "http"), (":path", EXPORT), (":authority", "t"), ("content-type", "application/grpc"),
                        ("te", "trailers"), ("grpc-encoding", encoding)):
        headers += b"\0" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()
    data = struct.pack(">BI", compressed, len(message)) + message
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, headers) + frame(0, 1, 1, data)


def zstd_raw(data):
    """A zstd frame of one block that is not compressed."""
    return b"\x28\xb5\x2f\xfd\x00\x68" + struct.pack("<I", 1 | len(data) << 3)[:3] + data


# ---- bombs ----

def deflate_bomb(inflated_mib, window_bits):
    """A deflate stream of zeros, made without inflating it here; its trailer would be wrong, but nobody should get there."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window_bits)
    head = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + piece * (inflated_mib - 1) + packer.flush(zlib.Z_FINISH)


def zstd_bomb(inflated_mib):
    """RLE blocks: four bytes stand for 128 KiB."""
    block = struct.pack("<I", 1 << 1 | (128 << 10) << 3)[:3] + b"\0"
    last = struct.pack("<I", 1 | 1 << 1 | (128 << 10) << 3)[:3] + b"\0"
    return b"\x28\xb5\x2f\xfd" + b"\x00" + b"\x68" + block * (inflated_mib * 8 - 1) + last


def bombs():
    """{name: (Content-Encoding, bytes)}: 1 MiB or less that inflates to about 1 GiB, and 10 GiB for zstd."""
    return {
        "gzip": ("gzip", deflate_bomb(1000, 31)),
        "gzip with 1,000 members": ("gzip", gzip.compress(bytes(MIB), 9) * 1000),
        "deflate": ("deflate", deflate_bomb(1000, 15)),
        "raw deflate": ("deflate", deflate_bomb(1000, -15)),
        "zstd": ("zstd", zstd_bomb(10_000)),
        "zstd with many frames": ("zstd", zstd_bomb(1) * 30_000),
    }
