//! How the WebRTC library is set up: certificate, codecs, header extensions.

use std::time::Duration;

use intercom_base::units::Bitrate;
use str0m::RtcConfig;
use str0m::bwe::Bitrate as RtcBitrate;
use str0m::config::{DtlsCert, DtlsVersion};
use str0m::rtp::Extension;

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
