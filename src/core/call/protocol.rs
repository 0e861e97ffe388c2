//! The signaling messages, version 1: JSON text over the WebSocket `/signal`, one object a message; or in POSTs to the same path, one
//! object a line, which home answers in the same form.
//!
//! Signaling carries *state*, not events: every message may arrive again, and a page that reconnects simply says
//! all that still matters once more. `pc` numbers the page's peer connections (a rebuilt one gets the next
//! number), `rev` numbers the offers of one (an ICE restart is the next `rev`). An offer already answered is
//! answered with the same answer; candidates may come before, during and after their offer, and twice.
//!
//! The page opens with `hello` and may send its first `offer` and candidates at once behind it, without
//! waiting for `welcome`.

use serde::{Deserialize, Serialize};

use crate::people::register::Role;

mod attempt;
mod house;
mod people;
mod picture;

pub use attempt::Attempt;
pub use house::{FindingInfo, HomeInfo, HomeValues, HomeWish, NewsInfo, Origin, ReachInfo};
pub use people::{CodeInfo, Entry, KnockInfo, NotDone, PeopleList, PersonInfo, PersonWish, VisitEntry, Wanted};
pub use picture::RungName;

pub use crate::rate::limits::LimitedBy;

/// The version that this build speaks; a `hello` with another one is answered with `error` `version`.
pub const VERSION: u32 = 1;

/// Longest message accepted, in bytes. An SDP offer of a browser is 4–8 kB.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Longest message accepted of a client that has not shown a key yet, in bytes. A `hello` has about a hundred.
pub const MAX_HELLO: usize = 1024;

/// From the page to home.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromPage {
    /// The first message on every socket.
    Hello {
        /// [`VERSION`] of the page.
        v: u32,
        /// The access key out of the link's fragment.
        key: String,
        /// The token of a visit that this page wants to go on with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume: Option<String>,
        /// Names this try of the page to connect.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<Attempt>,
    },
    /// Instead of `hello`: exchanges the one-use token of a code on the TV for a key; `hello` follows the answer.
    Pair {
        /// [`VERSION`] of the page.
        v: u32,
        /// The token out of the link's fragment.
        token: String,
        /// Random and the page's own: the same one may ask again, should the answer get lost; anybody else may not.
        nonce: String,
    },
    /// An SDP offer (RFC 8829) of peer connection `pc`.
    Offer {
        /// Number of the peer connection.
        pc: u32,
        /// Number of the offer within it.
        rev: u32,
        /// The session description.
        sdp: String,
        /// What the page itself came at, in kbit/s: a first guess of what the path carries.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kbps: Option<u32>,
        /// As in `state`.
        #[serde(default, skip_serializing_if = "picture::is_false")]
        saves: bool,
    },
    /// A trickled ICE candidate (RFC 8838) of peer connection `pc`; an empty text ends them.
    Candidate {
        /// Number of the peer connection.
        pc: u32,
        /// The `candidate:` line.
        candidate: String,
    },
    /// Asks for a keyframe: connected, but no picture has been presented for two seconds.
    Keyframe {
        /// Number of the peer connection.
        pc: u32,
    },
    /// Asks for one picture of home. It is answered with `snapshot` where the connection at hand has sound only, at most once a second;
    /// else not at all.
    Snapshot {},
    /// What the viewer sends now.
    State {
        /// The microphone is on.
        microphone: bool,
        /// The camera is on.
        camera: bool,
        /// The viewer's device saves data, and a small picture is to do.
        #[serde(default, skip_serializing_if = "picture::is_false")]
        saves: bool,
    },
    /// How loud viewers shall be at home from now on, in percent; home keeps within its limits.
    Volume {
        /// 0 to 100.
        percent: u8,
    },
    /// Asks for `people`, now and after each change, until the socket closes. Owners only, as all that follows up to `erase_visits`.
    People {},
    /// Asks for a link, for somebody new or for further devices of a person; answered with `invited`. The same request again is
    /// answered with the same link.
    Invite {
        /// Chosen by the page, once for each link of a visit.
        request: u32,
        /// Whose devices it is for; `null`: somebody new.
        #[serde(default)]
        person: Option<u64>,
        /// What home calls them, if they are new.
        #[serde(default)]
        name: Option<String>,
        /// What they may do, if they are new.
        #[serde(default)]
        role: Role,
    },
    /// A person is to be so from now on.
    Person(PersonWish),
    /// Ends a person: visits, devices and link.
    Remove {
        /// Their number.
        person: u64,
    },
    /// Shows the code for a new phone on the TV, or takes it away.
    ShowCode {
        /// Whether it is to be shown.
        shown: bool,
        /// Whose further device it is for; `null`: somebody new.
        #[serde(default)]
        person: Option<u64>,
        /// What home will call who comes with it.
        #[serde(default)]
        name: Option<String>,
        /// What they may do.
        #[serde(default)]
        role: Role,
    },
    /// Home's quiet hours, like `22:00-07:00`; `null`: none.
    QuietHours {
        /// See above.
        #[serde(default)]
        hours: Option<String>,
    },
    /// Asks for `home`, now, after each change, and when home has looked at itself, until the socket closes.
    Home {
        /// Of the notices (ISO 639-1); one that home does not have means English.
        #[serde(default)]
        language: String,
    },
    /// Home is to be so from now on.
    SetHome(HomeWish),
    /// The owner has read the news up to this number.
    NewsRead {
        /// See [`NewsInfo`].
        number: u64,
    },
    /// Lets somebody in who knocks, or ends the preview.
    LetIn {
        /// The visit, out of `door`.
        visit: u64,
    },
    /// Declines somebody who knocks, or is in the preview.
    Decline {
        /// The visit, out of `door`.
        visit: u64,
    },
    /// Asks for `visits`.
    Visits {},
    /// Forgets the visit log; answered with `visits`.
    EraseVisits {},
    /// Answered with `pong`; the page closes a socket whose pong is late.
    Ping {
        /// Returned as it is.
        t: f64,
    },
    /// Somebody heard home's call.
    Answer {},
    /// Ends the visit for good.
    Leave {},
}

