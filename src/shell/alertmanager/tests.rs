//! Couriers and an Alertmanager that answers as a test says.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::engine::labels::Labels;
use crate::engine::rules::notify::Notification;
use crate::engine::time::Timestamp;
use crate::shell::for_tests::facts;
use crate::shell::settings::Settings;

/// An Alertmanager that answers its requests with these status lines, the last one for ever.
pub(super) struct FakeAlertmanager {
    pub(super) url: HttpUrl,
    /// The requests as they came, head and body.
    pub(super) requests: UnboundedReceiver<String>,
}

impl FakeAlertmanager {
    pub(super) async fn answering(statuses: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = HttpUrl::parse(&format!("http://{}/base", listener.local_addr().unwrap())).unwrap();
        let (tell, requests) = unbounded_channel();
        tokio::spawn(async move {
            let mut statuses = statuses.iter();
            let mut status = *statuses.next().unwrap();
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read_request(&mut stream).await;
                let (line, body) = status.split_once('|').unwrap_or((status, ""));
                let answer = format!("HTTP/1.1 {line}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                drop(stream.write_all(answer.as_bytes()).await);
                status = statuses.next().unwrap_or(&status);
                if tell.send(request).is_err() {
                    return;
                }
            }
        });
        Self { url, requests }
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return text;
        }
    }
}

fn context(urls: &[&HttpUrl]) -> ShellContext {
    let mut config = Config::with_defaults("test");
    config.alertmanager.urls = urls.iter().map(|url| (*url).clone()).collect();
    ShellContext::new(Settings::default(), config)
}

fn word(alert: &str) -> Notification {
    Notification {
        labels: Labels::collect([("alertname", alert)]),
        annotations: Vec::new(),
        starts_at: Timestamp::EPOCH,
        ends_at: Timestamp::from_millis(1),
        generator_url: None,
    }
}

/// Tells the queues of these alerts, as the driver does.
fn tell(queues: &NotificationQueues, alerts: &[&str]) {
    queues.tell(alerts.iter().map(|alert| word(alert)).collect());
}

/// The alerts of a request, in order.
fn alerts(request: &str) -> Vec<String> {
    let body = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let alerts: serde_json::Value = serde_json::from_str(body).unwrap();
    let name = |alert: &serde_json::Value| alert["labels"]["alertname"].as_str().unwrap().to_owned();
    alerts.as_array().unwrap().iter().map(name).collect()
}

/// What is counted of an Alertmanager, without times, until a word that ends so comes.
async fn news_until(context: &ShellContext, last: &str) -> Vec<String> {
    let mut news = Vec::new();
    while !news.iter().any(|it: &String| it == last) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        for fact in facts(&context.mailbox) {
            let word = fact.split("news: ").nth(1).unwrap_or(&fact);
            let word = word.split(", took").next().unwrap_or(word);
            news.push(word.trim_end_matches([' ', '}']).to_owned());
        }
    }
    news
}

#[tokio::test]
async fn what_is_told_is_posted_together_and_counted() {
    let mut alertmanager = FakeAlertmanager::answering(&["200 OK"]).await;
    let context = context(&[&alertmanager.url]);
    let queues = start(&context);
    tell(&queues, &["a", "b"]);
    let request = alertmanager.requests.recv().await.unwrap();
    assert!(request.starts_with("POST /base/api/v2/alerts HTTP/1.1\r\n"), "{request}");
    assert_eq!(alerts(&request), ["a", "b"]);
    let news = news_until(&context, "Waiting { alerts: 0").await;
    assert_eq!(news, ["Known", "Took { alerts: 2", "Waiting { alerts: 0"]);
}

