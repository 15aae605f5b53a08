//! The markup of one file in the editor: its form, its findings and the versions before.
//!
//! Without JavaScript it is a form with a text and buttons, each of which sends all of it.

use maud::{Markup, html};

use crate::engine::diagnostic::{Diagnostic, Severity, Style, sorted};
use crate::engine::time::Timestamp;
use crate::shell::rule_files::edits::{EditedFile, KeptVersion, Opened, TEXT_BYTES_MAX, VERSIONS_MAX};

use crate::shell::http::page::address::{Root, edit_address};
use crate::shell::http::page::words;

/// Findings that are shown.
const FINDINGS_MAX: usize = 50;

/// What is said above the text.
#[derive(Debug, Default)]
pub(super) enum Said {
    /// Nothing.
    #[default]
    Nothing,
    /// It was saved.
    Saved,
    /// It was made, and holds no rules yet.
    Made,
    /// It was removed, and is there again.
    Back,
    /// A version that was kept is in the form, and not yet saved.
    Version(u64),
    /// It is not saved, because of what is found.
    Refused,
    /// It is not saved, because somebody else was faster; what lies on disk now.
    Conflict(String),
    /// It cannot be done, for this reason.
    Failed(String),
}

/// Whether the file's rules are in force as they lie on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InForce {
    /// They are: so many.
    Yes(usize),
    /// Others are, or none.
    No,
    /// The engine is too busy to say.
    Unknown,
}

/// One file in the editor.
pub(super) struct Sheet<'a> {
    pub(super) root: Root,
    pub(super) file: &'a EditedFile,
    pub(super) opened: &'a Opened,
    /// Whether the page may take the file away.
    pub(super) is_removable: bool,
    /// What is in the form.
    pub(super) text: &'a str,
    /// The version that the text was made from.
    pub(super) version: &'a str,
    pub(super) token: &'a str,
    /// Where the cursor begins, from 1.
    pub(super) line: Option<usize>,
    pub(super) in_force: InForce,
    pub(super) said: Said,
    pub(super) findings: &'a [Diagnostic],
    pub(super) trial: Markup,
}

