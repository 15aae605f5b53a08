//! Which server to try next, and how long to wait before.

use std::time::Duration;

use crate::engine::config::server_url::{Encryption, ServerUrl, ServerUrlError};
use crate::shell::settings::NatsSettings;

use super::address::{Address, UserInfo};

/// The pause after the first failure.
const PAUSE_FIRST: Duration = Duration::from_millis(50);

/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Servers learnt of from others that are kept.
const DISCOVERED_MAX: usize = 64;

/// The servers of a cluster, in the order they are tried.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    addresses: Vec<Address>,
    userinfo: Option<UserInfo>,
    next: usize,
    failures: u32,
}

impl Servers {
    /// The servers the settings name.
    ///
    /// # Errors
    /// A URL that is none.
    pub(crate) fn new(settings: &NatsSettings) -> Result<Self, ServerUrlError> {
        let addresses = settings
            .urls
            .iter()
            .flat_map(|list| list.reveal().split(','))
            .filter(|url| !url.trim().is_empty())
            .map(Address::parse)
            .collect::<Result<Vec<_>, _>>()?;
        if addresses.is_empty() {
            return Err(ServerUrlError::Host);
        }
        let userinfo = addresses.iter().find_map(|address| address.userinfo.clone());
        Ok(Self { addresses, userinfo, next: 0, failures: 0 })
    }

    /// Their URLs without userinfo.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.addresses.iter().map(|address| address.server.url()).collect()
    }

    /// What the URLs say of us.
    pub(crate) fn userinfo(&self) -> Option<&UserInfo> {
        self.userinfo.as_ref()
    }

    /// The server to try next, and what the URLs say of us there.
    pub(crate) fn aim(&self) -> Option<(Address, Option<UserInfo>)> {
        let address = self.addresses.get(self.next % self.addresses.len().max(1))?;
        let userinfo = address.userinfo.as_ref().or(self.userinfo.as_ref());
        Some((address.clone(), userinfo.cloned()))
    }

    /// Notes that the server that was aimed at let us in.
    pub(crate) const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Notes that it did not: the next one is another, where there is one.
    pub(crate) const fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.pass_over();
    }

    /// Goes on with another server where there is one: this one is about to leave.
    pub(crate) const fn pass_over(&mut self) {
        self.next = self.next.wrapping_add(1);
    }

    /// Whether nothing has failed yet.
    pub(crate) const fn is_first_attempt(&self) -> bool {
        self.failures == 0
    }

    /// How long to wait before the next attempt.
    pub(crate) fn pause(&self, random: u64) -> Duration {
        backoff(self.failures, PAUSE_FIRST, PAUSE_MAX, random)
    }

    /// Learns of other servers of the cluster.
    pub(crate) fn learn(&mut self, urls: &[String]) {
        let encryption = self.addresses.first().map_or(Encryption::NotAsked, |first| first.server.encryption);
        for url in urls {
            if self.addresses.len() >= DISCOVERED_MAX {
                return;
            }
            if let Ok((server, _)) = ServerUrl::parse(url) {
                let is_it = |it: &Address| it.server.host == server.host && it.server.port == server.port;
                if !self.addresses.iter().any(is_it) {
                    let server = ServerUrl { encryption, ..server };
                    self.addresses.push(Address { server, userinfo: None });
                }
            }
        }
    }
}

/// The pause after so many failures: doubled each time up to `most`, then cut by up to a half at random, so that
/// not all come back at once.
pub(crate) fn backoff(failures: u32, first: Duration, most: Duration, random: u64) -> Duration {
    let whole = first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(20))).min(most);
    let half = u64::try_from(whole.as_millis() / 2).unwrap_or(u64::MAX);
    whole.saturating_sub(Duration::from_millis(random % half.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::settings::Secret;

    fn servers(urls: &str) -> Servers {
        Servers::new(&NatsSettings { urls: vec![Secret::new(urls)], ..NatsSettings::default() }).unwrap()
    }

    /// The ports that are aimed at, each attempt failing.
    fn aims(servers: &mut Servers, attempts: usize) -> Vec<u16> {
        let aim = |_| {
            let port = servers.aim().map_or(0, |(address, _)| address.server.port);
            servers.failed();
            port
        };
        (0..attempts).map(aim).collect()
    }

    #[test]
    fn servers_are_tried_in_turn_with_those_learnt_of() {
        let mut servers = servers("nats://a:1,tls://me@b:2");
        servers.learn(&["c:3".to_owned(), "a:1".to_owned(), "not a url".to_owned()]);
        assert_eq!(aims(&mut servers, 4), [1, 2, 3, 1]);
        let userinfo = servers.aim().and_then(|(_, userinfo)| userinfo);
        assert_eq!(userinfo.map(|it| it.user), Some(Secret::new("me")));
    }

    #[test]
    fn pauses_grow_with_failures_up_to_a_limit() {
        let (first, most) = (Duration::from_millis(50), Duration::from_secs(2));
        let pauses = [0, 1, 2, 3, 10].map(|failures| backoff(failures, first, most, 0).as_millis());
        assert_eq!(pauses, [50, 50, 100, 200, 2_000]);
        assert_eq!(backoff(10, first, most, 999).as_millis(), 1_001);
    }

    #[test]
    fn a_list_without_a_url_is_refused() {
        let settings = NatsSettings { urls: vec![Secret::new(" , ")], ..NatsSettings::default() };
        assert_eq!(Servers::new(&settings).err(), Some(ServerUrlError::Host));
    }
}
