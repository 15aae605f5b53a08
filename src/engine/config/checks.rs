//! What one value alone cannot tell: addresses, URLs, keys that need or exclude each other.

use super::http_url::HttpUrl;
use super::server_url::{ServerUrl, split_urls};
use super::{Config, PartitionConfig};
use crate::engine::wire::Subjects;
use crate::engine::yaml::{Findings, Read, ReadValue, Values};

/// Elements of `metrics`, and globs of `stale_after`: each new metric is held against all of them.
const PATTERNS_MAX: usize = 1_000;

/// Bytes of `subjects.prefix`; servers advise against subjects of more than 256.
const PREFIX_BYTES_MAX: usize = 200;

/// Tokens behind the event type; for each a server is asked for one more subject of every type.
const TOKENS_MAX: usize = 4;

/// Parts that keys are parted into.
pub(crate) const PARTS_MAX: usize = 256;

/// Ids of events that are remembered: room for them is made at once.
pub(crate) const IDS_MAX: usize = 100_000_000;

/// Threads that answer queries.
const QUERY_THREADS_MAX: usize = 256;

/// Bytes of a glob.
const GLOB_BYTES_MAX: usize = 1_024;

/// Bounds of one histogram, of which every series has a cell.
const BUCKETS_MAX: usize = 1_000;

/// Notes everything that is wrong though each value is of its kind.
pub(super) fn check(config: &Config, top: &Values, findings: &mut Findings<'_>) {
    addresses(top, findings);
    namespace(top, findings);
    subjects(&top.section("subjects"), findings);
    partition(config, &top.section("partition"), findings);
    lanes(config, top, findings);
    nats(&top.section("nats"), findings);
    alertmanager(&top.section("alertmanager"), findings);
    super::pair::check(config, top, findings);
    super::nats_names::check(top, findings);
    history(config, &top.section("history"), findings);
    sizes(top, findings);
    counts(config, top, findings);
    for element in top.list("metrics") {
        metric(element, findings);
    }
    transforms(top.list("transforms"), findings);
}

/// Notes what has so many parts, or so long ones, that work would not be bounded.
fn sizes(top: &Values, findings: &mut Findings<'_>) {
    let globs = top.find("stale_after").and_then(|read| {
        if let ReadValue::Map(entries) = &read.value { Some((read, entries.as_slice())) } else { None }
    });
    let of_metrics = top.find("metrics").map(|read| ("metrics", read, top.list("metrics").len()));
    let of_globs = globs.map(|(read, entries)| ("stale_after", read, entries.len()));
    for (name, read, count) in of_metrics.into_iter().chain(of_globs) {
        if count > PATTERNS_MAX {
            let message = format!("`{name}` has {count} elements, at most {PATTERNS_MAX} are read");
            findings.error("out-of-range", &read.span, message).advise("Let one glob stand for many names.");
        }
    }
    let keys =
        globs.into_iter().flat_map(|(_, entries)| entries).map(|(key, read)| (key.as_str(), &read.span));
    let matches = top.list("metrics").iter().map(Values::of);
    let patterns: Vec<_> = matches.filter_map(|values| values.written("match").cloned()).collect();
    let patterns = patterns.iter().map(|text| (text.content.as_str(), &text.span));
    for (_, span) in keys.chain(patterns).filter(|(glob, _)| glob.len() > GLOB_BYTES_MAX) {
        let message = format!("a glob of more than {GLOB_BYTES_MAX} bytes");
        findings.error("out-of-range", span, message).advise("No name is as long: shorten it.");
    }
}

/// Notes counts for which room is made at the start.
fn counts(config: &Config, top: &Values, findings: &mut Findings<'_>) {
    let counts = [
        ("dedupe", "entries", config.dedupe.entries, IDS_MAX),
        ("query", "threads", config.query.threads, QUERY_THREADS_MAX),
    ];
    for (section, key, count, most) in counts {
        if let Some(read) = top.section(section).find(key).filter(|_| count > most) {
            let message = format!("`{section}.{key}` is {count}, at most {most} is taken");
            findings.error("out-of-range", &read.span, message);
        }
    }
}

fn addresses(top: &Values, findings: &mut Findings<'_>) {
    for key in ["listen", "admin_listen"] {
        if let Some(text) = top.written(key).filter(|text| !is_address(&text.content)) {
            let message = format!("`{key}` is `{}`, which is no address", text.content);
            findings
                .error("bad-address", &text.span, message)
                .advise("Write HOST:PORT, for example `127.0.0.1:9469`, or `:9469` for every interface.");
        }
    }
}

fn namespace(top: &Values, findings: &mut Findings<'_>) {
    let Some(name) = top.written("namespace") else { return };
    let valid = name.content.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.content.starts_with(|first: char| first.is_ascii_digit());
    if !valid {
        let message = format!("`namespace` is `{}`, which cannot begin a metric name", name.content);
        findings
            .error("bad-name", &name.span, message)
            .advise("Use letters, digits and `_`, not beginning with a digit.");
    }
}

