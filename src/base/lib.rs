//! What every room of the intercom speaks of: pictures, sound, units, the TV's languages, and settings that more than one room
//! needs. It depends on nothing of ours, and is the one part of `src` that drivers may use.
#![forbid(unsafe_code)]

pub mod isolate;
pub mod language;
pub mod letters;
pub mod picture;
pub mod resample;
pub mod settings;
pub mod sound;
pub mod testing;
pub mod units;
