//! What canonical form, normalising, answers and rendering promise, as facts and as properties.

mod answers;
mod canonical;
mod changes;
mod properties;
mod rendering;
mod world;