/// From home to the page.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromHome {
    /// The key is good, the visit stands.
    Welcome {
        /// [`VERSION`] of home.
        v: u32,
        /// The visit's token, for `resume`.
        session: String,
        /// Whether this is the visit that `resume` named; if not, peer connections from before are gone.
        resumed: bool,
        /// The home's name, to be shown.
        home: String,
        /// How home's camera is.
        camera: CameraState,
        /// Whether home has muted its microphone.
        #[serde(default)]
        muted: bool,
        /// How loud viewers are at home.
        #[serde(default)]
        volume: Volume,
        /// What the viewer may do.
        #[serde(default)]
        role: Role,
        /// Whether they are inside yet.
        #[serde(default)]
        entry: Entry,
        /// Whether home has drawn the curtain.
        #[serde(default)]
        curtain: bool,
    },
    /// The viewer is let in, or has to wait.
    Entry {
        /// Where the visit stands now.
        entry: Entry,
    },
    /// An owner changed what the viewer may do.
    Role {
        /// What it is now.
        role: Role,
    },
    /// Home drew the curtain, which stops its picture and sound, or opened it.
    Curtain {
        /// Whether it is drawn now.
        drawn: bool,
    },
    /// Home's quiet hours began, which ends no visit, or are over.
    QuietHours {
        /// When they end, UTC in seconds since 1970; `null`: there are none now.
        until: Option<u64>,
    },
    /// Home calls: the page rings.
    Call {
        /// Then it is over, in milliseconds from now.
        left_ms: u64,
    },
    /// Home's call is over, or was answered.
    CallOver {},
    /// Home called, and nobody answered; told once, to who was not there.
    MissedCall {
        /// When, UTC in seconds since 1970.
        at: u64,
    },
    /// Who waits at the door now, for owners who are inside.
    Door {
        /// In the order of their coming.
        knocks: Vec<KnockInfo>,
    },
    /// The answer to `people`.
    People {
        /// In the order of their coming.
        people: Vec<PersonInfo>,
        /// Whether the TV shows a code that somebody asked for.
        code_shown: bool,
        /// Whose it is.
        code: Option<CodeInfo>,
        /// Home's quiet hours, like `22:00-07:00`; `null`: none.
        quiet_hours: Option<String>,
    },
    /// The answer to `home`.
    Home(Box<HomeInfo>),
    /// Home has another name.
    Name {
        /// To be shown.
        home: String,
    },
    /// What has changed of who may do what and this device has not read: for owners, when something changes and behind each `welcome`.
    News {
        /// The oldest first.
        news: Vec<NewsInfo>,
    },
    /// The answer to `visits`: the newest entries of the visit log, the newest first.
    Visits {
        /// See above.
        visits: Vec<VisitEntry>,
    },
    /// The answer to `invite`.
    Invited {
        /// As it came.
        request: u32,
        /// Whose devices it makes.
        person: u64,
        /// The link, to be sent to them.
        link: String,
        /// It must be opened before then, UTC in seconds since 1970.
        until: u64,
        /// Devices that it is good for.
        devices: u64,
        /// The link's QR code without its quiet zone: rows of `1` (dark) and `0`; empty if the link is too long for one.
        qr: Vec<String>,
    },
    /// What an owner's page wanted was not done.
    NotDone {
        /// The request, if it was an `invite`.
        request: Option<u32>,
        /// The person, if it was about one.
        person: Option<u64>,
        /// The message that it was.
        about: Wanted,
        /// Why.
        why: NotDone,
    },
    /// The answer to `pair`: `hello` may be said now, with this key.
    Paired {
        /// The viewer's own key, to be kept.
        key: String,
    },
    /// The answer to offer `rev` of `pc`. It rejects the section of video (port 0) where the offer had no H.264: then there is sound only.
    Answer {
        /// Number of the peer connection.
        pc: u32,
        /// Number of the offer within it.
        rev: u32,
        /// The session description, with all candidates that home has.
        sdp: String,
    },
    /// An address that home gained since the answer.
    Candidate {
        /// Number of the peer connection.
        pc: u32,
        /// The `candidate:` line.
        candidate: String,
    },
    /// Home's camera was plugged or unplugged.
    Camera {
        /// How it is now.
        camera: CameraState,
    },
    /// Home muted its microphone, or opened it again.
    Microphone {
        /// Whether it is muted now.
        muted: bool,
    },
    /// Somebody set how loud viewers are at home.
    Volume {
        /// How loud they are now.
        volume: Volume,
    },
    /// Which picture this viewer gets now.
    Stream {
        /// `full`, or `reduced` while the viewer's connection carries no more.
        rung: RungName,
    },
    /// Which connection makes the picture small, when that has lasted, changes or is over.
    Limit {
        /// Most likely; `null`: none.
        by: Option<LimitedBy>,
        /// What the way to the viewer seems to carry, in kbit/s; 0: nobody knows.
        kbps: u64,
    },
    /// The answer to `snapshot`.
    Snapshot {
        /// A JPEG, in base64 (RFC 4648 section 4).
        jpeg: String,
    },
    /// The answer to `ping`.
    Pong {
        /// As it came.
        t: f64,
    },
    /// Something went wrong. If `fatal`, home closes the socket, and trying again with the same key or offer
    /// will not help; else the socket and the visit go on.
    Error {
        /// For the page.
        code: ErrorCode,
        /// For a person who reads the log; the page has its own sentences.
        message: String,
        /// Whether it is over.
        fatal: bool,
    },
    /// Home ends the visit.
    Bye {
        /// Why.
        reason: ByeReason,
        /// With `resting`: when the quiet hours end, UTC in seconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
    },
}

