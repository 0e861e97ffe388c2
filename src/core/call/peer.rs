//! One peer connection, walled in: a panic of the WebRTC library costs the connection that it happened in and no other.
//!
//! Everything in here works on bytes that a viewer's device has chosen, which may be in wrong hands. So offers are bounded and
//! checked first (`offer`), the library's state is never touched but through [`contain`], and after a panic it is dropped:
//! the peer has failed, says so once ([`PeerOutput::Failed`]), and does nothing any more.

mod answer;
mod checks;
mod config;
mod connection;
mod duplicates;
mod offer;
mod output;
mod transport_cc;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

use crate::call::contain::contain;
pub use config::Identity;
use connection::Connection;
pub use output::{OfferError, PeerOutput, PlayoutDelay, Pressure, Report, Transmit};

/// One peer connection with one audio and one video track, each both ways; or with audio alone, for a browser without H.264.
pub struct Peer {
    /// `None` once it has panicked.
    connection: Option<Box<Connection>>,
    /// What the panic said and when, until that is logged.
    failure: Option<(String, Instant)>,
}

impl Peer {
    /// Answers an offer (SDP, RFC 8829). `locals` are our addresses, `public` what a router makes of the first IPv4 one.
    ///
    /// # Errors
    /// [`OfferError`] if nothing can come of it; no state is kept then.
    pub fn answer(
        identity: &Identity,
        offer: &str,
        locals: &[SocketAddr],
        public: Option<SocketAddr>,
        initial: Bitrate,
        now: Instant,
    ) -> Result<(Peer, String), OfferError> {
        let offer = offer::check(offer)?;
        let (connection, answer) = contain(|| Connection::answer(identity, &offer, locals, public, initial, now))
            .map_err(OfferError::Failed)??;
        Ok((Peer { connection: Some(Box::new(connection)), failure: None }, answer))
    }

    /// Answers a further offer of the same connection: an ICE restart.
    ///
    /// # Errors
    /// As for [`Peer::answer`]. An offer that contradicts itself, or that lacks this connection's codec, is refused before the library
    /// sees it, and the connection goes on as it was. One that the library refuses, or answers without that codec, closes the
    /// connection: the library may have taken over half of it.
    pub fn answer_again(&mut self, offer: &str, now: Instant) -> Result<String, OfferError> {
        let offer = offer::check(offer)?;
        let answered = self.within(now, |connection| Some(connection.accept_again(&offer, now)));
        let panic = || self.failure.as_ref().map(|(panic, _)| panic.clone()).unwrap_or_default();
        answered.unwrap_or_else(|| Err(OfferError::Failed(panic())))
    }

    /// A trickled candidate of the far end (RFC 8839 section 5.1). Anything that is none is ignored, and so are mDNS names:
    /// their owner reaches us, and its address is then learned from the datagram (peer-reflexive).
    pub fn add_remote_candidate(&mut self, line: &str, now: Instant) {
        self.within(now, |connection| connection.add_remote_candidate(line, now));
    }

    /// Follows a change of our addresses. Returns the lines to trickle to the far end.
    pub fn set_addresses(&mut self, locals: &[SocketAddr], public: Option<SocketAddr>, now: Instant) -> Vec<String> {
        self.within(now, |connection| connection.set_addresses(locals, public, now))
    }

    /// Whether a STUN message is for this peer: it names its credentials, and its integrity proves that the sender knows them.
    pub fn accepts(&mut self, source: SocketAddr, local: SocketAddr, bytes: &[u8], now: Instant) -> bool {
        self.within(now, |connection| {
            let accepted = connection.accepts(source, local, bytes, now);
            if accepted {
                connection.handle_verified(source, bytes);
            }
            accepted
        })
    }

    /// A datagram that came to `local` from `source`. What cannot be parsed is dropped.
    pub fn handle_datagram(&mut self, source: SocketAddr, local: SocketAddr, bytes: &[u8], now: Instant) {
        self.within(now, |connection| connection.handle_datagram(source, local, bytes, now));
    }

