//! The headers of a NATS message that say something about its event.

/// The headers that are looked at, each as its first value; absent where there is none or it is empty.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Headers<'a> {
    /// `Event-Type`.
    pub(super) event_type: Option<&'a str>,
    /// `traceparent`.
    pub(super) traceparent: Option<&'a str>,
    /// `content-type`.
    pub(super) content_type: Option<&'a str>,
    /// `ce-specversion`.
    pub(super) cloud_specversion: Option<&'a str>,
    /// `ce-id`.
    pub(super) cloud_id: Option<&'a str>,
    /// `ce-source`.
    pub(super) cloud_source: Option<&'a str>,
    /// `ce-type`.
    pub(super) cloud_type: Option<&'a str>,
    /// `ce-time`.
    pub(super) cloud_time: Option<&'a str>,
    /// `ce-traceparent`.
    pub(super) cloud_traceparent: Option<&'a str>,
    found: bool,
}

impl<'a> Headers<'a> {
    /// Reads a raw block: a line `NATS/1.0` (a status may follow), then `Name: value` lines up to an empty one. `None`
    /// where none of them is looked at; a block that cannot be read counts as none.
    pub(super) fn read(block: &'a [u8]) -> Option<Self> {
        Self::read_block(block).filter(|headers| headers.found)
    }

    fn read_block(block: &'a [u8]) -> Option<Self> {
        let mut lines =
            std::str::from_utf8(block).ok()?.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let status = lines.next()?.strip_prefix("NATS/1.0")?;
        if !(status.is_empty() || status.starts_with(' ')) {
            return None;
        }
        let mut headers = Self::default();
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            if name.is_empty() || name.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
                return None;
            }
            headers.keep(name, value.trim());
        }
        Some(headers)
    }

    fn keep(&mut self, name: &str, value: &'a str) {
        // Most messages carry headers of JetStream alone, which begin with none of these letters.
        if value.is_empty()
            || !matches!(name.as_bytes().first(), Some(b'c' | b'C' | b'e' | b'E' | b't' | b'T'))
        {
            return;
        }
        let places = [
            ("event-type", &mut self.event_type),
            ("traceparent", &mut self.traceparent),
            ("content-type", &mut self.content_type),
            ("ce-specversion", &mut self.cloud_specversion),
            ("ce-id", &mut self.cloud_id),
            ("ce-source", &mut self.cloud_source),
            ("ce-type", &mut self.cloud_type),
            ("ce-time", &mut self.cloud_time),
            ("ce-traceparent", &mut self.cloud_traceparent),
        ];
        for (known, place) in places {
            if place.is_none() && name.eq_ignore_ascii_case(known) {
                *place = Some(value);
                self.found = true;
            }
        }
    }
}

/// Whether a block is that of a message by which a server marks that one of a stream is gone.
pub(super) fn is_marker(block: &[u8]) -> bool {
    const NAMES: [&str; 2] = ["Nats-Marker-Reason", "KV-Operation"];
    let Ok(text) = std::str::from_utf8(block) else { return false };
    let names = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name);
    names.into_iter().any(|name| NAMES.iter().any(|marker| name.eq_ignore_ascii_case(marker)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_the_first_value_holds() {
        let block = b"NATS/1.0\r\nNats-Msg-Id: 7\r\nEVENT-TYPE:  JobQueued \r\nevent-type: Other\r\nCe-Id: a:b\r\n\r\nce-type: x";
        let headers = Headers::read(block).unwrap();
        assert_eq!(
            (headers.event_type, headers.cloud_id, headers.cloud_type),
            (Some("JobQueued"), Some("a:b"), None)
        );
    }

    #[test]
    fn a_block_that_cannot_be_read_counts_as_none() {
        let blocks: [&[u8]; 7] = [
            b"",
            b"Event-Type: JobQueued\r\n\r\n",
            b"NATS/1.0x\r\nEvent-Type: JobQueued\r\n\r\n",
            b"NATS/1.0\r\nEvent-Type: JobQueued\r\nno colon\r\n\r\n",
            b"NATS/1.0\r\nEvent-Type: JobQueued\r\n: no name\r\n\r\n",
            b"NATS/1.0\r\nEvent-Type: JobQueued\r\nbad name: x\r\n\r\n",
            b"NATS/1.0\r\nEvent-Type: JobQueued\r\nx: \xff\r\n\r\n",
        ];
        for block in blocks {
            assert!(Headers::read(block).is_none(), "{}", block.escape_ascii());
        }
        assert!(Headers::read(b"NATS/1.0\r\nNats-Msg-Id: 7\r\nCe-Id:\r\n\r\n").is_none());
    }
}