/// How loud viewers are at home, all in percent: 100 is as loud as they send it, 0.4 dB less with each percent, 0 silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Volume {
    /// How loud they are now.
    pub percent: u8,
    /// The least that a page may set.
    pub least: u8,
    /// The most that a page may set; no more than `least` means that pages set nothing.
    pub most: u8,
}

impl Default for Volume {
    fn default() -> Volume {
        Volume { percent: 100, least: 100, most: 100 }
    }
}

/// State of home's camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CameraState {
    /// It delivers pictures.
    Live,
    /// It is not there or does not work: a card is shown instead.
    Unplugged,
}

/// What was wrong with a message or a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, no known `type`, a field missing or of the wrong type. Not fatal.
    BadMessage,
    /// The page is of another version than home: reload it. Fatal.
    Version,
    /// No such key; or the code on the TV was used already, or is over. Fatal.
    WrongKey,
    /// As many viewers as home allows. Fatal for now; the page may try again later.
    Full,
    /// As many visits of this key's owner as one person may have. Fatal for now; the page may try again later.
    KeyBusy,
    /// The offer could not be used, `message` says why. Not fatal.
    BadOffer,
    /// Too many messages at once. Fatal.
    TooFast,
    /// Only an owner may do this, or somebody who is inside. Not fatal.
    NotAllowed,
}

/// Why home ended a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ByeReason {
    /// Home shuts down or restarts: reconnect in a moment.
    Restarting,
    /// The key was revoked.
    Revoked,
    /// The peer connection failed at home, by a fault of home's: try again with a new one.
    Failed,
    /// The visit has had no media for too long: try again with a new one.
    NoMedia,
    /// Somebody at home ended the visit.
    Ended,
    /// Somebody at home did not want to be visited now.
    Declined,
    /// Nobody answered the knock.
    NoAnswer,
    /// Home has quiet hours.
    Resting,
    /// A newer visit, of the same person or where all seats were taken, needed the place of this one, which had no media.
    Replaced,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_flat_objects_with_a_type() {
        let hello: FromPage = serde_json::from_str(r#"{"type":"hello","v":1,"key":"k"}"#).unwrap();
        assert_eq!(hello, FromPage::Hello { v: 1, key: "k".into(), resume: None, attempt: None });
        let named = r#"{"type":"hello","v":1,"key":"k","attempt":"0123456789abcdef"}"#;
        assert_eq!(serde_json::to_string(&serde_json::from_str::<FromPage>(named).unwrap()).unwrap(), named);
        assert!(serde_json::from_str::<FromPage>(&named.replace("cdef", "c")).is_err(), "too short for an id");
        let text = serde_json::to_string(&FromHome::Bye { reason: ByeReason::Restarting, until: None }).unwrap();
        assert_eq!(text, r#"{"type":"bye","reason":"restarting"}"#);
        let volume = serde_json::to_string(&FromHome::Volume { volume: Volume::default() }).unwrap();
        assert_eq!(volume, r#"{"type":"volume","volume":{"percent":100,"least":100,"most":100}}"#);
        let leave: FromPage = serde_json::from_str(r#"{"type":"leave"}"#).unwrap();
        assert_eq!(leave, FromPage::Leave {});
    }

    #[test]
    fn unknown_fields_of_a_newer_page_are_ignored_and_unknown_types_are_not() {
        assert!(serde_json::from_str::<FromPage>(r#"{"type":"ping","t":1,"extra":2}"#).is_ok());
        assert!(serde_json::from_str::<FromPage>(r#"{"type":"dance"}"#).is_err());
    }
}
