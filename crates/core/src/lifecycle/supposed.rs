//! What would have been different: a person's inputs, taken in again as if other rules had been active from some instant
//! on, and what is counted of the two courses.

use std::collections::BTreeMap;

use crate::{
    apply::apply,
    book::OutBody,
    id::{Digest, EntityId},
    input::Input,
    name::Name,
    rules::Rules,
    state::State,
    time::Millis,
    wire::{Ending, Lifecycle, LifecycleMessage},
};

/// Something that both teams count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Counted {
    /// The person was handed to sales.
    HandedOver,
    Entered(Name),
    /// With this reason.
    Recycled(Option<Name>),
    /// Recycled too often.
    Exhausted,
    /// This clock, unless it was only watched.
    Breached(Name),
}

impl Counted {
    /// What a message tells of, if that is counted.
    #[must_use]
    pub fn of(message: &LifecycleMessage) -> Option<Self> {
        match &message.told {
            Lifecycle::Handoff(_) => Some(Self::HandedOver),
            Lifecycle::Transition { to, .. } => Some(Self::Entered(*to)),
            Lifecycle::Recycle(recycle) if recycle.how == Ending::Recycled => {
                Some(Self::Recycled(recycle.reason))
            }
            Lifecycle::Recycle(_) => Some(Self::Exhausted),
            Lifecycle::Breach { clock, .. } if !message.shadow => Some(Self::Breached(clock.name)),
            _ => None,
        }
    }
}

/// Something that is counted, and when it happened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Happened {
    pub due: Millis,
    pub what: Counted,
}

/// A person whose inputs are taken in again. Nothing is written, and nobody is told.
pub struct Rerun {
    pub state: State,
    /// When the last input was taken in.
    now: Millis,
    made: BTreeMap<Digest, Happened>,
}

impl Rerun {
    #[must_use]
    pub fn new(person: EntityId) -> Self {
        Self {
            state: State::new(person),
            now: Millis::UNTIMED,
            made: BTreeMap::new(),
        }
    }

    /// Takes an input in.
    pub fn take(&mut self, input: &Input, rules: &Rules, at: Millis) {
        self.now = self.now.max(at);
        for message in apply(&mut self.state, input, rules, at).effects.messages {
            let OutBody::Lifecycle(message) = message.body else {
                continue;
            };
            if let Lifecycle::Undone {
                undoes: Some(undoes),
                ..
            } = message.told
            {
                self.made.remove(&undoes);
            }
            if let Some(what) = Counted::of(&message) {
                let due = message.due;
                self.made.insert(message.id, Happened { due, what });
            }
        }
    }

    /// Lets time pass: what falls due in the funnel until then is done when it falls due.
    pub fn pass(&mut self, rules: &Rules, until: Millis) {
        let next = |state: &State| state.funnel.as_deref().and_then(|f| f.present().next);
        let mut last = None;
        while let Some(due) = next(&self.state).filter(|due| *due <= until && Some(*due) != last) {
            last = Some(due);
            self.take(&Input::Wake, rules, due.max(self.now));
        }
    }

    /// What stands of all that was done, in the order in which it fell due.
    #[must_use]
    pub fn happened(&self) -> Vec<Happened> {
        let mut all: Vec<Happened> = self.made.values().copied().collect();
        all.sort_unstable();
        all
    }
}
