//! Access keys: minted, hashed, compared in constant time, kept in a file.

/// Placeholder until the room is built.
#[derive(Debug, Default)]
pub struct KeyRing;
