//! Reading a consumer of the JetStream lane: from its deliveries to batches for the engine.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::engine::arrival::{Order, Origin};
use crate::engine::fact::Fact;
use crate::shell::driver::mailbox::{FromStream, Item, Slot};
use crate::shell::status::Topic;

use super::pace::Pace;
use super::stream_lane::{Consumer, Filter, Next, StreamLane};
use super::stream_pull::{Drained, Place, Pulled, Pulls, Request, judge};
use crate::shell::nats::api::{Api, ApiError, PULLED};
use crate::shell::nats::frames::{Delivery, Frame};
use crate::shell::nats::link::{Link, LinkError};

/// How long a quiet consumer's place is trusted before it is compared with the stream's end.
const COMPARE_EVERY: Duration = Duration::from_secs(10);

/// How often the number of waiting messages is told.
const TELL_PENDING: Duration = Duration::from_millis(250);

/// How long the process's end waits for a batch to be applied so that it can be acknowledged.
const LAST_RECEIPT: Duration = Duration::from_secs(2);

/// Messages asked for at a time of a consumer with acknowledgements.
const DURABLE_MESSAGES_MAX: usize = 512;

/// What one look into the link brought.
#[derive(Debug, Default)]
struct Taken {
    messages: usize,
    broken: bool,
}

impl StreamLane {
    /// Pulls until the consumer cannot go on.
    pub(super) fn pull(
        &mut self,
        link: &mut Link,
        api: &mut Api,
        mut consumer: Consumer,
    ) -> Result<Next, LinkError> {
        let stream = self.jetstream().stream.clone();
        let name = consumer.info.name.clone();
        let mut pulls = Pulls::new(api.pull_subject(&stream, &name), self.request(&consumer), Instant::now());
        let mut pace = Pace::new(self.context.settings.flow.coalesce_max, Instant::now());
        let mut compared = Instant::now();
        let mut next = Next::Stop;
        while !self.context.stop.is_stopping() {
            pulls.ask(link, api);
            let bytes = link.read()?;
            if self.gaps.should_ask(Instant::now()) {
                api.ask_stream(link, &stream);
            }
            let taken = self.take(link, api, &mut pulls, &mut consumer)?;
            self.tell_lost();
            self.hand_over(link, &mut consumer, &mut pulls);
            if taken.messages > 0 {
                compared = Instant::now();
            }
            let mut again = taken.broken || pulls.missed_heartbeat(Instant::now());
            if !again && compared.elapsed() > COMPARE_EVERY {
                compared = Instant::now();
                again = !self.compare(link, api, &consumer)?;
                pulls.excuse(Instant::now());
            }
            if again {
                next = Next::LookAgain;
                break;
            }
            let pause = pace.after(taken.messages, bytes, Instant::now());
            if !pause.is_zero() {
                self.context.stop.wait(pause);
            }
        }
        if consumer.durable.is_none() {
            api.delete_consumer(link, &stream, &name);
            link.flush()?;
        }
        if matches!(next, Next::LookAgain) {
            self.context.stop.wait(Duration::from_millis(50));
        }
        Ok(next)
    }

    fn request(&self, consumer: &Consumer) -> Request {
        let settings = self.jetstream();
        let most = if consumer.durable.is_some() { DURABLE_MESSAGES_MAX } else { usize::MAX };
        Request {
            messages_max: settings.pull_messages_max.clamp(1, most),
            bytes_max: settings.pull_bytes_max.max(1),
            expires: settings.pull_expires,
            heartbeat: settings.heartbeat,
        }
    }

    /// Takes every whole frame out of the link.
    fn take(
        &mut self,
        link: &mut Link,
        api: &Api,
        pulls: &mut Pulls,
        consumer: &mut Consumer,
    ) -> Result<Taken, LinkError> {
        let mut taken = Taken::default();
        loop {
            let delivery = match link.next()? {
                Some(Frame::Message(delivery)) if delivery.subscription == PULLED => delivery,
                Some(Frame::Message(delivery)) => {
                    if let Some(info) = api.asked_stream(&delivery) {
                        self.gaps.answered(info.state.first_seq);
                    }
                    continue;
                }
                Some(Frame::Error(text)) => {
                    let text = String::from_utf8_lossy(text).into_owned();
                    if !text.to_lowercase().starts_with("permissions violation") {
                        return Err(LinkError::Refused(text));
                    }
                    self.context.status.set(Topic::Stream, format!("the server says: {text}"));
                    taken.broken = true;
                    continue;
                }
                Some(_) => continue,
                None => return Ok(taken),
            };
            match judge(&delivery) {
                Pulled::Message(place) if !taken.broken => {
                    pulls.note_message(Instant::now());
                    taken.messages += 1;
                    taken.broken = !self.accept(&delivery, place, consumer);
                }
                Pulled::Message(_) => {}
                Pulled::Broken => taken.broken = true,
                other @ (Pulled::Heartbeat | Pulled::Done(_)) => {
                    if pulls.note(delivery.subject, other, Instant::now()) == Drained::Yes
                        && consumer.durable.as_ref().is_none_or(|durable| !durable.is_holding())
                    {
                        self.drained();
                    }
                }
            }
        }
    }

