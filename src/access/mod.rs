//! Who may visit: keys, and the patience with those who guess.

pub mod guessers;
pub mod keys;
