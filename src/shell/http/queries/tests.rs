use std::io::Write;
use std::sync::mpsc;

use super::*;
use crate::engine::Engine;
use crate::engine::config::Config;
use crate::engine::rules::RuleSet;
use crate::engine::time::Timestamp;
use crate::shell::driver::mailbox::LaneGate;

/// Queries over an empty engine, one at a time, with room for one more; and the mailbox that answers them.
fn queries() -> (Arc<Queries>, Arc<Mailbox>) {
    let mailbox = Arc::new(Mailbox::new(1));
    let mut config = Config::with_defaults("test");
    config.query.queue = 1;
    let config = Arc::new(ConfigInForce::new(config));
    let driver = Arc::clone(&mailbox);
    std::thread::spawn(move || {
        let mut engine = Engine::new(&Config::with_defaults("test"), RuleSet::default(), Timestamp::EPOCH);
        loop {
            driver.wait(Duration::from_secs(1), LaneGate::Open);
            for command in driver.take(LaneGate::Open).commands {
                if let Command::Freeze(reader) = command {
                    reader.send(engine.freeze(Timestamp::EPOCH)).unwrap();
                }
            }
        }
    });
    (Queries::new(Arc::clone(&mailbox), config), mailbox)
}

/// A query that says when it runs and ends when it is told to, or when nobody waits for it.
fn held(begun: mpsc::Sender<()>, end: mpsc::Receiver<()>) -> Work {
    Box::new(move |_, terms, _| {
        begun.send(()).unwrap();
        loop {
            if let Some(halt) = terms.patience.ended() {
                return Err(halt.into());
            }
            if end.recv_timeout(Duration::from_millis(1)) != Err(mpsc::RecvTimeoutError::Timeout) {
                return Ok(());
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_query_too_many_is_refused_and_the_others_are_answered() {
    let (queries, _mailbox) = queries();
    let ((begun, begins), (end, ends)) = (mpsc::channel(), mpsc::channel());
    let first = tokio::spawn({
        let queries = Arc::clone(&queries);
        async move { queries.answer(None, held(begun, ends)).await.map(|_| ()) }
    });
    begins.recv().unwrap();
    let second = tokio::spawn({
        let queries = Arc::clone(&queries);
        async move { queries.answer(None, |_, _, _| Ok(())).await.map(|_| ()) }
    });
    while queries.locked().waiting.is_empty() {
        tokio::task::yield_now().await;
    }
    let third = queries.answer(None, |_, _, _| Ok(())).await;
    assert!(matches!(third, Err(QueryError::QueueFull)), "{third:?}");
    end.send(()).unwrap();
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_ends_when_its_client_leaves_or_its_time_is_up() {
    let (queries, _mailbox) = queries();
    let ((begun, begins), (_end, ends)) = (mpsc::channel(), mpsc::channel());
    let left = tokio::spawn({
        let queries = Arc::clone(&queries);
        async move { queries.answer(None, held(begun, ends)).await.map(|_| ()) }
    });
    begins.recv().unwrap();
    left.abort();
    // The only thread is free again.
    assert!(queries.answer(None, |_, _, _| Ok(())).await.is_ok());
    let ((begun, _begins), (_end, ends)) = (mpsc::channel(), mpsc::channel());
    let late = queries.answer(Some(Duration::from_millis(1)), held(begun, ends)).await;
    assert!(matches!(late, Err(QueryError::Halted(Halt::TimedOut))), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_panics_has_no_answer_and_the_next_one_has() {
    let (queries, _mailbox) = queries();
    let broken = queries.answer(None, |_, _, _| panic!("a bug")).await;
    assert!(matches!(broken, Err(QueryError::Broken)), "{broken:?}");
    assert!(queries.answer(None, |_, _, _| Ok(())).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_as_they_were_written_and_refusals_as_they_are() {
    let (queries, _mailbox) = queries();
    let answered = queries
        .answer(None, |instant, _, out| write!(out, "{}", instant.now()).map_err(|_| QueryError::Broken));
    assert_eq!(answered.await.unwrap().concat(), b"1970-01-01T00:00:00Z");
    let refused = queries.answer(None, |_, _, out| {
        out.write_all(b"half").map_err(|_| QueryError::Broken)?;
        Err(Unreadable::Stopping.into())
    });
    assert!(matches!(refused.await, Err(QueryError::Unreadable(Unreadable::Stopping))));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_longer_than_the_configuration_allows() {
    let (queries, _mailbox) = queries();
    let left = |asked| {
        let queries = Arc::clone(&queries);
        async move {
            let (tell, told) = mpsc::channel();
            let begun = Instant::now();
            let work = move |_: &FrozenInstant, terms: QueryTerms<'_>, _: &mut Pieces| {
                tell.send(terms.patience.ended()).unwrap();
                Ok(())
            };
            drop(queries.answer(asked, work).await);
            (told.recv().ok(), begun)
        }
    };
    assert_eq!(left(Some(Duration::MAX)).await.0, Some(None));
    assert_eq!(left(None).await.0, Some(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_left_make_room_in_the_queue() {
    let (queries, _mailbox) = queries();
    let ((begun, begins), (end, ends)) = (mpsc::channel(), mpsc::channel());
    let first = tokio::spawn({
        let queries = Arc::clone(&queries);
        async move { queries.answer(None, held(begun, ends)).await.map(|_| ()) }
    });
    begins.recv().unwrap();
    let left = tokio::spawn({
        let queries = Arc::clone(&queries);
        async move { queries.answer(None, |_, _, _| panic!("nobody waits for this")).await.map(|_| ()) }
    });
    while queries.locked().waiting.is_empty() {
        tokio::task::yield_now().await;
    }
    left.abort();
    assert!(left.await.unwrap_err().is_cancelled());
    let third = tokio::spawn({
        let queries = Arc::clone(&queries);
        async move { queries.answer(None, |_, _, _| Ok(())).await.map(|_| ()) }
    });
    while queries.locked().waiting.iter().all(|job| job.ticket.ended().is_some()) {
        tokio::task::yield_now().await;
    }
    end.send(()).unwrap();
    assert!(first.await.unwrap().is_ok() && third.await.unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_follow_the_configuration_up_and_down() {
    let (queries, _mailbox) = queries();
    let threads_of = |threads| {
        let mut config = Config::with_defaults("test");
        (config.query.threads, config.query.queue) = (threads, 10);
        queries.config.put(Arc::new(config));
    };
    threads_of(2);
    let ((begun, begins), (end, ends)) = (mpsc::channel(), mpsc::channel());
    let ((begun_too, begins_too), (end_too, ends_too)) = (mpsc::channel(), mpsc::channel());
    let mut running = Vec::new();
    for work in [held(begun, ends), held(begun_too, ends_too)] {
        let queries = Arc::clone(&queries);
        running.push(tokio::spawn(async move { queries.answer(None, work).await.map(|_| ()) }));
    }
    begins.recv().unwrap();
    begins_too.recv().unwrap();
    assert_eq!(queries.locked().threads, 2, "both run at the same time");
    threads_of(1);
    end.send(()).unwrap();
    end_too.send(()).unwrap();
    for one in running {
        assert!(one.await.unwrap().is_ok());
    }
    assert!(queries.answer(None, |_, _, _| Ok(())).await.is_ok());
    while queries.locked().threads > 1 {
        tokio::task::yield_now().await;
    }
    assert!(queries.answer(None, |_, _, _| Ok(())).await.is_ok(), "one is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_driver_is_said_to_be_one_and_the_thread_lives_on() {
    let mailbox = Arc::new(Mailbox::new(1));
    let config = Arc::new(ConfigInForce::new(Config::with_defaults("test")));
    let queries = Queries::new(Arc::clone(&mailbox), config);
    while mailbox.try_command(Command::Fact(Fact::Connected)).is_ok() {}
    for _ in 0..2 {
        let busy = queries.answer(None, |_, _, _| Ok(())).await;
        assert!(matches!(busy, Err(QueryError::Unreadable(Unreadable::Busy))), "{busy:?}");
    }
}