    /// Takes one message; false where one before it is missing.
    fn accept(&mut self, delivery: &Delivery<'_>, place: Place, consumer: &mut Consumer) -> bool {
        let ours = consumer.filter == Filter::AtServer
            || self.subjects.iter().any(|subject| subject.as_bytes() == delivery.subject);
        if let Some(durable) = &mut consumer.durable {
            durable.accept(delivery, place, ours, &mut self.batch, Instant::now());
        } else {
            if place.consumer_sequence != consumer.info.delivered.consumer_seq.saturating_add(1) {
                return false;
            }
            consumer.info.delivered.consumer_seq = place.consumer_sequence;
            if place.stream_sequence > self.position.sequence {
                // Holes of what was stored before the start are none of ours.
                let is_new = self.held_at_first.is_some_and(|held| place.stream_sequence > held);
                if is_new && self.position.sequence > 0 {
                    self.gaps.note(self.position.sequence + 1..place.stream_sequence, consumer.gap_means);
                }
                self.position.sequence = place.stream_sequence;
                self.position.stored_nanos = Some(place.stored_nanos);
                if ours {
                    self.batch.push_stored(delivery, place.stored());
                }
            }
        }
        if place.pending == 0 || self.batch.len() >= self.context.settings.flow.batch_messages_max {
            self.tell_pending(place.pending);
        }
        consumer.info.num_pending = place.pending;
        if consumer.durable.is_none() && self.batch.bytes() >= self.context.settings.flow.batch_bytes_max {
            self.hand_batch(place.pending);
        }
        true
    }

    /// Counts what was found to have left the stream unread.
    fn tell_lost(&mut self) {
        let count = self.gaps.take_lost();
        if count > 0 {
            let stream = self.jetstream().stream.clone();
            if let Some(unsaid) = self.log.may_say("lost") {
                tracing::warn!(stream = %stream, count, unsaid, "messages left the stream before they were read");
            }
            self.context.hand_over(Slot::Stream, Item::Fact(Fact::StreamLost { stream, count }));
        }
    }

    /// Hands the batch over and, where the consumer wants it, acknowledges it once it is applied.
    fn hand_over(&mut self, link: &mut Link, consumer: &mut Consumer, pulls: &mut Pulls) {
        let Some(durable) = &mut consumer.durable else {
            self.tell_pending(consumer.info.num_pending);
            if !self.batch.is_empty() {
                self.hand_batch(consumer.info.num_pending);
                pulls.excuse(Instant::now());
            }
            return;
        };
        durable.release(&mut self.batch, Instant::now());
        if !self.batch.is_empty() {
            let (applied, receipt) = sync_channel(1);
            if let Some(item) = self.sealed(Order::Consumer, consumer.info.num_pending, Some(applied))
                && self.context.hand_over(Slot::Stream, item)
            {
                let mut stopping_since = None;
                while let Err(RecvTimeoutError::Timeout) = receipt.recv_timeout(Duration::from_millis(100)) {
                    if self.context.stop.is_stopping() {
                        let since: Instant = *stopping_since.get_or_insert_with(Instant::now);
                        if since.elapsed() > LAST_RECEIPT {
                            return;
                        }
                    }
                }
            }
            pulls.excuse(Instant::now());
        }
        durable.acknowledge(link);
        let idle = consumer.info.num_pending == 0 && !durable.is_holding();
        self.tell_pending(consumer.info.num_pending);
        if idle {
            self.drained();
        }
    }

    /// Hands over what was gathered.
    pub(super) fn hand_batch(&mut self, pending: u64) {
        if !self.batch.is_empty()
            && let Some(item) = self.sealed(Order::Stream, pending, None)
        {
            self.context.hand_over(Slot::Stream, item);
        }
    }

    /// What was gathered, with where it is from.
    fn sealed(&mut self, order: Order, pending: u64, receipt: Option<SyncSender<()>>) -> Option<Item> {
        let origin = Origin {
            stream: self.jetstream().stream.clone(),
            epoch: self.position.epoch.clone()?,
            order,
            first_sequence: self.batch.first_sequence()?,
            last_sequence: self.position.sequence.max(self.batch.last_sequence()?),
            pending,
        };
        let batch = std::mem::take(&mut self.batch);
        Some(Item::Stream(FromStream { origin, batch, receipt }))
    }

    /// Tells how many messages wait, now and then, and at once where none does.
    pub(super) fn tell_pending(&mut self, count: u64) {
        let due = self
            .told_pending
            .is_none_or(|(when, last)| last != count && (count == 0 || when.elapsed() >= TELL_PENDING));
        if !due {
            return;
        }
        self.told_pending = Some((Instant::now(), count));
        self.context.fact(Fact::StreamPending { stream: self.jetstream().stream.clone(), count });
        if count > self.jetstream().ready_pending_max {
            self.context.status.set(Topic::Lag, format!("{count} messages wait in the stream"));
        } else {
            self.context.status.clear(Topic::Lag);
        }
    }

    /// Moves the position of a quiet consumer to the stream's end, so that other types' messages that leave the
    /// stream later are not taken for lost ones; false where the consumer is not what it should be.
    fn compare(&mut self, link: &mut Link, api: &mut Api, consumer: &Consumer) -> Result<bool, LinkError> {
        if consumer.durable.is_some() {
            return Ok(true);
        }
        let stream = self.jetstream().stream.clone();
        api.passed_over = false;
        let answers = api.stream(link, &stream).and_then(|info| {
            api.consumer(link, &stream, &consumer.info.name).map(|consumer| (info, consumer))
        });
        let (info, seen) = match answers {
            Ok(answers) => answers,
            Err(ApiError::Link(error)) => return Err(error),
            Err(_) => return Ok(false),
        };
        let nothing_under_way = seen.num_pending == 0
            && seen.delivered.consumer_seq == consumer.info.delivered.consumer_seq
            && !api.passed_over;
        if nothing_under_way && info.state.last_seq > self.position.sequence {
            self.position.sequence = info.state.last_seq;
            self.position.stored_nanos = None;
        }
        Ok(!api.passed_over
            && self.position.epoch.as_ref().is_some_and(|epoch| *epoch.created == *info.created))
    }
}
