//! The banner of every page: how bad it is, and what does not work and what to do about it.

use maud::{Markup, html};

use crate::engine::fact::PairStanding;
use crate::engine::rules::set::Severity;
use crate::engine::rules::view::{AlertView, AlertingState};
use crate::shell::reminder::NextStep;
use crate::shell::status::{Concern, PairCondition, Topic};

use super::look::Look;
use super::rates;
use super::unit::Measure;
use super::words;

/// How many alerts there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    critical: usize,
    warning: usize,
    info: usize,
    pending: usize,
}

impl Tally {
    fn of(alerts: &[&AlertView]) -> Self {
        let mut tally = Self::default();
        for alert in alerts {
            let counted = match (alert.state, alert.severity) {
                (AlertingState::Firing, Severity::Critical) => &mut tally.critical,
                (AlertingState::Firing, Severity::Warning) => &mut tally.warning,
                (AlertingState::Firing, Severity::Info) => &mut tally.info,
                (AlertingState::Pending | AlertingState::Inactive, _) => &mut tally.pending,
            };
            *counted += 1;
        }
        tally
    }

    fn firing(self) -> usize {
        self.critical + self.warning + self.info
    }
}

/// What the banner says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Alerts(Tally),
    NotReady(Tally),
    /// It reads what was stored before the start, and nothing else keeps it.
    CatchingUp(Tally),
    Well(Tally),
    /// There is nothing that could fire.
    NoRules,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Trouble,
    Remark,
}

impl Weight {
    const fn class(self) -> &'static str {
        match self {
            Self::Trouble => "",
            Self::Remark => "remark",
        }
    }
}

/// Something that does not work.
struct Trouble {
    weight: Weight,
    /// What it is known by from one look to the next.
    key: &'static str,
    what: String,
    advice: String,
    /// More of it, to be opened.
    detail: Option<String>,
}

/// The banner, and the words that the title begins with.
pub(super) struct Banner {
    verdict: Verdict,
    troubles: Vec<Trouble>,
    facts: Vec<(&'static str, String)>,
    /// When the page was written, in milliseconds since the epoch.
    written_ms: i64,
}

impl Banner {
    /// The banner at this look.
    pub(super) fn of(look: &Look<'_>) -> Self {
        let tally = Tally::of(&look.instant.alerts());
        let topics = || look.surroundings.unready.iter().map(|(topic, _)| *topic);
        let is_catching_up = topics().any(|topic| topic == Topic::CatchUp)
            && topics().all(|topic| matches!(topic, Topic::CatchUp | Topic::Lag));
        let verdict = match (topics().next().is_some(), tally.firing()) {
            (true, _) if is_catching_up => Verdict::CatchingUp(tally),
            (true, _) => Verdict::NotReady(tally),
            (false, 0) if look.alerting_rules() == 0 => Verdict::NoRules,
            (false, 0) => Verdict::Well(tally),
            (false, _) => Verdict::Alerts(tally),
        };
        let (troubles, facts) = (troubles(look), facts(look));
        Self { verdict, troubles, facts, written_ms: look.now().millis() }
    }

    /// The document's title: what fires, then where.
    pub(super) fn title(&self, page: &str) -> String {
        let tally = match self.verdict {
            Verdict::Alerts(tally)
            | Verdict::NotReady(tally)
            | Verdict::CatchingUp(tally)
            | Verdict::Well(tally) => tally,
            Verdict::NoRules => Tally::default(),
        };
        let count = match (tally.critical, tally.warning) {
            (0, 0) => String::new(),
            (critical, 0) => format!("({critical} critical) "),
            (0, warning) => format!("({warning} warning) "),
            (critical, warning) => format!("({critical} critical, {warning} warning) "),
        };
        let ready = match self.verdict {
            Verdict::NotReady(_) => "not ready · ",
            Verdict::CatchingUp(_) => "catching up · ",
            Verdict::Alerts(_) | Verdict::Well(_) | Verdict::NoRules => "",
        };
        format!("{count}{ready}{page}")
    }

