"""Puts events on the bus in every shape a publisher may choose, and bad ones between them, and keeps the books.

`Books` says what the accounting must show: received, applied, duplicate and rejected, by lane and reason.
"""

import copy
import json
import random
import uuid
from collections import Counter

from events import CONTEXT, CORE

INSTANCE = "outside"


def lane_of(kind):
    return "core" if kind in CORE else "jetstream"


class Books:
    def __init__(self):
        self.received = Counter()
        self.applied = Counter()
        self.duplicate = Counter()
        self.rejected = Counter()
        self.ids = set()
        self.traces = set()
        self.hashes = set()

    def total(self):
        return sum(self.received.values())

    def take(self, event, model):
        lane, kind = lane_of(event["event_type"]), event["event_type"]
        self.received[lane] += 1
        if event["event_id"] in self.ids:
            self.duplicate[(kind, lane)] += 1
            return
        self.ids.add(event["event_id"])
        self.applied[(kind, lane)] += 1
        if kind == "QueryExecuted":
            self.hashes.add(event["query_hash"])
        model.apply(event)

    def refuse(self, lane, reason, count=1):
        self.received[lane] += count
        self.rejected[(lane, reason)] += count


def bare(event):
    return {name: value for name, value in event.items() if name != "_time"}


def text(value):
    return json.dumps(value).encode()


