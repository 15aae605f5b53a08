"""A producer: one job from the queue to its end, and a metric of its own.

    pip install nats-py
    python producer.py nats://127.0.0.1:4222
    python producer.py --print | signalbox validate -
"""

import asyncio
import dataclasses
import datetime
import json
import sys
import uuid


@dataclasses.dataclass(kw_only=True)
class DomainEvent:
    event_id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    timestamp: str = dataclasses.field(default_factory=lambda: datetime.datetime.now(datetime.UTC).isoformat())


@dataclasses.dataclass(kw_only=True)
class JobQueued(DomainEvent):
    job_id: str
    job_type: str
    priority: str
    queue_name: str
    payload_size: int
    submitter: str


@dataclasses.dataclass(kw_only=True)
class JobStarted(DomainEvent):
    job_id: str
    worker_id: str
    worker_pid: int
    queue_name: str


@dataclasses.dataclass(kw_only=True)
class JobCompleted(DomainEvent):
    job_id: str
    worker_id: str
    duration_ms: int
    result_size: int
    retry_count: int


@dataclasses.dataclass(kw_only=True)
class MetricRecorded(DomainEvent):
    metric_name: str
    metric_value: float
    metric_type: str
    tags: dict[str, str]


CONTEXTS = {JobQueued: "queue", JobStarted: "queue", JobCompleted: "queue", MetricRecorded: "monitoring"}


def message(event: DomainEvent) -> tuple[str, dict]:
    name = type(event).__name__
    return f"events.{CONTEXTS[type(event)]}.{name}", {"event_type": name, **dataclasses.asdict(event)}


def events() -> list[DomainEvent]:
    job, worker = str(uuid.uuid4()), "worker-1"
    return [
        JobQueued(job_id=job, job_type="transcription", priority="high", queue_name="default", payload_size=2048, submitter="api"),
        JobStarted(job_id=job, worker_id=worker, worker_pid=4242, queue_name="default"),
        JobCompleted(job_id=job, worker_id=worker, duration_ms=1500, result_size=900, retry_count=0),
        MetricRecorded(metric_name="models_loaded", metric_value=3, metric_type="gauge", tags={"host": "example"}),
    ]


async def publish(url: str) -> None:
    import nats

    connection = await nats.connect(url)
    stream = connection.jetstream()
    for event in events():
        subject, body = message(event)
        payload = json.dumps(body).encode()
        if isinstance(event, MetricRecorded):
            await connection.publish(subject, payload)  # the core lane: may be lost
        else:
            await stream.publish(subject, payload, headers={"Nats-Msg-Id": event.event_id})  # kept until it is read
    await connection.drain()


if sys.argv[1:] == ["--print"]:
    for event in events():
        subject, body = message(event)
        print(json.dumps({"subject": subject, "payload": body}))
else:
    asyncio.run(publish(sys.argv[1] if sys.argv[1:] else "nats://127.0.0.1:4222"))
