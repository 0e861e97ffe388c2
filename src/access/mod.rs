//! Who may visit: keys, and the patience with those who guess.

pub mod door;
pub mod guessers;
pub mod keys;
pub mod names;
pub mod people;
