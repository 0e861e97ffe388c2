//! One peer connection of the WebRTC library: the only file that sees `str0m::Rtc`, and the one place that keeps its
//! invariant (mutate once, drain `poll_output` to its timeout, only then mutate again).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use intercom_base::sound::OpusPacket;
use intercom_base::units::{AUDIO_CLOCK, Bitrate, MediaTime, VIDEO_CLOCK};
use str0m::bwe::{Bitrate as RtcBitrate, BweKind};
use str0m::change::SdpOffer;
use str0m::format::Codec;
use str0m::media::{KeyframeRequestKind, MediaKind, MediaTime as RtcTime, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::rtcp::Rtcp;
use str0m::rtp::{AbsCaptureTime, RawPacket};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc};

use super::answer;
use super::checks::Checks;
use super::config::{Identity, candidates, config, pick_video};
use super::duplicates::Duplicates;
use super::offer::{Form, Offer};
use super::output::{OfferError, PeerOutput, PlayoutDelay, Pressure, Report, Transmit};
use super::transport_cc::TransportSequences;
use crate::rate::delivery::Delivery;

/// Longest run of outputs taken at once; a peer that has more is asked again in the same turn's next drain.
const DRAIN_LIMIT: usize = 4096;

/// An encoded frame that has waited this long in the pacer means that the path carries less than we send.
const QUEUE_LIMIT: Duration = Duration::from_millis(250);

/// And this long, that it soon will.
const QUEUE_PRESSURE: Duration = Duration::from_millis(80);

/// Packets that can be sent again, for how long, and the most of what is sent that they may be.
const RESENDABLE: usize = 2000;
const RESENDABLE_FOR: Duration = Duration::from_secs(3);
const RESENT: f32 = 0.15;

/// An RTP header with our extensions, about.
const HEADER: usize = 32;

struct Track {
    mid: Mid,
    pt: Option<Pt>,
}

/// One audio and one video track, each both ways. What each call does is said at [`super::Peer`], which passes it on.
pub(super) struct Connection {
    rtc: Rtc,
    origin: Instant,
    timeout: Option<Instant>,
    out: VecDeque<PeerOutput>,
    /// It was agreed to send video; without H.264 in the offer there is none.
    pictured: bool,
    audio: Option<Track>,
    video: Option<Track>,
    connected: bool,
    redundancy: bool,
    voice_loss: Option<f32>,
    locals: Vec<Candidate>,
    checks: Checks,
    sequences: TransportSequences,
    delivery: Delivery,
    duplicates: Duplicates,
}

impl Connection {
    pub fn answer(
        identity: &Identity,
        offer: &Offer,
        locals: &[SocketAddr],
        public: Option<SocketAddr>,
        initial: Bitrate,
        now: Instant,
    ) -> Result<(Connection, String), OfferError> {
        let begin = |pictured| Connection::begin(identity, locals, public, initial, pictured, now);
        let mut connection = begin(true);
        match connection.accept(offer, now) {
            // Who cannot see home can still hear it and talk.
            Err(OfferError::NoCodec) if offer.sound.is_some() => {
                let mut connection = begin(false);
                let answer = connection.accept(offer, now)?;
                Ok((connection, answer))
            }
            answer => Ok((connection, answer?)),
        }
    }

    fn begin(
        identity: &Identity,
        locals: &[SocketAddr],
        public: Option<SocketAddr>,
        initial: Bitrate,
        pictured: bool,
        now: Instant,
    ) -> Connection {
        let mut rtc = config(identity, initial).build(now);
        let mut taken = candidates(locals, public);
        taken.retain(|candidate| rtc.add_local_candidate(candidate.clone()).is_some());
        Connection {
            rtc,
            origin: now,
            timeout: Some(now),
            out: VecDeque::new(),
            pictured,
            audio: None,
            video: None,
            connected: false,
            voice_loss: None,
            redundancy: true,
            locals: taken,
            checks: Checks::new(now),
            sequences: TransportSequences::default(),
            delivery: Delivery::new(now),
            duplicates: Duplicates::default(),
        }
    }

    pub fn accept(&mut self, offer: &Offer, now: Instant) -> Result<String, OfferError> {
        let form = self.form(offer)?;
        self.apply(form, &offer.candidates, now)
    }

    pub fn accept_again(&mut self, offer: &Offer, now: Instant) -> Result<String, OfferError> {
        let form = self.form(offer)?;
        let answered = self.apply(form, &offer.candidates, now);
        if answered.is_err() {
            self.close(now);
        }
        answered
    }

