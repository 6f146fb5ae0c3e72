//! Turns what stewards write into rules, or into a list of problems with positions.
