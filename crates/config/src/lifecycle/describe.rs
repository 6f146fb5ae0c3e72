//! The funnel's rules in plain English, for both teams to sign. Made of the rules as they are used, not of the file.

mod clocks;
mod english;
mod wiring;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use baton_core::{
    lifecycle::{
        predicate::Predicate,
        rules::{AfterLost, Baseline, Beyond, CoolDown, Mode, Phase, StageRule},
        setup::Setup,
    },
    name::Name,
};
use compact_str::CompactString;
use english::{acts, condition, either, list, span, words};
use serde::Serialize;

/// What the rules say of one matter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Section {
    pub title: &'static str,
    /// Sentences that belong together, one point each.
    pub points: Vec<String>,
}

/// What the configured funnel says, matter by matter.
#[must_use]
pub fn describe(setup: &Setup) -> Vec<Section> {
    let of = |title, points| Section { title, points };
    let all = [
        of("The stages", stages(setup)),
        of("Who is ready for sales", ready(setup)),
        of("Review by sales", review(setup)),
        of("Who goes back to nurture", back(setup)),
        of("How they go back", recycling(setup)),
        of("Who leaves the funnel", out(setup)),
        of("Who owes what by when", clocks::clocks(setup)),
        of("Working hours", clocks::calendars(setup)),
        of("Where it stands in the systems", wiring::wiring(setup)),
    ];
    all.into_iter().filter(|s| !s.points.is_empty()).collect()
}

