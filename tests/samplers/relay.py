"""Stands between a client and the server, passes every byte on as it is, and reads along: which rules and targets the client was given, and when."""
import asyncio
import gzip
import json
import threading
import time
import zlib


class Messages:
    """HTTP/1.1 messages out of a stream of bytes: feed() gives (first line, body) of each that is complete."""

    def __init__(self):
        self._bytes = b""

    def feed(self, data):
        self._bytes += data
        while True:
            head, found, rest = self._bytes.partition(b"\r\n\r\n")
            if not found:
                return
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            if first.startswith("HTTP/1.1 1"):  # 100 Continue has no body
                self._bytes = rest
                continue
            if headers.get("transfer-encoding", "").lower() == "chunked":
                taken = self._chunks(rest)
                if taken is None:
                    return
                body, self._bytes = taken
            else:
                length = int(headers.get("content-length", 0))
                if len(rest) < length:
                    return
                body, self._bytes = rest[:length], rest[length:]
            encoding = headers.get("content-encoding", "").lower()
            if encoding == "gzip":
                body = gzip.decompress(body)
            elif encoding == "deflate":
                body = zlib.decompress(body)
            yield first, body

    @staticmethod
    def _chunks(data):
        """(body, what follows it), or None as long as it is not complete."""
        body = b""
        while True:
            size, found, rest = data.partition(b"\r\n")
            if not found:
                return None
            length = int(size.split(b";")[0], 16)
            if len(rest) < length + 2:
                return None
            if length == 0:
                return body, rest[2:]
            body, data = body + rest[:length], rest[length + 2:]


class Relay:
    """One listening port before a server's. Afterwards: `calls`, a list of (time asked, time answered, path, asked, status, answered), times in Unix seconds."""

    def __init__(self, upstream):
        host, port = upstream.rsplit(":", 1)
        self._upstream = (host, int(port))
        self.calls = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._connection, "127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._server.sockets[0].getsockname()[1]

    def _run(self, task):
        return asyncio.run_coroutine_threadsafe(task, self._loop).result(10)

    def close(self):
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self):
        self._server.close()
        connections = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _connection(self, reader, writer):
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.close()
            return
        asked = []

        def request(first, body):
            asked.append((time.time(), first.split(" ")[1], body))

        def response(first, body):
            if asked:
                when, path, sent = asked.pop(0)
                self.calls.append((when, time.time(), path, parsed(sent), int(first.split(" ")[1]), parsed(body)))

        await asyncio.gather(self._pump(reader, up_writer, request), self._pump(up_reader, writer, response))

    @staticmethod
    async def _pump(reader, writer, tell):
        messages = Messages()
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
                for first, body in messages.feed(data):
                    tell(first, body)
        except OSError:
            pass  # the one side went: so does the other
        finally:
            writer.close()


def parsed(body):
    try:
        return json.loads(body) if body else {}
    except ValueError:
        return None
