use super::*;

#[tokio::test]
async fn the_oldest_idle_connection_makes_room_and_a_busy_one_stays() {
    let mut connections = Connections::new(2);
    let (first, second) = (Activity::default(), Activity::default());
    let _busy = first.begin();
    connections.add(tokio::spawn(std::future::pending()), first);
    connections.add(tokio::spawn(std::future::pending()), second);
    connections.make_room().await;
    assert_eq!(connections.open.len(), 1);
    assert!(connections.open.iter().all(|(_, activity)| activity.idle_since().is_none()));
}

/// Opens a connection that ends by itself only when it is told to.
fn open(connections: &mut Connections) -> (Activity, tokio::sync::oneshot::Sender<()>) {
    let (activity, (end, ended)) = (Activity::default(), tokio::sync::oneshot::channel());
    connections.add(tokio::spawn(async move { drop(ended.await) }), activity.clone());
    (activity, end)
}

#[tokio::test]
async fn the_one_that_asked_for_nothing_for_longest_goes_first() {
    let mut connections = Connections::new(3);
    let (scraper, _first) = open(&mut connections);
    let (half_open, half) = open(&mut connections);
    let (other, _third) = open(&mut connections);
    // The scraper was opened first, and asked for something since.
    drop(scraper.begin());
    connections.make_room().await;
    let left: Vec<bool> = [&scraper, &half_open, &other]
        .iter()
        .map(|it| connections.open.iter().any(|(_, activity)| Arc::ptr_eq(&activity.0, &it.0)))
        .collect();
    assert_eq!(left, [true, false, true]);
    tokio::task::yield_now().await;
    assert!(half.is_closed(), "its task is gone with it");
}

#[tokio::test]
async fn connections_that_ended_make_room_before_any_that_stands() {
    let mut connections = Connections::new(2);
    let (_idle, _stays) = open(&mut connections);
    let (_ended, end) = open(&mut connections);
    end.send(()).unwrap();
    while connections.open.iter().all(|(task, _)| !task.is_finished()) {
        tokio::task::yield_now().await;
    }
    connections.make_room().await;
    assert_eq!(connections.open.len(), 1);
    assert!(!connections.open[0].0.is_finished());
}

#[tokio::test]
async fn where_all_are_being_answered_the_next_waits_for_one() {
    let mut connections = Connections::new(1);
    let (activity, _end) = open(&mut connections);
    let busy = activity.begin();
    let room = tokio::time::timeout(Duration::from_millis(1), connections.make_room()).await;
    assert!(room.is_err());
    drop(busy);
    connections.make_room().await;
    assert!(connections.open.is_empty());
}

#[tokio::test]
async fn a_connection_is_busy_until_the_body_of_its_answer_is_sent() {
    let activity = Activity::default();
    let answer = tower::service_fn(|()| async {
        Ok::<_, std::convert::Infallible>(Response::new(axum::body::Body::from("body")))
    });
    let mut watched = Watched::new(answer, activity.clone());
    let first = watched.call(()).await.unwrap();
    let second = watched.call(()).await.unwrap();
    assert!(activity.idle_since().is_none());
    drop(axum::body::to_bytes(first.into_body(), 100).await.unwrap());
    assert!(activity.idle_since().is_none(), "another is still being answered");
    drop(second);
    assert!(activity.idle_since().is_some());
}

#[tokio::test]
async fn a_failing_answer_leaves_nothing_busy() {
    let activity = Activity::default();
    let answer = tower::service_fn(|()| async { Err::<Response, _>("no") });
    assert_eq!(Watched::new(answer, activity.clone()).call(()).await.err(), Some("no"));
    assert!(activity.idle_since().is_some());
}
