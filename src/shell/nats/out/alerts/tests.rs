//! What goes out and what comes back over async-nats, with a server that answers as it is told.

use tokio::sync::mpsc::unbounded_channel;

use super::*;
use crate::engine::config::{AlertDelivery, Config};
use crate::engine::fact::{Novelty, Rejected};
use crate::engine::rules::AlertEvent;
use crate::engine::rules::event::{AlertEventKind, Reason};
use crate::engine::wire::{EventId, Lane, Message, Reason as Fault, Refusal};
use crate::shell::driver::command::{Command, Logged};
use crate::shell::driver::mailbox::LaneGate;
use crate::shell::driver::rejections::Rejections;
use crate::shell::for_tests::facts;
use crate::shell::nats::fake_server::{FakeServer, Published, Reply};
use crate::shell::nats::out::{client, rejected};
use crate::shell::nats::servers::Servers;
use crate::shell::settings::{NatsSettings, Secret, Settings};
use crate::shell::status::Topic;

/// What the shell shares, over this server.
fn context(server: &FakeServer, change: impl FnOnce(&mut Config)) -> ShellContext {
    let nats = NatsSettings {
        urls: vec![Secret::new(server.url())],
        request_timeout: Duration::from_millis(300),
        ..NatsSettings::default()
    };
    let mut config = Config::with_defaults("test");
    change(&mut config);
    ShellContext::new(Settings { nats, ..Settings::default() }, config)
}

/// A connection that stands.
async fn connected(context: &ShellContext) -> (Client, watch::Receiver<Connections>) {
    let servers = Servers::new(&context.settings.nats).unwrap();
    let (client, mut connections) = client::connect(context, &servers).await.unwrap();
    connections.wait_for(|it| matches!(it, Connections::Standing { .. })).await.unwrap();
    (client, connections)
}

fn request(subject: &str, ending: AnswerEnding) -> Request {
    Request {
        number: 7,
        subject: subject.to_owned(),
        headers: Vec::new(),
        payload: Bytes::from_static(b"asked"),
        ending,
    }
}

