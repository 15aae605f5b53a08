"""NATS as these scripts speak it: a server with streams, connections that publish or ask, events, and what a stream holds."""

import base64
import json
import os
import socket
import threading
import time

from processes import Process, free_port, wait_until

ALERTS = "events.*.AlertTriggered"
# What a server says where there is no such message.
NO_MESSAGE = 10037


class ApiError(SystemExit):
    """JetStream refused a request; the script ends with that where nobody takes it."""

    def __init__(self, subject, error):
        super().__init__(f"{subject}: {error}")
        self.code = error.get("err_code")


def checked(subject, answer):
    """An answer of JetStream that is no refusal."""
    if "error" in answer:
        raise ApiError(subject, answer["error"])
    return answer


def message(subject, payload):
    data = payload.encode()
    return b"PUB %s %d\r\n%s\r\n" % (subject.encode(), len(data), data)


EVENT = (
    '{"event_id":"%08x-0000-4000-8000-%012x","timestamp":"%s","event_type":"MetricRecorded",'
    '"metric_name":"%s","metric_value":%s,"metric_type":"%s","tags":{%s}}'
)
IDS = iter(range(1, 1 << 40))


def recorded(name, value, kind, tags):
    """A MetricRecorded, as bytes to send."""
    number = next(IDS)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    labels = ",".join(f'"{label}":"{text}"' for label, text in tags.items())
    payload = EVENT % (number * 0x9E3779B1 & 0xFFFFFFFF, number, stamp, name, value, kind, labels)
    return message("events.monitoring.MetricRecorded", payload)


class Bus:
    """A connection that publishes, and notes when alerts came by their label `id`."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.came = {}
        self.lock = threading.Lock()
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\n')
        threading.Thread(target=self.read, daemon=True).start()

    def listen(self):
        self.send(f"SUB {ALERTS} 1\r\n".encode())

    def send(self, data):
        with self.lock:
            self.socket.sendall(data)

    def read(self):
        lines = self.socket.makefile("rb")
        for line in lines:
            if line.startswith(b"PING"):
                self.send(b"PONG\r\n")
            elif line.startswith(b"MSG"):
                payload = lines.read(int(line.split()[-1]) + 2)
                now = time.monotonic()
                alert = json.loads(payload)
                self.came[alert.get("labels", {}).get("id")] = now


class Client:
    """A connection to one server that asks and waits for answers."""

    def __init__(self, address, port=4222, timeout=2):
        self.socket = socket.create_connection((address, port), timeout=timeout)
        self.lines = self.socket.makefile("rb")
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\nSUB answers.* 1\r\n')
        self.flush()

    def close(self):
        self.socket.close()

    def flush(self):
        """Waits until the server has dealt with everything that was sent."""
        self.socket.sendall(b"PING\r\n")
        while True:
            line = self.line()
            if line.startswith(b"PONG"):
                return

    def line(self):
        """The next line that is no heartbeat."""
        while True:
            line = self.lines.readline()
            if not line:
                raise OSError("the connection is gone")
            if not line.startswith(b"PING"):
                return line
            self.socket.sendall(b"PONG\r\n")

    def send(self, subject, payload, number=None, message_id=None):
        reply = f" answers.{number}" if number is not None else ""
        head = f"NATS/1.0\r\nNats-Msg-Id: {message_id}\r\n\r\n".encode() if message_id else b""
        verb = f"HPUB {subject}{reply} {len(head)} {len(head) + len(payload)}" if head else f"PUB {subject}{reply} {len(payload)}"
        self.socket.sendall(verb.encode() + b"\r\n" + head + payload + b"\r\n")

    def answer(self):
        """The next answer, with the number it is to."""
        while True:
            line = self.line()
            if line.startswith((b"MSG", b"HMSG")):
                words = line.split()
                data = self.lines.read(int(words[-1]) + 2)
                if line.startswith(b"HMSG"):
                    raise OSError("nobody answers there")
                return int(words[1].rpartition(b".")[2]), json.loads(data)

    def ask(self, subject, body=b""):
        """What JetStream answers, a refusal too."""
        self.send(f"$JS.API.{subject}", body, 0)
        return self.answer()[1]


class Server:
    """A nats-server with streams."""

    def __init__(self, folder, more="", host="127.0.0.1"):
        self.port = free_port()
        config = os.path.join(folder, "nats.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"port: {self.port}\nhost: {host}\njetstream {{ store_dir: {json.dumps(folder)} }}\n{more}")
        self.process = Process("nats-server", "-c", config)
        wait_until("nats-server", lambda: socket.create_connection(("127.0.0.1", self.port)).close() is None)
        self.connect()

    def connect(self):
        """Connects anew: a server lets go of a connection that was idle for minutes."""
        self.client = Client("127.0.0.1", self.port, None)

    def ask(self, subject, body=b""):
        """What JetStream answers.

        A refusal ends the script.
        """
        return checked(subject, self.client.ask(subject, body))

    def store(self, streams, messages):
        """Makes streams and stores messages in them; how many each has."""
        for stream in streams:
            self.ask(f"STREAM.CREATE.{stream['name']}", json.dumps(stream).encode())
        stored = []
        # A server drops what waits for a stream in greater number than this.
        for start in range(0, len(messages), 5_000):
            self.client.socket.sendall(b"".join(messages[start:start + 5_000]))
            self.client.flush()
            sent, end = min(start + 5_000, len(messages)), time.monotonic() + 60
            while sum(stored) != sent:
                if time.monotonic() > end:
                    raise SystemExit(f"{sum(stored)} of {sent} events were stored")
                stored = [self.ask(f"STREAM.INFO.{stream['name']}")["state"]["messages"] for stream in streams]
        return stored


def alert_events(ask, stream="EVENTS"):
    """A stream's alert events in its order, each with its sequence and the message it came in. `ask` is a connection's.

    Only a server that says that there is no further message ends them; whatever else it refuses ends the script.
    """
    found, subject = [], f"STREAM.MSG.GET.{stream}"
    for kind in ["AlertTriggered", "AlertCleared"]:
        sequence = 0
        while True:
            asked = {"next_by_subj": f"events.monitoring.{kind}", "seq": sequence + 1}
            answer = ask(subject, json.dumps(asked).encode())
            if answer.get("error", {}).get("err_code") == NO_MESSAGE:
                break
            stored = checked(subject, answer)["message"]
            sequence = stored["seq"]
            found.append((sequence, json.loads(base64.b64decode(stored["data"])), stored))
    return sorted(found, key=lambda it: it[0])
