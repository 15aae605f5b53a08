//! The file of a checkpoint: what it is, which version, and sections, each with its length and checksum.
//!
//! The first 16 bytes mean the same in every version: magic, version, checksum of both. So a version that is newer than
//! this program is known as that, and a damaged one is not taken for it.

use super::bytes::{Damage, Reader, Twin, Writer};
use super::head::HeadTwin;
use super::history::HistoryTwin;
use super::rules::RulesTwin;
use super::series::{RecentTwin, StoreTwin};
use super::settled::SettledTwin;
use super::share::ShareTwin;
use super::told::ToldTwin;
use super::trackers::TrackersTwin;
use super::unsampled::UnsampledTwin;
use super::window::{DenseWindowTwin, WindowTwin};
use crate::engine::time::Timestamp;

/// How every state begins.
const MAGIC: [u8; 8] = *b"SIGNLBOX";

/// The version of what is written; older ones are read too.
pub(crate) const VERSION: u32 = 4;

/// The version from which on it says which events came to the instance.
const SHARE_SINCE: u32 = 2;

/// The version from which on the duplicate window is written without its free places.
const SPARSE_SINCE: u32 = 3;

/// The version from which on it says which series moved since rules last sampled them.
const UNSAMPLED_SINCE: u32 = 4;

/// The version from which on it says up to where alerts are decided.
const SETTLED_SINCE: u32 = 4;

/// Bytes before the first section.
const HEADER_BYTES: usize = 16;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Section {
    /// What is small.
    Head,
    /// Families, series and values.
    Series,
    /// The last events.
    Recent,
    /// The duplicate window.
    Window,
    /// The trackers.
    Trackers,
    /// Alerts and the outbox.
    Rules,
    /// The past.
    History,
    /// What Alertmanagers were told.
    Told,
    /// Which events came to the instance.
    Share,
    /// Which series moved since they were last sampled.
    Unsampled,
    /// Up to where alerts are decided, as a log told.
    Settled,
}

impl Section {
    /// In the order of the file.
    const ALL: [Self; 11] = [
        Self::Head,
        Self::Series,
        Self::Recent,
        Self::Window,
        Self::Trackers,
        Self::Rules,
        Self::History,
        Self::Told,
        Self::Share,
        Self::Unsampled,
        Self::Settled,
    ];

    /// Whether a file of this version has it.
    fn is_of(self, version: u32) -> bool {
        match self {
            Self::Share => version >= SHARE_SINCE,
            Self::Unsampled => version >= UNSAMPLED_SINCE,
            Self::Settled => version >= SETTLED_SINCE,
            Self::Head
            | Self::Series
            | Self::Recent
            | Self::Window
            | Self::Trackers
            | Self::Rules
            | Self::History
            | Self::Told => true,
        }
    }

    const fn tag(self) -> u32 {
        match self {
            Self::Head => 1,
            Self::Series => 2,
            Self::Recent => 3,
            Self::Window => 4,
            Self::Trackers => 5,
            Self::Rules => 6,
            Self::History => 7,
            Self::Told => 8,
            Self::Share => 9,
            Self::Unsampled => 10,
            Self::Settled => 11,
        }
    }
}

/// The tag after the last section.
const END: u32 = 0;

/// One section of a checkpoint, written when it is asked for.
pub(in crate::engine) trait Part: Send + Sync {
    /// Appends its content.
    fn append(&self, out: &mut Writer);
}

/// A part that is at hand as its twin.
impl<T: Twin + Send + Sync> Part for T {
    fn append(&self, out: &mut Writer) {
        self.write(out);
    }
}

/// Why a file is no state that can be gone on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It does not begin as states do.
    #[error("it is no state of signalbox")]
    Foreign,
    /// A later release wrote it.
    #[error(
        "a newer signalbox wrote it (version {version} of the format, this release reads up to {VERSION})"
    )]
    Newer {
        /// Its version.
        version: u32,
    },
    /// It is not as it was written.
    #[error("it is damaged: {0}")]
    Damaged(#[from] Damage),
}

pub(super) fn header() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// Bytes of a section before its content.
const FRAME_BYTES: usize = 12;

pub(super) fn framed(section: Section, part: &dyn Part) -> Vec<u8> {
    frame(section.tag(), |out| part.append(out))
}

pub(super) fn end() -> Vec<u8> {
    frame(END, |_| {})
}

