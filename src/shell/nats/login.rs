//! How a connection says who it is: what `CONNECT` carries for each kind of authentication.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};

use crate::shell::plain::plain;
use crate::shell::settings::{Auth, Secret, SecretSource};

use super::address::UserInfo;

/// The part of `CONNECT` that says who we are.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Login {
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// Its password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pass: Option<String>,
    /// A token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth_token: Option<String>,
    /// A user's JWT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jwt: Option<String>,
    /// A public key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nkey: Option<String>,
    /// The nonce, signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sig: Option<Signature>,
}

/// A signature, in `CONNECT` as base64 with the URL alphabet, without padding.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Signature(pub(crate) Vec<u8>);

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

/// Why we cannot say who we are; never with a secret in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    /// The file with the credentials cannot be read.
    #[error("cannot read the credentials in {path}: {}", plain(source))]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A credentials file without its two blocks.
    #[error("{path} is no NATS credentials file: it needs a USER JWT and a USER NKEY SEED block")]
    NoCredentials {
        /// The file.
        path: String,
    },
    /// A seed that is none.
    #[error("the nkey seed is not valid; it begins with SU")]
    Seed,
}

impl Login {
    /// Who we are to a server that sent `nonce`.
    pub(crate) fn new(auth: &Auth, userinfo: Option<&UserInfo>, nonce: &str) -> Result<Self, LoginError> {
        match auth {
            Auth::None => Ok(userinfo.map(Self::of_url).unwrap_or_default()),
            Auth::User { user, password } => Ok(Self {
                user: Some(user.clone()),
                pass: Some(secret(password)?.reveal().to_owned()),
                ..Self::default()
            }),
            Auth::Token(token) => {
                Ok(Self { auth_token: Some(secret(token)?.reveal().to_owned()), ..Self::default() })
            }
            Auth::CredentialsFile(path) => {
                let (jwt, seed) = read_credentials(path)?;
                let (_, sig) = sign(&seed, nonce)?;
                Ok(Self { jwt: Some(jwt.reveal().to_owned()), sig: Some(sig), ..Self::default() })
            }
            Auth::Nkey(SecretSource::Given(seed)) => Self::of_seed(seed, nonce),
            Auth::Nkey(SecretSource::File(path)) => Self::of_seed(&read_seed(path)?, nonce),
        }
    }

    fn of_url(userinfo: &UserInfo) -> Self {
        let user = userinfo.user.reveal().to_owned();
        match &userinfo.password {
            Some(password) => {
                Self { user: Some(user), pass: Some(password.reveal().to_owned()), ..Self::default() }
            }
            None => Self { auth_token: Some(user), ..Self::default() },
        }
    }

    fn of_seed(seed: &Secret, nonce: &str) -> Result<Self, LoginError> {
        let (nkey, sig) = sign(seed, nonce)?;
        Ok(Self { nkey: Some(nkey), sig: Some(sig), ..Self::default() })
    }
}

/// Whether what signs in can be used.
///
/// # Errors
/// What cannot be read, or is no secret of its kind.
pub(crate) fn check(auth: &Auth) -> Result<(), LoginError> {
    Login::new(auth, None, "").map(|_| ())
}

/// A secret, read anew where it is in a file.
fn secret(source: &SecretSource) -> Result<Secret, LoginError> {
    match source {
        SecretSource::Given(secret) => Ok(secret.clone()),
        SecretSource::File(path) => Ok(Secret::new(read(path)?.trim_end_matches(['\r', '\n']))),
    }
}

/// The JWT and the seed of a credentials file.
fn read_credentials(path: &Path) -> Result<(Secret, Secret), LoginError> {
    let text = read(path)?;
    let jwt = block(&text, "NATS USER JWT");
    let seed = block(&text, "USER NKEY SEED");
    match (jwt, seed) {
        (Some(jwt), Some(seed)) => Ok((Secret::new(jwt), Secret::new(seed))),
        _ => Err(LoginError::NoCredentials { path: path.display().to_string() }),
    }
}

/// The seed in a file: its first line that looks like one.
fn read_seed(path: &Path) -> Result<Secret, LoginError> {
    let text = read(path)?;
    text.lines().map(str::trim).find(|line| line.starts_with('S')).map(Secret::new).ok_or(LoginError::Seed)
}

fn read(path: &Path) -> Result<String, LoginError> {
    std::fs::read_to_string(path)
        .map_err(|source| LoginError::Unreadable { path: path.display().to_string(), source })
}

/// The text between the lines `-----BEGIN name-----` and `------END name------`.
fn block<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| !line.contains(&format!("BEGIN {name}")));
    lines.next()?;
    lines.find(|line| !line.is_empty()).filter(|line| !line.starts_with('-'))
}

/// The public key and the signature of the nonce.
fn sign(seed: &Secret, nonce: &str) -> Result<(String, Signature), LoginError> {
    let pair = nkeys::KeyPair::from_seed(seed.reveal().trim()).map_err(|_| LoginError::Seed)?;
    let signature = pair.sign(nonce.as_bytes()).map_err(|_| LoginError::Seed)?;
    Ok((pair.public_key(), Signature(signature)))
}

#[cfg(test)]
mod tests;
