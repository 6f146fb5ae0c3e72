//! One thing that is wrong in the configuration, and the list of all of them.

use std::{cmp::Ordering, collections::BTreeMap, ops::Range};

use serde::Serialize;

use crate::codes::Code;

/// Whether the rules can be used in spite of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// The rules are not loaded.
    Error,
    /// The rules are loaded; they may do something that nobody wants.
    Warning,
}

/// One mistake, at the token that is wrong. Serialises to exactly
/// `{file, line, column, code, message, why, fix, suggestion}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// Path below the configuration folder, with `/` between its parts.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Has a page `docs/errors/config-<code>.md`; see [`crate::explain_code`].
    pub code: &'static str,
    /// What is wrong, in one sentence that names the token.
    pub message: String,
    /// What would go wrong with the data if this were accepted.
    pub why: String,
    /// What to do about it.
    pub fix: String,
    /// What the steward probably meant, ready to be put in place of the token.
    pub suggestion: Option<String>,
    #[serde(skip)]
    pub severity: Severity,
    /// The token, in bytes of the file.
    #[serde(skip)]
    pub span: Range<usize>,
}

impl Ord for Problem {
    fn cmp(&self, other: &Self) -> Ordering {
        let place = |p: &Self| (p.line, p.column, p.severity, p.code);
        self.file
            .cmp(&other.file)
            .then_with(|| place(self).cmp(&place(other)))
            .then_with(|| self.message.cmp(&other.message))
    }
}

impl PartialOrd for Problem {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A stretch of bytes of one of the files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Span {
    pub file: usize,
    pub start: usize,
    pub end: usize,
}

impl Span {
    /// The part of this span from `start` to `end`, counted from its own start and kept inside it.
    pub fn part(self, start: usize, end: usize) -> Self {
        let clip = |at: usize| self.start.saturating_add(at).min(self.end);
        Self {
            file: self.file,
            start: clip(start),
            end: clip(end),
        }
    }
}

/// A file of the configuration as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub name: String,
    pub text: String,
}

struct Draft {
    code: Code,
    span: Span,
    message: String,
    fix: Option<String>,
    suggestion: Option<String>,
    /// The unknown name, where the problem is about one: the same unknown name in many places is one mistake.
    subject: Option<String>,
}

/// Collects problems while the files are read.
#[derive(Default)]
pub(crate) struct Problems {
    pub sources: Vec<Source>,
    drafts: Vec<Draft>,
}

/// The same unknown name in this many places is reported once.
const COLLAPSE: usize = 3;

impl Problems {
    pub fn report(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Self {
        self.drafts.push(Draft {
            code,
            span,
            message: message.into(),
            fix: None,
            suggestion: None,
            subject: None,
        });
        self
    }

    /// Says more exactly than the code's own text what to do about the problem just reported.
    pub fn fix(&mut self, fix: impl Into<String>) -> &mut Self {
        if let Some(last) = self.drafts.last_mut() {
            last.fix = Some(fix.into());
        }
        self
    }

    /// What was probably meant.
    pub fn suggest(&mut self, suggestion: Option<&str>) -> &mut Self {
        if let Some(last) = self.drafts.last_mut() {
            last.suggestion = suggestion.map(str::to_owned);
        }
        self
    }

    /// Reports an unknown name and returns what was probably meant, so that reading goes on as if it stood there
    /// and one slip does not bring more problems in its train.
    pub fn unknown<'a>(
        &mut self,
        code: Code,
        span: Span,
        what: &str,
        name: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        let candidates: Vec<&str> = candidates.into_iter().collect();
        let meant = nearest(name, &candidates);
        let message = if what.starts_with("value of") {
            format!("`{name}` is no {what}")
        } else {
            format!("there is no {what} `{name}`")
        };
        self.report(code, span, message).suggest(meant);
        let fix = match meant {
            Some(meant) => format!("Did you mean `{meant}`?"),
            None if candidates.is_empty() => format!("No {what} is known here; leave it out."),
            None if candidates.len() <= 24 => format!("Use one of: {}.", candidates.join(", ")),
            None => format!("Use an existing {what}."),
        };
        self.fix(fix);
        if let Some(last) = self.drafts.last_mut() {
            last.subject = Some(name.to_owned());
        }
        meant
    }

