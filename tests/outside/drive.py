"""Publishes mixed events with known totals to both lanes and compares every catalogue series with the model.

    drive.py NATS_PORT HTTP_PORT EVENTS SEED

Prints one line for each difference and exits 1 where there is any.
"""

import json
import math
import random
import socket
import sys
import time
import urllib.request
import uuid
from collections import Counter
from datetime import datetime, timedelta, timezone

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from model import TRACKED, Model

CORE = {"MetricRecorded", "ProgressUpdated", "JobProgressUpdated"}
CONTEXTS = {
    "processing": ["FileUploadStarted", "ChunkProcessingStarted", "ChunkProcessingCompleted", "ChunkProcessingFailed",
                   "FileProcessingCompleted", "FileProcessingFailed", "ProgressUpdated"],
    "caching": ["CacheEntryCreated", "CacheEntryAccessed", "CacheEntryInvalidated", "CacheWarmerStarted", "CacheWarmerCompleted"],
    "queue": ["JobQueued", "JobStarted", "JobProgressUpdated", "JobCompleted", "JobFailed", "JobRetryScheduled", "WorkerStarted", "WorkerStopped"],
    "monitoring": ["MetricRecorded", "AlertTriggered", "AlertCleared", "DashboardGenerated"],
    "database": ["ConnectionAcquired", "ConnectionReleased", "QueryExecuted", "IndexCreated"],
}
CONTEXT = {name: context for context, names in CONTEXTS.items() for name in names}
BASE = datetime.now(timezone.utc) - timedelta(hours=1)
AGES = {"processing_oldest_progress_age_seconds", "queue_oldest_job_age_seconds", "queue_oldest_progress_age_seconds"}


