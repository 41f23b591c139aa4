"""The load generator: `python -m bench.load URL-PATH PORT REQUESTS CONNECTIONS TOKEN BODY-TEMPLATE`; prints requests/s.

Keep-alive connections on raw sockets, one request in flight on each; `%d` in the body becomes the request's number.
"""

import asyncio
import itertools
import sys
import time

import uvloop


class Client(asyncio.Protocol):
    def __init__(self, requests: "itertools.count[int]", most: int, render, done: asyncio.Future[None]) -> None:
        self.requests, self.most, self.render, self.done = requests, most, render, done
        self.buffer = b""

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.next()

    def next(self) -> None:
        number = next(self.requests)
        if number > self.most:
            self.transport.close()
            if not self.done.done():
                self.done.set_result(None)
        else:
            self.transport.write(self.render(number))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        lines = self.buffer[:head].lower()
        assert lines.startswith(b"http/1.1 200"), self.buffer[:500]
        length = int(lines.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self.buffer) >= head + 4 + length:
            self.buffer = b""
            self.next()


async def run(path: str, port: int, most: int, connections: int, token: str, template: str) -> float:
    def render(number: int) -> bytes:
        body = (template % number if "%d" in template else template).encode()
        return (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    loop = asyncio.get_running_loop()
    counter = itertools.count(1)
    waiting = []
    began = time.perf_counter()
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        await loop.create_connection(lambda done=done: Client(counter, most, render, done), "127.0.0.1", port)
        waiting.append(done)
    await asyncio.gather(*waiting)
    return most / (time.perf_counter() - began)


if __name__ == "__main__":
    path, port, most, connections, token, template = sys.argv[1:]
    print(uvloop.run(run(path, int(port), int(most), int(connections), token, template)))
