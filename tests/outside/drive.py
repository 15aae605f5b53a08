"""Publishes mixed events with known totals to both lanes and compares every catalogue series with the model.

    drive.py NATS_PORT HTTP_PORT EVENTS SEED

The sidecar runs with `--instance outside`. Prints one line for each difference and exits 1 where there is any.
"""

import math
import random
import sys
import time

from events import CONTEXT, CORE, Maker
from model import TRACKED, Model
from nats import Nats
from publish import Books, Publisher
from scrape import Scrape

QUIET_SECONDS = 20
SHOWN = 40

wrong = 0


def say(text):
    global wrong
    wrong += 1
    if wrong <= SHOWN:
        print(text)


def differs(have, want):
    if have is None:
        return want != 0
    if math.isnan(want):
        return not math.isnan(have)
    return not (have == want or math.isclose(have, want, rel_tol=1e-9, abs_tol=1e-9))


def holds_exactly(scrape):
    """received = applied + duplicate + rejected, per lane, at every scrape."""
    for lane in ("core", "jetstream"):
        received = scrape.total("signalbox_events_received_total", lane=lane)
        parts = sum(scrape.total(f"signalbox_events_{part}_total", lane=lane) for part in ("applied", "duplicate", "rejected"))
        if received != parts:
            say(f"lane {lane}: received {received} is not applied + duplicate + rejected {parts}")


def await_received(port, wanted):
    last, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        scrape = Scrape(port)
        holds_exactly(scrape)
        received = scrape.total("signalbox_events_received_total")
        if received == wanted:
            return
        if received != last:
            last, since = received, time.monotonic()
        time.sleep(0.1)
    say(f"received stayed at {last}, {wanted} were published")


