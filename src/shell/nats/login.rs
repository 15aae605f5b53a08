//! How a connection says who it is: what `CONNECT` carries for each kind of authentication.

use std::path::Path;

use serde::{Serialize, Serializer};

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

/// A signature, in `CONNECT` as base64.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Signature(pub(crate) Vec<u8>);

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64_url(&self.0))
    }
}

/// Why we cannot say who we are; never with a secret in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    /// The file with the credentials cannot be read.
    #[error("cannot read the credentials in {path}: {source}")]
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

/// Base64 with the URL alphabet, without padding.
fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let index = (bits >> (18 - 6 * place)) & 63;
            text.push(ALPHABET.get(index as usize).copied().map_or('A', char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_of_the_url_kind_without_padding() {
        let cases: [(&[u8], &str); 4] =
            [(b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"\xfb\xff\xfe\x01", "-__-AQ")];
        for (bytes, text) in cases {
            assert_eq!(base64_url(bytes), text);
        }
    }

    #[test]
    fn a_credentials_file_yields_its_two_blocks() {
        let text = "-----BEGIN NATS USER JWT-----\nabc.def\n------END NATS USER JWT------\n\nIMPORTANT\n\
                    -----BEGIN USER NKEY SEED-----\nSUAX\n------END USER NKEY SEED------\n";
        assert_eq!(block(text, "NATS USER JWT"), Some("abc.def"));
        assert_eq!(block(text, "USER NKEY SEED"), Some("SUAX"));
        assert_eq!(block("nothing", "USER NKEY SEED"), None);
    }

    #[test]
    fn a_url_without_a_password_carries_a_token() {
        let userinfo = UserInfo { user: Secret::new("t0ken"), password: None };
        let login = Login::new(&Auth::None, Some(&userinfo), "").unwrap();
        assert_eq!(serde_json::to_string(&login).unwrap(), r#"{"auth_token":"t0ken"}"#);
    }

    #[test]
    fn what_is_in_a_file_is_read_at_each_attempt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let password = SecretSource::File(path.clone());
        let auth = Auth::User { user: "u".to_owned(), password };
        assert!(matches!(Login::new(&auth, None, ""), Err(LoginError::Unreadable { .. })));
        for text in ["one", "two"] {
            std::fs::write(&path, format!("{text}\n")).unwrap();
            assert_eq!(Login::new(&auth, None, "").unwrap().pass.as_deref(), Some(text));
        }
    }
}