    /// The banner as markup.
    pub(super) fn markup(&self) -> Markup {
        html! {
            section.banner.(self.tone()) id="banner" aria-label="Condition" {
                div.verdict {
                    p.headline aria-live="polite" { (self.headline()) }
                    p.freshness {
                        span id="freshness" data-written=(self.written_ms) { "written just now" }
                    }
                }
                dl.facts {
                    @for (name, value) in &self.facts { div { dt { (name) } dd { (value) } } }
                }
            }
            @if !self.troubles.is_empty() {
                section.troubles aria-label="Troubles" {
                    @for trouble in &self.troubles {
                        div.trouble.(trouble.weight.class()) id={ "trouble-" (trouble.key) } {
                            p { strong { (words::long(&trouble.what)) } }
                            p { (words::long(&trouble.advice)) }
                            @if let Some(detail) = &trouble.detail {
                                details id={ "trouble-" (trouble.key) "-detail" } open[trouble.weight == Weight::Trouble] {
                                    summary { "What it says" }
                                    pre tabindex="0" { (words::long(detail)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn tone(&self) -> &'static str {
        match self.verdict {
            Verdict::Alerts(Tally { critical: 1.., .. })
            | Verdict::NotReady(Tally { critical: 1.., .. })
            | Verdict::CatchingUp(Tally { critical: 1.., .. }) => "critical",
            Verdict::NotReady(_)
            | Verdict::Alerts(Tally { warning: 1.., .. })
            | Verdict::CatchingUp(Tally { warning: 1.., .. }) => "warning",
            Verdict::Alerts(_) | Verdict::CatchingUp(_) => "info",
            Verdict::Well(_) => "well",
            Verdict::NoRules => "idle",
        }
    }

    fn headline(&self) -> Markup {
        let counts = |tally: &Tally| {
            let kinds = [("critical", tally.critical), ("warning", tally.warning), ("info", tally.info)];
            let said = kinds.into_iter().filter(|(_, count)| *count > 0);
            let mut said: Vec<String> = said.map(|(kind, count)| format!("{count} {kind}")).collect();
            if tally.pending > 0 {
                said.push(format!("{} pending", tally.pending));
            }
            said.join(" · ")
        };
        html! {
            @match &self.verdict {
                Verdict::Alerts(tally) => (counts(tally)),
                Verdict::Well(tally) if tally.pending > 0 => { "Nothing fires · " (counts(tally)) },
                Verdict::Well(_) => "Nothing fires",
                Verdict::NoRules => "No alert rules",
                Verdict::NotReady(tally) | Verdict::CatchingUp(tally) => {
                    @if matches!(self.verdict, Verdict::CatchingUp(_)) { "Catching up" } @else { "Not ready" }
                    @if tally.firing() + tally.pending > 0 { " · " (counts(tally)) }
                },
            }
        }
    }
}

fn facts(look: &Look<'_>) -> Vec<(&'static str, String)> {
    let links = [Topic::CoreLink, Topic::StreamLink, Topic::PublishLink];
    let is_down = look.surroundings.unready.iter().any(|(topic, _)| links.contains(topic));
    let rate = rates::total(look, "received");
    let lag = look
        .own("histogram_quantile(0.99, sum by (le) (rate(signalbox_event_lag_seconds_bucket[1m] anchored)))");
    let lag = lag.map_or_else(|| "–".to_owned(), |lag| Measure::SECONDS.text(lag));
    let waiting = look.own("sum(signalbox_stream_pending)").filter(|waiting| *waiting > 0.0);
    let mut facts = vec![
        ("Instance", words::short(&look.surroundings.instance).into_owned()),
        ("NATS", if is_down { "not connected" } else { "connected" }.to_owned()),
        ("Events", rate.map_or_else(|| "–".to_owned(), rates::text)),
        ("99 % arrive within", lag),
    ];
    facts.extend(look.surroundings.pair.as_ref().map(|pair| ("Pair", words_of(pair))));
    if let Some(waiting) = waiting {
        facts.push(("Waiting in the stream", Measure::default().text(waiting)));
    }
    facts
}

/// Who of a pair publishes, in words.
fn words_of(pair: &PairCondition) -> String {
    match (pair.standing, &pair.leader) {
        (PairStanding::Leads, _) => "leads".to_owned(),
        (PairStanding::Follows, Some(leader)) => format!("follows {}", words::short(leader)),
        (PairStanding::Follows, None) => "nobody leads".to_owned(),
    }
}

fn troubles(look: &Look<'_>) -> Vec<Trouble> {
    let mut troubles: Vec<Trouble> = Vec::new();
    for (topic, reason) in &look.surroundings.unready {
        let trouble = Trouble {
            weight: if *topic == Topic::CatchUp { Weight::Remark } else { Weight::Trouble },
            key: key(*topic),
            what: capitalised(&format!("{topic}: {reason}")),
            advice: sentence(advice(*topic, reason)),
            detail: None,
        };
        let is_said = |known: &Trouble| is_link(*topic) && known.advice == trouble.advice;
        if !troubles.iter().any(is_said) {
            troubles.push(trouble);
        }
    }
    troubles.extend(look.surroundings.concerns.iter().map(|(concern, what)| {
        let (key, advice) = match concern {
            Concern::State => (
                "state",
                "Metrics and alerts go on; make room or mend the folder, and it is saved again by itself.",
            ),
            Concern::AlertStream => {
                ("alert-events", "Alert events go out meanwhile; the streams are looked at twice a minute.")
            }
        };
        let (what, advice) = (capitalised(what), advice.to_owned());
        Trouble { weight: Weight::Trouble, key, what, advice, detail: None }
    }));
    let diagnostics = &look.surroundings.diagnostics;
    if look.own("signalbox_config_last_reload_successful") == Some(0.0) {
        troubles.push(Trouble {
            weight: Weight::Trouble,
            key: "reload",
            what:
                "The last load of configuration and rules was refused; what was good before stays in force."
                    .to_owned(),
            advice: "Mend what is named below; the file is read again when it changes.".to_owned(),
            detail: Some(diagnostics.clone()),
        });
    } else if !diagnostics.is_empty() {
        troubles.push(Trouble {
            weight: Weight::Remark,
            key: "remarks",
            what: "The last load of configuration and rules left remarks.".to_owned(),
            advice: "They refuse nothing; signalbox check shows them too.".to_owned(),
            detail: Some(diagnostics.clone()),
        });
    }
    troubles.extend(losses(look));
    if look.is_late() {
        troubles.push(Trouble {
            weight: Weight::Trouble,
            key: "late",
            what: "Some values on this page were not worked out in time.".to_owned(),
            advice: "Other queries keep the query threads busy: see query.threads, or ask for less."
                .to_owned(),
            detail: None,
        });
    }
    troubles
}

/// What was lost lately.
fn losses(look: &Look<'_>) -> Vec<Trouble> {
    let lost = look.own("sum(increase(signalbox_stream_lost_total[5m] anchored))").unwrap_or(0.0);
    let dropped = look.own("sum(increase(signalbox_events_dropped_total[5m] anchored))").unwrap_or(0.0);
    let text = |value| Measure::default().text(value);
    let mut troubles = Vec::new();
    if lost > 0.0 {
        troubles.push(Trouble {
            weight: Weight::Trouble,
            key: "lost",
            what: format!(
                "{} messages left the stream before they were read, within five minutes.",
                text(lost)
            ),
            advice: "Counts miss them. Give the stream more room (max_bytes, max_age, max_msgs), or see why \
                     signalbox was away or behind."
                .to_owned(),
            detail: None,
        });
    }
    if dropped > 0.0 {
        troubles.push(Trouble {
            weight: Weight::Trouble,
            key: "dropped",
            what: format!("{} losses on the core lane within five minutes.", text(dropped)),
            advice: "Core NATS keeps nothing: events of a broken or overrun connection are gone. \
                     signalbox_events_dropped_total says why; give signalbox more CPU, or let these types ride \
                     the JetStream lane."
                .to_owned(),
            detail: None,
        });
    }
    troubles
}

const fn is_link(topic: Topic) -> bool {
    matches!(topic, Topic::CoreLink | Topic::StreamLink | Topic::PublishLink)
}

const fn key(topic: Topic) -> &'static str {
    match topic {
        Topic::CoreLink => "core-link",
        Topic::StreamLink => "stream-link",
        Topic::PublishLink => "publish-link",
        Topic::Subscriptions => "subscriptions",
        Topic::Stream => "stream",
        Topic::CatchUp => "catch-up",
        Topic::Lag => "lag",
        Topic::Publishing => "publishing",
        Topic::AlertStream => "alert-stream",
        Topic::Pair => "pair",
        Topic::PairStream => "pair-stream",
        Topic::Rules => "rules",
    }
}

/// What to do about what is not ready.
fn advice(topic: Topic, reason: &str) -> &str {
    match topic {
        Topic::CoreLink | Topic::StreamLink | Topic::PublishLink => NextStep::of(reason).text(),
        Topic::Subscriptions => "give the NATS user the permission to subscribe to these subjects",
        Topic::Stream => "make the stream as the reason says, or set jetstream.create_stream",
        Topic::CatchUp => {
            "nothing to do: /metrics and readiness answer again once it has caught up; without a state folder rules are \
             silent until then"
        }
        Topic::Lag => {
            "events come faster than they are applied, or the server was away; it catches up by itself \
                       where it can"
        }
        Topic::Publishing => {
            "alerts wait in the outbox and are tried again; see that the server answers and that \
                              the user may publish"
        }
        Topic::AlertStream => "make a stream that takes the subjects of alert events, or set alerts.delivery",
        Topic::Pair => "until then this instance publishes no alert events; metrics go on",
        Topic::PairStream => {
            "see that the user may publish to $JS.API.STREAM.MSG.GET and $JS.API.CONSUMER.CREATE of the stream; until \
             then this instance publishes no alert events"
        }
        Topic::Rules => "signalbox check shows every place; mend them, and the files are read again",
    }
}

/// A fragment as a sentence.
fn sentence(fragment: &str) -> String {
    let stop = if fragment.ends_with('.') { "" } else { "." };
    capitalised(fragment) + stop
}

fn capitalised(fragment: &str) -> String {
    let mut characters = fragment.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + characters.as_str()
}
