//! The configuration file on disk: found, read, and held against what lies beside it.

use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use super::terminal::Terminal;
use super::{connection, sources};
use crate::engine::catalogue::idle_settings;
use crate::engine::config::{Config, Fault, is_address};
use crate::engine::diagnostic::{Diagnostic, Severity, Source, counted};
use crate::engine::rules::not_disabled;
use crate::shell::plain::plain;
use crate::shell::settings::{Auth, SecretSource};
use crate::shell::{EDIT_ADVICE, Gate, check_login, check_tls, check_web_config, strangers_edit};

/// The file that is read where no flag names another.
pub(super) const DEFAULT_CONFIG: &str = "signalbox.yaml";

/// The configuration file that is meant: the named one, or the default where it is present.
pub(super) fn meant(named: Option<&Path>) -> Option<PathBuf> {
    match named {
        Some(path) => Some(path.to_owned()),
        None => Some(PathBuf::from(DEFAULT_CONFIG)).filter(|path| path.exists()),
    }
}

/// The configuration file's content; the defaults where none is named and none is present. What is wrong is said.
///
/// # Errors
/// A file that cannot be read, or with errors in it.
pub(super) fn read_or_say(named: Option<&Path>, terminal: &mut Terminal) -> anyhow::Result<Config> {
    let Some(path) = meant(named) else { return Ok(Config::default()) };
    let (config, diagnostics) = Config::parse(&sources::read(&path)?);
    said(&path, config, &diagnostics, terminal)
}

/// Where `run` listens where neither flag nor file says so. An image sets `SIGNALBOX_LISTEN_DEFAULT`, which a mounted
/// configuration goes before.
pub(super) fn default_listen() -> String {
    std::env::var("SIGNALBOX_LISTEN_DEFAULT").unwrap_or_else(|_| "127.0.0.1:9469".to_owned())
}

/// The same for `run`, which also needs what the file names to be there.
///
/// # Errors
/// As [`read_or_say`], or something that the file names cannot be used.
pub(super) fn usable_or_say(named: Option<&Path>, terminal: &mut Terminal) -> anyhow::Result<Config> {
    let Some(path) = meant(named) else { return Ok(Config::default()) };
    let (config, diagnostics) = usable(&sources::read(&path)?);
    said(&path, config, &diagnostics, terminal)
}

fn said(
    path: &Path,
    config: Option<Config>,
    diagnostics: &[Diagnostic],
    terminal: &mut Terminal,
) -> anyhow::Result<Config> {
    terminal.say_diagnostics(diagnostics);
    config.with_context(|| {
        let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
        let faults = counted(errors, "error");
        format!(
            "use the configuration: {} has {faults}, shown above; mend it and start again",
            path.display()
        )
    })
}

/// A configuration that `run` can start with, or everything that refuses it.
pub(super) fn usable(source: &Source) -> (Option<Config>, Vec<Diagnostic>) {
    Config::parse_beside(source, &outside_faults)
}

/// The same for `check`, which looks at the rules' paths too: `run` starts as long as one rule file is good.
pub(super) fn checked(source: &Source) -> (Option<Config>, Vec<Diagnostic>) {
    let (config, mut found) = Config::parse_beside(source, &|config| {
        let mut faults = outside_faults(config);
        let unread: Vec<String> = faults.iter().map(|fault| fault.key.clone()).collect();
        faults.extend(unusable_files(config).into_iter().filter(|fault| !unread.contains(&fault.key)));
        faults.extend(open_editor(config));
        let paths = config.rules.iter().flatten().enumerate();
        faults.extend(paths.filter_map(|(place, path)| {
            let error = std::fs::metadata(path).err()?;
            Some(Fault {
                key: format!("rules.{place}"),
                code: "missing-file",
                message: format!("`rules` names {path}: {}", plain(error)),
                advice: "Name files or folders that are there.".to_owned(),
            })
        }));
        faults
    });
    let idle = config.iter().flat_map(|config| idle_settings(source, config)).collect();
    found.append(&mut not_disabled(source, idle));
    (config, found)
}

/// A file as it is for a reload, where it may be away or unreadable.
pub(super) fn reread(path: &Path) -> (Option<Config>, Vec<Diagnostic>) {
    match sources::read(path) {
        Ok(source) => usable(&source),
        Err(error) => (None, vec![unreadable(path, &error)]),
    }
}

/// A file that cannot be read, as a finding.
pub(super) fn unreadable(path: &Path, error: &anyhow::Error) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "unreadable-file",
        source: Source { name: Arc::from(path.display().to_string()), text: Arc::from("") },
        span: 0..0,
        message: format!("cannot {}", plain(error)),
        advice: None,
    }
}

/// An address as it may be written: `HOST:PORT`, `:PORT` for every interface.
pub(super) fn address_text(text: &str) -> String {
    if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() }
}

/// What a configuration names that is not there or cannot be used.
fn outside_faults(config: &Config) -> Vec<Fault> {
    let (nats, alertmanager) = (&config.nats, &config.alertmanager);
    let files = [
        ("nats.creds", &nats.creds),
        ("nats.password_file", &nats.password_file),
        ("nats.token_file", &nats.token_file),
        ("nats.nkey_file", &nats.nkey_file),
        ("nats.tls.ca", &nats.tls.ca),
        ("nats.tls.cert", &nats.tls.cert),
        ("nats.tls.key", &nats.tls.key),
        ("alertmanager.basic_auth.password_file", &alertmanager.basic_auth.password_file),
        ("alertmanager.authorization.credentials_file", &alertmanager.authorization.credentials_file),
        ("alertmanager.tls_config.ca_file", &alertmanager.tls_config.ca_file),
        ("alertmanager.tls_config.cert_file", &alertmanager.tls_config.cert_file),
        ("alertmanager.tls_config.key_file", &alertmanager.tls_config.key_file),
    ];
    let mut faults: Vec<Fault> =
        files.into_iter().filter_map(|(key, path)| missing(key, path.as_deref()?)).collect();
    faults.extend(config.web_config.as_deref().and_then(bad_web_config));
    let addresses = [("listen", config.listen.as_ref()), ("admin_listen", config.admin_listen.as_ref())];
    faults.extend(addresses.into_iter().filter_map(|(key, text)| unknown_host(key, text?)));
    faults
}