impl Sheet<'_> {
    /// The page.
    pub(super) fn markup(&self) -> Markup {
        html! {
            main id="main" {
                div.heading { h1 { "Edit " bdi { (words::short(&self.file.name)) } } (self.state()) }
                div id="said" { (self.said()) (self.findings()) }
                (self.form())
                div id="results" { (self.trial) }
                (self.kept())
                @if self.is_removable { (self.removal()) }
            }
        }
    }

    fn removal(&self) -> Markup {
        html! {
            details.removal {
                summary { "Remove this file" }
                p.quiet { "Alerts of its rules end. The file is kept beside, and the list of files brings it back." }
                form method="post" action={ (self.root) "edit/remove" } {
                    input type="hidden" name="file" value=(self.file.name);
                    input type="hidden" name="version" value=(self.opened.version.0);
                    input type="hidden" name="token" value=(self.token);
                    button.second type="submit" { "Remove" }
                }
            }
        }
    }

    fn state(&self) -> Markup {
        match self.in_force {
            InForce::Yes(rules) => html! { span.state { (words::count(rules, "rule")) " in force" } },
            InForce::No => html! { span.state.pending { "not in force as on disk" } },
            InForce::Unknown => html! {},
        }
    }

    fn said(&self) -> Markup {
        let open = html! { a href={ (self.root) (edit_address(&self.file.name, None)) } { "Open the file as it is now" } };
        let not_yet = html! { "It is not in force yet; the last load says why on the page " a href={ (self.root) "./" } { "Alerts" } "." };
        html! {
            @match &self.said {
                Said::Nothing => {}
                Said::Saved => p.note role="status" { strong { "Saved." } " "
                    @if matches!(self.in_force, InForce::Yes(_)) { "It is in force; the version before is kept below." }
                    @else { (not_yet) } },
                Said::Made => p.note role="status" { strong { "Made." } " It holds no rules yet: write them here, and save." },
                Said::Back => p.note role="status" { strong { "Brought back." } " "
                    @if matches!(self.in_force, InForce::Yes(_)) { "Its rules are in force again." } @else { (not_yet) } },
                Said::Version(number) => p.note role="status" {
                    "This is version " (number) ", which was replaced. It is not saved yet." },
                Said::Refused => div.trouble role="alert" { p { strong { "Not saved: a load would refuse it." } }
                    p { "Mend what is shown; the file on disk is as it was." } },
                Said::Conflict(now) => div.trouble role="alert" {
                    p { strong { "Not saved: the file changed on disk since it was opened." } }
                    p { "Your text is still below. Download or copy it, then: " (open) "." }
                    details { summary { "What lies on disk now" } pre tabindex="0" { (words::long(now)) } }
                },
                Said::Failed(why) => div.trouble role="alert" { p { strong { "Not done." } } p { (words::long(why)) } },
            }
        }
    }

    fn findings(&self) -> Markup {
        let count = |severity| self.findings.iter().filter(|found| found.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        html! {
            @if !self.findings.is_empty() {
                section.findings aria-labelledby="findings" {
                    h2 id="findings" { (words::count(errors, "error")) ", " (words::count(warnings, "warning")) }
                    @for found in sorted(self.findings).into_iter().take(FINDINGS_MAX) {
                        pre.(found.severity.name()) tabindex="0" { (words::long(&found.render(Style::Plain))) }
                    }
                    @if self.findings.len() > FINDINGS_MAX { p.quiet { "The first " (FINDINGS_MAX) "." } }
                }
            }
        }
    }

    fn form(&self) -> Markup {
        let action = |what: &str| format!("{}edit/{what}", self.root);
        let can_save = self.opened.read_only.is_none();
        html! {
            form.edit id="edit" method="post" action=(action("preview")) data-line=[self.line] {
                input type="hidden" name="file" value=(self.file.name);
                input type="hidden" name="version" value=(self.version);
                input type="hidden" name="token" value=(self.token);
                label for="text" { "Rules, in YAML" }
                div.typed {
                    // A browser drops a newline at the very beginning.
                    textarea id="text" name="text" rows="24" spellcheck="false" autocomplete="off"
                        autocapitalize="off" wrap="off" maxlength=(TEXT_BYTES_MAX) { "\n" (self.text) }
                }
                p.quiet id="status" role="status" {}
                div.choices {
                    button.second type="submit" formaction=(action("preview")) { "Try" }
                    @if can_save { button type="submit" formaction=(action("save")) { "Save" } }
                    button.second type="submit" formaction=(action("download")) data-download { "Download" }
                }
                @match &self.opened.read_only {
                    None => p.quiet { "Try shows what the rules would have done. Save replaces the file whole or not at all, and the rules are loaded as after any change of it." }
                    Some(why) => p.quiet { (words::long(why)) " Try works; Download gives you the file." }
                }
            }
        }
    }

    fn kept(&self) -> Markup {
        html! {
            @if !self.opened.kept.is_empty() {
                section aria-labelledby="kept" {
                    h2 id="kept" { "Versions before" }
                    p.quiet { "The last " (VERSIONS_MAX) " versions that were replaced here lie beside the file. Putting one back keeps the present one too." }
                    ul.waiting { @for (place, version) in self.opened.kept.iter().enumerate() { (self.version(place, version)) } }
                }
            }
        }
    }

    fn version(&self, place: usize, version: &KeptVersion) -> Markup {
        let number = version.number;
        let name = if place == 0 { "The version before".to_owned() } else { format!("Version {number}") };
        let at = version.replaced_at.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let at = at.map(|since| Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)));
        html! {
            li {
                strong { (name) }
                span.quiet {
                    (words::count(usize::try_from(version.bytes).unwrap_or(usize::MAX), "byte"))
                    @if let Some(at) = at { ", replaced at " (words::clock(at)) }
                }
                a href={ (self.root) (edit_address(&self.file.name, None)) "&version=" (number) } {
                    "Open" span.unseen { " version " (number) }
                }
                @if self.opened.read_only.is_none() {
                    form method="post" action={ (self.root) "edit/back" } {
                        input type="hidden" name="file" value=(self.file.name);
                        input type="hidden" name="version" value=(self.opened.version.0);
                        input type="hidden" name="token" value=(self.token);
                        input type="hidden" name="number" value=(number);
                        button.second type="submit" { "Put back" span.unseen { " version " (number) } }
                    }
                }
            }
        }
    }
}
