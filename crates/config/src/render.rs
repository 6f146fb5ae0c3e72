//! Problems as a compiler shows them: in their source line.

use std::collections::BTreeMap;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, renderer::DecorStyle};

use crate::problem::{Problem, Severity};

/// How the text may look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Style {
    /// No escape sequences: for files, pipes and tests.
    #[default]
    Plain,
    /// Colours, for terminals.
    Coloured,
}

/// Every problem in its source line, with why and what to do, and a last line that counts them. `sources` are the
/// files' texts by the names that problems use.
#[must_use]
pub fn render(problems: &[Problem], sources: &BTreeMap<String, String>, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled().decor_style(DecorStyle::Unicode),
    };
    let mut out = String::new();
    for problem in problems {
        out.push_str(&one(problem, sources, &renderer));
        out.push_str("\n\n");
    }
    out.push_str(&count(problems));
    out.push('\n');
    out
}

fn one(problem: &Problem, sources: &BTreeMap<String, String>, renderer: &Renderer) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let source = sources.get(&problem.file).map_or("", String::as_str);
    let (line, token) = line_of(source, problem);
    let title = level
        .primary_title(problem.message.as_str())
        .id(problem.code);
    let label = problem
        .suggestion
        .as_ref()
        .map(|meant| format!("did you mean `{meant}`?"));
    let mut annotation = AnnotationKind::Primary.span(token);
    if let Some(label) = &label {
        annotation = annotation.label(label.as_str());
    }
    let snippet = Snippet::source(line)
        .path(problem.file.as_str())
        .line_start(problem.line.max(1))
        .annotation(annotation);
    let report = &[title
        .element(snippet)
        .element(Level::NOTE.message(problem.why.as_str()))
        .element(Level::HELP.message(problem.fix.as_str()))];
    renderer.render(report)
}

/// The line of the problem, and the token within it.
fn line_of<'a>(source: &'a str, problem: &Problem) -> (&'a str, std::ops::Range<usize>) {
    let start = problem.span.start.min(source.len());
    let before = source.get(..start).unwrap_or_default();
    let from = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let rest = source.get(start..).unwrap_or_default();
    let to = rest
        .find('\n')
        .map_or(source.len(), |at| start.saturating_add(at));
    let line = source.get(from..to).unwrap_or_default();
    let token_end = problem.span.end.clamp(start, to);
    let token = start.saturating_sub(from)..token_end.saturating_sub(from);
    (line, token)
}

fn count(problems: &[Problem]) -> String {
    let errors = problems
        .iter()
        .filter(|p| p.severity == Severity::Error)
        .count();
    let warnings = problems.len().saturating_sub(errors);
    let say = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => "no problems".into(),
        (0, w) => say(w, "warning"),
        (e, 0) => say(e, "error"),
        (e, w) => format!("{}, {}", say(e, "error"), say(w, "warning")),
    }
}