    /// To be called when [`Peer::poll_timeout`] is reached.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.within(now, |connection| connection.handle_timeout(now));
    }

    /// When to come back; at once, if there is a failure to tell.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.connection {
            Some(connection) => connection.poll_timeout(),
            None => self.failure.as_ref().map(|(_, at)| *at),
        }
    }

    /// The next output.
    pub fn poll_output(&mut self) -> Option<PeerOutput> {
        match &mut self.connection {
            Some(connection) => connection.poll_output(),
            None => self.failure.take().map(|(panic, _)| PeerOutput::Failed(panic)),
        }
    }

    /// Whether media can flow.
    pub fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.is_connected())
    }

    /// Whether there is video; a browser without H.264 gets sound only.
    pub fn has_video(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.has_video())
    }

    /// Sends a video frame; returns whether it was taken. `wall` is UTC since 1970 at `captured`.
    pub fn write_video(
        &mut self,
        data: &Arc<[u8]>,
        captured: Instant,
        wall: Duration,
        delay: PlayoutDelay,
        now: Instant,
    ) -> bool {
        self.within(now, |connection| connection.write_video(data, captured, wall, delay, now))
    }

    /// Sends an Opus packet; returns whether it was taken. `sample` is its place in the stream, at 48 kHz.
    pub fn write_audio(&mut self, data: &Arc<[u8]>, captured: Instant, sample: u64, now: Instant) -> bool {
        self.within(now, |connection| connection.write_audio(data, captured, sample, now))
    }

    /// Whether each sound packet brings the one before it along from now on (RED), if the viewer takes that.
    pub fn set_redundancy(&mut self, on: bool, now: Instant) {
        self.within(now, |connection| connection.set_redundancy(on, now));
    }

    /// Asks the viewer's camera for a keyframe.
    pub fn request_keyframe(&mut self, now: Instant) {
        self.within(now, |connection| connection.request_keyframe(now));
    }

    /// Tells the estimator what we would like to send; a rise makes it probe.
    pub fn set_desired(&mut self, desired: Bitrate, now: Instant) {
        self.within(now, |connection| connection.set_desired(desired, now));
    }

    /// Forgets what was estimated of the path and starts again from here. Padding is sent up to the estimate and no more.
    pub fn reset_estimate(&mut self, to: Bitrate, now: Instant) {
        self.within(now, |connection| connection.reset_estimate(to, now));
    }

    /// No video packet that was sent so far is sent again: what was lost of it would only be in the way of the next keyframe.
    pub fn forget_sent(&mut self, now: Instant) {
        self.within(now, |connection| connection.forget_sent(now));
    }

    /// How many copies of each video packet are sent from now on, at most two (RFC 7198).
    pub fn set_copies(&mut self, copies: u8, now: Instant) {
        self.within(now, |connection| connection.set_copies(copies, now));
    }

    /// How the path keeps up with our video, from how long it has been waiting in the pacer.
    pub fn pressure(&mut self, now: Instant) -> Pressure {
        self.within(now, |connection| connection.pressure(now))
    }

    /// Closes the connection; what is left to say comes out of [`Peer::poll_output`].
    pub fn close(&mut self, now: Instant) {
        self.within(now, |connection| connection.close(now));
    }

    /// Does something with the connection, if there is one. The default is what a peer that has failed answers.
    fn within<T: Default>(&mut self, now: Instant, action: impl FnOnce(&mut Connection) -> T) -> T {
        let Some(connection) = &mut self.connection else { return T::default() };
        contain(|| action(connection)).unwrap_or_else(|panic| {
            self.failure = Some((panic, now));
            self.discard();
            T::default()
        })
    }

    /// What is half changed may panic once more while it is taken apart; there is nothing to add to the first words.
    fn discard(&mut self) {
        let connection = self.connection.take();
        let _panicked = contain(|| drop(connection));
    }
}

#[cfg(test)]
impl Peer {
    /// Panics inside, as the library would.
    pub(in crate::call) fn blow_up(&mut self, now: Instant) {
        self.within(now, |_| -> () { panic!("a test's panic, meant to be seen in the log") });
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.discard();
    }
}