/// A section with its content, which is written where it stays.
fn frame(tag: u32, content: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut out = Writer::default();
    out.raw(&tag.to_le_bytes());
    out.raw(&[0; 8]);
    content(&mut out);
    let mut bytes = out.finish();
    let len = bytes.len() - FRAME_BYTES;
    if let Some(place) = bytes.get_mut(FRAME_BYTES - 8..FRAME_BYTES) {
        place.copy_from_slice(&(len as u64).to_le_bytes());
    }
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// What a file held.
#[derive(Debug, PartialEq)]
pub struct SavedState {
    pub(in crate::engine) head: HeadTwin,
    pub(in crate::engine) series: StoreTwin,
    pub(in crate::engine) recent: RecentTwin,
    pub(in crate::engine) window: WindowTwin,
    pub(in crate::engine) trackers: TrackersTwin,
    pub(in crate::engine) rules: RulesTwin,
    pub(in crate::engine) history: HistoryTwin,
    pub(in crate::engine) told: ToldTwin,
    pub(in crate::engine) share: ShareTwin,
    pub(in crate::engine) unsampled: UnsampledTwin,
    pub(in crate::engine) settled: SettledTwin,
}

impl SavedState {
    /// The instant it is of.
    pub(crate) const fn saved_at(&self) -> Timestamp {
        self.head.now
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is no state, a newer one, or not as it was written.
    pub fn read(bytes: &[u8]) -> Result<Self, StateError> {
        let mut from = Reader::new(bytes);
        let version = read_header(&mut from)?;
        let mut sections = Vec::with_capacity(Section::ALL.len());
        for section in Section::ALL.into_iter().filter(|section| section.is_of(version)) {
            sections.push(unframed(&mut from, section.tag())?);
        }
        unframed(&mut from, END)?;
        from.end()?;
        let mut sections = sections.into_iter();
        Ok(Self {
            head: whole(sections.next())?,
            series: whole(sections.next())?,
            recent: whole(sections.next())?,
            window: if version < SPARSE_SINCE {
                whole::<DenseWindowTwin>(sections.next())?.into()
            } else {
                whole(sections.next())?
            },
            trackers: whole(sections.next())?,
            rules: whole(sections.next())?,
            history: whole(sections.next())?,
            told: whole(sections.next())?,
            // Before instances could share the work everything came to one.
            share: later(sections.next())?,
            unsampled: later(sections.next())?,
            settled: later(sections.next())?,
        })
    }
}

fn read_header(from: &mut Reader<'_>) -> Result<u32, StateError> {
    let magic: [u8; 8] = from.array().map_err(|_| StateError::Foreign)?;
    if magic != MAGIC {
        return Err(StateError::Foreign);
    }
    let (version, checksum) = (from.array::<4>()?, u32::from_le_bytes(from.array()?));
    let mut header = Vec::from(magic);
    header.extend_from_slice(&version);
    if crc32fast::hash(&header) != checksum {
        return Err(Damage("its beginning does not match its checksum").into());
    }
    match u32::from_le_bytes(version) {
        newer if newer > VERSION => Err(StateError::Newer { version: newer }),
        0 => Err(Damage("it has no version").into()),
        known => Ok(known),
    }
}

/// The content of the next section, which is to have this tag.
fn unframed<'a>(from: &mut Reader<'a>, tag: u32) -> Result<&'a [u8], Damage> {
    let mut again = from.clone();
    let (found, len) = (u32::from_le_bytes(from.array()?), u64::from_le_bytes(from.array()?));
    let len = usize::try_from(len).map_err(|_| Damage("a section is longer than what is left"))?;
    let content = from.raw(len)?;
    let framed = again.raw(len.saturating_add(FRAME_BYTES))?;
    if crc32fast::hash(framed) != u32::from_le_bytes(from.array()?) {
        return Err(Damage("a section does not match its checksum"));
    }
    if found == tag { Ok(content) } else { Err(Damage("a section is not where it should be")) }
}

/// A section that earlier versions do not have.
fn later<T: Twin + Default>(content: Option<&[u8]>) -> Result<T, Damage> {
    content.map_or_else(|| Ok(T::default()), |content| whole(Some(content)))
}

fn whole<T: Twin>(content: Option<&[u8]>) -> Result<T, Damage> {
    let mut from = Reader::new(content.unwrap_or_default());
    let twin = T::read(&mut from)?;
    from.end()?;
    Ok(twin)
}
