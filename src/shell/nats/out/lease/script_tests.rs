//! Runs the machine that holds the lease by scripts (`tests/lease/*.txt`): what arrives when, and what must leave.
//!
//! | a line | means |
//! |---|---|
//! | `up VERSION`, `down` | the connection stands anew, to a server of this version, or is gone |
//! | `ready` | this instance could publish |
//! | `waiting NUMBER` | so many alert events wait here |
//! | `N < JSON` | the answer to request N |
//! | `N < there` | the answer: the bucket is there |
//! | `N < written REVISION` | the answer: the lease is written |
//! | `N < lease REVISION HOLDER [WAITING]` | the answer: the lease as HOLDER wrote it; `nobody` let it go |
//! | `N < none` | the answer: no such thing |
//! | `N < overtaken` | the answer: the revision is another |
//! | `N silent`, `N nobody` | no answer in time, nobody there |
//! | `wait SPAN` | time goes on, deadline by deadline |
//! | `release` | the process ends |
//! | `> …` | what leaves, in order; all of it, since the line before |

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::engine::duration;
use crate::shell::nats::scripts::{self, Course, Stage as _};

use super::*;

/// A machine of this process, called `own`, and the time.
struct Stage {
    machine: LeaseMachine,
    course: Course,
    candidacy: Candidacy,
}

impl scripts::Stage for Stage {
    fn act(&mut self, line: &str) {
        self.happen(line);
    }

    fn course(&mut self) -> &mut Course {
        &mut self.course
    }

    fn deadline(&self) -> Option<Instant> {
        self.machine.deadline()
    }

    fn due(&mut self) {
        self.machine.due(self.course.now);
        self.collect();
    }
}

impl Stage {
    fn new() -> Self {
        let machine = LeaseMachine::new(LeaseTerms {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
            lease: Duration::from_secs(5),
            holder: "own".to_owned(),
            instance: "box-own".to_owned(),
            domain: None,
        });
        let mut stage = Self { machine, course: Course::new(), candidacy: Candidacy::NotYet };
        stage.collect();
        stage.course.seen.clear();
        stage
    }

    fn happen(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["up", version] => self.machine.connected(version, self.course.now),
            ["down"] => self.machine.disconnected(),
            ["ready"] => {
                self.candidacy = Candidacy::Ready;
                self.machine.note(self.candidacy, 0);
            }
            ["waiting", count] => self.machine.note(self.candidacy, count.parse().unwrap()),
            ["release"] => self.machine.release(),
            ["wait", span] => self.wait(duration::parse_duration(span).unwrap()),
            [number, "silent"] => self.fault(number, AnswerFault::Silent(self.machine.patience())),
            [number, "nobody"] => self.fault(number, AnswerFault::NobodyThere),
            [number, "<", "there"] => self.answer(number, "{}"),
            [number, "<", "written", revision] => {
                self.answer(number, &format!(r#"{{"stream":"KV_b","seq":{revision}}}"#));
            }
            [number, "<", "none"] => {
                let code = if self.seen_bucket(number) { 10_059 } else { 10_037 };
                self.answer(number, &format!(r#"{{"error":{{"code":404,"err_code":{code}}}}}"#));
            }
            [number, "<", "overtaken"] => {
                self.answer(
                    number,
                    r#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence"}}"#,
                );
            }
            [number, "<", "lease", revision, "nobody"] => self.lease(number, (revision, "")),
            [number, "<", "lease", revision, holder] => self.lease_of(number, (revision, holder), 0),
            [number, "<", "lease", revision, holder, waiting] => {
                self.lease_of(number, (revision, holder), waiting.parse().unwrap());
            }
            [number, "<", ..] => self.answer(number, line.split_once(" < ").map_or("", |(_, json)| json)),
            _ => panic!("no such line: {line}"),
        }
        self.collect();
    }

    /// Whether the open question is about the bucket.
    fn seen_bucket(&self, number: &str) -> bool {
        match self.machine.step {
            LeaseStep::Asking { number: asked, what, .. } => {
                asked.to_string() == number && what == Asked::Bucket
            }
            LeaseStep::Away | LeaseStep::Resting { .. } | LeaseStep::Over => false,
        }
    }

    fn answer(&mut self, number: &str, json: &str) {
        self.machine.answered(number.parse().unwrap(), Ok(json.as_bytes()), self.course.now);
    }

    fn fault(&mut self, number: &str, fault: AnswerFault) {
        self.machine.answered(number.parse().unwrap(), Err(fault), self.course.now);
    }

    fn lease_of(&mut self, number: &str, (revision, holder): (&str, &str), waiting: usize) {
        let (holder, instance) = (holder.to_owned(), format!("box-{holder}"));
        let record = LeaseRecord { holder, instance, lease_ms: 5_000, waiting };
        self.lease(number, (revision, &record.to_json()));
    }

    fn lease(&mut self, number: &str, (revision, text): (&str, &str)) {
        let data = STANDARD.encode(text);
        self.answer(number, &format!(r#"{{"message":{{"seq":{revision},"data":"{data}","time":"x"}}}}"#));
    }

    fn collect(&mut self) {
        while let Some(output) = self.machine.outputs.pop_front() {
            let at = (self.course.now - self.course.start).as_millis();
            self.course.seen.extend(match output {
                LeaseOutput::Ask(request) => {
                    let headers = request.headers.iter().fold(String::new(), |mut text, (name, value)| {
                        let name = if *name == "KV-Operation" { "operation" } else { "over" };
                        write!(text, " {name} {value}").unwrap();
                        text
                    });
                    let body = String::from_utf8_lossy(&request.payload).into_owned();
                    Some(
                        format!("{at} {} {}{headers} {body}", request.number, request.subject)
                            .trim_end()
                            .to_owned(),
                    )
                }
                LeaseOutput::Role(PairRole::Follows) => Some(format!("{at} follows")),
                LeaseOutput::Role(PairRole::Leads { until }) => {
                    Some(format!("{at} leads until {}", (until - self.course.start).as_millis()))
                }
                LeaseOutput::Leader(leader) => {
                    Some(format!("{at} leader {}", leader.as_deref().unwrap_or("unknown")))
                }
                LeaseOutput::Heard(OtherIs::Idle) => Some(format!("{at} other idle")),
                LeaseOutput::Heard(OtherIs::Busy) => Some(format!("{at} other busy")),
                LeaseOutput::Ready => None,
                LeaseOutput::Unready(reason) => Some(format!("{at} unready {reason}")),
            });
        }
    }
}

#[test]
fn the_lease_is_held_as_its_scripts_say() {
    scripts::run_folder("tests/lease", 8, |name, text| {
        scripts::play(Stage::new(), name, &scripts::lines(text))
    });
}
