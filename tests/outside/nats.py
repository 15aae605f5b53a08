"""The least of a NATS client that can publish."""

import socket


class Nats:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.reader = self.socket.makefile("rb")
        self.reader.readline()
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\n')
        self.out = bytearray()

    def publish(self, subject, payload, headers=None):
        if headers is None:
            self.out += f"PUB {subject} {len(payload)}\r\n".encode()
        else:
            block = "NATS/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
            block = block.encode()
            self.out += f"HPUB {subject} {len(block)} {len(block) + len(payload)}\r\n".encode() + block
        self.out += payload + b"\r\n"
        if len(self.out) > 1 << 16:
            self.send()

    def send(self):
        self.socket.sendall(self.out)
        self.out.clear()

    def flush(self):
        self.out += b"PING\r\n"
        self.send()
        while True:
            line = self.reader.readline()
            if line.startswith(b"PONG"):
                return
            if not line or line.startswith(b"-ERR"):
                raise SystemExit(f"nats-server said {line!r}")
            if line.startswith(b"PING"):
                self.socket.sendall(b"PONG\r\n")
