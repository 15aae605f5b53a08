//! The walk over families, pages and rows that fills one chunk after another.

use std::sync::Arc;

use super::escape::{Rewritten, rewrite, rewritten};
use super::format::{Escaping, ScrapeFormat, Syntax};
use super::plan::{Planned, plan};
use super::protobuf::{Messages, push_varint};
use super::text::Lines;
use super::{FrozenMetrics, Scrape, Source, Written};
use crate::engine::series::recent::FrozenEvents;
use crate::engine::series::{Frozen, FrozenFamily};

/// A chunk is full from here on; it may be longer by one series.
const CHUNK_BYTES: usize = 160 << 10;

/// A protobuf family up to this long is encoded once and held; a longer one is measured first.
const HELD_BYTES_MAX: usize = 256 << 10;

/// An answer to a scrape, chunk by chunk.
#[derive(Debug)]
pub struct Chunks {
    frozen: Arc<Frozen>,
    events: FrozenEvents,
    format: ScrapeFormat,
    planned: std::vec::IntoIter<Planned>,
    current: Option<Current>,
    labels: String,
    is_ended: bool,
}

/// The family being written, and how far it is.
#[derive(Debug)]
struct Current {
    planned: Planned,
    writer: Writer,
    page: usize,
    row: usize,
}

#[derive(Debug)]
enum Writer {
    Lines(Box<Lines>),
    Messages(Box<Messages>),
}

impl Writer {
    /// Forgets what it knows of a page: another follows.
    fn begin_page(&mut self) {
        match self {
            Self::Lines(lines) => lines.begin_page(),
            Self::Messages(messages) => messages.begin_page(),
        }
    }

    #[inline]
    fn push(&mut self, source: &Source<'_>, series: &Written<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Lines(lines) => lines.push(source, series, out),
            Self::Messages(messages) => messages.push(source, series, out),
        }
    }
}

impl FrozenMetrics {
    /// The answer to a scrape, in chunks.
    pub fn write(self, scrape: Scrape) -> Chunks {
        let (Self { frozen, events }, Scrape { format, names }) = (self, scrape);
        let planned = plan(&frozen, &names, format.syntax).into_iter();
        Chunks { frozen, events, format, planned, current: None, labels: String::new(), is_ended: false }
    }
}

impl Chunks {
    /// Appends the next chunk to `out` and says whether there was one.
    pub fn fill(&mut self, out: &mut Vec<u8>) -> Filled {
        if self.is_ended {
            return Filled::End;
        }
        let full = out.len() + CHUNK_BYTES;
        while out.len() < full {
            if let Some(mut current) = self.current.take() {
                let walk = Walk::new(&self.frozen, &self.events, current.planned, self.format.escaping());
                let progress = walk.map(|walk| walk.push(&mut current, &mut self.labels, full, out));
                self.current = (progress == Some(Progress::Full)).then_some(current);
            } else if let Some(planned) = self.planned.next() {
                self.current = self.begin(planned, out);
            } else {
                self.is_ended = true;
                if matches!(self.format.syntax, Syntax::OpenMetrics | Syntax::OpenMetrics0) {
                    out.extend_from_slice(b"# EOF\n");
                }
                break;
            }
        }
        Filled::Chunk
    }

    /// Writes what stands before a family's series; a short protobuf family is written whole.
    fn begin(&mut self, planned: Planned, out: &mut Vec<u8>) -> Option<Current> {
        let Self { frozen, events, format, labels, .. } = self;
        let walk = Walk::new(frozen, events, planned, format.escaping())?;
        let what = (planned.parts, planned.header);
        let start = |writer| Current { planned, writer, page: 0, row: 0 };
        if format.syntax != Syntax::Protobuf {
            let lines = Lines::begin(walk.family.spec(), *format, what, out);
            return Some(start(Writer::Lines(Box::new(lines))));
        }
        let messages = || Messages::new(walk.family.spec(), what);
        let mut held = Vec::new();
        messages().push_family(walk.family.spec(), format.escaping(), &mut held);
        let family_bytes = held.len();
        let mut measured = start(Writer::Messages(Box::new(messages())));
        if walk.push(&mut measured, labels, HELD_BYTES_MAX, &mut held) == Progress::Done {
            push_varint(held.len() as u64, out);
            out.append(&mut held);
            return None;
        }
        let mut bytes = held.len();
        let mut progress = Progress::Full;
        let family_fields = held.get(..family_bytes).map(<[u8]>::to_vec).unwrap_or_default();
        while progress == Progress::Full {
            held.clear();
            progress = walk.push(&mut measured, labels, CHUNK_BYTES, &mut held);
            bytes += held.len();
        }
        push_varint(bytes as u64, out);
        out.extend_from_slice(&family_fields);
        Some(start(Writer::Messages(Box::new(messages()))))
    }
}

impl Iterator for Chunks {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + (CHUNK_BYTES >> 3));
        (self.fill(&mut chunk) == Filled::Chunk).then_some(chunk)
    }
}

/// Whether there was another chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// There was.
    Chunk,
    /// Everything was written before.
    End,
}

/// How far a walk over a family's series came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// There is no room for more.
    Full,
    /// Every series is written.
    Done,
}

/// A family and where its values are read.
#[derive(Clone, Copy, Debug)]
struct Walk<'a> {
    source: Source<'a>,
    family: &'a FrozenFamily,
    escaping: Escaping,
}

impl<'a> Walk<'a> {
    fn new(
        frozen: &'a Frozen,
        events: &'a FrozenEvents,
        planned: Planned,
        escaping: Escaping,
    ) -> Option<Self> {
        let family = frozen.families().get(planned.family)?;
        Some(Self { source: Source { frozen, events }, family, escaping })
    }

    /// Writes series until `out` is `full` bytes long or none is left.
    fn push(&self, current: &mut Current, labels: &mut String, full: usize, out: &mut Vec<u8>) -> Progress {
        while let Some(page) = self.family.pages().get(current.page) {
            let is_rewritten = match rewritten(self.escaping) {
                Rewritten::Nothing => false,
                Rewritten::Unusual => page.is_unusual(),
                Rewritten::Everything => true,
            };
            current.writer.begin_page();
            for (place, row) in page.shown(current.row) {
                current.row = place + 1;
                let mut series = Written { page, row, spelled: None };
                if is_rewritten {
                    rewrite(&page.text(row), self.escaping, labels);
                    series.spelled = Some(labels);
                }
                current.writer.push(&self.source, &series, out);
                if out.len() >= full {
                    return Progress::Full;
                }
            }
            current.page += 1;
            current.row = 0;
        }
        Progress::Done
    }
}
