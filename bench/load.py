"""The load generator: `python -m bench.load URL-PATH PORT REQUESTS CONNECTIONS TOKEN BODY-TEMPLATE`; prints requests/s.

Keep-alive connections on raw sockets, one request in flight on each; `%d` in the body becomes the request's number. It
takes a third of the time that an event loop would, so that it is the server that is measured.
"""

import itertools
import re
import select
import socket
import sys
import time

HEAD = re.compile(rb"HTTP/1\.1 200 .*?\r\ncontent-length: (\d+)\r\n.*?\r\n\r\n", re.DOTALL | re.IGNORECASE)


class Load:
    """A run against one server."""

    def __init__(self, path: str, port: int, connections: int, token: str, template: str) -> None:
        self.head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self.template = template
        self.same = None if "%d" in template else self.request(template)
        self.poll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        for _ in range(connections):
            opened = socket.create_connection(("127.0.0.1", port))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets[opened.fileno()] = opened
            self.poll.register(opened, select.EPOLLIN)

    def request(self, text: str) -> bytes:
        body = text.encode()
        return self.head + b"%d\r\n\r\n" % len(body) + body

    def run(self, most: int) -> float:
        """Requests a second of `most` requests."""
        numbers = itertools.count(1)
        received: dict[int, bytes] = {}
        answered = 0
        began = time.perf_counter()
        for opened in self.sockets.values():
            opened.sendall(self.same or self.request(self.template % next(numbers)))
        while answered < most:
            for fd, _ in self.poll.poll():
                opened = self.sockets[fd]
                part = opened.recv(1 << 18)
                assert part, "the server ended the connection"
                data = received.pop(fd, b"") + part
                if not (head := HEAD.match(data)):
                    assert b"\r\n\r\n" not in data, data[:500]
                if not head or head.end() + int(head[1]) > len(data):
                    received[fd] = data
                    continue
                answered += 1
                opened.sendall(self.same or self.request(self.template % next(numbers)))
        return most / (time.perf_counter() - began)


if __name__ == "__main__":
    path, port, most, connections, token, template = sys.argv[1:]
    print(Load(path, int(port), int(connections), token, template).run(int(most)))