/// Files that are there and that the start refuses for what is in them.
fn unusable_files(config: &Config) -> Vec<Fault> {
    let fault = |key: &str, message: String, advice: &str| Fault {
        key: key.to_owned(),
        code: "unusable-file",
        message,
        advice: advice.to_owned(),
    };
    let settings = connection::connection(&config.nats);
    let login = check_login(&settings.auth).err().map(|error| {
        let key = match &settings.auth {
            Auth::CredentialsFile(_) => "nats.creds",
            Auth::Nkey(SecretSource::Given(_)) => "nats.nkey",
            Auth::Nkey(SecretSource::File(_)) => "nats.nkey_file",
            Auth::Token(_) => "nats.token_file",
            Auth::User { .. } | Auth::None => "nats.password_file",
        };
        fault(
            key,
            error.to_string(),
            "Take it from who gave it to you once more; NATS' tools `nsc` and `nk` make them.",
        )
    });
    let tls = &config.nats.tls;
    let named = [("nats.tls.ca", &tls.ca), ("nats.tls.cert", &tls.cert), ("nats.tls.key", &tls.key)];
    // A certificate without its key is said already.
    let is_whole = tls.cert.is_some() == tls.key.is_some();
    let tls = check_tls(&settings.tls).err().filter(|_| is_whole).map(|error| {
        let is_at_fault = |path: &Option<String>| path.is_some() && path.as_deref() == error.file();
        let key = named.iter().find(|(_, path)| is_at_fault(path)).map_or("nats.tls", |(key, _)| key);
        fault(key, error.to_string(), "Name a PEM file that holds what its key says.")
    });
    let is_file = |path: &&String| std::fs::metadata(path).is_ok_and(|found| !found.is_dir());
    let state = config.state_dir.as_ref().filter(is_file).map(|path| {
        fault(
            "state_dir",
            format!("{path} is no folder"),
            "Name one for the state, which is made where it is missing.",
        )
    });
    login.into_iter().chain(tls).chain(state).collect()
}

fn bad_web_config(path: &str) -> Option<Fault> {
    let error = check_web_config(Path::new(path)).err()?;
    Some(Fault {
        key: "web_config".to_owned(),
        code: "bad-web-config",
        message: format!("cannot {}", plain(&error)),
        advice: "Mend it; docs/configuration.md has its keys.".to_owned(),
    })
}

/// Editing on a page that strangers reach, which `run` refuses unless a flag says otherwise.
fn open_editor(config: &Config) -> Option<Fault> {
    if !config.web_edit {
        return None;
    }
    let written =
        config.admin_listen.clone().or_else(|| config.listen.clone()).unwrap_or_else(default_listen);
    let address = address_text(&written).to_socket_addrs().ok()?.next()?;
    let gate = config.web_config.as_deref().and_then(|path| Gate::open(Path::new(path)).ok());
    let message = strangers_edit(address, gate.as_ref())?;
    let advice = format!("Do one of these: {EDIT_ADVICE}.");
    Some(Fault { key: "web_edit".to_owned(), code: "open-editor", message, advice })
}

fn missing(key: &str, path: &str) -> Option<Fault> {
    let error = std::fs::File::open(path).err()?;
    Some(Fault {
        key: key.to_owned(),
        code: "missing-file",
        message: format!("cannot read {path} that `{key}` names: {}", plain(error)),
        advice: "Name a file that is there and that signalbox may read.".to_owned(),
    })
}

fn unknown_host(key: &str, text: &str) -> Option<Fault> {
    // What has not the shape of an address is found with the file.
    let error = Some(text)
        .filter(|text| is_address(text))
        .and_then(|text| address_text(text).to_socket_addrs().err())?;
    Some(Fault {
        key: key.to_owned(),
        code: "bad-address",
        message: format!("no address of `{key}` is known: {}", plain(error)),
        advice: "Write HOST:PORT, for example `127.0.0.1:9469`.".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_named_whose_file_cannot_be_read_however_alike_the_paths_are() {
        let folder = tempfile::tempdir().unwrap();
        let (sound, broken) = (folder.path().join("a.pem"), folder.path().join("a.pem.next"));
        std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/ca.pem"), &sound).unwrap();
        std::fs::write(&broken, "no PEM").unwrap();
        let (sound, broken) = (sound.display().to_string(), broken.display().to_string());
        let keys = |ca: &str, cert: &str, key: &str| {
            let mut config = Config::with_defaults("test");
            let tls = &mut config.nats.tls;
            (tls.ca, tls.cert, tls.key) = (Some(ca.to_owned()), Some(cert.to_owned()), Some(key.to_owned()));
            unusable_files(&config).into_iter().map(|fault| fault.key).collect::<Vec<_>>()
        };
        assert_eq!(keys(&broken, &sound, &sound), ["nats.tls.ca"]);
        assert_eq!(keys(&sound, &broken, &sound), ["nats.tls.cert"]);
        assert_eq!(keys(&sound, &sound, &broken), ["nats.tls.key"]);
    }
}