fn subjects(section: &Values, findings: &mut Findings<'_>) {
    if let Some(prefix) = section.written("prefix").filter(|prefix| {
        prefix.content.len() > PREFIX_BYTES_MAX || Subjects::below(&prefix.content).is_none()
    }) {
        let message = format!("`subjects.prefix` is `{}`, which no subject can begin with", prefix.content);
        findings
            .error("bad-subject", &prefix.span, message)
            .advise("Write tokens joined by dots, without blanks, `*` and `>`, for example `events` or `acme.events`.");
    }
    tokens(section.list("tokens"), findings);
}

fn tokens(elements: &[Read], findings: &mut Findings<'_>) {
    if let Some(over) = elements.get(TOKENS_MAX) {
        let message =
            format!("`subjects.tokens` has {} elements, at most {TOKENS_MAX} are read", elements.len());
        findings.error("out-of-range", &over.span, message);
    }
    let mut known: Vec<(&str, String)> = Vec::new();
    for read in elements {
        let values = Values::of(read);
        if values.text("name").is_none_or(|name| name.is_empty()) {
            findings
                .error("incomplete", &read.span, "an element of `subjects.tokens` without `name`")
                .advise("Say what the token is, for example `name: tenant`.");
        }
        for key in ["name", "label"] {
            let Some(text) = values.written(key) else { continue };
            if key == "label" && !is_label(&text.content) {
                let message = format!("`label` is `{}`, which no label can be called", text.content);
                findings
                    .error("bad-name", &text.span, message)
                    .advise("Use letters, digits and `_`, not beginning with a digit or `__`; `le` and `quantile` are taken.");
            }
            let entry = (key, text.content.clone());
            if known.contains(&entry) {
                let message = format!("two tokens have the {key} `{}`", text.content);
                findings.error("contradiction", &text.span, message).advise("Give each its own.");
            }
            known.push(entry);
        }
    }
}

pub(super) fn is_label(name: &str) -> bool {
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    fits && begins && !name.starts_with("__") && !["le", "quantile"].contains(&name)
}

fn partition(config: &Config, section: &Values, findings: &mut Findings<'_>) {
    let PartitionConfig { count, index, token } = &config.partition;
    if let Some(read) = section.find("count").filter(|_| *count > PARTS_MAX) {
        let message = format!("`partition.count` is {count}, at most {PARTS_MAX} parts are read");
        findings.error("out-of-range", &read.span, message);
    }
    if let Some(read) = section.find("index").filter(|_| index >= count) {
        findings
            .error("out-of-range", &read.span, format!("`partition.index` is {index} of {count} parts"))
            .advise("Parts are counted from 0: the last of four is 3.");
    }
    let names = config.subjects.tokens.iter().map(|token| token.name.as_str());
    let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    if *count > 1 && !names.is_empty() && !names.contains(&token.as_str()) {
        let place = section.find("token").or_else(|| section.find("count"));
        let span = place.map_or(0..0, |read| read.span.clone());
        findings
            .error("unknown-word", &span, format!("`subjects.tokens` has no token `{token}` to part by"))
            .advise(format!("Name one of them as `partition.token`: {}.", names.join(", ")));
    }
}

fn lanes(config: &Config, top: &Values, findings: &mut Findings<'_>) {
    if let Some(read) = top.find("lanes").filter(|_| config.lanes.by_type().is_empty()) {
        findings
            .error("contradiction", &read.span, "`lanes` turns every event type off")
            .advise("Leave on what this instance is to read.");
    }
}

fn nats(section: &Values, findings: &mut Findings<'_>) {
    for text in section.list("url").iter().filter_map(Read::written) {
        if split_urls(&text.content).next().is_none() {
            findings
                .error("bad-url", &text.span, "the server URL is empty")
                .advise("Write for example `nats://127.0.0.1:4222`.");
        }
        for url in split_urls(&text.content) {
            if let Err(fault) = ServerUrl::parse(url) {
                findings
                    .error("bad-url", &text.span, format!("the server URL {fault}"))
                    .advise("Write for example `nats://127.0.0.1:4222`.");
            }
        }
    }
    for [inline, file] in [["password", "password_file"], ["token", "token_file"], ["nkey", "nkey_file"]] {
        if let (Some(_), Some(read)) = (section.find(inline), section.find(file)) {
            findings
                .error("contradiction", &read.span, format!("both `{inline}` and `{file}` are given"))
                .advise("Keep one of them.");
        }
    }
    logins(section, findings);
    let tls = section.section("tls");
    if let (Some(alone), None) | (None, Some(alone)) = (tls.find("cert"), tls.find("key")) {
        let message = "`nats.tls` has a client certificate without its key, or a key alone";
        findings.error("incomplete", &alone.span, message).advise("Give both `cert` and `key`, or neither.");
    }
}