class Maker:
    def __init__(self, seed, events):
        self.r = random.Random(seed)
        pool = max(20, events // 40)
        self.jobs = [str(self.uuid()) for _ in range(pool)]
        self.files = [str(self.uuid()) for _ in range(pool // 2)]
        self.chunks = [str(self.uuid()) for _ in range(pool)]
        self.keys = [f"key-{n}" for n in range(pool)]

    def uuid(self):
        return uuid.UUID(int=self.r.getrandbits(128), version=4)

    def event(self, kind):
        seconds = self.r.randrange(0, 3_000_000) / 1000
        event = {"event_id": str(self.uuid()), "timestamp": (BASE + timedelta(seconds=seconds)).isoformat(), "event_type": kind}
        event.update(getattr(self, kind)())
        event["_time"] = datetime.fromisoformat(event["timestamp"]).timestamp()
        return event

    def pick(self, *items):
        return self.r.choice(items)

    def n(self, top):
        return self.r.randrange(0, top)

    def FileUploadStarted(self):
        return dict(transcript_id=self.r.choice(self.files), file_name="a \"b\"\n.mp3", file_size=self.n(10**8), file_hash="f" * 64,
                    language=self.pick("en", "de", None, ""), upload_ip="10.0.0.1")

    def ChunkProcessingStarted(self):
        return dict(transcript_id=self.r.choice(self.files), chunk_id=self.r.choice(self.chunks), chunk_index=self.n(9), total_chunks=9,
                    chunk_size=self.n(10**6), processing_strategy=self.pick("parallel", "sequential"))

    def ChunkProcessingCompleted(self):
        return dict(transcript_id=self.r.choice(self.files), chunk_id=self.r.choice(self.chunks), chunk_index=self.n(9),
                    processing_duration_ms=self.pick(self.n(5000), 12.0, 2.5), text_length=self.n(5000), was_cached=self.pick(True, False), cache_key=None)

    def ChunkProcessingFailed(self):
        return dict(transcript_id=self.r.choice(self.files), chunk_id=self.r.choice(self.chunks), chunk_index=self.n(9),
                    error_type=self.pick("api_error", "timeout", "rate_limit"), error_message="x", retry_count=self.n(3), will_retry=self.pick(True, False))

    def FileProcessingCompleted(self):
        return dict(transcript_id=self.r.choice(self.files), total_duration_ms=self.n(10**6), total_chunks=9, successful_chunks=self.n(9),
                    failed_chunks=self.n(3), cache_hits=self.n(5), final_text_length=self.n(10**5), detected_language=self.pick("en", "fr"))

    def FileProcessingFailed(self):
        event = dict(transcript_id=self.r.choice(self.files), error_type=self.pick("api_error", None), failed_chunks=1)
        return {name: value for name, value in event.items() if self.r.random() > 0.1 or name == "transcript_id"}

    def ProgressUpdated(self):
        return dict(transcript_id=self.r.choice(self.files), progress=self.n(101) / 100, current_chunk=1, total_chunks=9,
                    status=self.pick("processing", "merging", "completed", "processing"))

    def CacheEntryCreated(self):
        return dict(cache_key=self.r.choice(self.keys), cache_level=self.pick("L1", "L2", "L3"), entry_size_bytes=self.n(10**5), ttl_seconds=self.n(7200),
                    entry_type=self.pick("transcript", "embeddings", "summary"), source=self.pick("api_result", "computation"))

    def CacheEntryAccessed(self):
        return dict(cache_key=self.r.choice(self.keys), cache_level=self.pick("L1", "L2", "L3"), was_hit=self.pick(True, False), access_duration_ms=self.n(50))

    def CacheEntryInvalidated(self):
        return dict(cache_key=self.r.choice(self.keys), cache_level=self.pick("L1", "L2", "L3"), reason=self.pick("ttl_expired", "explicit", "eviction"),
                    entry_age_seconds=self.n(7200))

    def CacheWarmerStarted(self):
        return dict(warming_strategy=self.pick("frequent_access", "scheduled"), target_entries=self.n(500))

    def CacheWarmerCompleted(self):
        return dict(warming_strategy=self.pick("frequent_access", "scheduled"), entries_loaded=self.n(500), entries_failed=self.n(5), duration_ms=self.n(60000))

    def JobQueued(self):
        return dict(job_id=self.r.choice(self.jobs), job_type=self.pick("transcription", "summarization", "indexing"), priority=self.pick("high", "medium", "low"),
                    queue_name=self.pick("fast", "bulk"), payload_size=self.n(10**4), submitter=self.pick("api", "system", "retry"))

    def JobStarted(self):
        return dict(job_id=self.r.choice(self.jobs), worker_id=f"w{self.n(8)}", worker_pid=self.n(9999), queue_name=self.pick("fast", "bulk"))

    def JobProgressUpdated(self):
        return dict(job_id=self.pick(self.r.choice(self.jobs), "never-seen"), progress=self.n(101) / 100, message=self.pick(None, "x"), current_step="s")

    def JobCompleted(self):
        return dict(job_id=self.r.choice(self.jobs), worker_id=f"w{self.n(8)}", duration_ms=self.n(10**6), result_size=self.n(10**6), retry_count=self.n(10))

    def JobFailed(self):
        return dict(job_id=self.r.choice(self.jobs), worker_id=f"w{self.n(8)}", error_type=self.pick("api_error", "timeout", "validation"), error_message="m",
                    retry_count=self.n(4), sent_to_dlq=self.pick(True, False))

    def JobRetryScheduled(self):
        return dict(job_id=self.r.choice(self.jobs), retry_attempt=1, max_retries=3, backoff_seconds=self.n(600), reason="r")

    def WorkerStarted(self):
        return dict(worker_id=f"w{self.n(8)}", worker_pid=1, queues=self.pick(["fast"], ["fast", "bulk", "fast"], [], ["bulk"]), concurrency=self.n(8))

    def WorkerStopped(self):
        return dict(worker_id=f"w{self.n(8)}", reason=self.pick("shutdown", "crash", "timeout"), jobs_running=self.n(4))

    def MetricRecorded(self):
        kind = self.pick("counter", "gauge", "histogram")
        value = {"counter": float(self.n(100)), "gauge": self.pick(self.n(1000) / 10 - 50, "NaN", "+Inf", "-Inf"), "histogram": self.n(1000) / 100}[kind]
        tags = {name: self.pick("a", "b", "c\\d", "é\"\n", "") for name in self.r.sample(["t1", "t2", "t3"], self.n(4))}
        return dict(metric_name=f"recorded_{kind}_{self.n(5)}", metric_value=value, metric_type=kind, tags=tags)

    def AlertTriggered(self):
        return dict(alert_rule_id="r", alert_name=self.pick("A", "B"), severity=self.pick("info", "warning", "critical"), metric_name="m", current_value=1.5,
                    threshold=1, message="x")

    def AlertCleared(self):
        return dict(alert_rule_id="r", alert_name=self.pick("A", "B"), duration_seconds=self.n(100))

    def DashboardGenerated(self):
        return self.pick({}, dict(dashboard_id="d", dashboard_name="n", panel_count=3))

    def ConnectionAcquired(self):
        return dict(pool_id=self.pick("main", "read"), pool_size=20, pool_available=self.n(21), checkout_duration_ms=self.n(100))

    def ConnectionReleased(self):
        event = dict(pool_id=self.pick("main", "read"), pool_size=20, pool_available=self.n(21), held_duration_ms=self.n(1000))
        return {name: value for name, value in event.items() if self.r.random() > 0.2}

    def QueryExecuted(self):
        return dict(query_hash=f"h{self.n(60)}", query_type=self.pick("SELECT", "INSERT", "UPDATE"), table_name=self.pick("a", "b"), duration_ms=self.n(2000),
                    row_count=self.n(1000), used_index=self.pick(None, "idx"))

    def IndexCreated(self):
        return self.pick({}, dict(index_name="i", table_name="a", duration_ms=self.n(9000)), dict(table_name=None))


class Nats:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.reader = self.socket.makefile("rb")
        self.reader.readline()
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\n')
        self.out = bytearray()

    def publish(self, subject, payload):
        self.out += f"PUB {subject} {len(payload)}\r\n".encode() + payload + b"\r\n"
        if len(self.out) > 1 << 16:
            self.send()

    def send(self):
        self.socket.sendall(self.out)
        self.out.clear()

    def flush(self):
        self.out += b"PING\r\n"
        self.send()
        while not self.reader.readline().startswith(b"PONG"):
            pass


def scrape(port, accept):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode("utf-8")


def samples(text, parse):
    found, seen = {}, Counter()
    for family in parse(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            seen[key] += 1
            found[key] = sample.value
    for key, times in seen.items():
        if times > 1:
            print(f"the series {key} is there {times} times")
    return found


def total(found, name, **labels):
    return sum(value for (sample, have), value in found.items() if sample == name and set(labels.items()) <= have)


def check_accounting(found):
    for lane in ("core", "jetstream"):
        received = total(found, "signalbox_events_received_total", lane=lane)
        parts = sum(total(found, f"signalbox_events_{part}_total", lane=lane) for part in ("applied", "duplicate", "rejected"))
        if received != parts:
            print(f"lane {lane}: received {received} is not applied + duplicate + rejected {parts}")


def await_received(port, wanted):
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 15:
        found = samples(scrape(port, "text/plain"), plain)
        check_accounting(found)
        received = total(found, "signalbox_events_received_total")
        if received >= wanted:
            return found
        if received != last:
            last, since = received, time.monotonic()
        time.sleep(0.1)
    print(f"received stayed at {last}, {wanted} were published")
    return found


def differs(have, want):
    if have is None:
        return want != 0
    if math.isnan(want):
        return not math.isnan(have)
    return not (have == want or math.isclose(have, want, rel_tol=1e-9, abs_tol=1e-9))


def compare(found, model, kind):
    wrong = 0

    def say(name, labels, have, want):
        nonlocal wrong
        wrong += 1
        if wrong <= 40:
            print(f"{kind}: {name}{dict(labels)} is {have}, expected {want}")

    for (name, labels), want in model.counters.items():
        if differs(found.get((name, labels)), want):
            say(name, labels, found.get((name, labels)), want)
    for (name, labels), want in model.gauges.items():
        have = found.get((name, labels))
        if have is None or differs(have, want):
            say(name, labels, have, want)
    for (name, labels), values in model.histograms.items():
        for part, want in (("_count", len(values)), ("_sum", math.fsum(values))):
            if differs(found.get((name + part, labels)), want):
                say(name + part, labels, found.get((name + part, labels)), want)
    names = {name for name, _ in model.histograms}
    for (sample, labels), have in found.items():
        if sample.endswith("_bucket") and sample[:-7] in names:
            bound = float(dict(labels)["le"])
            rest = frozenset(item for item in labels if item[0] != "le")
            want = sum(1 for value in model.histograms.get((sample[:-7], rest), []) if value <= bound)
            if have != want:
                say(sample, labels, have, want)
    tracked = model.tracked()
    for (name, labels), want in tracked.items():
        if differs(found.get((name, labels)), want):
            say(name, labels, found.get((name, labels)), want)
    for (name, labels), have in found.items():
        if name in TRACKED and (name, labels) not in tracked and have != 0:
            say(name, labels, have, 0)
    return wrong


MALFORMED = [b"{", b"", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"event_id":"x"', b'{"a":1,"a":2}', b"[1,2]", b'{"event_id":1}']


def main():
    nats_port, http_port, count, seed = (int(argument) for argument in sys.argv[1:5])
    maker, model, nats = Maker(seed, count), Model(), Nats(nats_port)
    shuffler = random.Random(seed + 1)
    published = 0
    # Core and JetStream events of one file or job have no order between them, so the lanes take turns.
    for turn in range(4):
        kinds = [kind for kind in CONTEXT if (kind in CORE) == (turn % 2 == 1)]
        batch = [maker.event(shuffler.choice(kinds)) for _ in range(count // 4)]
        batch += [("again", event) for event in shuffler.sample(batch, len(batch) // 20)]
        # A repetition must come after its event.
        first = [event for event in batch if isinstance(event, dict)]
        shuffler.shuffle(first)
        place = {event["event_id"]: at for at, event in enumerate(first)}
        again = sorted(((shuffler.randint(place[e["event_id"]] + 1, len(first)), e) for _, e in (b for b in batch if isinstance(b, tuple))), key=lambda pair: pair[0])
        order, next_again = [], 0
        for at in range(len(first) + 1):
            while next_again < len(again) and again[next_again][0] == at:
                order.append((again[next_again][1], False))
                next_again += 1
            if at < len(first):
                order.append((first[at], True))
        for event, is_new in order:
            kind = event["event_type"]
            subject = f"events.{CONTEXT[kind]}.{kind}"
            nats.publish(subject, json.dumps({name: value for name, value in event.items() if name != "_time"}).encode())
            published += 1
            if is_new:
                model.apply(event)
            if shuffler.random() < 0.02:
                bad = shuffler.choice(MALFORMED)
                nats.publish(subject, bad)
                published += 2 if bad == b"[1,2]" else 1
        nats.flush()
        found = await_received(http_port, published)
    wrong = compare(found, model, "text")
    formats = {
        "text": (plain, "text/plain;version=0.0.4"),
        "openmetrics": (openmetrics, "application/openmetrics-text;version=1.0.0"),
    }
    for kind, (parse, accept) in formats.items():
        wrong += compare(samples(scrape(http_port, accept), parse), model, kind)
    duplicates = total(found, "signalbox_events_duplicate_total")
    print(f"{published} messages, {int(duplicates)} duplicates, {wrong} differences")
    sys.exit(1 if wrong else 0)


main()
