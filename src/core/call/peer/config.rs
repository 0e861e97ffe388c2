//! How the WebRTC library is set up: certificate, codecs, header extensions.

use std::net::SocketAddr;
use std::time::Duration;

use intercom_base::units::Bitrate;
use str0m::bwe::Bitrate as RtcBitrate;
use str0m::config::{DtlsCert, DtlsVersion};
use str0m::format::{Codec, PayloadParams};
use str0m::media::Pt;
use str0m::net::Protocol;
use str0m::rtp::Extension;
use str0m::{Candidate, RtcConfig};

/// The same DTLS certificate for every peer of this process: making one takes milliseconds.
#[derive(Clone)]
pub struct Identity(DtlsCert);

impl Identity {
    /// A fresh certificate.
    pub fn generate() -> Identity {
        let provider = str0m::crypto::from_feature_flags();
        match provider.dtls_provider.generate_certificate() {
            Some(cert) => Identity(cert),
            // The provider is compiled in and needs nothing but entropy; without that nothing here is safe to run.
            None => panic!("the DTLS provider can make no certificate"),
        }
    }
}

/// For a connection whose path is first taken to carry `initial`.
pub(super) fn config(identity: &Identity, initial: Bitrate) -> RtcConfig {
    let mut config = RtcConfig::new()
        .clear_codecs()
        // RED is taken apart by str0m: what a lost packet left in the next comes out as a packet of its own.
        .enable_opus(true, true)
        .enable_h264(true)
        .enable_bwe(Some(RtcBitrate::bps(initial.bps())))
        .set_dtls_cert(identity.0.clone())
        // 1.3 where the browser has it, else 1.2.
        .set_dtls_version(DtlsVersion::Auto)
        // They tell which packets are authentic.
        .enable_raw_packets(true)
        .set_stats_interval(Some(Duration::from_secs(1)))
        // The jitter buffer behind us puts packets in order; here none waits for another.
        .set_reordering_size_audio(0)
        // A keyframe of a phone's camera can be a hundred packets.
        .set_reordering_size_video(150)
        .clear_extension_map()
        .set_extension(1, Extension::AudioLevel)
        .set_extension(2, Extension::AbsoluteSendTime)
        .set_extension(3, Extension::TransportSequenceNumber)
        .set_extension(4, Extension::RtpMid)
        .set_extension(5, Extension::PlayoutDelay)
        .set_extension(6, Extension::AbsoluteCaptureTime);
    config.set_initial_stun_rto(Duration::from_millis(100));
    config
}

/// The payload type for our video: constrained baseline with packetization mode 1 (RFC 6184), which every browser
/// decodes, else any H.264 with packetization mode 1.
pub(super) fn pick_video<'a>(offered: impl Iterator<Item = &'a PayloadParams>) -> Option<Pt> {
    let usable = offered
        .filter(|p| p.spec().codec == Codec::H264 && p.spec().format.packetization_mode == Some(1))
        .map(|p| (p.pt(), p.spec().format.profile_level_id.unwrap_or(0x42_001f)));
    usable.min_by_key(|(_, profile)| (profile >> 8 != 0x42_e0, profile >> 16 != 0x42)).map(|(pt, _)| pt)
}

/// Our candidates: each address of ours, and the one that the outside knows us by.
pub(super) fn candidates(locals: &[SocketAddr], public: Option<SocketAddr>) -> Vec<Candidate> {
    let host = |address: &SocketAddr| Candidate::host(*address, Protocol::Udp).ok();
    locals.iter().filter_map(host).chain(reflexive(locals, public)).collect()
}

/// The address that the outside knows us by, if it is none of our own.
fn reflexive(locals: &[SocketAddr], public: Option<SocketAddr>) -> Option<Candidate> {
    let public = public?;
    let base = locals.iter().find(|a| a.is_ipv4() == public.is_ipv4() && !a.ip().is_loopback())?;
    (!locals.contains(&public)).then(|| Candidate::server_reflexive(public, *base, Protocol::Udp).ok()).flatten()
}
