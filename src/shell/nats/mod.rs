//! NATS: addresses, signing in, connections and frames, which the [`lanes`] in and what goes [`out`] share.

pub(crate) mod address;
pub(crate) mod api;
mod connecting;
pub(crate) mod copied;
pub(crate) mod credentials;
#[cfg(test)]
pub(crate) mod fake_server;
pub(crate) mod frames;
pub(crate) mod lanes;
pub(crate) mod link;
pub(crate) mod login;
pub(crate) mod out;
pub(crate) mod protocol;
#[cfg(test)]
mod scripts;
pub(crate) mod servers;
pub(crate) mod stored;
pub(crate) mod world;