/// The same as a text of lines that are no longer than 100 characters.
#[must_use]
pub fn described(setup: &Setup) -> String {
    let mut text = String::new();
    for section in describe(setup) {
        let _ = writeln!(text, "{}\n", section.title);
        for point in section.points {
            text.push_str(&wrapped(&point));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

const WIDTH: usize = 100;

/// A point with a dash before it, its further lines set in.
fn wrapped(point: &str) -> String {
    let mut text = String::from("  -");
    let mut width = 3;
    for word in point.split(' ') {
        let more = word.chars().count() + 1;
        if width + more > WIDTH {
            text.push_str("\n   ");
            width = 3;
        }
        text.push(' ');
        text.push_str(word);
        width += more;
    }
    text.push('\n');
    text
}

fn by_rank(setup: &Setup) -> Vec<(Name, &StageRule)> {
    let mut stages: Vec<_> = setup.rules.stages.iter().map(|(n, s)| (*n, s)).collect();
    stages.sort_by_key(|(name, stage)| (stage.rank, *name));
    stages
}

/// Whom a rule is limited to, and whether it only watches.
fn limits(scope: &Predicate, mode: Mode) -> String {
    let mut text = String::new();
    if *scope != Predicate::Always {
        let _ = write!(text, " Only where {}.", condition(scope));
    }
    if mode == Mode::Shadow {
        text.push_str(" In shadow: it is noted and nothing is done.");
    }
    text
}

fn stages(setup: &Setup) -> Vec<String> {
    let rules = &setup.rules;
    let mut points = Vec::new();
    for (name, stage) in by_rank(setup) {
        let whose = match stage.phase {
            Phase::Nurtured => "below the line",
            Phase::Worked => "with sales",
            Phase::Ended => "at an end",
        };
        let mut text = format!("{name} (rank {}, {whose})", stage.rank);
        if let Some(said) = setup.stages.get(&name) {
            let _ = write!(text, ": the business of {}.", said.owner);
            if let Some(journey) = &said.journey {
                let _ = write!(text, " The buyer's journey: {journey}.");
            }
            if let Some(content) = &said.content {
                let _ = write!(text, " Recommended content: {content}.");
            }
        }
        if !stage.claimed_by.is_empty() {
            let _ = write!(
                text,
                " The {} may put people here.",
                list(&stage.claimed_by)
            );
        }
        let back: Vec<Name> = rules
            .edges
            .iter()
            .filter(|(from, _)| *from == name)
            .map(|(_, to)| *to)
            .collect();
        if !back.is_empty() {
            let _ = write!(text, " From here people may go back to {}.", either(&back));
        }
        points.push(text);
    }
    points
        .push("People go forward over any number of stages; what they pass over is noted.".into());
    points.push(
        "What a system says that is not allowed here moves nobody, and is reported.".to_owned(),
    );
    points
}

fn ready(setup: &Setup) -> Vec<String> {
    let rules = &setup.rules;
    let ready = &rules.ready;
    let mut line = format!(
        "This is definition {}. Somebody becomes {} with {} points or more in {}",
        setup.definition, rules.landmarks.ready, ready.threshold, setup.wiring.score
    );
    if !ready.acceleration.is_empty() {
        let kinds: Vec<String> = ready.acceleration.iter().map(|k| words(*k)).collect();
        let _ = write!(
            line,
            ", or by an act of the buyer's own: {}",
            either(&kinds)
        );
    }
    line.push('.');
    let mut points = vec![line];
    for (what, needed) in [
        ("The right kind of person", &ready.fit),
        ("Consent", &ready.consent),
    ] {
        if *needed != Predicate::Always {
            points.push(format!("{what}: {}.", condition(needed)));
        }
    }
    points
        .push("Nobody becomes ready who, or whose account, is taken out of all marketing.".into());
    if rules.nurture != Predicate::Always {
        points.push(format!(
            "Nurture is for people of whom holds: {}.",
            condition(&rules.nurture)
        ));
    }
    let during: Vec<String> = ready.in_cool_down.iter().map(|k| words(*k)).collect();
    points.push(if during.is_empty() {
        "While somebody cools down after a return, nothing makes them ready.".into()
    } else {
        format!(
            "While somebody cools down after a return, points do not count; only {} does.",
            either(&during)
        )
    });
    points.push(format!(
        "After any return it takes points above those of the return, and one of these since: {}.",
        acts(&ready.engagement)
    ));
    points.push(format!(
        "Sales gets the person with the last {} acts under each heading ({}), the points, this definition and what crossed the line.",
        ready.told,
        list(setup.activities.values().collect::<BTreeSet<_>>())
    ));
    points
}

fn review(setup: &Setup) -> Vec<String> {
    let Some(qualification) = &setup.wiring.qualification else {
        return Vec::new();
    };
    let rules = &setup.rules;
    let recycling = &rules.recycling;
    vec![
        format!(
            "Sales records two facts: whether it is the right time ({}), and whether they want to ({}). Both yes: {}.",
            qualification.ready, qualification.willing, rules.landmarks.accepted
        ),
        format!(
            "Not the right time: back to nurture, for the reason {} unless another is given. Not willing: for {}.",
            words(recycling.not_ready),
            words(recycling.not_willing)
        ),
        format!(
            "Sales may give anybody back by hand; the reason is {} unless another is given.",
            words(recycling.returned)
        ),
    ]
}

fn back(setup: &Setup) -> Vec<String> {
    let rules = &setup.rules;
    let mut points = Vec::new();
    for (name, stage) in by_rank(setup) {
        if let Some(stall) = &stage.stall {
            let mut text = format!(
                "{name}: after {} without {}, for the reason {}.",
                span(stall.after),
                acts(&stall.by),
                words(stall.reason)
            );
            if let Some((share, action)) = &stall.reengage {
                let _ = write!(
                    text,
                    " A last try at {share} % of that time: {}.",
                    called(&setup.actions, *action)
                );
            }
            text.push_str(&limits(&stall.scope, stall.mode));
            points.push(text);
        }
        if let Some(age) = &stage.age {
            points.push(format!(
                "{name}: {} after entering it, however busy everybody is, for the reason {}.{}",
                span(age.after),
                words(age.reason),
                limits(&age.scope, age.mode)
            ));
        }
    }
    if rules.protect_closing_within > 0 && !points.is_empty() {
        points.push(format!(
            "Nobody beyond review goes back while an open deal of theirs closes within {}.",
            span(rules.protect_closing_within)
        ));
    }
    points
}

fn called(texts: &BTreeMap<Name, CompactString>, name: Name) -> String {
    texts
        .get(&name)
        .map_or_else(|| words(name), |text| format!("\"{text}\""))
}

fn recycling(setup: &Setup) -> Vec<String> {
    let rules = &setup.rules;
    let recycling = &rules.recycling;
    let mut points = Vec::new();
    for (name, reason) in &recycling.reasons {
        let rest = match reason.cool_down {
            CoolDown::For(ms) => format!("sales leaves them alone for {}", span(ms)),
            CoolDown::Forever => "sales leaves them alone for ever".into(),
        };
        points.push(format!(
            "For {}: nurture track {}; {rest}.",
            words(*name),
            called(&setup.tracks, reason.track)
        ));
    }
    points.push("All of it happens at once: stage, CRM, nurture track and clocks.".into());
    let beyond = match recycling.beyond {
        Beyond::Disqualify(reason) => format!("disqualified as {}", words(reason)),
        Beyond::LongNurture(track) => format!("kept on {}", called(&setup.tracks, track)),
    };
    points.push(format!(
        "At most {} returns within {}; instead of one more they are {beyond}.",
        recycling.most,
        span(recycling.window)
    ));
    points.push(
        match recycling.baseline {
            Baseline::Reset => "Points from before a return do not count: all must be earned anew.",
            Baseline::Halve => "Half of the points from before a return count.",
            Baseline::Keep => "Points from before a return count, but some must be new.",
        }
        .into(),
    );
    if recycling.grace > 0 {
        points.push(format!(
            "An act that should have prevented a return takes it back if it is heard of within {} after it.",
            span(recycling.grace)
        ));
    }
    points.push(setup.back_to_owner_within.map_or_else(
        || "Whoever gets ready again is given out anew.".to_owned(),
        |within| {
            format!(
                "Whoever gets ready again within {} goes to the same owner as before.",
                span(within)
            )
        },
    ));
    points
}

fn out(setup: &Setup) -> Vec<String> {
    let rules = &setup.rules;
    let mut points = Vec::new();
    if !setup.disqualifications.is_empty() {
        let reasons: Vec<String> = setup.disqualifications.iter().map(|r| words(*r)).collect();
        points.push(format!("Reasons to be disqualified: {}.", list(&reasons)));
    }
    for (when, reason) in &rules.disqualify {
        points.push(format!(
            "Disqualified as {} is anybody of whom holds: {}.",
            words(*reason),
            condition(when)
        ));
    }
    for (reason, end) in &rules.after_lost {
        let what = match end {
            AfterLost::Nurture(track) => {
                format!("back to nurture, track {}", called(&setup.tracks, *track))
            }
            AfterLost::Disqualify => "disqualified".into(),
        };
        points.push(format!("A deal lost for {}: {what}.", words(*reason)));
    }
    points
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}
