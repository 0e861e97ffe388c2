//! Slows down those who guess keys, per address.
