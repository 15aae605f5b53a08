use super::*;
use crate::engine::time::Timestamp;

fn word(alert: &str, ends: i64) -> Arc<Notification> {
    Arc::new(Notification {
        labels: Labels::collect([("alertname", alert)]),
        annotations: Vec::new(),
        starts_at: Timestamp::EPOCH,
        ends_at: Timestamp::from_millis(ends),
        generator_url: None,
    })
}

fn shown(batch: &NotificationBatch) -> Vec<String> {
    let one = |(_, word): &(u64, Arc<Notification>)| {
        format!("{} {}", word.labels.get("alertname").unwrap_or_default(), word.ends_at.millis())
    };
    batch.iter().map(one).collect()
}

#[test]
fn only_the_newest_word_of_an_alert_waits_in_its_first_place() {
    let mut waiting = Waiting { most: 10, ..Waiting::default() };
    for (alert, ends) in [("a", 1), ("b", 2), ("a", 3)] {
        waiting.push(word(alert, ends));
    }
    assert_eq!(shown(&waiting.take(10)), ["a 3", "b 2"]);
    assert_eq!(waiting.dropped, 0);
}

#[test]
fn the_oldest_is_dropped_and_counted_where_there_is_no_room() {
    let mut waiting = Waiting { most: 2, ..Waiting::default() };
    for alert in ["a", "b", "c"] {
        waiting.push(word(alert, 1));
    }
    assert_eq!((shown(&waiting.take(1)), waiting.dropped), (vec!["b 1".to_owned()], 1));
}

#[test]
fn what_is_put_back_comes_first_unless_there_is_newer_word() {
    let mut waiting = Waiting { most: 10, ..Waiting::default() };
    for alert in ["a", "b", "c"] {
        waiting.push(word(alert, 1));
    }
    let batch = waiting.take(2);
    waiting.push(word("b", 2));
    waiting.put_back(batch);
    assert_eq!(shown(&waiting.take(10)), ["a 1", "c 1", "b 2"]);
}

fn queue(most: usize) -> Arc<NotificationQueue> {
    let url = HttpUrl::parse("http://127.0.0.1:9093").unwrap();
    Arc::new(NotificationQueue::new(url, most))
}

fn words(alerts: &[&str]) -> Vec<Notification> {
    alerts.iter().map(|alert| Notification::clone(&word(alert, 1))).collect()
}

#[tokio::test]
async fn every_queue_is_told_everything_and_each_is_emptied_by_itself() {
    let (queues, first, second) = (NotificationQueues::default(), queue(10), queue(1));
    queues.replace(vec![Arc::clone(&first), Arc::clone(&second)]);
    queues.tell(words(&["a", "b"]));
    assert_eq!((first.len(), second.len()), (2, 1));
    assert_eq!((first.take_dropped(), second.take_dropped()), (0, 1));
    assert_eq!(second.take_dropped(), 0, "each is counted once");
    assert_eq!(shown(&first.take(10).await), ["a 1", "b 1"]);
    assert_eq!((first.len(), second.len()), (0, 1));
    queues.replace(vec![Arc::clone(&second)]);
    queues.tell(words(&["c"]));
    assert_eq!((first.len(), queues.all().len()), (0, 1), "who left the configuration is told nothing");
}

#[tokio::test]
async fn who_waits_for_something_to_tell_gets_it_when_it_comes() {
    let queues = NotificationQueues::default();
    let waiting = queue(10);
    queues.replace(vec![Arc::clone(&waiting)]);
    let taken = tokio::spawn({
        let waiting = Arc::clone(&waiting);
        async move { waiting.take(10).await }
    });
    tokio::task::yield_now().await;
    queues.tell(Vec::new());
    queues.tell(words(&["a"]));
    assert_eq!(shown(&taken.await.unwrap()), ["a 1"]);
}

#[tokio::test]
async fn it_moves_while_something_is_to_be_told_that_did_not_fail_before() {
    let queue = queue(10);
    assert!(!queue.is_moving());
    queue.push(&[word("a", 1)]);
    assert!(queue.is_moving(), "it waits to be told");
    let batch = queue.take(10).await;
    assert!(queue.is_moving(), "it is being told");
    queue.put_back(batch);
    queue.note(Delivery::Failing);
    assert!(!queue.is_moving(), "at the end nobody waits for who does not answer");
    let batch = queue.take(10).await;
    assert!(!queue.is_moving(), "trying again is no progress yet");
    assert_eq!(batch.len(), 1);
    queue.note(Delivery::Idle);
    assert!(!queue.is_moving());
}

#[test]
fn the_room_there_is_counts_for_what_is_put_back_too() {
    let mut waiting = Waiting { most: 2, ..Waiting::default() };
    for alert in ["a", "b"] {
        waiting.push(word(alert, 1));
    }
    let batch = waiting.take(2);
    for alert in ["c", "d"] {
        waiting.push(word(alert, 1));
    }
    waiting.put_back(batch);
    assert_eq!(waiting.dropped, 2);
    assert_eq!(shown(&waiting.take(10)), ["c 1", "d 1"], "the oldest go first");
    assert!(waiting.places.is_empty());
}

#[test]
fn another_size_counts_from_the_next_word_on() {
    let queue = queue(10);
    for alert in ["a", "b", "c"] {
        queue.push(&[word(alert, 1)]);
    }
    queue.resize(2);
    queue.push(&[word("d", 1)]);
    assert_eq!((queue.len(), queue.take_dropped()), (2, 2));
}

#[test]
fn a_word_that_was_taken_does_not_hold_a_place_for_the_next_of_its_alert() {
    let mut waiting = Waiting { most: 10, ..Waiting::default() };
    for (alert, ends) in [("a", 1), ("b", 1)] {
        waiting.push(word(alert, ends));
    }
    assert_eq!(shown(&waiting.take(1)), ["a 1"]);
    waiting.push(word("a", 2));
    assert_eq!(shown(&waiting.take(10)), ["b 1", "a 2"]);
}
