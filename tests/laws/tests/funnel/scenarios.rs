//! The scenarios that stewards read, played on the shipped configuration (`tests/scenarios/README.md` tells their
//! words).

use std::{fs, path::PathBuf};

use baton_core::{
    id::{Kind, Object, RecordKey},
    lifecycle::{
        course::{Clock, End},
        fact::Actor,
        fold::Whereabouts,
        funnel::{Done, Thing},
    },
    name::Name,
    rules::FieldType,
    time::Millis,
    value::Value,
};
use jiff::{civil::DateTime, tz::TimeZone};

use crate::{
    variant::Variant,
    world::{World, lead},
};

/// Where a line stands, for whoever has to look at it.
struct Line<'a> {
    file: &'a str,
    number: usize,
    text: &'a str,
}

impl Line<'_> {
    fn fail(&self, why: &str) -> ! {
        panic!("{}:{}: `{}`: {why}", self.file, self.number, self.text)
    }
}

fn instant(text: &str) -> Option<Millis> {
    let zone = TimeZone::get("America/New_York").ok()?;
    let at: DateTime = text.trim().replace(' ', "T").parse().ok()?;
    let zoned = at.to_zoned(zone).ok()?;
    Some(Millis(zoned.timestamp().as_millisecond()))
}

/// One person, and the deals it is in.
struct Scene {
    world: World,
}

impl Scene {
    fn happens(&mut self, line: &Line<'_>, at: Millis, what: &str) {
        if self.world.book.entities.is_empty() {
            self.world.now = at;
        }
        self.world.until(at);
        let (who, rest) = what.split_once(' ').unwrap_or((what, ""));
        match who {
            "nothing" => {}
            "map" => self.said(line, &lead(), rest, Kind::Person),
            "crm" => {
                let Some(record) = self.crm() else {
                    line.fail("the CRM does not have the person");
                };
                self.said(line, &record, rest, Kind::Person);
            }
            "deal" => {
                let contact = self.contact(line);
                let (name, said) = rest.split_once(": ").unwrap_or(("Engines", rest));
                let deal = RecordKey::new("crm", Object::Deal, name);
                let mut all = format!("contact = {contact}, name = {name}, account = 001, {said}");
                if !said.contains("amount = ") {
                    all.push_str(", amount = 5000");
                }
                self.said(line, &deal, &all, Kind::Deal);
            }
            "account" => {
                let contact = RecordKey::new("crm", Object::Contact, "003");
                self.contact(line);
                self.said(line, &contact, "account = crm:001", Kind::Person);
                let account = RecordKey::new("crm", Object::Account, "001");
                let all = format!("name = Analytical, {rest}");
                self.said(line, &account, &all, Kind::Account);
            }
            "sales" if rest.starts_with("returns ") => {
                let entity = self.world.who(&lead());
                self.world.returns(entity, rest["returns ".len()..].trim());
            }
            "sales" | "buyer" => {
                let (kind, then) = match rest.split_once(" at ") {
                    Some((kind, then)) => (kind, instant(then)),
                    None => (rest, Some(at)),
                };
                let Some(then) = then else {
                    line.fail("no time")
                };
                let actor = if who == "sales" {
                    Actor::Sales
                } else {
                    Actor::Buyer
                };
                self.world.does(&lead(), kind.trim(), actor, then);
            }
            _ => line.fail("nobody is called that"),
        }
        // Groups rest a moment before they are written.
        if self.world.now == at {
            self.world.until(at.plus(5_000));
        }
    }

    fn said(&mut self, line: &Line<'_>, record: &RecordKey, text: &str, kind: Kind) {
        let mut fields = Vec::new();
        for part in text.split(", ") {
            let Some((field, value)) = part.split_once(" = ") else {
                line.fail("say FIELD = VALUE");
            };
            let name = Name::new(field.trim());
            let Some(rule) = self.world.rules().entity(kind).fields.get(&name) else {
                line.fail("no such field");
            };
            fields.push((field.trim().to_owned(), canonical(&rule.kind, value.trim())));
        }
        let fields: Vec<(&str, Value)> = fields
            .iter()
            .map(|(f, v)| (f.as_str(), v.clone()))
            .collect();
        self.world.says(record, &fields);
    }

