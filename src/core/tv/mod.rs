//! The words on the TV.
//!
//! Three parts make the TV's picture:
//!
//! | part | where |
//! |---|---|
//! | the words: names, how long somebody has stayed, the last visits, clock, notices | here |
//! | drawing the words and pictures | `media/scene` |
//! | composing and showing on every change | `shell/devices/tv.rs`; the board is in `shell/devices/pictures.rs` |
//!
//! # What it shows
//!
//! - While somebody visits: the viewers, each with name, length of stay and picture.
//! - Else an idle card with clock and date, and with up to four of the last visits of the visit log: today's and those of the six days
//!   before (`visits.rs`). Where there is less room there are fewer of them, and none beside a code or while somebody knocks.
//! - A QR code while one is offered, with the time that it has left.
//! - Who knocks, or comes in by themselves, with the time left and the keys that answer (`door.rs`). The card is that of
//!   whoever waits longest, since the keys act on them. It changes once a second.
//! - For 30 seconds in one line: what has changed for somebody, or who knocked in vain.
//! - That the curtain is drawn. Then home's own picture and the red sign are not shown. That home has quiet hours.
//! - Home's own picture, small. It does not cause a redraw of its own while viewers' pictures come. Without any, it is
//!   renewed 15 times a second.
//! - Notices ([`notices`]), in this order: mistakes in the config, what home found out itself, what other programs
//!   left in a folder. There are at most four of the last kind, and each has at most 200 letters.
//! - A file of that folder has a line in English. The intercom's own commands add a second line, a [`message::Message`]: the name of a
//!   sentence and its values. The TV says it in its language. If that line is missing or not understood, it shows the first one.
//!
//! # Rules
//!
//! - The red sign tells what goes out, not what is configured. What is not known to be off counts as on. What `auto`
//!   put in the place of missing hardware counts as off.
//! - What stays for long wanders slowly over the screen, so that no screen burns in (`captions.rs`). The two periods,
//!   in minutes, have no common divisor, so it comes by everywhere.
//! - Each sentence is in the TV's catalogue (`base/language.rs`), once for each language. Mistakes in `intercom.toml`, what the image's
//!   first program leaves in the folder and what the system says of an error are in English. The log and `intercom status` speak English,
//!   too.
//! - A viewer without a name is "Viewer N", with the lowest free number. The number stays for the whole visit.
//! - Local time comes from the system's zone file (`local_time.rs`). Daylight saving needs no restart.

pub mod captions;
pub mod door;
pub mod local_time;
pub mod message;
pub mod mistake;
pub mod notices;
pub mod visits;
