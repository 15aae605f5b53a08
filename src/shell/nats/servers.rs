//! Which server to try next, and how long to wait before.

use std::time::Duration;

use crate::engine::config::server_url::{Encryption, ServerUrl, ServerUrlError, split_urls};
use crate::shell::settings::NatsSettings;

use super::address::{Address, UserInfo};
use crate::shell::backoff::backoff;

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
    /// So many of them are the settings'; the others were learnt of.
    named: usize,
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
            .flat_map(|list| split_urls(list.reveal()))
            .map(Address::parse)
            .collect::<Result<Vec<_>, _>>()?;
        if addresses.is_empty() {
            return Err(ServerUrlError::Host);
        }
        let userinfo = addresses.iter().find_map(|address| address.userinfo.clone());
        Ok(Self { named: addresses.len(), addresses, userinfo, next: 0, failures: 0 })
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

    /// Learns which other servers the cluster has now; those that left it are forgotten, but for the one aimed at.
    pub(crate) fn learn(&mut self, urls: &[String]) {
        let found: Vec<ServerUrl> =
            urls.iter().filter_map(|url| ServerUrl::parse(url).ok()).map(|(server, _)| server).collect();
        if found.is_empty() {
            return;
        }
        let aimed_at = self.next % self.addresses.len().max(1);
        let stays = |place: usize, address: &Address| {
            place < self.named || place == aimed_at || found.iter().any(|it| is_same(it, &address.server))
        };
        let (stay, leave): (Vec<_>, Vec<_>) =
            self.addresses.drain(..).enumerate().partition(|(place, address)| stays(*place, address));
        self.next = aimed_at - leave.iter().filter(|(place, _)| *place < aimed_at).count();
        self.addresses = stay.into_iter().map(|(_, address)| address).collect();
        let encryption = self.addresses.first().map_or(Encryption::NotAsked, |first| first.server.encryption);
        for server in found {
            let is_known = self.addresses.iter().any(|it| is_same(&it.server, &server));
            if !is_known && self.addresses.len() < DISCOVERED_MAX {
                let server = ServerUrl { encryption, ..server };
                self.addresses.push(Address { server, userinfo: None });
            }
        }
    }
}

fn is_same(one: &ServerUrl, other: &ServerUrl) -> bool {
    one.host == other.host && one.port == other.port
}

#[cfg(test)]
mod tests;