    fn crm(&self) -> Option<RecordKey> {
        let links = self.world.state(&lead()).links.keys();
        links
            .into_iter()
            .find(|record| record.system.as_str() == "crm")
            .cloned()
    }

    /// A deal's person is a contact: the lead was converted.
    fn contact(&mut self, line: &Line<'_>) -> String {
        let Some(record) = self.crm() else {
            line.fail("the CRM does not have the person");
        };
        if record.object == Object::Lead {
            self.world.converts(&record, "003");
        }
        "crm:003".to_owned()
    }

    fn done(&self) -> Vec<Done> {
        let funnel = self.world.state(&lead()).funnel.as_deref().unwrap();
        funnel.done().values().cloned().collect()
    }

    fn whereabouts(&self) -> Whereabouts {
        let funnel = self.world.state(&lead()).funnel.as_deref().unwrap();
        let setup = self.world.rules().funnel.as_deref().unwrap();
        funnel.course(&setup.editions, self.world.now).0
    }

    fn clock(&self, name: &str) -> Option<Clock> {
        let funnel = self.world.state(&lead()).funnel.as_deref().unwrap();
        let setup = self.world.rules().funnel.as_deref().unwrap();
        let (_, course) = funnel.course(&setup.editions, self.world.now);
        let clocks = course
            .clocks
            .into_iter()
            .filter(|c| c.name.as_str() == name);
        clocks.max_by_key(|clock| clock.started)
    }

    fn must(&self, line: &Line<'_>, what: &str) {
        let standing = |is: fn(&Thing) -> bool| {
            self.done()
                .iter()
                .filter(|d| d.stands && is(&d.what))
                .count()
        };
        let undone = |is: fn(&Thing) -> bool| -> u32 {
            let done = self.done();
            done.iter().filter(|d| is(&d.what)).map(|d| d.undone).sum()
        };
        let is_recycle = |thing: &Thing| {
            matches!(
                thing,
                Thing::Recycle(baton_core::lifecycle::course::Closed::Recycled, _)
            )
        };
        let words: Vec<&str> = what.split_whitespace().collect();
        let (is, should): (String, String) = match words.as_slice() {
            ["stage", stage] => (self.world.stage(&lead()).into(), (*stage).into()),
            [system @ ("crm" | "map"), "was", "told", "nothing"] => {
                let mut told = self.world.told.keys();
                let any = told.any(|(name, _)| name.as_str() == *system);
                (any.to_string(), "false".into())
            }
            [system @ ("crm" | "map"), field, "is", ..] => {
                let value = what.split_once(" is ").unwrap().1;
                let told = self
                    .world
                    .told
                    .get(&(Name::new(system), (*field).to_owned()));
                let told = told.filter(|v| !v.is_null() && v.as_str() != Some(""));
                let told = told.map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
                (told.unwrap_or_else(|| "nothing".into()), value.into())
            }
            ["recycled", "for", reason] => {
                let done = self.done();
                let found = done.iter().any(|d| {
                    d.stands
                        && matches!(&d.what, Thing::Recycle(_, seat) if seat.reason.is_some_and(|r| r.as_str() == *reason))
                });
                (found.to_string(), "true".into())
            }
            ["recycled", many] => (standing(is_recycle).to_string(), (*many).into()),
            ["revoked", many] => (undone(is_recycle).to_string(), (*many).into()),
            ["handed", "over", many] => {
                let all = standing(|t| matches!(t, Thing::Handoff { .. }));
                (all.to_string(), (*many).into())
            }
            ["woken", "up"] => {
                let all = standing(|t| matches!(t, Thing::Nudge { .. }));
                ((all > 0).to_string(), "true".into())
            }
            ["breached", name] => (self.missed(name).to_string(), "true".into()),
            ["not", "breached", name] => (self.missed(name).to_string(), "false".into()),
            ["escalated", name] => {
                let clock = self.clock(name);
                (
                    clock.is_some_and(|c| !c.escalated.is_empty()).to_string(),
                    "true".into(),
                )
            }
            ["reminded", name, share] => {
                let clock = self.clock(name);
                let last = clock.and_then(|c| c.reminded.last().map(|(share, _)| *share));
                (format!("{last:?}"), format!("Some({share})"))
            }
            ["clock", name, state @ ..] => {
                let state = state.join(" ");
                (
                    self.clock(name)
                        .map_or_else(|| "not there".into(), |c| how(&c).into()),
                    state,
                )
            }
            ["episode", number, purpose] => {
                let episode = self.whereabouts().episode;
                let of = episode.map_or_else(
                    || "none".into(),
                    |e| format!("{} {:?}", e.number, e.purpose).to_lowercase(),
                );
                (of, format!("{number} {purpose}"))
            }
            _ => line.fail("not a word that is known"),
        };
        if is != should {
            line.fail(&format!("it is `{is}`"));
        }
    }

