//! Calls: signaling messages, one peer connection a viewer, and home, which has all of them.
//!
//! A *visit* is one viewer's stay, from admission to leaving. These rules hold for it:
//!
//! # The socket is not the call (`home/visit.rs`, `home/seats.rs`)
//!
//! Nothing ends media because a socket closed. A visit ends by one of these:
//!
//! - `leave`, or revocation of its key;
//! - 30 s with *neither* a socket *nor* media (`ORPHAN_LIFE`);
//! - a socket but no media: 20 s since media was lost or the newest socket came, 60 s in all;
//! - a failed peer connection.
//!
//! # Signaling is state (`protocol.rs`, `home/signaling.rs`)
//!
//! Every message may come twice, early or late. Offers are numbered (`pc`, `rev`). An offer that was already answered
//! gets the same answer. Candidates that come before their offer are kept, 64 of them. The page offers and home
//! answers. So the page sends its offer in the same breath as its key, and media is ready one round trip after the
//! socket.
//!
//! # Outside bytes cost one visit at most (`contain.rs`, `peer.rs`, `peer/`)
//!
//! - Every call of the WebRTC library goes through [`contain`]. After a panic the peer is dropped. The visit ends with
//!   `bye` `failed`, after `error` `bad_offer` if an offer was the cause. The log names the visit, and `intercom
//!   status` counts it.
//! - The library sees no line of an offer as it came. `peer/offer.rs` reads what home uses, checks it, and writes it
//!   again.
//! - No transport-wide sequence number may run backwards over zero. The library would extend it to 64 bits and run out
//!   of memory. `peer/transport_cc.rs` keeps such a datagram from it. Only authenticated packets count.
//! - str0m: mutate once, drain, then mutate again. `Connection::drain` in `peer/connection.rs` is the one place that
//!   polls. That file is the only one that sees `str0m::Rtc`.
//!
//! # Source addresses (`home/mod.rs`, `peer/checks.rs`)
//!
//! A source address belongs to a visit from the first STUN message that names the visit's credentials, with an
//! integrity that proves them. Anything else from an unknown source is dropped: no answer, and no allocation. A STUN
//! message that no visit accepts changes nothing. To an address that has answered no check, home sends only 8 checks,
//! and one more for each check that comes from there.
//!
//! # Fairness (`people/fairness.rs`, `home/admission.rs`, `home/seats.rs`)
//!
//! Places are counted per source: an IPv4 address, or an IPv6 /64. What is full is taken from the source that has
//! most. Neither the oldest nor the newest is safe. Chance decides among equals. One person has at most half of the
//! visits, and at least one.
//!
//! # Deadlines (`home/mod.rs`)
//!
//! - `Home::poll_timeout` returns `(Instant, Why)`. An empty home returns `None`.
//! - A socket says `hello` within 5 s, and answers a ping.
//! - Encoded frames are never dropped one by one. A viewer whose pacer holds video for over 250 ms gets nothing until
//!   the next keyframe.
//!
//! # Tokens, volume, mute (`home/pairing.rs`, `home/levels.rs`, `chimes.rs`)
//!
//! A token is exchanged for a key: see `people`. Volume and mute are states, and pages get the state. [`chimes`]
//! decides when the speaker chimes.
//!
//! # The door (`home/door.rs`)
//!
//! - A visit is before the door or inside. Before the door its peer connection is built, so that everything is there
//!   when it is let in. Nothing of the viewer reaches home. Of home the viewer gets nothing, or the frosted picture.
//! - Who was inside is back without waiting for two minutes. Who was sent away is not.
//! - Quiet hours are compared with the clock on home's wall. Those that begin end no visit.
//! - The curtain stops home's picture before the encoders and its sound behind the microphone, and both once more
//!   before they are sent. Of what the camera saw meanwhile nothing is left when it opens. Viewers do not hear each
//!   other then: the encoders that mix rest with the microphone.
//! - A key that is pressed just after who waited longest went away means nobody: the TV showed another name.
//!
//! # Owners (`home/owner.rs`, `home/house.rs`, `home/news.rs`, `home/visit_log.rs`)
//!
//! - What an owner set of home ([`house::House`]) goes before `intercom.toml`. It holds at once.
//! - A new device, a new owner, a change of rights: the TV tells it, and all owners. Owners who are not inside are told
//!   when they come the next time; until then the visit log keeps it.
//! - Rights are those of the person at the moment of the message.
//! - A change holds in memory first, then on the disk. Only a link is stored first, since the thread `disk` numbers
//!   persons.
//! - Who is removed stays removed: a key or a link that was being stored meanwhile lets nobody in.
//! - The page cannot take the last owner away. The shell can.

pub mod chimes;
pub mod contain;
pub mod home;
pub mod house;
pub mod items;
pub mod peer;
pub mod protocol;
