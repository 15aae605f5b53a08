//! Warnings that their author knows of: a comment names the code and says why.
//!
//! `# signalbox disable CODE: reason` stands at the end of a line or alone above it, and is about the key or list item of
//! that line with all that is inside it. `# signalbox disable-file CODE: reason` is about the whole file. Errors stay:
//! nothing lets a file load that must not.

use std::ops::Range;

use crate::engine::diagnostic::{Diagnostic, Severity, Source};
use crate::engine::yaml::Findings;

/// How a comment of this kind begins.
const MARK: &str = "# signalbox disable";

/// A comment that disables something.
struct Disabled {
    codes: Vec<String>,
    /// Where the comment stands.
    comment: Range<usize>,
    /// The bytes of the file it is about.
    about: Range<usize>,
    has_reason: bool,
    is_used: bool,
}

/// Codes that `signalbox check` looks for beside the load, and of which the configuration says whether there is any.
const BESIDE: [&str; 5] =
    ["required-annotation", "required-label", "costly-rule", "unfed-metric", "spanning-rule"];

/// Takes away what is disabled, and tells of comments that have no reason or do nothing.
pub(in crate::engine::rules) fn apply(findings: &mut Findings<'_>) {
    for comment in applied(findings) {
        let (message, advice) = if comment.has_reason {
            (
                format!("there is no warning `{}` here to disable", comment.codes.join(", ")),
                "Take the comment away; errors cannot be disabled.",
            )
        } else {
            (
                "this disables nothing: it does not say why".to_owned(),
                "Write `# signalbox disable CODE: the reason`.",
            )
        };
        findings.warning("disable", &comment.comment, message).advise(advice);
    }
}

/// Takes away what is disabled, and tells of nothing.
pub(super) fn apply_quietly(findings: &mut Findings<'_>) {
    applied(findings);
}

/// What of these findings in a file is not disabled in it.
pub(crate) fn not_disabled(source: &Source, list: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut findings = Findings::new(source);
    findings.list = list;
    applied(&mut findings);
    findings.list
}

/// Takes away what is disabled; yields the comments that did nothing and should have.
fn applied(findings: &mut Findings<'_>) -> Vec<Disabled> {
    let text = findings.source.text.clone();
    if !text.contains(MARK) {
        return Vec::new();
    }
    let mut disabled = comments(&text);
    findings.list.retain(|finding| {
        let fits = |comment: &&mut Disabled| {
            comment.has_reason
                && finding.severity == Severity::Warning
                && comment.codes.iter().any(|code| code == finding.code)
                && comment.about.contains(&finding.span.start)
        };
        let comment = disabled.iter_mut().find(fits);
        let is_kept = comment.is_none();
        if let Some(comment) = comment {
            comment.is_used = true;
        }
        is_kept
    });
    let is_beside = |comment: &Disabled| comment.codes.iter().any(|code| BESIDE.contains(&code.as_str()));
    disabled.retain(|comment| !(comment.is_used || comment.has_reason && is_beside(comment)));
    disabled
}

fn comments(text: &str) -> Vec<Disabled> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        if let Some(at) = line.find(MARK) {
            let rest = line.get(at + MARK.len()..).unwrap_or_default();
            let (whole_file, rest) = match rest.strip_prefix("-file") {
                Some(rest) => (true, rest),
                None => (false, rest),
            };
            let (codes, reason) = rest.split_once(':').unwrap_or((rest, ""));
            let about = match line.get(..at).is_some_and(|before| before.trim().is_empty()) {
                _ if whole_file => 0..text.len(),
                true => end..end + block(text.get(end..).unwrap_or_default()),
                false => start..start + block(text.get(start..).unwrap_or_default()),
            };
            found.push(Disabled {
                codes: codes.split(',').map(|code| code.trim().to_owned()).collect(),
                comment: start + at..start + line.trim_end().len(),
                about,
                has_reason: !reason.trim().is_empty(),
                is_used: false,
            });
        }
        start = end;
    }
    found
}

/// How many bytes the first key or item takes with all that is indented deeper; what is empty or a comment is passed.
fn block(text: &str) -> usize {
    let mut taken = 0;
    let mut first = None;
    for line in text.split_inclusive('\n') {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        let is_blank = content.trim().is_empty() || content.starts_with('#');
        match first {
            None if !is_blank => first = Some(indent),
            Some(least) if !is_blank && indent <= least => break,
            None | Some(_) => {}
        }
        taken += line.len();
    }
    taken
}
