// A producer: one job from the queue to its end, and a metric of its own.
//   npm install && npm start -- nats://127.0.0.1:4222
//   npm start --silent -- --print | signalbox validate -
import { randomUUID } from "node:crypto";

type Envelope = { event_id: string; timestamp: string; event_type: string };
type JobQueued = {
  job_id: string; job_type: string; priority: "high" | "medium" | "low"; queue_name: string;
  payload_size: number; submitter: string;
};
type JobStarted = { job_id: string; worker_id: string; worker_pid: number; queue_name: string };
type JobCompleted = {
  job_id: string; worker_id: string; duration_ms: number; result_size: number; retry_count: number;
};
type MetricRecorded = {
  metric_name: string; metric_value: number; metric_type: "counter" | "gauge" | "histogram";
  tags: Record<string, string>;
};
type Message = { subject: string; payload: Envelope & Record<string, unknown> };

function message<Fields extends object>(context: string, event_type: string, fields: Fields): Message {
  const envelope = { event_id: randomUUID(), timestamp: new Date().toISOString(), event_type };
  return { subject: `events.${context}.${event_type}`, payload: { ...envelope, ...fields } };
}

const job_id = randomUUID();
const worker_id = "worker-1";
const messages: Message[] = [
  message<JobQueued>("queue", "JobQueued", {
    job_id, job_type: "transcription", priority: "high", queue_name: "default", payload_size: 2048, submitter: "api",
  }),
  message<JobStarted>("queue", "JobStarted", { job_id, worker_id, worker_pid: process.pid, queue_name: "default" }),
  message<JobCompleted>("queue", "JobCompleted", {
    job_id, worker_id, duration_ms: 1500, result_size: 900, retry_count: 0,
  }),
  message<MetricRecorded>("monitoring", "MetricRecorded", {
    metric_name: "models_loaded", metric_value: 3, metric_type: "gauge", tags: { host: "example" },
  }),
];

if (process.argv[2] === "--print") {
  for (const it of messages) console.log(JSON.stringify(it));
} else {
  const { connect } = await import("@nats-io/transport-node");
  const { jetstream } = await import("@nats-io/jetstream");
  const connection = await connect({ servers: process.argv[2] ?? "nats://127.0.0.1:4222" });
  const stream = jetstream(connection);
  for (const { subject, payload } of messages) {
    const body = JSON.stringify(payload);
    if (payload.event_type === "MetricRecorded") {
      connection.publish(subject, body); // the core lane: may be lost
    } else {
      await stream.publish(subject, body, { msgID: payload.event_id }); // kept until it is read
    }
  }
  await connection.drain();
}