    fn missed(&self, name: &str) -> bool {
        self.clock(name)
            .is_some_and(|clock| clock.missed().is_some())
    }
}

/// A value as it is written here.
fn canonical(kind: &FieldType, text: &str) -> Value {
    if text == "nothing" {
        return Value::Blank;
    }
    match kind {
        FieldType::Boolean => Value::Bool(text == "true"),
        FieldType::Number | FieldType::Integer => Value::Number(text.parse().unwrap()),
        FieldType::Date => {
            let day: jiff::civil::Date = text.parse().unwrap();
            let since = day.since(jiff::civil::date(1970, 1, 1)).unwrap();
            Value::Date(since.get_days())
        }
        _ => Value::text(text),
    }
}

fn how(clock: &Clock) -> &'static str {
    match clock.end {
        None => "runs",
        Some((_, End::Met)) => "met",
        Some((_, End::MetReportedLate)) => "met, reported late",
        Some((_, End::Late)) => "late",
        Some((_, End::Stopped)) => "stopped",
    }
}

fn play(file: &str, text: &str) -> usize {
    let variant = Variant::of(text);
    let mut scene = Scene {
        world: match variant.rules() {
            Ok(None) => World::new(),
            Ok(Some(rules)) => World::with(rules),
            Err(why) => panic!("{file}: {why}"),
        },
    };
    let mut held = 0;
    for (nth, text) in text.lines().enumerate() {
        let line = Line {
            file,
            number: nth + 1,
            text: text.trim(),
        };
        if line.text.is_empty() || line.text.starts_with(['#', '@', '-', '+']) {
            continue;
        }
        if text.starts_with(' ') {
            scene.must(&line, line.text);
            held += 1;
            continue;
        }
        let Some(at) = text.get(..16).and_then(instant) else {
            line.fail("a line begins with a time, or with blanks");
        };
        scene.happens(&line, at, text[16..].trim());
    }
    held
}

#[test]
fn every_scenario_goes_as_it_is_written() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios/funnel");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 17, "{files:?}");
    let mut wrong = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        match std::panic::catch_unwind(|| play(&name, &text)) {
            Ok(held) => assert!(held > 0, "{name} says nothing that must hold"),
            Err(why) => wrong.push(why.downcast_ref::<String>().cloned().unwrap_or_default()),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_that_are_not_there_cannot_be_changed() {
    let text = "@ [lifecycle.clocks.follow_up]\n- breach = \"shout\"\n2026-11-02 09:00  nothing\n";
    let why = std::panic::catch_unwind(|| play("a.txt", text)).unwrap_err();
    let why = why.downcast_ref::<String>().unwrap();
    assert_eq!(
        why,
        "a.txt: lifecycle.toml has no `breach = \"shout\"` under [lifecycle.clocks.follow_up]"
    );
}

#[test]
fn a_line_that_does_not_hold_is_named() {
    let text = "2026-11-02 09:00  map email = ada@example.com\n    stage mql\n";
    let why = std::panic::catch_unwind(|| play("a.txt", text)).unwrap_err();
    let why = why.downcast_ref::<String>().unwrap();
    assert_eq!(why, "a.txt:2: `stage mql`: it is `nurture`");
}
