//! Case files, and the texts in them made whole.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One class.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cases {
    /// The class in a few words, for readers.
    #[serde(rename = "class")]
    pub(crate) _class: String,
    /// Its cases.
    pub(crate) cases: Vec<Case>,
}

/// One case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// What is bad, in words.
    pub(crate) name: String,
    /// By which lane; each in turn where it is left out.
    lane: Option<Lane>,
    /// What is sent.
    pub(crate) send: Vec<Sent>,
    /// What each received event counts as, in order.
    pub(crate) expect: Vec<Expected>,
    /// Samples as they must be afterwards; null for none.
    #[serde(default)]
    pub(crate) samples: BTreeMap<String, Option<Number>>,
    /// Sums over all series of a sample name.
    #[serde(default)]
    pub(crate) sums: BTreeMap<String, f64>,
    /// The most series of a sample name.
    #[serde(default)]
    pub(crate) series_max: BTreeMap<String, usize>,
    /// Sample names that may move beside.
    #[serde(default)]
    pub(crate) moves: Vec<String>,
    /// Words that must stand in one log line.
    #[serde(default)]
    pub(crate) log: Vec<Vec<String>>,
}

/// One message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sent {
    /// Where to; a type of the lane where it is left out.
    pub(crate) subject: Option<String>,
    /// The raw header block.
    pub(crate) headers: Option<Parts>,
    /// The payload.
    pub(crate) payload: Parts,
}

/// A text, or pieces of one.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Parts {
    One(String),
    Several(Vec<Part>),
}

/// A piece.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Part {
    Text(String),
    Repeat {
        repeat: String,
        times: usize,
        #[serde(default)]
        between: String,
    },
    Hex {
        hex: String,
    },
    /// So many of this byte that the whole has this many.
    Fill {
        fill: String,
        total: usize,
    },
}

/// What events count as.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Expected {
    One(String),
    Times { each: String, times: usize },
}

impl Expected {
    pub(crate) fn events(&self, lane: Lane) -> Vec<String> {
        let (event, times) = match self {
            Self::One(event) => (event, 1),
            Self::Times { each, times } => (each, *times),
        };
        vec![event.replace("${good}", lane.good_type()); times]
    }
}

/// A sample's value.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Number {
    Finite(f64),
    Text(String),
}

impl Number {
    pub(crate) fn is(&self, shown: &str) -> bool {
        match self {
            Self::Finite(value) => shown.parse() == Ok(*value),
            Self::Text(text) => shown == text,
        }
    }
}

/// A lane, and what is used of it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Lane {
    Core,
    Jetstream,
}

impl Case {
    pub(crate) fn lanes(&self) -> Vec<Lane> {
        self.lane.map_or(vec![Lane::Core, Lane::Jetstream], |lane| vec![lane])
    }
}

impl Lane {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Jetstream => "jetstream",
        }
    }

    pub(crate) fn subject(self) -> &'static str {
        match self {
            Self::Core => "events.monitoring.MetricRecorded",
            Self::Jetstream => "events.monitoring.DashboardGenerated",
        }
    }

    pub(crate) fn good_type(self) -> &'static str {
        match self {
            Self::Core => "MetricRecorded",
            Self::Jetstream => "DashboardGenerated",
        }
    }

    pub(crate) fn sentinel_type(self) -> &'static str {
        match self {
            Self::Core => "ProgressUpdated",
            Self::Jetstream => "IndexCreated",
        }
    }

    /// What good events and sentinels move.
    pub(crate) fn moving(self) -> &'static [&'static str] {
        match self {
            Self::Core => &["good_total", "processing_progress_updates_total{status=\"completed\"}"],
            Self::Jetstream => {
                &["dashboards_generated_total", "db_indexes_created_total{table=\"sentinel\"}"]
            }
        }
    }
}

/// Makes texts whole for one run of a case.
pub(crate) struct Expander {
    number: u32,
    lane: Lane,
    tags: Vec<String>,
}