    /// What this connection uses of an offer: to be judged before the library takes any of it, which it cannot give back.
    fn form<'a>(&self, offer: &'a Offer) -> Result<&'a Form, OfferError> {
        let form = if self.pictured { Some(&offer.whole) } else { offer.sound.as_ref() };
        form.filter(|form| self.suits(&form.text)).ok_or(OfferError::NoCodec)
    }

    fn apply(&mut self, form: &Form, candidates: &[String], now: Instant) -> Result<String, OfferError> {
        // The library's own words hold addresses of this process's memory, and parts of the offer.
        let refused = |what: &str| OfferError::Sdp(format!("it cannot be {what}"));
        let parsed = SdpOffer::from_sdp_string(&form.text).map_err(|_| refused("parsed"))?;
        let answer = self.rtc.sdp_api().accept_offer(parsed).map_err(|_| refused("answered"))?;
        self.drain(now);
        for candidate in candidates {
            self.add_remote_candidate(candidate, now);
        }
        // str0m names the tracks only once it is connected; the answer itself tells what was agreed on.
        let answer = answer.to_sdp_string();
        self.sequences.handle_answer(&answer);
        if !self.suits(&answer) {
            return Err(OfferError::NoCodec);
        }
        let answer = answer::ask_for_redundancy(&answer);
        Ok(match &form.rejected {
            Some(rejected) => answer::name_rejected(&answer, rejected),
            None => answer,
        })
    }

    /// Whether an offer or an answer has what this connection is for.
    fn suits(&self, sdp: &str) -> bool {
        if self.pictured { answer::has_h264(sdp) } else { answer::has_opus(sdp) }
    }

    pub fn has_video(&self) -> bool {
        self.pictured
    }

    pub fn add_remote_candidate(&mut self, line: &str, now: Instant) {
        if line.len() > 512 {
            return;
        }
        if let Ok(candidate) = Candidate::from_sdp_string(line)
            && candidate.proto() == Protocol::Udp
            && !candidate.addr().ip().is_unspecified()
            && !candidate.addr().ip().is_multicast()
            && self.checks.admit(now)
        {
            self.rtc.add_remote_candidate(candidate);
            self.drain(now);
        }
    }

    pub fn set_addresses(&mut self, locals: &[SocketAddr], public: Option<SocketAddr>, now: Instant) -> Vec<String> {
        let wanted = candidates(locals, public);
        let (kept, gone): (Vec<_>, Vec<_>) =
            self.locals.drain(..).partition(|c| wanted.iter().any(|w| w.addr() == c.addr() && w.kind() == c.kind()));
        self.locals = kept;
        for candidate in gone {
            self.rtc.direct_api().invalidate_candidate(&candidate);
            self.drain(now);
        }
        let mut lines = Vec::new();
        for candidate in wanted {
            let known = self.locals.iter().any(|c| c.addr() == candidate.addr() && c.kind() == candidate.kind());
            if !known && let Some(added) = self.rtc.add_local_candidate(candidate.clone()) {
                lines.push(added.to_sdp_string());
                self.locals.push(candidate);
                self.drain(now);
            }
        }
        lines
    }

    pub fn accepts(&self, source: SocketAddr, local: SocketAddr, bytes: &[u8], now: Instant) -> bool {
        match Receive::new(Protocol::Udp, source, local, bytes) {
            Ok(receive) => self.rtc.accepts(&Input::Receive(now, receive)),
            Err(_) => false,
        }
    }

    /// A STUN message whose integrity was verified by [`Connection::accepts`].
    pub fn handle_verified(&mut self, source: SocketAddr, bytes: &[u8]) {
        self.checks.heard(source, bytes);
    }

    pub fn handle_datagram(&mut self, source: SocketAddr, local: SocketAddr, bytes: &[u8], now: Instant) {
        if !self.sequences.may_pass(bytes) {
            log::debug!("datagram from {source} not taken: its transport-wide sequence number lies before zero");
            return;
        }
        if let Ok(receive) = Receive::new(Protocol::Udp, source, local, bytes) {
            if let Err(error) = self.rtc.handle_input(Input::Receive(now, receive)) {
                log::debug!("datagram from {source} not taken: {error}");
            }
            self.drain(now);
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
            log::debug!("peer timeout: {error}");
        }
        self.drain(now);
        while let Some(copy) = self.duplicates.poll(now) {
            self.out.push_back(PeerOutput::Transmit(copy));
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timeout.map(|at| self.duplicates.poll_timeout().map_or(at, |copy| at.min(copy)))
    }

    pub fn poll_output(&mut self) -> Option<PeerOutput> {
        self.out.pop_front()
    }

    pub fn is_connected(&self) -> bool {
        self.connected
    }

    pub fn write_video(
        &mut self,
        data: &Arc<[u8]>,
        captured: Instant,
        wall: Duration,
        delay: PlayoutDelay,
        now: Instant,
    ) -> bool {
        let Some(Track { mid, pt: Some(pt) }) = self.video else { return false };
        let time = MediaTime::at(captured, self.origin, VIDEO_CLOCK);
        let Some(writer) = self.rtc.writer(mid) else { return false };
        let capture = AbsCaptureTime { capture_time: UNIX_EPOCH + wall, clock_offset: Some(0) };
        let written = writer
            .playout_delay(RtcTime::from(delay.min), RtcTime::from(delay.max))
            .abs_capture_time(capture)
            .write(pt, captured, RtcTime::from_90khz(time.ticks), Arc::clone(data));
        if let Err(error) = &written {
            log::debug!("video frame not written: {error}");
        }
        self.give_at_once(now);
        written.is_ok()
    }

    pub fn write_audio(&mut self, data: &Arc<[u8]>, captured: Instant, sample: u64, now: Instant) -> bool {
        let Some(Track { mid, pt: Some(pt) }) = self.audio else { return false };
        let Some(writer) = self.rtc.writer(mid) else { return false };
        let time = RtcTime::new(sample, str0m::media::Frequency::FORTY_EIGHT_KHZ);
        let written = writer.write(pt, captured, time, Arc::clone(data));
        if let Err(error) = &written {
            log::debug!("audio packet not written: {error}");
        }
        self.give_at_once(now);
        written.is_ok()
    }

    pub fn set_redundancy(&mut self, on: bool, now: Instant) {
        if let Some(mid) = self.audio.as_ref().map(|t| t.mid)
            && self.redundancy != on
        {
            self.redundancy = on;
            self.rtc.direct_api().set_red_send(mid, on);
            self.drain(now);
        }
    }

    pub fn request_keyframe(&mut self, now: Instant) {
        let Some(mid) = self.video.as_ref().map(|t| t.mid) else { return };
        if let Some(mut writer) = self.rtc.writer(mid) {
            let kind = [KeyframeRequestKind::Pli, KeyframeRequestKind::Fir]
                .into_iter()
                .find(|kind| writer.is_request_keyframe_possible(*kind));
            if let Some(kind) = kind {
                let _ = writer.request_keyframe(None, kind);
            }
        }
        self.give_at_once(now);
    }

    pub fn set_desired(&mut self, desired: Bitrate, now: Instant) {
        self.rtc.bwe().set_bitrate(RtcBitrate::ZERO, RtcBitrate::bps(desired.bps()));
        self.drain(now);
    }

    pub fn reset_estimate(&mut self, to: Bitrate, now: Instant) {
        self.rtc.bwe().reset(RtcBitrate::bps(to.bps()));
        self.drain(now);
    }

    pub fn forget_sent(&mut self, now: Instant) {
        let Some(mid) = self.video.as_ref().map(|t| t.mid) else { return };
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            // The cache is made anew; these are the library's own limits.
            stream.set_rtx_cache(RESENDABLE, RESENDABLE_FOR, Some(RESENT));
        }
        self.drain(now);
    }

    pub fn set_copies(&mut self, copies: u8, now: Instant) {
        let Some(mid) = self.video.as_ref().map(|t| t.mid) else { return };
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            self.duplicates.set(*stream.ssrc(), copies);
        }
        self.drain(now);
    }

    pub fn pressure(&mut self, now: Instant) -> Pressure {
        let Some(mid) = self.video.as_ref().map(|t| t.mid) else { return Pressure::None };
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(mid, None) else { return Pressure::None };
        let since = stream.queue_info().and_then(|queue| queue.first_unsent());
        let waited = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.drain(now);
        match waited {
            waited if waited > QUEUE_LIMIT => Pressure::Jammed,
            waited if waited > QUEUE_PRESSURE => Pressure::Rising,
            _ => Pressure::None,
        }
    }

    pub fn close(&mut self, now: Instant) {
        let _ = self.rtc.close();
        self.drain(now);
    }

    /// A write becomes packets on the next timeout: give it at once, so that nothing waits for a timer.
    fn give_at_once(&mut self, now: Instant) {
        self.drain(now);
        if self.timeout.is_some_and(|t| t <= now) {
            self.handle_timeout(now);
        }
    }

    fn drain(&mut self, now: Instant) {
        for _ in 0..DRAIN_LIMIT {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.timeout = self.rtc.is_alive().then_some(at);
                    return;
                }
                Ok(Output::Transmit(t)) => {
                    if self.checks.may_send(t.destination, &t.contents) {
                        let (source, destination) = (t.source, t.destination);
                        let transmit = Transmit { source, destination, contents: t.contents.into() };
                        self.duplicates.handle_sent(&transmit, now);
                        self.out.push_back(PeerOutput::Transmit(transmit));
                    }
                }
                Ok(Output::Event(event)) => self.handle_event(event, now),
                Err(error) => {
                    log::debug!("peer failed: {error}");
                    self.rtc.disconnect();
                    self.timeout = None;
                    self.out.push_back(PeerOutput::Closed);
                    return;
                }
            }
        }
        self.timeout = Some(now);
    }

    fn handle_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Connected => {
                self.connected = true;
                self.choose_payload_types();
                self.out.push_back(PeerOutput::Connected);
            }
            Event::MediaAdded(added) => {
                let track = Track { mid: added.mid, pt: None };
                match added.kind {
                    MediaKind::Audio if self.audio.is_none() => self.audio = Some(track),
                    MediaKind::Video if self.video.is_none() => self.video = Some(track),
                    _ => log::debug!("a further {} track is ignored", added.kind),
                }
                if self.connected {
                    self.choose_payload_types();
                }
            }
            Event::IceConnectionStateChange(state) => {
                log::debug!("ICE {state:?}");
                match state {
                    IceConnectionState::Disconnected => self.out.push_back(PeerOutput::Reachable(false)),
                    state if state.is_connected() => self.out.push_back(PeerOutput::Reachable(true)),
                    _ => {}
                }
            }
            Event::RawPacket(packet) => self.handle_raw(&packet, now),
            Event::KeyframeRequest(_) => self.out.push_back(PeerOutput::KeyframeRequest),
            // An average of some seconds: what is sudden, the delivery tells.
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                self.out.push_back(PeerOutput::Estimate(Bitrate::from_bps(estimate.as_u64())));
            }
            Event::PeerStats(stats) => {
                // Some viewers' feedback leaves out what was lost between two of their reports.
                let told = [stats.egress_loss_fraction, self.voice_loss.take()].into_iter().flatten();
                self.out.extend(told.reduce(f32::max).map(PeerOutput::Loss));
            }
            Event::MediaEgressStats(stats) => {
                let is = |track: &Option<Track>| track.as_ref().is_some_and(|track| track.mid == stats.mid);
                self.voice_loss = stats.loss.filter(|_| is(&self.audio)).or(self.voice_loss);
                let tells = is(if self.pictured { &self.video } else { &self.audio });
                if let (true, Some(loss), Some(remote)) = (tells, stats.loss, &stats.remote) {
                    let clock = if self.pictured { VIDEO_CLOCK } else { AUDIO_CLOCK };
                    let jitter = Duration::from_secs_f64(f64::from(remote.jitter) / clock as f64);
                    self.out.push_back(PeerOutput::Report(Report { loss, jitter, rtt: stats.rtt }));
                }
            }
            Event::MediaData(data) => {
                let sequence = **data.seq_range.start();
                if self.audio.as_ref().is_some_and(|t| t.mid == data.mid) && data.params.spec().codec == Codec::Opus {
                    let sample = data.time.rebase(str0m::media::Frequency::FORTY_EIGHT_KHZ).numer();
                    let arrived = data.network_time;
                    self.out.push_back(PeerOutput::Audio(OpusPacket { sequence, sample, data: data.data, arrived }));
                } else if self.video.as_ref().is_some_and(|t| t.mid == data.mid)
                    && data.params.spec().codec == Codec::H264
                {
                    self.out.push_back(PeerOutput::Video {
                        keyframe: data.is_keyframe(),
                        gap: !data.contiguous,
                        arrived: data.network_time,
                        data: data.data,
                    });
                }
            }
            Event::Closed => {
                self.connected = false;
                self.out.push_back(PeerOutput::Closed);
            }
            _ => {}
        }
    }

    /// What was sent or came, in the clear.
    fn handle_raw(&mut self, packet: &RawPacket, now: Instant) {
        match packet {
            RawPacket::RtpRx(header, _) => self.sequences.handle_authentic(header),
            RawPacket::RtpTx(header, bytes) => {
                if let Some(number) = header.ext_vals.transport_cc {
                    // The library counts without headers.
                    self.delivery.handle_sent(number, bytes.len().saturating_sub(HEADER), now);
                }
            }
            RawPacket::RtcpRx(Rtcp::Twcc(feedback)) => {
                let near = self.delivery.near();
                let packets = feedback.clone().into_iter(self.origin, near.into()).take(4096);
                let carried = self.delivery.handle_feedback(packets.map(|(number, _, came)| (*number, came)), now);
                self.out.extend(carried.map(PeerOutput::Full));
                self.out.extend(self.delivery.poll_queue(now).map(PeerOutput::Queue));
            }
            RawPacket::RtcpRx(_) | RawPacket::RtcpTx(_) => {}
        }
    }

    fn choose_payload_types(&mut self) {
        if let Some(track) = &mut self.video {
            track.pt = self.rtc.writer(track.mid).and_then(|writer| pick_video(writer.payload_params()));
        }
        if let Some(track) = &mut self.audio {
            let writer = self.rtc.writer(track.mid);
            track.pt = writer.and_then(|w| w.payload_params().find(|p| p.spec().codec == Codec::Opus).map(|p| p.pt()));
        }
    }
}