/// A user without a password, a password without a user, and two ways to sign in.
fn logins(section: &Values, findings: &mut Findings<'_>) {
    let given = |names: &[&str]| {
        names.iter().find_map(|name| Some((name.to_owned().to_owned(), section.find(name)?)))
    };
    let (user, password) = (given(&["user"]), given(&["password", "password_file"]));
    if let (Some((name, read)), None) | (None, Some((name, read))) = (&user, &password) {
        let other = if name == "user" { "password" } else { "user" };
        let message = format!("`nats.{name}` is given without `nats.{other}`");
        findings.error("incomplete", &read.span, message).advise("Give both, or neither.");
    }
    let ways = [user, given(&["token", "token_file"]), given(&["creds"]), given(&["nkey", "nkey_file"])];
    let mut ways = ways.into_iter().flatten();
    if let Some((first, _)) = ways.next() {
        for (other, read) in ways {
            let message = format!("`nats.{other}` is given beside `nats.{first}`");
            findings
                .error("contradiction", &read.span, message)
                .advise("There is one way to sign in: keep one of them.");
        }
    }
}

fn alertmanager(section: &Values, findings: &mut Findings<'_>) {
    for text in section.list("urls").iter().filter_map(Read::written) {
        if let Err(fault) = HttpUrl::parse(&text.content) {
            findings
                .error("bad-url", &text.span, format!("the URL {fault}"))
                .advise("Write for example `http://127.0.0.1:9093`; who signs in, `basic_auth` and `authorization` say.");
        }
    }
    let (basic, authorization) = (section.section("basic_auth"), section.section("authorization"));
    let tls = section.section("tls_config");
    for (values, [inline, file]) in
        [(&basic, ["password", "password_file"]), (&authorization, ["credentials", "credentials_file"])]
    {
        if let (Some(_), Some(read)) = (values.find(inline), values.find(file)) {
            findings
                .error("contradiction", &read.span, format!("both `{inline}` and `{file}` are given"))
                .advise("Keep one of them.");
        }
    }
    if let (Some(_), Some(read)) = (section.find("basic_auth"), section.find("authorization")) {
        findings
            .error("contradiction", &read.span, "both `basic_auth` and `authorization` are given")
            .advise("There is one way to sign in: keep one of them.");
    }
    if let (Some(read), None) = (section.find("basic_auth"), basic.find("username")) {
        findings
            .error("incomplete", &read.span, "`alertmanager.basic_auth` has no `username`")
            .advise("Add the name that the password is for.");
    }
    if let (Some(alone), None) | (None, Some(alone)) = (tls.find("cert_file"), tls.find("key_file")) {
        let message = "`alertmanager.tls_config` has a client certificate without its key, or a key alone";
        findings
            .error("incomplete", &alone.span, message)
            .advise("Give both `cert_file` and `key_file`, or neither.");
    }
}

fn history(config: &Config, section: &Values, findings: &mut Findings<'_>) {
    if config.history.window < config.history.step
        && let Some(read) = section.find("window").or_else(|| section.find("step"))
    {
        findings
            .error("out-of-range", &read.span, "`history.window` is shorter than `history.step`")
            .advise("Keep at least a few steps, for example `window: 1h` with `step: 5s`.");
    }
}

fn metric(read: &Read, findings: &mut Findings<'_>) {
    let values = Values::of(read);
    if values.written("match").is_none_or(|pattern| pattern.content.is_empty()) {
        findings
            .error("incomplete", &read.span, "an element of `metrics` without `match`")
            .advise("Say which names it is for, for example `match: db_*`.");
    }
    let Some(Read { span, value: ReadValue::List(elements) }) = values.find("buckets") else { return };
    if elements.is_empty() {
        findings
            .error("bad-buckets", span, "`buckets` is empty")
            .advise("Give at least one bound, or leave the key out for the defaults.");
    }
    if elements.len() > BUCKETS_MAX {
        let message = format!("`buckets` has {} bounds, at most {BUCKETS_MAX} are read", elements.len());
        findings
            .error("bad-buckets", span, message)
            .advise("A dozen bounds tell most of what a thousand do.");
    }
    let mut last = f64::NEG_INFINITY;
    for element in elements {
        let ReadValue::Number(bound) = element.value else { continue };
        if bound <= last {
            findings
                .error("bad-buckets", &element.span, format!("the bucket bound {bound} does not rise"))
                .advise("List every bound once, smallest first.");
        }
        last = bound;
    }
}

fn transforms(elements: &[Read], findings: &mut Findings<'_>) {
    let mut known: Vec<(String, u64)> = Vec::new();
    for read in elements {
        let values = Values::of(read);
        let (Some(event_type), Some(major)) = (values.text("event_type"), values.count("major")) else {
            findings
                .error("incomplete", &read.span, "a transform without `event_type` or `major`")
                .advise("Say which type and which major version it reads.");
            continue;
        };
        let transform = (event_type, major);
        let fault = if major == 1 {
            Some("major version 1 is read as it is")
        } else {
            known.contains(&transform).then_some("there is already a transform for this type and version")
        };
        if let Some(fault) = fault {
            findings.error("contradiction", &read.span, fault).advise("Take this transform out.");
        }
        known.push(transform);
    }
}

/// Whether a text has the shape of an address to listen at: `HOST:PORT`, or `:PORT` for every interface.
pub(crate) fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && !host.contains(char::is_whitespace) && !host.contains('/')
    })
}