fn answers(asked: &Published) -> Vec<Reply> {
    match asked.subject.as_str() {
        "text" => vec![Reply::Text("{\"fine\": true}".to_owned())],
        "nobody" => vec![Reply::Nobody],
        "all" => vec![
            Reply::Stored("events.a", "$JS.ACK.S.c.1.41.1.1700000000000000000.1", "one"),
            Reply::Stored("events.b", "$JS.ACK.S.c.1.43.2.1700000000000000000.0", "two"),
            Reply::Stored("events.b", "$JS.ACK.S.c.1.44.3.1700000000000000000.0", "too many"),
        ],
        "few" => vec![
            Reply::Stored("events.a", "$JS.ACK.S.c.1.5.1.1700000000000000000.0", "one"),
            Reply::Status("404 No Messages"),
        ],
        "complain" => vec![Reply::Complaint(
            "Permissions Violation for Publish to \"events.monitoring.AlertTriggered\"",
        )],
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn each_request_ends_as_its_kind_does() {
    let server = FakeServer::start(1_000, answers);
    let context = context(&server, |_| {});
    let (client, connections) = connected(&context).await;
    let publisher = AlertPublisher::new(client, connections, context.clone());
    let silent = AnswerFault::Silent(Duration::from_millis(300));
    let told = |answer: Result<Answer, AnswerFault>| match answer {
        Ok(Answer::Text(text)) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Ok(Answer::Messages(messages)) => Ok(messages
            .iter()
            .map(|it| {
                let text = String::from_utf8_lossy(&it.payload);
                format!("{} {} {text} {}", it.subject, it.sequence, it.pending)
            })
            .collect::<Vec<_>>()
            .join(", ")),
        Err(fault) => Err(fault),
    };
    let long = "x".repeat(2_000);
    let cases = [
        (request("text", AnswerEnding::Answer), Ok("{\"fine\": true}")),
        (request("nobody", AnswerEnding::Answer), Err(AnswerFault::NobodyThere)),
        (request("silence", AnswerEnding::Answer), Err(silent)),
        (request("no subject", AnswerEnding::Answer), Err(AnswerFault::Subject)),
        (
            Request { payload: Bytes::from(long.clone()), ..request("text", AnswerEnding::Answer) },
            Err(AnswerFault::TooLarge),
        ),
        (request("silence", AnswerEnding::Flush), Ok("")),
        (
            Request { payload: Bytes::from(long), ..request("silence", AnswerEnding::Flush) },
            Err(AnswerFault::TooLarge),
        ),
        (request("all", AnswerEnding::Messages(2)), Ok("events.a 41 one 1, events.b 43 two 0")),
        (request("few", AnswerEnding::Messages(9)), Ok("events.a 5 one 0")),
        (request("silence", AnswerEnding::Messages(9)), Err(silent)),
    ];
    for (asked, expected) in cases {
        let shown = format!("{} {:?}", asked.subject, asked.ending);
        let (asker, number, answer) = publisher.send(Asker::Alerts, asked).await;
        assert_eq!((asker, number), (Asker::Alerts, 7), "{shown}");
        assert_eq!(told(answer).as_deref().map_err(|fault| *fault), expected, "{shown}");
    }
}

#[tokio::test]
async fn what_the_server_forbids_of_alert_events_speaks_against_being_ready() {
    let server = FakeServer::start(1_000, answers);
    let context = context(&server, |_| {});
    let (client, _connections) = connected(&context).await;
    client.publish("complain", Bytes::new()).await.unwrap();
    while !context.status.has(Topic::Publishing) {
        tokio::task::yield_now().await;
    }
    let reasons = context.status.reasons();
    assert!(reasons.len() == 1 && reasons[0].contains("AlertTriggered"), "{reasons:?}");
}

#[tokio::test]
async fn headers_go_out_with_a_request() {
    let server = FakeServer::start(1_000, answers);
    let context = context(&server, |_| {});
    let (client, connections) = connected(&context).await;
    let publisher = AlertPublisher::new(client, connections, context);
    let asked = Request {
        headers: vec![("Nats-Msg-Id", "a-1".to_owned()), ("Signalbox-Applied", "7".to_owned())],
        ..request("text", AnswerEnding::Answer)
    };
    assert!(publisher.send(Asker::Alerts, asked).await.2.is_ok());
    let seen = server.next();
    assert_eq!((seen.subject.as_str(), seen.payload.as_str()), ("text", "asked"));
    assert!(seen.headers.contains("Nats-Msg-Id: a-1\r\n"), "{}", seen.headers);
    assert!(seen.headers.contains("Signalbox-Applied: 7\r\n"), "{}", seen.headers);
}

fn event(id: u128) -> AlertEvent {
    AlertEvent::sample(EventId(id), AlertEventKind::Cleared { reason: Reason::Recovered, value: None })
}

fn publish(event: AlertEvent) -> Dispatch {
    Dispatch::Publish { event: Box::new(event), sequence: 0, essence: None, logged: Logged::Now }
}

/// The ids of alert events that the driver is told are with the broker.
fn confirmed(context: &ShellContext) -> Vec<u128> {
    context.mailbox.wait(Duration::from_mins(1), LaneGate::CoreShut);
    let taken = context.mailbox.take(LaneGate::CoreShut);
    let id = |command| if let Command::Confirmed(id) = command { Some(id.0) } else { None };
    taken.commands.into_iter().filter_map(id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alert_events_go_out_in_order_and_are_confirmed_until_the_driver_is_gone() {
    let server = FakeServer::start(1 << 20, |_| Vec::new());
    let context = context(&server, |config| config.alerts.delivery = AlertDelivery::Core);
    context.status.expect(&[Topic::PublishLink]);
    let (client, connections) = connected(&context).await;
    let publisher = AlertPublisher::new(client, connections, context.clone());
    let (dispatch, dispatches) = unbounded_channel();
    let task = tokio::spawn(publisher.publish(dispatches));
    for id in 1..=3 {
        dispatch.send(publish(event(id))).unwrap();
    }
    let mut all = Vec::new();
    while all.len() < 3 {
        let context = context.clone();
        all.extend(tokio::task::spawn_blocking(move || confirmed(&context)).await.unwrap());
    }
    assert_eq!(all, [1, 2, 3]);
    let mut sent = Vec::new();
    // What is confirmed was written; the server may still have to read it.
    while sent.len() < 3 {
        let published = server.next();
        if !published.subject.ends_with("AlertCleared") {
            continue;
        }
        let id = published.headers.split("Nats-Msg-Id: ").nth(1).unwrap();
        sent.push(id.split("\r\n").next().unwrap().chars().last().unwrap());
    }
    assert_eq!(sent, ['1', '2', '3']);
    drop(dispatch);
    task.await.unwrap();
}

/// Has a rejected event copied.
fn reject(rejections: &mut Rejections, payload: &str, sequence: Option<u64>) {
    let headers = b"NATS/1.0\r\nTrace: t-1\r\nNats-Msg-Id: theirs\r\n\r\n";
    let message = Message { subject: "events.a\nb", headers, payload: payload.as_bytes() };
    let refusal = Refusal::new(Fault::InvalidField, "why");
    let rejected = Rejected { message: 0, element: 3, refusal, novelty: Novelty::New };
    rejections.take(Lane::JetStream, (&message, sequence), &rejected).unwrap();
}

/// The next copy that is sent.
fn next_copy(server: &FakeServer) -> Published {
    loop {
        let published = server.next();
        if published.subject == "refused" {
            return published;
        }
    }
}

#[tokio::test]
async fn copies_go_out_with_what_is_wrong_and_those_that_cannot_are_counted() {
    let server = FakeServer::start(400, |asked| match asked.subject.as_str() {
        "$JS.API.STREAM.NAMES" => vec![Reply::Text(r#"{"streams":null}"#.to_owned())],
        _ => Vec::new(),
    });
    let context = context(&server, |config| {
        config.rejected.subject = "refused".to_owned();
        "orders".clone_into(&mut config.instance);
    });
    let (client, _connections) = connected(&context).await;
    let (mut rejections, copies) = context.rejections();
    let (long, stored) = ("x".repeat(350), Some(17));
    for (payload, sequence) in [("first", stored), (long.as_str(), None), ("last", None)] {
        reject(&mut rejections, payload, sequence);
    }
    drop(rejections);
    let (log, mut noted) = unbounded_channel();
    let noting = Some(log.downgrade());
    let scribe = tokio::spawn(async move {
        let asked = noted.recv().await;
        let Some(Dispatch::Copied { sequences, noted: Some(noted) }) = asked else { panic!("{asked:?}") };
        noted.send(()).unwrap();
        sequences
    });
    rejected::publish((copies, noting), client, context.clone()).await;
    // It is in the log before it is sent, as a second one would be another.
    assert_eq!(scribe.await.unwrap(), [17]);
    drop(log);
    let (first, last) = (next_copy(&server), next_copy(&server));
    assert_eq!([first.reply.as_str(), &first.payload, &last.payload], ["", "first", "last"]);
    let stream = &context.settings.jetstream.stream;
    let id = format!("Nats-Msg-Id: orders-rejected-{stream}-17-3-{:08x}\r\n", crc32fast::hash(b"first"));
    for line in
        ["Signalbox-Reason: invalid_field\r\n", "Signalbox-Subject: events.ab\r\n", "Trace: t-1\r\n", &id]
    {
        assert!(first.headers.contains(line), "{line}: {}", first.headers);
    }
    assert!(!last.headers.contains("Nats-Msg-Id"), "what is not stored has no place: {}", last.headers);
    assert_eq!(facts(&context.mailbox), ["RejectedCopyDropped { reason: TooLarge }"]);
}

#[tokio::test]
async fn a_copy_that_a_stream_is_to_keep_is_sent_until_the_stream_has_it() {
    let mut sent = 0;
    let server = FakeServer::start(1 << 20, move |asked| match asked.subject.as_str() {
        "$JS.API.STREAM.NAMES" => vec![Reply::Text(r#"{"streams":["REJECTED"]}"#.to_owned())],
        "refused" => {
            sent += 1;
            // The first one is on its way to a server that dies; when the second one comes nobody listens yet.
            match (sent, asked.payload.as_str()) {
                (1, _) => Vec::new(),
                (2, _) => vec![Reply::Nobody],
                (_, "full") => vec![Reply::Text(
                    r#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"}}"#
                        .to_owned(),
                )],
                _ => vec![Reply::Text(r#"{"stream":"REJECTED","seq":1}"#.to_owned())],
            }
        }
        _ => Vec::new(),
    });
    let context = context(&server, |config| config.rejected.subject = "refused".to_owned());
    let (client, _connections) = connected(&context).await;
    let (mut rejections, copies) = context.rejections();
    reject(&mut rejections, "first", Some(17));
    let (log, mut noted) = unbounded_channel();
    let noting = Some(log.downgrade());
    let publisher = tokio::spawn(rejected::publish((copies, noting), client, context.clone()));
    let (server, told) = tokio::task::spawn_blocking(move || {
        let told = [(); 3].map(|()| next_copy(&server));
        (server, told)
    })
    .await
    .unwrap();
    // The log says so once the stream has it: a run that is killed before sends it again.
    let copied = noted.recv().await;
    assert!(
        matches!(&copied, Some(Dispatch::Copied { sequences, noted: None }) if *sequences == [17]),
        "{copied:?}"
    );
    for copy in &told {
        assert_eq!((&copy.payload, &copy.headers), (&told[0].payload, &told[0].headers));
    }
    // One that the stream refuses is counted, and not sent again.
    reject(&mut rejections, "full", Some(18));
    drop(rejections);
    publisher.await.unwrap();
    assert_eq!(next_copy(&server).payload, "full");
    let facts = facts(&context.mailbox);
    assert!(facts.contains(&"RejectedCopyDropped { reason: NotSent }".to_owned()), "{facts:?}");
}
