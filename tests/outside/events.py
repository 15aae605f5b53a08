"""Random events of every type, as a publisher written from the specification would make them."""

import random
import uuid
from datetime import datetime, timedelta, timezone

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
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
BASE = datetime.now(timezone.utc) - timedelta(hours=1)


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
        event["_time"] = (datetime.fromisoformat(event["timestamp"]) - EPOCH) // timedelta(microseconds=1)
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
