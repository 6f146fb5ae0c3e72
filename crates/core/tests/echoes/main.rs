//! Which observations are Baton's own writes and which are somebody's entries: the shortest histories in which that was
//! once mistaken. The closed loop (`tests/laws`) found them among thousands of random ones.

mod bench;
mod consents;
mod creates;
mod own_writes;
mod quantum;
