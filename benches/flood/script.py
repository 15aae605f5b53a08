"""What a script makes of the same events: the standard library alone, json, dictionaries as counters.

Says `ready` once it is subscribed, and the count once it has them all.
"""

import json
import socket
import sys


def main(host, port, events):
    bus = socket.create_connection((host, port))
    bus.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\nSUB events.> 1\r\nPING\r\n')
    lines = bus.makefile("rb", 1 << 18)
    while not lines.readline().startswith(b"PONG"):
        pass
    print("ready", flush=True)
    bus.settimeout(10)
    counters, received = {}, 0
    while received < events:
        try:
            line = lines.readline()
        except TimeoutError:
            break
        if line.startswith(b"PING"):
            bus.sendall(b"PONG\r\n")
        elif line.startswith(b"MSG"):
            event = json.loads(lines.read(int(line.split()[-1]) + 2))
            kind = event["event_type"]
            if kind == "MetricRecorded":
                key, by = (event["metric_name"], tuple(sorted(event["tags"].items()))), event["metric_value"]
            else:
                key, by = (kind, event.get("status")), 1
            counters[key] = counters.get(key, 0) + by
            received += 1
    print(received, flush=True)
    sys.stdin.read()


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
