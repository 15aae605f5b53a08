//! Where the page shows a rule: `generator_url` of alert events and `generatorURL` at an Alertmanager.

use std::fmt::{self, Write};

/// The address of an alerting rule's page below `external_url`; none where that is empty.
pub(crate) fn rule_url(external_url: &str, rule_id: &str) -> Option<String> {
    if external_url.is_empty() {
        return None;
    }
    let mut url = format!("{}/rules/", external_url.trim_end_matches('/'));
    // Writing into a string does not fail.
    let _ = write_segment(&mut url, rule_id);
    Some(url)
}

/// Writes a text as one segment of a path, or one value of a query string (RFC 3986; a dot is escaped too, so that no
/// segment is `.` or `..`).
///
/// # Errors
/// What `out` gives.
pub(crate) fn write_segment(out: &mut dyn Write, text: &str) -> fmt::Result {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            out.write_char(char::from(byte))?;
        } else {
            write!(out, "%{byte:02X}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_one_segment_below_the_external_url() {
        let cases = [
            ("", "a", None),
            ("http://box:9469", "queue-backlog", Some("http://box:9469/rules/queue-backlog")),
            ("http://box/prefix/", "../ä b", Some("http://box/prefix/rules/%2E%2E%2F%C3%A4%20b")),
        ];
        for (base, id, wanted) in cases {
            assert_eq!(rule_url(base, id).as_deref(), wanted);
        }
    }
}
