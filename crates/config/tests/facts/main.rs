//! Facts about reading, judging and showing a configuration.

mod base;
mod examples;
mod generated;
mod lowered;
mod many;
mod random;
mod shipped;
mod shown;
mod syntax;
