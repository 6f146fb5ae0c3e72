//! What time alone can do to a person.

use serde::{Deserialize, Serialize};

use crate::name::Name;

/// Alarms of one instant go off in this order, after all facts of the instant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Alarm {
    /// The nth reminder of a clock.
    Reminder { clock: Name, nth: usize },
    /// A clock's target is used up.
    Breach { clock: Name },
    /// The nth step of a clock's escalation.
    Escalation { clock: Name, nth: usize },
    /// The last try before a recycle.
    Reengage,
    /// Nothing that counts happened for the stage's stall time.
    Stall,
    /// No progress within the stage's greatest age.
    Age,
    /// A cool-down ends.
    CoolDown,
    /// A condition that looks at time may have changed its answer.
    Condition,
}
