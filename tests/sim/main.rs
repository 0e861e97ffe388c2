//! The core in virtual time: an hour of intercom in seconds.

// The simulation's one look at the clock is its beginning.
#![allow(clippy::disallowed_methods)]

mod calling;
mod devices;
mod door;
mod encoder;
mod fairness;
mod feels;
mod house;
mod keys;
mod limits;
mod losses;
mod measures;
mod misread;
mod network;
mod news;
mod pairing;
mod paths;
mod people;
mod posts;
mod sockets;
mod sound;
mod sound_only;
mod strangers;
mod terms;
mod uplink;
mod viewer;
mod voice;
mod world;
