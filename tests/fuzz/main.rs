//! Bad input. `make test` replays what the engine of `make fuzz` has learnt and what once went wrong, and drives each target
//! by a seeded mutator, so that every run is the same; offers and the events of a home have mutators that know them.

// The targets' one look at the clock is the beginning of their time.
#![allow(clippy::disallowed_methods)]

mod driver;
mod home;
mod offers;
mod replay;
mod targets;
