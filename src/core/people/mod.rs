//! Who may visit: persons and their devices' keys, and slowing down those who guess.
//!
//! # Keys (`keys.rs`)
//!
//! - A key is 128 random bits. It is shown once. All that stays knows its SHA-256 only. A plain hash is enough for
//!   random bits.
//! - Keys are compared in constant time, whichever of them matches.
//! - A number is never used again. Number 0 is the key that ends with the process.
//!
//! # A token is exchanged for a key (`register.rs`, `core/call/home/pairing.rs`)
//!
//! A link holds a token, not a key. There are two exceptions: the link of `intercom run`,
//! whose key ends with the process, and the one that an iPhone's page copies for its own icon. So what stays in histories and messengers is worthless a day after its first use.
//!
//! | | code on the TV | link |
//! |---|---|---|
//! | where the token stays | memory of the core | hashed, on the disk |
//! | good for | one device | three devices of one person |
//! | how long | 10 minutes | open within 7 days; then one day for further devices |
//!
//! Days and devices of a link can be chosen (1 to 365, 1 to 20). Three devices are the default because messengers open
//! links in a browser of their own.
//!
//! - The key is made when the token is shown. The thread `disk` does that, since the loop waits for no disk.
//! - The key is sent to the one page whose nonce came with the token, as often as that page asks. This survives
//!   sockets that die in between.
//! - If a key cannot be stored, the token stays good.
//! - A page keeps a key only when home has welcomed it. A key out of an address is tried first. If home does not know
//!   it, the device uses the key that it had.
//!
//! # Changes (`edit.rs`, `core/call/home/owner.rs`)
//!
//! - A change holds in memory first. The disk stores it then.
//! - An owner's page says a person whole. The shell says what is different, so that a change on a page meanwhile stays.
//! - The last owner stays one, but for the shell: the machine is that person's anyway.
//!
//! # Guesses (`guessers.rs`, `access.rs`)
//!
//! - A wrong key or token is answered late: 0.5 s, doubling to 30 s, per IPv4 address or IPv6 /64. Ten quiet minutes
//!   forget it.
//! - A wrong token costs what a wrong key costs. A valid key is never delayed.
//! - A wrong first message gets no answer at all.
//! - A client that waits for its refusal gets its pings answered. Otherwise the page would take home for dead and dial
//!   again, which would count as one more guess.
//!
//! # Fairness (`fairness.rs`)
//!
//! What clients compete for is counted per source: an IPv4 address, or the /64 of an IPv6 address. What is full is taken
//! from the source that has most. The gateway shares connections that way, and home shares sockets and seats.
//!
//! # Roles and ways of entering (`register.rs`, `entering.rs`)
//!
//! | role | may | enters | in quiet hours |
//! |---|---|---|---|
//! | owner | change people, read the visit log, answer a knock from afar | at once | enters |
//! | family | visit | at once | knocks in silence |
//! | guest | visit | knocks | is refused |
//!
//! The last two columns are what holds if nothing else is set for the person. The first device of all is an owner's if it came by the code on
//! the TV; a link says its role. The key of `intercom run` counts as an owner's.
//!
//! # The visit log (`visits.rs`)
//!
//! Who, when, how long, and who did not come in: the newest 500. Nothing else is recorded.
//!
//! # News for owners (`news.rs`)
//!
//! Each change of who may do what is told to each device of an owner until it has read it. Numbers, not times, say what is unread: clocks
//! jump. The visit log shows the same changes, and may be erased without silencing them.
//!
//! # The file (`register/file.rs`)
//!
//! `register` holds persons, devices and links, and the text of the file that keeps them. The shell stores it
//! (`shell/key_file.rs`). What the disk does not take is remembered until it does, or the process ends.

pub mod access;
pub mod edit;
pub mod entering;
pub mod fairness;
pub mod guessers;
pub mod items;
pub mod keys;
pub mod names;
pub mod news;
pub mod register;
pub mod state_file;
pub mod visits;