def publish(maker, publisher, shuffler, count, port):
    # Core and JetStream events of one file or job have no order between them, so the lanes take turns.
    for turn in range(4):
        kinds = [kind for kind in CONTEXT if (kind in CORE) == (turn % 2 == 1)]
        first = [maker.event(shuffler.choice(kinds)) for _ in range(count // 4)]
        repeated = shuffler.sample(range(len(first)), len(first) // 20)
        # A repetition comes somewhere after its event.
        again = sorted((shuffler.randint(at + 1, len(first)), at) for at in repeated)
        for place in range(len(first) + 1):
            while again and again[0][0] == place:
                publisher.again(first[again.pop(0)[1]])
            if place < len(first):
                publisher.event(first[place])
            if shuffler.random() < 0.03:
                publisher.bad(maker.event(shuffler.choice(kinds)))
            if turn % 2 == 0 and shuffler.random() < 0.005:
                publisher.own(maker.event(shuffler.choice(["AlertTriggered", "AlertCleared"])))
        publisher.array()
        publisher.nats.flush()
        await_received(port, publisher.books.total())


def compare_with_model(kind, found, model):
    for (name, labels), want in model.counters.items():
        if differs(found.get((name, labels)), want):
            say(f"{kind}: {name}{dict(labels)} is {found.get((name, labels))}, expected {want}")
    for (name, labels), want in model.gauges.items():
        have = found.get((name, labels))
        if have is None or differs(have, want):
            say(f"{kind}: {name}{dict(labels)} is {have}, expected {want}")
    tracked = model.tracked()
    for (name, labels), want in tracked.items():
        if differs(found.get((name, labels)), want):
            say(f"{kind}: {name}{dict(labels)} is {found.get((name, labels))}, expected {want}")
    for (name, labels), have in found.items():
        if name in TRACKED and (name, labels) not in tracked and have != 0:
            say(f"{kind}: {name}{dict(labels)} is {have}, expected 0 or none")
    compare_histograms(kind, found, model)


def compare_histograms(kind, found, model):
    for (name, labels), values in model.histograms.items():
        for part, want in (("_count", len(values)), ("_sum", math.fsum(values))):
            if differs(found.get((name + part, labels)), want):
                say(f"{kind}: {name + part}{dict(labels)} is {found.get((name + part, labels))}, expected {want}")
    names = {name for name, _ in model.histograms}
    buckets = 0
    for (sample, labels), have in found.items():
        if sample.endswith("_bucket") and sample[:-7] in names:
            buckets += 1
            bound = float(dict(labels)["le"])
            rest = frozenset(item for item in labels if item[0] != "le")
            want = sum(1 for value in model.histograms.get((sample[:-7], rest), []) if value <= bound)
            if have != want:
                say(f"{kind}: {sample}{dict(labels)} is {have}, expected {want}")
    if buckets == 0:
        say(f"{kind}: there are no buckets")


def compare_accounting(kind, scrape, books):
    for part, wanted in (("applied", books.applied), ("duplicate", books.duplicate)):
        for (event_type, lane), want in wanted.items():
            have = scrape.total(f"signalbox_events_{part}_total", event_type=event_type, lane=lane)
            if have != want:
                say(f"{kind}: {part} {event_type} on {lane} is {have}, expected {want}")
    for event_type in CONTEXT:
        want = sum(count for (name, _), count in books.applied.items() if name == event_type)
        have = scrape.total("signalbox_event_versions_total", event_type=event_type)
        if have != want:
            say(f"{kind}: versions of {event_type} add up to {have}, expected {want}")
    for lane in ("core", "jetstream"):
        have = scrape.total("signalbox_event_lag_seconds_count", lane=lane)
        want = sum(count for (_, name), count in books.applied.items() if name == lane)
        if have != want:
            say(f"{kind}: event lag of {lane} counts {have}, expected {want}")
        for reason in ("malformed", "unknown_type", "unsupported_version", "invalid_field", "conflict", "other_lane", "too_large"):
            have = scrape.total("signalbox_events_rejected_total", lane=lane, reason=reason)
            want = books.rejected[(lane, reason)]
            if have != want:
                say(f"{kind}: rejected {reason} on {lane} is {have}, expected {want}")


def compare_exemplars(kind, scrape, books):
    labels = [labels for _, labels, _ in scrape.exemplars]
    for one in labels:
        if one.get("event_id") not in books.ids:
            say(f"{kind}: an exemplar names an event that was not applied: {one}")
        if "trace_id" in one and one["trace_id"] not in books.traces:
            say(f"{kind}: an exemplar names a trace that was not sent: {one}")
        if "query_hash" in one and one["query_hash"] not in books.hashes:
            say(f"{kind}: an exemplar names a query that was not run: {one}")
    for wanted in ("event_id", "trace_id", "query_hash"):
        if not any(wanted in one for one in labels):
            say(f"{kind}: no exemplar has {wanted}")
    for wanted in ("queue_jobs_queued_total", "db_query_duration_seconds_bucket"):
        if not any(name == wanted for name, _, _ in scrape.exemplars):
            say(f"{kind}: {wanted} has no exemplar")


def compare_names(kind, port, whole):
    scrape = Scrape(port, kind, names=["queue_depth", "queue_wait_seconds", "cache_accesses_total"])
    names = {name for name, _ in scrape.samples}
    prefixes = ("queue_depth", "queue_wait_seconds_", "cache_accesses_")
    if odd := [name for name in names if not name.startswith(prefixes)]:
        say(f"{kind}: name[] lets through {odd}")
    for name in ("queue_depth", "queue_wait_seconds_bucket", "queue_wait_seconds_count", "cache_accesses_total"):
        if scrape.total(name) != whole.total(name):
            say(f"{kind}: {name} is {scrape.total(name)} with name[] and {whole.total(name)} without")


def main():
    nats_port, http_port, count, seed = (int(argument) for argument in sys.argv[1:5])
    model, books = Model(), Books()
    publisher = Publisher(Nats(nats_port), model, books, seed + 2)
    publish(Maker(seed, count), publisher, random.Random(seed + 1), count, http_port)
    for kind in ("text", "openmetrics", "protobuf"):
        for compress in (False, True):
            scrape = Scrape(http_port, kind, compress)
            for text in scrape.wrong:
                say(f"{kind}: {text}")
        holds_exactly(scrape)
        compare_with_model(kind, scrape.samples, model)
        compare_accounting(kind, scrape, books)
        compare_names(kind, http_port, scrape)
        if kind != "text":
            compare_exemplars(kind, scrape, books)
    duplicates, rejected = sum(books.duplicate.values()), sum(books.rejected.values())
    print(f"{books.total()} events, {duplicates} of them duplicates, {rejected} rejected: {wrong} differences")
    sys.exit(1 if wrong else 0)


main()
