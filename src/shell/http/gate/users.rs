//! Who may come in: HTTP basic authentication against bcrypt hashes.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Semaphore;

use crate::engine::config::web::Users;

/// Known pairs of user and password; where there are more, all are asked again.
const KNOWN_MAX: usize = 1_000;

/// What an unknown user's password is compared with, so that the time tells nobody which users there are.
const NOBODY: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

/// Knows who showed the right password before; hashing one takes long on purpose.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    hashers: [RandomState; 2],
    known: Mutex<HashSet<[u64; 2]>>,
    /// One hash at a time: strangers are not to keep every core busy.
    turn: Semaphore,
}

impl Default for Doorkeeper {
    fn default() -> Self {
        Self { hashers: Default::default(), known: Mutex::default(), turn: Semaphore::new(1) }
    }
}

impl Doorkeeper {
    /// The user that a request names with the right password.
    pub(super) async fn user(&self, users: &Users, headers: &HeaderMap) -> Option<String> {
        let (user, password) = credentials(headers)?;
        let hash = users.0.get(&user);
        let is_user = hash.is_some();
        let hash = hash.map_or(NOBODY, |hash| hash.reveal()).to_owned();
        let pair = self.hashers.each_ref().map(|hasher| hasher.hash_one((&user, &hash, &password)));
        if is_user && self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&pair) {
            return Some(user);
        }
        let _turn = self.turn.acquire().await.ok()?;
        let verified = tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash));
        let is_right = is_user && matches!(verified.await, Ok(Ok(true)));
        if is_right {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(pair);
        }
        is_right.then_some(user)
    }
}

/// User and password of an `Authorization: Basic` header.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests;
