//! A naive, independent reading of the survivorship contract, to judge the engine by.
//!
//! [`golden`] takes all facts of one person, account or deal in any order, sorts them, and works out each
//! field from nothing, every time. [`desired`] says what a target record should then read. Nothing here is
//! shared with the engine but plain data; nothing here is fast.
//!
//! # Readings
//!
//! Where the contract is silent or can be read two ways, this is what was chosen: the letter, where it helps.
//!
//! Order and turns
//! 1. A read-back stands after everything else of its quantum, before sequence and exact time are looked at.
//! 2. One event id at one record is one event: its smallest time and first position count for all its fields.
//!    Own writes have no event identity; a repeated own write is harmless anyway.
//! 3. A blank in a snapshot and a sentinel are skipped when turns are found ("otherwise as if absent"): the
//!    value before them, told again after them, is a restatement and no turn; a blank in a whole-record event
//!    after them is a clear if a value stood before them. Both are believed.
//! 4. A first observation that is blank is no turn, also where the source says "cleared".
//! 5. An invalid value is an observation like any other: it is a turn, which then drops out, and the same
//!    good value after it is a new turn. A doubtful value loses points under `trust` and nothing elsewhere.
//! 6. An event that later reports what a reading found takes the turn over, if it names the field (a delta),
//!    even with a later time, unless an own write or another value lies between. A whole-record event that
//!    restates it is compared with what was known and takes over nothing.
//! 7. A field that a system maps only outwards is seen there, and never that system's claim.
//! 8. A fact with the verdict `beyond` does not exist here.
//!
//! Eligibility
//! 9. Protection compares floored times and includes the manual turn's own quantum; any manual turn counts,
//!    also a clear, an invalid one, or a member of a tuple that is itself ineligible. Causes protected against
//!    are list import, enrichment and API only: not `unknown`, not sales tool.
//! 10. "Manual or higher" is by the configured cause rank, not worse than manual edit's.
//! 11. `clear = hold` and `ignore` offer the same; they differ in the steward's task.
//! 12. A detached record keeps its claims until an eligible turn of another record has a floored time
//!     strictly later than the delete's; from then on all its claims are gone, also under `first` and `union`.
//! 13. `requires` looks at every eligible tuple of the entity's history, before stages: if one qualifies, the
//!     others are out, also whole clears.
//!
//! Tie-break
//! 14. Greater wins: non-blank, active, later floored time, higher sequence, later exact time. Smaller wins:
//!     cause rank, source rank, system name, canonical bytes, record key. Converted, merged, deleted and
//!     detached are equals below active.
//! 15. The floored time in the tie-break is the claim's `value_since`, later wins, for every strategy: also
//!     behind `first` and `fill`, whose own key prefers the earlier.
//!
//! Strategies
//! 16. `priority`: of one source's records the tie-break chooses, so a non-blank one before a cleared one.
//!     A source without an offer is passed over; one not in the list never wins. `hold` takes the clearing
//!     record's last eligible non-blank turn; if it has none, the next source is asked. If every source
//!     that offers anything was cleared, the first one's clear wins.
//! 17. `fill`, `first`: eligible turns only; "non-blank now" is the offer, after the clear policy. Where
//!     nothing is non-blank, the tie-break chooses among the blanks.
//! 18. `trust`: ages in whole UTC days, from the day of the floored `value_since` to the day of `as_of`, never
//!     negative; millionths of a point, fractions dropped (before the minimum is added); a source without
//!     an entry scores 0; blanks compete.
//! 19. `most_complete` and `longest` on a group add up its members; `max` and `min` compare member by member.
//! 20. `union`: works on eligible turns; a clear is a removal of all if the policy lets it through; times
//!     are floored, so an add and a removal in one quantum leave the element present; no element is blank.
//! 21. `counter`: no protection; a clear counts as a fall to 0 if the policy lets it through; blank before is 0.
//! 22. `by_stage`: stages before the first fact, and unknown ones, rank below all. With `keep` a segment is
//!     a stretch of time: going back makes a new stretch, and "the latest" is the last in time, so going
//!     back alone changes nothing. Records offer their last turn within the stretch. A winning clear is a
//!     winner. `rejudge` looks at the last stage fact.
//! 23. `manual`: a decision stands until the next one, whatever comes in. The fallback starts when `as_of` is
//!     the wait (or more) after the latest offer, if the offers differ.
//! 24. `follow`: the winner's own offer; nothing if it has none, or if the group has no winning record.
//! 25. `derived`: a circle reads as blank; `sum` leaves out what is no number.
//! 26. `most_restrictive` on a field without a consent rule: the most restrictive word of any eligible turn.
//! 27. A lock on one member of a group replaces that member only; a lock to a source, on a group or on any of
//!     its members, judges the whole group as `only` that source.
//!
//! Groups
//! 28. A step is all foreign observations of members at one record with one exact time; it stands at the
//!     last of them in ρ. It makes a tuple if a member turned in it; the tuple is what stands there then,
//!     own writes included; time and cause are those of the latest turn of any member that stands there.
//!     Where whole records of that time differ and none shows what stands, the tuple is that of the one that shows most
//!     of it (of several the last that came in), with its latest turn: it was some record's (L3).
//! 29. A tuple is whole if every mapped member was observed at or before it; a snapshot blank and a sentinel
//!     count as observed. Where a record's first whole tuple comes by a step without a turn (a re-read that
//!     finds the missing member blank), that step makes the tuple, with the time and cause of the last turn.
//! 30. A member's value is its last observation that is not as if absent: a snapshot blank does not empty it.
//! 31. A value that restates the rendering of an own write means the value written, so a cut text does not
//!     become golden by an edit of another member.
//! 32. A tuple with an invalid member drops out; with a doubtful one it is doubtful; a clear held by the
//!     mass-clear guard holds every tuple it stands in. Clear policy looks at wholly blank tuples only.
//!
//! Consent
//! 33. Restrictive is anything tighter than opted in, so pending too. Every turn counts, not only the last.
//! 34. An own act is a turn caused by `own_form`, or a given act. It answers turns of the address that its
//!     record had then (if either address is unknown: of the same person). An unknown state answers nothing.
//! 35. A turn speaks of the address its record had, and of all that record has later; a bounce only of the
//!     first. Other people's turns count where that is one of the person's current addresses, or the golden one.
//! 36. A person's own bounce is answered when that record gets another address at a later floored time and no
//!     record of the person has the bounced one now.
//!     Restrictions of somebody who was merged and split off again stay the person's own (`formerly`).
//! 37. Blank and invalid values are no turns of consent. Locks do not reach it.
//! 38. Restrictions count at event time; "the earlier of event and arrival" is when an act answers.
//!
//! Identity
//! 39. Records keep their own turns after a merge. A converted lead's facts are read as the contact's where
//!     the case says so in `moved`; otherwise it stays a record of its own with the link `Converted`.
//!
//! Targets
//! 40. Only actively linked records are written. A field without golden value is not touched. Consent
//!     ignores filters. A closed value map without the value leaves the whole group alone.
//! 41. Values are cut by characters, texts without a value map only.
//! 42. "Blank observed at the very record whose claim wins" looks at the believed value of that field.
//!
//! The funnel stands beside this, in [`lifecycle`], with readings of its own.

pub mod case;
pub mod claim;
mod collect;
mod consent;
mod derive;
pub mod desired;
pub mod golden;
pub mod lifecycle;
pub mod order;
mod stage;
pub mod strategy;
mod trust;

pub use case::{Actor, Answer, Case, ConsentAct, Fact, Link, Lock, StageFact, StewardChoice, Told};
pub use desired::{Desired, LeftAlone, desired};
pub use golden::golden;
