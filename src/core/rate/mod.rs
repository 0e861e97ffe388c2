//! What is sent to whom: which encoding of the camera and at which bitrate, when an encoder ticks, and what sound
//! gives way to.
//!
//! # Bitrate and rungs (`ladder.rs`)
//!
//! A *rung* is one encoding of the camera. All rungs are the *ladder*: full and reduced. One encoder serves all
//! viewers of a rung.
//!
//! - str0m estimates each viewer's path (GCC over transport-wide feedback).
//! - A rung is encoded at what its slowest viewer can use. That is 85 % of the estimate, less what the sound takes.
//!   While frames queue up it is 65 %.
//! - The bitrate falls at once. It rises by a tenth a second. The full rung never falls below its `floor_kbps`. The reduced rung may
//!   fall to a quarter of its own, with fewer frames.
//! - A frame that waits over 250 ms in the pacer is a jam: nothing is sent to that viewer until a keyframe fits
//!   (`call/home/media.rs`).
//! - A viewer moves to the reduced rung after the estimate stayed below the full rung's floor for 8 s. It takes 2 s if
//!   the path carries not even a third of that, and 1.5 s if frames jam as well. The other viewers notice nothing.
//! - The viewer climbs back after 5 good seconds. After a climb that failed, the pause doubles, from 10 s to 2 min.
//!
//! # Passthrough (`passthrough.rs`)
//!
//! A camera that encodes H.264 itself is passed on without another encode, while all of this holds:
//!
//! - its stream suits browsers (constrained baseline) and has the full rung's size;
//! - it makes keyframes when asked;
//! - it is not more than what is ordered of the rung. The camera is set to that bitrate where it can be.
//!
//! Otherwise it is decoded and encoded again. A keyframe lies between both ways, so viewers see no gap. For the
//! reduced rung and the TV it is decoded on the camera's thread, only while one of them needs pixels. A lost unit
//! costs everything up to the next keyframe, which the camera is asked for at once.
//!
//! # Latency (`cadence.rs`, `encoding.rs`, `playout.rs`)
//!
//! A frame waits for nothing:
//!
//! - An encoder's ticks are locked in phase to the camera's arrivals ([`cadence`]).
//! - The loop is woken by an eventfd. Packets leave in the same turn.
//! - [`encoding`] decides what a tick gets: a fresh frame, the same frame again, a forced keyframe, the card, or
//!   nothing while the camera encodes.
//! - The playout-delay extension goes along with every frame ([`playout`]): 0/0 on a clean path, 0 to 400 ms while a
//!   viewer's reports show over 2 % loss or 30 ms jitter. It closes after ten calm seconds.
//! - Camera frames carry abs-capture-time.
//!
//! `make bench` prints capture to presentation, with each stage in between, and the way back to the TV's driver.
//!
//! # Sound comes first (`speech.rs`, `stills.rs`)
//!
//! - One order serves all encoders. It is set for the worst path that can carry the least bitrate at all.
//! - Reported loss sets the encoder's FEC. Below 20 kbit/s the encoder puts in no FEC. So with losses, sound gets 20
//!   at least.
//! - From 3 % loss on, each packet brings the previous one along (RED), for that viewer.
//! - Sound is never paced. Where a path does not carry both, the picture gives way in steps:
//!   1. the reduced rung leaves frames out, down to a quarter of them (`encoding.rs`);
//!   2. only still pictures are sent, as there is room: one in 2 to 20 s (`stills.rs`);
//!   3. nothing but sound, where less than 4 kbit/s are left for pictures.
//! - In steps 2 and 3 the estimator rests too, since its padding would take what the voice needs. It tries again after
//!   10 to 80 s, for 4 s.
//! - Loss that goes on while next to nothing is sent belongs to the path itself. Then redundancy stays on, whatever
//!   the estimate says.
//!
//! The page does the same in the other direction (`webroot/uplink.js`).

pub mod cadence;
pub mod delivery;
pub mod encoding;
pub mod passthrough;
pub mod path;
pub mod playout;
pub mod sharing;
pub mod sizes;
pub mod snapshots;
pub mod speech;
pub mod stills;