#[tokio::test]
async fn what_is_not_taken_is_told_again_with_what_came_meanwhile() {
    let mut alertmanager = FakeAlertmanager::answering(&["500 Oops|later", "200 OK"]).await;
    let context = context(&[&alertmanager.url]);
    let queues = start(&context);
    tell(&queues, &["a"]);
    assert_eq!(alerts(&alertmanager.requests.recv().await.unwrap()), ["a"]);
    tell(&queues, &["b"]);
    assert_eq!(alerts(&alertmanager.requests.recv().await.unwrap()), ["a", "b"]);
    let news = news_until(&context, "Waiting { alerts: 0").await;
    let expected = ["Known", "Failed", "Waiting { alerts: 2", "Took { alerts: 2", "Waiting { alerts: 0"];
    assert_eq!(news, expected);
}

#[tokio::test]
async fn what_it_will_never_take_is_dropped_and_counted() {
    let mut alertmanager = FakeAlertmanager::answering(&["400 Bad Request|no", "200 OK"]).await;
    let context = context(&[&alertmanager.url]);
    let queues = start(&context);
    tell(&queues, &["a"]);
    assert_eq!(alerts(&alertmanager.requests.recv().await.unwrap()), ["a"]);
    tell(&queues, &["b"]);
    assert_eq!(alerts(&alertmanager.requests.recv().await.unwrap()), ["b"]);
    let news = news_until(&context, "Took { alerts: 1").await;
    assert!(news.contains(&"Dropped { alerts: 1".to_owned()), "{news:?}");
}

#[tokio::test]
async fn a_slow_one_holds_no_other_and_who_leaves_the_configuration_is_told_nothing_more() {
    // Nobody accepts there: requests wait in vain.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_url = HttpUrl::parse(&format!("http://{}", silent.local_addr().unwrap())).unwrap();
    let mut alertmanager = FakeAlertmanager::answering(&["200 OK"]).await;
    let context = context(&[&silent_url, &alertmanager.url]);
    let queues = start(&context);
    tell(&queues, &["a"]);
    assert_eq!(alerts(&alertmanager.requests.recv().await.unwrap()), ["a"]);
    assert_eq!(queues.all().len(), 2);
    let mut config = Config::clone(&context.config.get());
    config.alertmanager.urls = vec![alertmanager.url.clone()];
    context.config.put(Arc::new(config));
    while queues.all().len() > 1 {
        tokio::task::yield_now().await;
    }
    tell(&queues, &["b"]);
    assert_eq!(alerts(&alertmanager.requests.recv().await.unwrap()), ["b"]);
}

#[tokio::test]
async fn more_alerts_than_go_together_follow_in_order() {
    let mut alertmanager = FakeAlertmanager::answering(&["200 OK"]).await;
    let context = context(&[&alertmanager.url]);
    let queues = start(&context);
    let names: Vec<String> = (0..ALERTS_TOGETHER + 6).map(|number| format!("a{number:03}")).collect();
    tell(&queues, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut told = alerts(&alertmanager.requests.recv().await.unwrap());
    assert_eq!(told.len(), ALERTS_TOGETHER);
    told.extend(alerts(&alertmanager.requests.recv().await.unwrap()));
    assert_eq!(told, names);
}

#[tokio::test]
async fn the_end_waits_for_what_moves_and_for_nobody_who_fails() {
    let hour = Duration::from_hours(1);
    let queues = NotificationQueues::default();
    settle(&queues, hour).await;
    let queue = Arc::new(NotificationQueue::new(HttpUrl::parse("http://127.0.0.1:1").unwrap(), 10));
    queues.replace(vec![Arc::clone(&queue)]);
    tell(&queues, &["a"]);
    settle(&queues, Duration::ZERO).await;
    assert_eq!(queue.len(), 1, "there was no time");
    let settled = tokio::spawn({
        let queues = Arc::new(queues);
        async move { settle(&queues, hour).await }
    });
    drop(queue.take(10).await);
    tokio::task::yield_now().await;
    assert!(!settled.is_finished());
    queue.note(Delivery::Failing);
    settled.await.unwrap();
}
