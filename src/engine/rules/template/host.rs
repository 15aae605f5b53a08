//! Hosts, ports and URLs as Go's `net` and `net/url` take them apart.

use std::net::IpAddr;

/// Go's `net.SplitHostPort`; none where it refuses.
fn split(address: &str) -> Option<(&str, &str)> {
    let (host, port) = address.rsplit_once(':')?;
    if let Some(inner) = address.strip_prefix('[') {
        let (inner, behind) = inner.split_once(']')?;
        let port = behind.strip_prefix(':')?;
        return (!port.contains(['[', ']', ':']) && !inner.contains('[')).then_some((inner, port));
    }
    (!host.contains([':', '[', ']']) && !port.contains(['[', ']'])).then_some((host, port))
}

/// `stripPort`
pub(super) fn without_port(address: &str) -> &str {
    split(address).map_or(address, |(host, _)| host)
}

/// `stripDomain`: addresses of numbers stay.
pub(super) fn without_domain(address: &str) -> String {
    let (host, port) = split(address).unwrap_or((address, ""));
    if host.parse::<IpAddr>().is_ok() {
        return address.to_owned();
    }
    let name = host.split('.').next().unwrap_or(host);
    if port.is_empty() { name.to_owned() } else { format!("{name}:{port}") }
}

/// The path of a URL.
pub(super) fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("");
    path.split(['?', '#']).next().unwrap_or(path).trim_end_matches('/')
}
