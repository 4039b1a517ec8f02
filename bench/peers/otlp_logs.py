"""OTLP trace requests as OTLP log requests: one record a span. Resources and attributes are taken over byte for byte.

Field numbers: opentelemetry-proto, trace/v1/trace.proto, logs/v1/logs.proto, common/v1/common.proto.
"""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def fields(data):
    """(number, value) of each field of a message: an integer or, of what has a length or is fixed, its bytes."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = read_varint(data, at)
        else:
            if kind == BYTES:
                size, at = read_varint(data, at)
            elif kind in (FIXED64, FIXED32):
                size = 8 if kind == FIXED64 else 4
            else:
                raise ValueError(f"wire type {kind}")
            value = data[at:at + size]
            at += size
        yield tag >> 3, value


def message(number, data):
    return varint(number << 3 | BYTES) + varint(len(data)) + data


def text(key, value):
    """A KeyValue, as attribute of a record."""
    return message(6, message(1, key) + message(2, message(1, value)))


def integer(key, value):
    return message(6, message(1, key) + message(2, b"\x18" + varint(value)))


def record(span):
    out = []
    start = end = 0
    for number, value in fields(span):
        if number == 1:
            out.append(message(9, value))  # trace_id
        elif number == 2:
            out.append(message(10, value))  # span_id
        elif number == 3 and value:
            out.append(text(b"trace_state", value))
        elif number == 4 and value:
            out.append(text(b"parent_span_id", value.hex().encode()))
        elif number == 5:
            out.append(text(b"name", value))
        elif number == 6:
            out.append(integer(b"kind", value))
        elif number == 7:
            start = int.from_bytes(value, "little")
        elif number == 8:
            end = int.from_bytes(value, "little")
        elif number == 9:
            out.append(message(6, value))  # attributes
        elif number == 15:
            status = dict(fields(value))
            out.append(integer(b"status_code", status.get(3, 0)))
            if status.get(2):
                out.append(text(b"status_message", status[2]))
        elif number not in (16,):  # flags
            raise ValueError(f"a generated span has field {number}")
    out.append(integer(b"start_time_unix_nano", start))
    out.append(integer(b"duration", end - start))
    out.append(message(5, message(1, b"-")))  # body
    # The time of a row is the span's end, as in VictoriaTraces.
    return b"\x09" + end.to_bytes(8, "little") + b"".join(out)


def from_traces(request):
    """ExportTraceServiceRequest to ExportLogsServiceRequest. ValueError: something that the generated spans do not have."""
    resources = []
    for _, resource_spans in fields(request):
        parts = []
        for number, value in fields(resource_spans):
            if number == 2:
                scope = [message(2, record(item)) if inner == 2 else message(inner, item) for inner, item in fields(value)]
                parts.append(message(2, b"".join(scope)))
            else:
                parts.append(message(number, value))  # resource, schema_url
        resources.append(message(1, b"".join(parts)))
    return b"".join(resources)
