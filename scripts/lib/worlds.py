"""A nats-server with an instance of signalbox, and a load of events: what the benches measure."""

import os
import socket
import threading
import time

from nats_client import Bus
from processes import BINARY, Process, free_port, get, wait_until


class Load(threading.Thread):
    """Publishes `make(number)` so many times a second until it is stopped."""

    def __init__(self, port, rate, make):
        super().__init__(daemon=True)
        self.bus, self.rate, self.make = Bus(port), rate, make
        self.sent, self.over = 0, threading.Event()

    def run(self):
        start, each = time.monotonic(), max(1, self.rate // 100)
        while not self.over.is_set():
            self.bus.send(b"".join(self.make(self.sent + number) for number in range(each)))
            self.sent += each
            ahead = start + self.sent / self.rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)

    def stop(self):
        self.over.set()
        self.join()


class World:
    """A nats-server and a sidecar with these rule files, and more arguments."""

    def __init__(self, folder, rules, config="", more=()):
        self.folder, self.nats_port, self.http = folder, free_port(), free_port()
        self.server = Process(
            "nats-server", "-a", "127.0.0.1", "-p", str(self.nats_port), "-js", "-sd", f"{folder}/js-{self.nats_port}"
        )
        wait_until("nats-server", lambda: socket.create_connection(("127.0.0.1", self.nats_port)).close() is None)
        settings = f"{folder}/{self.nats_port}.yaml"
        with open(settings, "w", encoding="utf-8") as file:
            file.write(f"jetstream: {{create_stream: true}}\n{config}")
        nothing = f"{folder}/none"
        os.makedirs(nothing, exist_ok=True)
        command = [BINARY, "run", "--config", settings, "--nats-url", f"nats://127.0.0.1:{self.nats_port}"]
        self.sidecar = Process(*command, "--listen", f"127.0.0.1:{self.http}", "--rules", *(rules or [nothing]), *more)
        wait_until("readiness", lambda: get(self.http, "/-/ready")[0] == 200)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sidecar.__exit__()
        self.server.__exit__()

    def value(self, name):
        text = get(self.http, f"/metrics?name[]={name}")[1].decode()
        return sum(float(line.split()[-1]) for line in text.splitlines() if not line.startswith("#"))
