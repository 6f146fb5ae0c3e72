//! People whose timer is due at an instant that the measurement chooses: settled in memory as a daemon would have settled
//! them back then, and put into the store.

use baton_connectors::{Item as Decoded, Message, decode};
use baton_core::{
    book::{Book, Incoming, Item},
    change::Format,
    id::{Digest, Position},
    name::Name,
    normalise::normalise,
    rules::Rules,
    time::{DAY, HOUR, Millis},
};
use baton_store::Batch;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::rules::THRESHOLD;
use crate::{
    bench::{
        people::{Calendar, People, SCORE, Values},
        shape,
        site::{SOURCE, Site, TARGET},
    },
    engine::editions,
};

/// People of one transaction.
const AT_ONCE: usize = 1_000;

/// Puts `count` people into the store who become ready so many hours before `due` says, each known of both systems.
/// What their coming in made is told nobody.
pub fn gather(
    site: &Site,
    count: usize,
    hours: u32,
    due: impl Fn(usize) -> Millis,
    runtime: &Handle,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let ready = |person| due(person).minus(i64::from(hours) * HOUR);
    site.activate(ready(0).minus(DAY))?;
    let rules = site.workspace.active.rules.clone();
    let rules = runtime.block_on(editions::with_history(rules, &site.store))?;
    let mut people = People::new(count, Calendar::default(), Values::Points);
    for from in (0..count).step_by(AT_ONCE) {
        anyhow::ensure!(!stop.is_cancelled(), "told to end");
        let mut book = Book::default();
        for person in from..count.min(from + AT_ONCE) {
            let mut touch = people.introduce(person);
            touch.time = ready(person).0;
            touch.values[SCORE] = THRESHOLD.to_string();
            let text = shape::canonical(Format::Baton, &touch);
            for system in [SOURCE, TARGET] {
                let arrival = touch.arrival();
                let item = item(&rules, Name::new(system), &text, arrival)?;
                book.settle(item, &rules, arrival);
            }
        }
        book.out.messages.clear();
        let batch = Batch::default();
        runtime.block_on(site.store.commit(&mut book, &batch))?;
    }
    Ok(())
}

/// What a system says, as the engine takes it in.
fn item(rules: &Rules, system: Name, text: &str, arrival: Millis) -> anyhow::Result<Item> {
    let format = Format::Baton;
    let message = Message {
        key: None,
        value: Some(text.as_bytes()),
        object: Some(shape::object(format)),
        ..Message::default()
    };
    let mut found = decode(format, &message)?;
    let Some(Decoded::Change(raw)) = found.pop() else {
        anyhow::bail!("a made-up message was not understood: the benchmark is wrong");
    };
    let incoming = Incoming {
        system,
        format,
        // An event with a time has an id of its own.
        message: Digest::default(),
        raw,
        position: Position::new(arrival, 0, 0, 0),
        index: 0,
    };
    Ok(Item::Change(normalise(incoming, rules)?))
}