    /// How many problems there are so far.
    pub fn mark(&self) -> usize {
        self.drafts.len()
    }

    /// Forgets what was reported since `mark`; says whether there was anything.
    pub fn rewind(&mut self, mark: usize) -> bool {
        let more = self.drafts.len() > mark;
        self.drafts.truncate(mark);
        more
    }

    pub fn text(&self, span: Span) -> &str {
        self.sources
            .get(span.file)
            .and_then(|s| s.text.get(span.start..span.end))
            .unwrap_or_default()
    }

    /// The list as users get it: ordered by place, one problem per token.
    pub fn finish(mut self) -> (Vec<Problem>, Vec<Source>) {
        self.collapse();
        let mut taken = std::collections::BTreeSet::new();
        let mut problems: Vec<Problem> = Vec::with_capacity(self.drafts.len());
        for draft in &self.drafts {
            if taken.insert(draft.span) {
                problems.push(self.place(draft));
            }
        }
        problems.sort();
        (problems, self.sources)
    }

    /// The same unknown name in many places is one mistake, most likely where the name should be defined.
    fn collapse(&mut self) {
        let mut places: BTreeMap<(Code, String), Vec<Span>> = BTreeMap::new();
        for draft in &self.drafts {
            if let Some(subject) = &draft.subject {
                let spans = places.entry((draft.code, subject.clone())).or_default();
                if !spans.contains(&draft.span) {
                    spans.push(draft.span);
                }
            }
        }
        places.retain(|_, spans| spans.len() >= COLLAPSE);
        for spans in places.values_mut() {
            spans.sort();
        }
        self.drafts.retain_mut(|draft| {
            let Some(subject) = &draft.subject else {
                return true;
            };
            let Some(spans) = places.get(&(draft.code, subject.clone())) else {
                return true;
            };
            if spans.first() != Some(&draft.span) {
                return false;
            }
            draft.message = format!(
                "{} (and in {} more places)",
                draft.message,
                spans.len().saturating_sub(1)
            );
            true
        });
    }

    fn place(&self, draft: &Draft) -> Problem {
        let source = self.sources.get(draft.span.file);
        let text = source.map_or("", |s| s.text.as_str());
        let start = floor_boundary(text, draft.span.start);
        let end = floor_boundary(text, draft.span.end).max(start);
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let in_line = before.get(line_start..).unwrap_or_default();
        Problem {
            file: source.map(|s| s.name.clone()).unwrap_or_default(),
            line: before.matches('\n').count().saturating_add(1),
            column: in_line.chars().count().saturating_add(1),
            code: draft.code.as_str(),
            message: draft.message.clone(),
            why: draft.code.why().to_owned(),
            fix: draft
                .fix
                .clone()
                .unwrap_or_else(|| draft.code.fix().to_owned()),
            suggestion: draft.suggestion.clone(),
            severity: draft.code.severity(),
            span: start..end,
        }
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at = at.saturating_sub(1);
    }
    at
}

/// The candidate that was most probably meant, if any is near enough.
pub(crate) fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    // A hostile megabyte of text is nobody's slip, and distances cost its square.
    if name.is_empty() || name.len() > 80 {
        return None;
    }
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let wanted = plain(name);
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .iter()
        .filter(|candidate| **candidate != name)
        .filter_map(|candidate| {
            let other = plain(candidate);
            let distance = if wanted == other {
                0
            } else {
                strsim::damerau_levenshtein(&wanted, &other)
            };
            (distance <= allowed).then_some((distance, *candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}
