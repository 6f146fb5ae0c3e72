//! The funnel against its naive reading, row by row, and under the laws.

mod calendar;
mod clocks;
mod done;
mod merge;
mod model;
mod table;
mod world;
