"""Processes of these scripts: where the binary is, starting and waiting, what a process cost, and an instance of signalbox.

Scripts put this folder on their path: `sys.path.insert(0, …/scripts/lib)`.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TICKS = os.sysconf("SC_CLK_TCK")
# Instances run in folders of their own.
BINARY = os.path.abspath(os.environ.get("SIGNALBOX", "target/release/signalbox"))


class TooLate(SystemExit):
    """Something did not happen in time; the script ends with that where nobody takes it."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(port, path, timeout=60, address="127.0.0.1"):
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def wait_until(what, done, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if done():
                return
        time.sleep(0.1)
    raise TooLate(f"{what} did not happen within {seconds} s")


def write(folder, name, text):
    path = f"{folder}/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Process:
    """A process that ends with its block, with its CPU and memory."""

    def __init__(self, *command):
        self.child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def cpu(self):
        with open(f"/proc/{self.child.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_mib(self):
        with open(f"/proc/{self.child.pid}/status", encoding="ascii") as status:
            line = next(line for line in status if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def resident(self):
        """Its resident set in bytes."""
        with open(f"/proc/{self.child.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Instance:
    """An instance of signalbox that is started more than once, and looked at from outside."""

    def __init__(self, folder, arguments, prefix=(), address="127.0.0.1"):
        """`prefix` is a command that runs it, say in a network namespace; `address` is where it listens."""
        self.folder, self.address, self.port, self.child = folder, address, free_port(), None
        self.command = [*prefix, BINARY, "run", *arguments, "--listen", f"{address}:{self.port}"]

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.child = subprocess.Popen(self.command, stdout=log, stderr=log)

    def signal(self, what):
        self.child.send_signal(what)
        if what == signal.SIGKILL:
            self.child.wait()

    def get(self, path):
        status, body = get(self.port, path, 1, self.address)
        return status, body.decode()

    def metrics(self):
        """The lines of its metrics; None where it does not answer, or has nothing to show."""
        try:
            status, text = self.get("/metrics")
        except (OSError, http.client.HTTPException):
            return None
        return text.splitlines() if status == 200 else None

    def total(self, is_meant):
        """The sum of the samples whose lines are meant; None where it does not answer."""
        lines = self.metrics()
        return None if lines is None else sum(float(line.rpartition(" ")[2]) for line in lines if is_meant(line))

    def value(self, name):
        """A metric's sum; None where it does not answer."""
        return self.total(lambda line: line.startswith((name + " ", name + "{")))

    def is_ready(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get("/-/ready")[0] == 200
        return False
