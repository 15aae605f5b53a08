"""An independent model of METRICS.md: applies events as Python objects and says what /metrics must show.

It shares nothing with the implementation; where the two differ, one of them misreads the catalogue.
"""

import math
from collections import defaultdict


def ts(event):
    """Microseconds, whole, so that differences are exact."""
    return event["_time"]


class Model:
    def __init__(self, slow_query_ms=500, top=20):
        self.counters = defaultdict(float)
        self.gauges = {}
        self.histograms = defaultdict(list)
        self.types = {}
        self.slow_query_ms, self.top = slow_query_ms, top
        self.jobs, self.workers, self.chunks, self.files, self.progress = {}, {}, {}, {}, {}
        self.ended_chunks, self.ended_files = {}, {}
        self.cache, self.alerts = {}, {}
        self.warmers = defaultdict(int)
        self.slow = {}
        self.slow_order = 0

    # -- the three kinds of metric
    def count(self, name, value=1.0, **labels):
        self.counters[(name, frozenset(labels.items()))] += value

    def set(self, name, value, **labels):
        self.gauges[(name, frozenset(labels.items()))] = value

    def observe(self, name, value, **labels):
        self.histograms[(name, frozenset(labels.items()))].append(value)

    def apply(self, event):
        getattr(self, event["event_type"])(event)

    # -- processing
    def FileUploadStarted(self, e):
        self.count("processing_uploads_total", language=e.get("language") or "unknown")
        self.observe("processing_upload_size_bytes", e["file_size"])
        file = e["transcript_id"]
        if ts(e) >= self.ended_files.get(file, -math.inf):
            self.files[file] = True

    def ChunkProcessingStarted(self, e):
        self.count("processing_chunks_started_total", strategy=e["processing_strategy"] or "unknown")
        self.observe("processing_chunk_size_bytes", e["chunk_size"])
        if ts(e) >= self.ended_chunks.get(e["chunk_id"], -math.inf):
            self.chunks[e["chunk_id"]] = e["processing_strategy"]

    def end_chunk(self, e):
        self.chunks.pop(e["chunk_id"], None)
        self.ended_chunks[e["chunk_id"]] = max(ts(e), self.ended_chunks.get(e["chunk_id"], -math.inf))

    def ChunkProcessingCompleted(self, e):
        cached = "true" if e["was_cached"] else "false"
        self.count("processing_chunks_completed_total", cached=cached)
        self.observe("processing_chunk_duration_seconds", e["processing_duration_ms"] / 1e3, cached=cached)
        self.observe("processing_chunk_text_length_chars", e["text_length"])
        self.end_chunk(e)

    def ChunkProcessingFailed(self, e):
        self.count(
            "processing_chunks_failed_total",
            error_type=e["error_type"],
            will_retry="true" if e["will_retry"] else "false",
        )
        self.observe("processing_failed_chunk_retries", e["retry_count"])
        self.end_chunk(e)

    def end_file(self, e, file):
        self.files.pop(file, None)
        self.progress.pop(file, None)
        self.ended_files[file] = max(ts(e), self.ended_files.get(file, -math.inf))

    def FileProcessingCompleted(self, e):
        self.count("processing_files_completed_total", language=e["detected_language"])
        self.observe("processing_file_duration_seconds", e["total_duration_ms"] / 1e3)
        self.count("processing_file_chunks_total", e["successful_chunks"], outcome="successful")
        self.count("processing_file_chunks_total", e["failed_chunks"], outcome="failed")
        self.count("processing_file_chunks_total", e["cache_hits"], outcome="cached")
        self.observe("processing_file_text_length_chars", e["final_text_length"])
        self.end_file(e, e["transcript_id"])

    def FileProcessingFailed(self, e):
        self.count("processing_files_failed_total", error_type=e.get("error_type") or "unknown")
        if e.get("transcript_id"):
            self.end_file(e, e["transcript_id"])

    def ProgressUpdated(self, e):
        self.count("processing_progress_updates_total", status=e["status"])
        file = e["transcript_id"]
        if ts(e) < self.ended_files.get(file, -math.inf):
            return
        if e["status"] == "completed":
            self.progress.pop(file, None)
        else:
            self.progress[file] = (e["status"], e["progress"])

    # -- caching
    def CacheEntryCreated(self, e):
        level = e["cache_level"]
        self.count("cache_entries_created_total", level=level, entry_type=e["entry_type"], source=e["source"])
        self.observe("cache_entry_size_bytes", e["entry_size_bytes"], level=level, entry_type=e["entry_type"])
        self.observe("cache_entry_ttl_seconds", e["ttl_seconds"], level=level)
        self.cache[(level, e["cache_key"])] = e["entry_size_bytes"]

    def CacheEntryAccessed(self, e):
        labels = dict(level=e["cache_level"], result="hit" if e["was_hit"] else "miss")
        self.count("cache_accesses_total", **labels)
        self.observe("cache_access_duration_seconds", e["access_duration_ms"] / 1e3, **labels)

    def CacheEntryInvalidated(self, e):
        labels = dict(level=e["cache_level"], reason=e["reason"])
        self.count("cache_entries_invalidated_total", **labels)
        self.observe("cache_entry_age_seconds", e["entry_age_seconds"], **labels)
        self.cache.pop((e["cache_level"], e["cache_key"]), None)

    def CacheWarmerStarted(self, e):
        strategy = e["warming_strategy"]
        self.count("cache_warmer_runs_started_total", strategy=strategy)
        self.set("cache_warmer_target_entries", e["target_entries"], strategy=strategy)
        self.warmers[strategy] += 1

    def CacheWarmerCompleted(self, e):
        strategy = e["warming_strategy"]
        self.count("cache_warmer_runs_completed_total", strategy=strategy)
        self.count("cache_warmer_entries_total", e["entries_loaded"], strategy=strategy, outcome="loaded")
        self.count("cache_warmer_entries_total", e["entries_failed"], strategy=strategy, outcome="failed")
        self.observe("cache_warmer_duration_seconds", e["duration_ms"] / 1e3, strategy=strategy)
        self.warmers[strategy] = max(0, self.warmers[strategy] - 1)

    # -- queue
    def job(self, e):
        return self.jobs.setdefault(
            e["job_id"],
            dict(queue="unknown", job_type="unknown", priority="unknown", state="unseen", queued=None, started=None, ended=None, worker=None, progress=None),
        )

    def JobQueued(self, e):
        queue, job_type, priority = e["queue_name"] or "unknown", e["job_type"] or "unknown", e["priority"] or "unknown"
        self.count("queue_jobs_queued_total", queue=queue, job_type=job_type, priority=priority, submitter=e["submitter"] or "unknown")
        self.observe("queue_job_payload_bytes", e["payload_size"], queue=queue, job_type=job_type)
        job = self.job(e)
        job.update(queue=queue, job_type=job_type, priority=priority, queued=ts(e))
        if job["ended"] is not None and ts(e) < job["ended"]:
            return
        if job["started"] is not None and ts(e) < job["started"]:
            return
        job["state"] = "waiting"

    def JobStarted(self, e):
        job = self.job(e)
        job["queue"] = e["queue_name"] or "unknown"
        self.count("queue_jobs_started_total", queue=job["queue"], job_type=job["job_type"])
        if job["queued"] is not None:
            wait = max(0, ts(e) - job["queued"]) / 1e6
            self.observe("queue_wait_seconds", wait, queue=job["queue"], job_type=job["job_type"], priority=job["priority"])
        if job["ended"] is not None and ts(e) < job["ended"]:
            return
        job.update(state="running", started=ts(e), worker=e["worker_id"])

    def JobProgressUpdated(self, e):
        job = self.jobs.get(e["job_id"])
        self.count("queue_job_progress_updates_total", job_type=job["job_type"] if job else "unknown")
        if job and (job["started"] is None or ts(e) >= job["started"]):
            job["progress"] = (e["progress"], ts(e))

    def end_job(self, e):
        job = self.job(e)
        job["state"] = "done"
        job["ended"] = ts(e) if job["ended"] is None else max(job["ended"], ts(e))
        return dict(queue=job["queue"], job_type=job["job_type"])

    def JobCompleted(self, e):
        labels = self.end_job(e)
        self.count("queue_jobs_completed_total", **labels)
        self.observe("queue_job_duration_seconds", e["duration_ms"] / 1e3, **labels)
        self.observe("queue_job_result_bytes", e["result_size"], **labels)
        self.observe("queue_job_retries", e["retry_count"], **labels)

    def JobFailed(self, e):
        labels = self.end_job(e)
        self.count("queue_jobs_failed_total", error_type=e["error_type"], **labels)
        self.observe("queue_failed_job_retries", e["retry_count"], **labels)
        if e["sent_to_dlq"]:
            self.count("queue_jobs_dead_lettered_total", **labels)

    def JobRetryScheduled(self, e):
        job = self.job(e)
        labels = dict(queue=job["queue"], job_type=job["job_type"])
        self.count("queue_job_retries_scheduled_total", **labels)
        self.observe("queue_job_retry_backoff_seconds", e["backoff_seconds"], **labels)
        if e["retry_attempt"] >= e["max_retries"]:
            self.count("queue_job_last_retries_total", **labels)
        if job["state"] in ("waiting", "running"):
            job["state"] = "retrying"

    def WorkerStarted(self, e):
        queues = list(dict.fromkeys(e["queues"]))
        for queue in queues:
            self.count("queue_workers_started_total", queue=queue)
        self.workers[e["worker_id"]] = (queues, e["concurrency"])
        self.known_queues = getattr(self, "known_queues", set()) | set(queues)

    def WorkerStopped(self, e):
        self.count("queue_workers_stopped_total", reason=e["reason"])
        self.workers.pop(e["worker_id"], None)
        if e["reason"] != "shutdown":
            self.count("queue_jobs_orphaned_total", e["jobs_running"], reason=e["reason"])
            for job in self.jobs.values():
                if job["state"] == "running" and job["worker"] == e["worker_id"]:
                    job["state"] = "orphaned"

    # -- monitoring
    def MetricRecorded(self, e):
        labels = {name: value for name, value in e["tags"].items() if value}
        name, value = e["metric_name"], e["metric_value"]
        if e["metric_type"] == "counter":
            self.count(name if name.endswith("_total") else name + "_total", value, **labels)
        elif e["metric_type"] == "gauge":
            self.set(name, float(value), **labels)
        else:
            self.observe(name, value, **labels)

    def AlertTriggered(self, e):
        self.count("alerts_triggered_total", alert_name=e["alert_name"], severity=e["severity"])
        self.alerts[(e["alert_rule_id"], e.get("fingerprint"))] = (e["alert_name"], e["severity"])

    def AlertCleared(self, e):
        self.count("alerts_cleared_total", alert_name=e["alert_name"])
        self.observe("alert_duration_seconds", e["duration_seconds"], alert_name=e["alert_name"])
        self.alerts.pop((e["alert_rule_id"], e.get("fingerprint")), None)

    def DashboardGenerated(self, e):
        self.count("dashboards_generated_total")

    # -- database
    def pool(self, e, pool):
        size, available = e.get("pool_size"), e.get("pool_available")
        if size is not None:
            self.set("db_pool_size", size, pool=pool)
        if available is not None:
            self.set("db_pool_available", available, pool=pool)
        if size is not None and available is not None:
            self.set("db_pool_in_use", max(0, size - available), pool=pool)

    def ConnectionAcquired(self, e):
        pool = e["pool_id"] or "unknown"
        self.count("db_connections_acquired_total", pool=pool)
        self.observe("db_connection_checkout_duration_seconds", e["checkout_duration_ms"] / 1e3, pool=pool)
        self.pool(e, pool)

    def ConnectionReleased(self, e):
        pool = e.get("pool_id") or "unknown"
        self.count("db_connections_released_total", pool=pool)
        self.pool(e, pool)
        if e.get("held_duration_ms") is not None:
            self.observe("db_connection_held_duration_seconds", e["held_duration_ms"] / 1e3, pool=pool)

    def QueryExecuted(self, e):
        labels = dict(query_type=e["query_type"], table=e["table_name"])
        self.count("db_queries_total", indexed="true" if e.get("used_index") is not None else "false", **labels)
        self.observe("db_query_duration_seconds", e["duration_ms"] / 1e3, **labels)
        self.observe("db_query_rows", e["row_count"], **labels)
        if e["duration_ms"] >= self.slow_query_ms:
            self.count("db_slow_queries_total", **labels)
            worst = self.slow.get(e["query_hash"])
            if worst is None or e["duration_ms"] > worst[0]:
                self.slow_order += 1
                self.slow[e["query_hash"]] = (e["duration_ms"], -self.slow_order, e["table_name"])

    def IndexCreated(self, e):
        table = e.get("table_name") or "unknown"
        self.count("db_indexes_created_total", table=table)
        if e.get("duration_ms") is not None:
            self.observe("db_index_build_duration_seconds", e["duration_ms"] / 1e3, table=table)

    # -- what the trackers show now
    def tracked(self):
        shown = defaultdict(float)
        add = lambda name, value=1.0, **labels: shown.__setitem__(
            (name, frozenset(labels.items())), shown[(name, frozenset(labels.items()))] + value
        )
        progress = defaultdict(list)
        shown[("processing_files_active", frozenset())] = float(len(self.files))
        for strategy in self.chunks.values():
            add("processing_chunks_active", strategy=strategy or "unknown")
        for status, _ in self.progress.values():
            add("processing_files_in_progress", status=status)
        if self.progress:
            ratios = [ratio for _, ratio in self.progress.values()]
            shown[("processing_file_progress_ratio", frozenset({("stat", "min")}))] = min(ratios)
            shown[("processing_file_progress_ratio", frozenset({("stat", "avg")}))] = sum(ratios) / len(ratios)
        for (level, _), size in self.cache.items():
            add("cache_entries", level=level)
            add("cache_size_bytes", size, level=level)
        for strategy, running in self.warmers.items():
            shown[("cache_warmers_active", frozenset({("strategy", strategy)}))] = float(running)
        for job in self.jobs.values():
            if job["state"] == "waiting":
                add("queue_depth", queue=job["queue"], priority=job["priority"])
            elif job["state"] == "running":
                add("queue_jobs_running", queue=job["queue"], job_type=job["job_type"])
                if job["progress"] and job["progress"][1] >= job["started"]:
                    progress[job["queue"]].append(job["progress"][0])
        for queue, ratios in progress.items():
            for stat, ratio in (("min", min(ratios)), ("avg", sum(ratios) / len(ratios))):
                shown[("queue_job_progress_ratio", frozenset({("queue", queue), ("stat", stat)}))] = ratio
        for name, severity in self.alerts.values():
            add("alerts_active", alert_name=name, severity=severity)
        for queues, concurrency in self.workers.values():
            for queue in queues:
                add("queue_workers", queue=queue)
                add("queue_worker_slots", concurrency, queue=queue)
        top = sorted(((worst, order, hash_) for hash_, (worst, order, _) in self.slow.items()), reverse=True)[: self.top]
        for worst, _, hash_ in top:
            shown[("db_slow_query_seconds", frozenset({("query_hash", hash_), ("table", self.slow[hash_][2])}))] = worst / 1e3
        return shown


# Gauges that the trackers feed; a series of them that the model does not have must be 0 or gone.
TRACKED = {
    "processing_files_active", "processing_chunks_active", "processing_files_in_progress", "processing_file_progress_ratio",
    "cache_entries", "cache_size_bytes", "cache_warmers_active", "queue_depth", "queue_jobs_running", "queue_workers",
    "queue_worker_slots", "queue_job_progress_ratio", "alerts_active", "db_slow_query_seconds",
}