impl Expander {
    pub(crate) fn new(number: u32, lane: Lane) -> Self {
        Self { number, lane, tags: Vec::new() }
    }

    pub(crate) fn bytes(&mut self, parts: &Parts) -> Vec<u8> {
        let parts = match parts {
            Parts::One(text) => return self.text(text).into_bytes(),
            Parts::Several(parts) => parts,
        };
        let mut bytes = Vec::new();
        let mut filled = None;
        for part in parts {
            match part {
                Part::Text(text) => bytes.extend(self.text(text).into_bytes()),
                Part::Repeat { repeat, times, between } => {
                    for n in 0..*times {
                        if n > 0 {
                            bytes.extend_from_slice(between.as_bytes());
                        }
                        let text = repeat.replace("${n}", &n.to_string());
                        bytes.extend(self.text(&text).into_bytes());
                    }
                }
                Part::Hex { hex } => {
                    let digits: Vec<char> = hex.chars().filter(|it| !it.is_whitespace()).collect();
                    let byte =
                        |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
                    bytes.extend(digits.chunks(2).map(byte));
                }
                Part::Fill { fill, total } => filled = Some((bytes.len(), fill, *total)),
            }
        }
        if let Some((at, fill, total)) = filled {
            let text = fill.repeat(total.saturating_sub(bytes.len()) / fill.len());
            bytes.splice(at..at, text.into_bytes());
        }
        bytes
    }

    pub(crate) fn text(&mut self, text: &str) -> String {
        let mut whole = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let end = at + rest[at..].find('}').unwrap_or_else(|| panic!("no end of a name in {rest}"));
            whole.push_str(&rest[..at]);
            let (name, tag) = rest[at + 2..end].split_once(':').unwrap_or((&rest[at + 2..end], ""));
            whole.push_str(&self.named(name, tag));
            rest = &rest[end + 1..];
        }
        whole.push_str(rest);
        whole
    }

    fn named(&mut self, name: &str, tag: &str) -> String {
        match name {
            "id" => self.id(tag),
            "now" => now(),
            "envelope" => format!(r#""event_id":"{}","timestamp":"{}""#, self.id(tag), now()),
            "good" => {
                let fields = match self.lane {
                    Lane::Core => {
                        r#","metric_name":"good","metric_type":"counter","metric_value":1,"tags":{}"#
                    }
                    Lane::Jetstream => "",
                };
                let good = self.lane.good_type();
                format!(
                    r#""event_id":"{}","timestamp":"{}","event_type":"{good}"{fields}"#,
                    self.id(tag),
                    now()
                )
            }
            "type" => self.lane.good_type().to_owned(),
            _ => panic!("nothing is called {name}"),
        }
    }

    fn id(&mut self, tag: &str) -> String {
        let known = self.tags.iter().position(|it| it == tag);
        let index = known.unwrap_or_else(|| {
            self.tags.push(tag.to_owned());
            self.tags.len() - 1
        });
        format!("{:08x}-0000-4000-8000-{index:012x}", self.number)
    }

    /// A good event of a type of its own.
    pub(crate) fn sentinel(&mut self) -> (&'static str, String) {
        let envelope = self.named("envelope", "the sentinel");
        match self.lane {
            Lane::Core => (
                "events.processing.ProgressUpdated",
                format!(
                    r#"{{{envelope},"event_type":"ProgressUpdated","transcript_id":"t","progress":1,"current_chunk":1,"total_chunks":1,"status":"completed"}}"#
                ),
            ),
            Lane::Jetstream => (
                "events.database.IndexCreated",
                format!(r#"{{{envelope},"event_type":"IndexCreated","table_name":"sentinel"}}"#),
            ),
        }
    }
}

fn now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    chrono::DateTime::from_timestamp(now.as_secs().cast_signed(), 0).unwrap().to_rfc3339()
}