class Publisher:
    """One publisher; what it sends is in `books` and in `model` as soon as it is sent."""

    def __init__(self, nats, model, books, seed):
        self.nats, self.model, self.books = nats, model, books
        self.r = random.Random(seed)
        self.waiting = []

    def event(self, event):
        """Sends an event that was not sent before, in any of the shapes; some wait to go in one array."""
        kind = event["event_type"]
        shape = self.r.random()
        if self.waiting and (kind != self.waiting[0]["event_type"] or len(self.waiting) >= 5):
            self.array()
        if self.waiting or shape < 0.02:
            self.waiting.append(event)
        elif shape < 0.06:
            self.structured(event)
        elif shape < 0.10:
            self.binary(event)
        elif shape < 0.14:
            self.typed_by_header(event)
        elif shape < 0.24:
            self.typed_by_subject(event)
        else:
            self.plain(event)

    def again(self, event):
        """Sends an event that was sent before, its id in another textual form."""
        self.array()
        event = copy.copy(event)
        written = uuid.UUID(event["event_id"])
        forms = [str(written), str(written).upper(), written.hex, "{" + str(written) + "}", written.urn]
        body = bare(event)
        body["event_id"] = self.r.choice(forms)
        self.send(event["event_type"], text(body))
        self.books.take(event, self.model)

    def send(self, kind, payload, headers=None):
        if headers is None and self.r.random() < 0.1:
            headers = {}
        if headers is not None:
            trace = f"{self.r.getrandbits(128) | 1:032x}"
            headers["traceparent"] = f"00-{trace}-{self.r.getrandbits(64) | 1:016x}-01"
            self.books.traces.add(trace)
        self.nats.publish(f"events.{CONTEXT[kind]}.{kind}", payload, headers)

    def array(self):
        if not self.waiting:
            return
        events, self.waiting = self.waiting, []
        elements = [bare(event) for event in events]
        kind = events[0]["event_type"]
        bad = self.r.random() < 0.3
        if bad:
            elements.insert(self.r.randrange(len(elements) + 1), 7)
        self.send(kind, text(elements))
        for event in events:
            self.books.take(event, self.model)
        if bad:
            self.books.refuse(lane_of(kind), "malformed")

    def plain(self, event):
        body = bare(event)
        version = self.r.choice(["1.0", "1.7", "1.0.2", None, ""])
        if version != "":
            body["event_version"] = version
        body["a_field_of_1.x_that_is_unknown"] = {"deep": [1, {"er": None}]}
        self.send(event["event_type"], text(body))
        self.books.take(event, self.model)

    def typed_by_subject(self, event):
        body = bare(event)
        del body["event_type"]
        self.send(event["event_type"], text(body))
        self.books.take(event, self.model)

    def typed_by_header(self, event):
        body = bare(event)
        kind = body.pop("event_type")
        self.send(kind, text(body), {self.r.choice(["Event-Type", "ce-type"]): kind})
        self.books.take(event, self.model)

    def structured(self, event):
        data = bare(event)
        envelope = {
            "specversion": "1.0",
            "type": "com.example.transcripts." + data.pop("event_type"),
            "id": data.pop("event_id"),
            "time": data.pop("timestamp"),
            "source": "/outside",
            "datacontenttype": "application/json",
            "data": data,
        }
        headers = {"Content-Type": "application/cloudevents+json"} if self.r.random() < 0.5 else None
        self.send(event["event_type"], text(envelope), headers)
        self.books.take(event, self.model)

    def binary(self, event):
        data = bare(event)
        headers = {
            "ce-specversion": "1.0",
            "ce-type": "com.example.transcripts." + data.pop("event_type"),
            "ce-id": data.pop("event_id"),
            "ce-time": data.pop("timestamp"),
            "ce-source": "/outside",
            "Content-Type": "application/json",
        }
        self.send(event["event_type"], text(data), headers)
        self.books.take(event, self.model)

    def own(self, event):
        """An alert event that says it is the sidecar's own moves no counter at all."""
        self.array()
        self.send(event["event_type"], text(dict(bare(event), source=INSTANCE)))

    def bad(self, event):
        """Sends a message that is refused; `event` is a good one to spoil."""
        self.array()
        lane, kind = lane_of(event["event_type"]), event["event_type"]
        body = bare(event)
        body["event_id"] = str(uuid.UUID(int=self.r.getrandbits(128), version=4))
        whole = text(body)
        cases = [
            ("malformed", b"{"), ("malformed", b""), ("malformed", b"[]"), ("malformed", b"null"), ("malformed", b'"x"'),
            ("malformed", b"\xff\xfe"), ("malformed", b'{"a":1,"a":2}'), ("malformed", whole[:-1]), ("malformed", whole + b"}"),
            ("malformed", whole.replace(b"{", b'{"event_id":"x",', 1)), ("malformed", b"[" * 200 + b"]" * 200),
            ("malformed", whole[:-1] + b',"x":"\xed\xa0\x80"}'),
            ("unknown_type", text(dict(body, event_type="JobExploded"))), ("invalid_field", text(dict(body, event_type=7))),
            ("unsupported_version", text(dict(body, event_version="2.0"))), ("unsupported_version", text(dict(body, event_version="0.9"))),
            ("invalid_field", text(dict(body, event_version="01x"))), ("invalid_field", text(dict(body, event_id="17"))),
            ("invalid_field", text(dict(body, event_id=None))), ("invalid_field", text(dict(body, timestamp="yesterday"))),
            ("invalid_field", text({name: value for name, value in body.items() if name != "timestamp"})),
            ("other_lane", text(dict(body, event_type="JobQueued" if lane == "core" else "ProgressUpdated"))),
            ("too_large", b"[" + b",".join([b"1"] * 10_001) + b"]"),
        ]
        spoiled = {
            "FileUploadStarted": {"file_size": -1}, "ProgressUpdated": {"progress": 1.01}, "JobQueued": {"payload_size": 1.5},
            "QueryExecuted": {"duration_ms": -0.5}, "WorkerStarted": {"queues": "fast"}, "CacheEntryAccessed": {"was_hit": "yes"},
            "JobProgressUpdated": {"job_id": None}, "MetricRecorded": {"metric_type": "summary"}, "AlertCleared": {"duration_seconds": "1"},
        }.get(kind)
        if spoiled:
            cases += [("invalid_field", text(dict(body, **spoiled)))] * 3
        if kind == "MetricRecorded":
            name = {"metric_name": "recorded", "metric_value": 1.0, "metric_type": "gauge", "tags": {}}
            cases += [
                ("invalid_field", text(dict(body, **dict(name, tags={"le": "1"})))),
                ("invalid_field", text(dict(body, **dict(name, tags={"__name__": "x"})))),
                ("invalid_field", text(dict(body, **dict(name, tags={"a.b": "1", "a-b": "2"})))),
                ("invalid_field", text(dict(body, **dict(name, metric_name="")))),
                ("invalid_field", text(dict(body, **dict(name, metric_type="counter", metric_value=-1)))),
                ("invalid_field", text(dict(body, **dict(name, metric_type="histogram", metric_value="NaN")))),
                ("conflict", text(dict(body, **dict(name, metric_name="queue_wait_seconds_count")))),
                ("conflict", text(dict(body, **dict(name, metric_name="signalbox_alerts", metric_type="histogram")))),
                ("conflict", text(dict(body, **dict(name, metric_name="process_open_fds", metric_type="counter")))),
            ]
        reason, payload = self.r.choice(cases)
        self.nats.publish(f"events.{CONTEXT[kind]}.{kind}", payload)
        self.books.refuse(lane, reason)
