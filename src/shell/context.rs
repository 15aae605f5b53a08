//! What the parts of the shell share: the way to the driver, the condition, the settings.

use std::sync::Arc;

use crate::engine::config::Config;
use crate::engine::fact::Fact;

use super::driver::command::Command;
use super::driver::examples::RejectedExamples;
use super::driver::mailbox::Mailbox;
use super::driver::rejections::{self, RejectedCopies, Rejections};
use super::in_force::ConfigInForce;
use super::renewals::Renewals;
use super::saves::Saves;
use super::service_manager::ServiceManager;
use super::settings::Settings;
use super::status::{Connectivity, Status, Topic};
use super::stop::Stop;

/// What every part of the shell works with.
#[derive(Clone, Debug)]
pub(crate) struct ShellContext {
    /// Where batches go.
    pub(crate) mailbox: Arc<Mailbox>,
    /// Where the condition is noted.
    pub(crate) status: Arc<Status>,
    /// Whether the process stops.
    pub(crate) stop: Arc<Stop>,
    /// What was settled at the start.
    pub(crate) settings: Arc<Settings>,
    /// When connections sign in anew.
    pub(crate) renewals: Arc<Renewals>,
    /// The configuration, for what a reload may change.
    pub(crate) config: Arc<ConfigInForce>,
    /// The last rejected events.
    pub(crate) rejected: Arc<RejectedExamples>,
    /// Who started the process and wants to know how it is.
    pub(crate) service_manager: Arc<ServiceManager>,
    /// Checkpoints that are wished for, and what came of them.
    pub(crate) saves: Arc<Saves>,
}

impl ShellContext {
    /// What they share at the start, when nothing has happened.
    pub(crate) fn new(settings: Settings, config: Config) -> Self {
        Self {
            mailbox: Arc::new(Mailbox::new(settings.flow.queue_bytes_max)),
            status: Arc::new(Status::default()),
            stop: Arc::new(Stop::default()),
            settings: Arc::new(settings),
            renewals: Arc::new(Renewals::default()),
            config: Arc::new(ConfigInForce::new(config)),
            rejected: Arc::default(),
            service_manager: Arc::new(ServiceManager::of_this_process()),
            saves: Arc::default(),
        }
    }

    /// Both ends of the queue of rejected events.
    pub(crate) fn rejections(&self) -> (Rejections, RejectedCopies) {
        rejections::queue(&self.settings.rejected, Arc::clone(&self.config), Arc::clone(&self.rejected))
    }

    /// Notes that a connection stands.
    pub(crate) fn link_is_up(&self, topic: Topic) {
        self.tell(self.status.clear(topic));
    }

    /// Notes that a connection is gone.
    pub(crate) fn link_is_down(&self, topic: Topic, reason: impl Into<String>) {
        self.tell(self.status.set(topic, reason));
    }

    /// Counts a fact.
    pub(crate) fn fact(&self, fact: Fact) {
        self.mailbox.command(Command::Fact(fact));
    }

    fn tell(&self, change: Connectivity) {
        match change {
            Connectivity::Same => {}
            Connectivity::Gained => self.fact(Fact::Connected),
            Connectivity::Lost => self.fact(Fact::Disconnected),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::shell::for_tests::facts;

    #[test]
    fn the_connection_is_counted_as_one_whatever_its_parts_do() {
        let context = ShellContext::new(Settings::default(), Config::with_defaults("test"));
        context.status.expect(&[Topic::CoreLink, Topic::PublishLink]);
        context.link_is_up(Topic::CoreLink);
        assert_eq!(facts(&context.mailbox), Vec::<String>::new());
        context.link_is_up(Topic::PublishLink);
        assert_eq!(facts(&context.mailbox), ["Connected"]);
        context.link_is_down(Topic::CoreLink, "broken");
        context.link_is_down(Topic::PublishLink, "broken");
        assert_eq!(facts(&context.mailbox), ["Disconnected"]);
        context.link_is_up(Topic::PublishLink);
        context.link_is_up(Topic::CoreLink);
        context.link_is_up(Topic::CoreLink);
        assert_eq!(facts(&context.mailbox), ["Connected"]);
    }
}
