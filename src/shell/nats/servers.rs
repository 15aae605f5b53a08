//! Which server to try next, and how long to wait before.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use crate::engine::config::server_url::{Encryption, ServerUrl, ServerUrlError};
use crate::shell::settings::NatsSettings;

use super::address::{Address, UserInfo};
use super::link::{Link, LinkError, ServerInfo};

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

    /// Connects to the next server.
    ///
    /// # Errors
    /// Why that failed; the next call tries the next server.
    pub(crate) fn open(&mut self, settings: &NatsSettings) -> Result<Link, LinkError> {
        let place = self.next % self.addresses.len().max(1);
        let Some(address) = self.addresses.get(place) else {
            return Err(LinkError::NoAddress("no server".to_owned()));
        };
        let userinfo = address.userinfo.as_ref().or(self.userinfo.as_ref());
        match Link::open(address, userinfo, settings) {
            Ok(link) => {
                self.failures = 0;
                self.learn(&link.info);
                Ok(link)
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                self.next = place + 1;
                Err(error)
            }
        }
    }

    /// Goes on with another server where there is one: this one is about to leave.
    pub(crate) fn pass_over(&mut self) {
        self.next = self.next.wrapping_add(1);
    }

    /// How long to wait before the next attempt.
    pub(crate) fn pause(&self) -> Duration {
        backoff(self.failures, PAUSE_FIRST, PAUSE_MAX)
    }

    fn learn(&mut self, info: &ServerInfo) {
        let encryption = self.addresses.first().map_or(Encryption::NotAsked, |first| first.server.encryption);
        for url in &info.connect_urls {
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
pub(crate) fn backoff(failures: u32, first: Duration, most: Duration) -> Duration {
    let whole = first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(20))).min(most);
    let half = u64::try_from(whole.as_millis() / 2).unwrap_or(u64::MAX);
    whole.saturating_sub(Duration::from_millis(random() % half.max(1)))
}

/// A number nobody can guess.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
