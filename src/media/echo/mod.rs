//! Echo, noise and gain: what makes home's sound fit to be sent while the speaker plays.

pub mod align;
mod fraction;
mod timeline;
