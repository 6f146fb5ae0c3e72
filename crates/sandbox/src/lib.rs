//! Imitates the outside systems honestly, limits and bad habits included.
