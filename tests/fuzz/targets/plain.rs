//! A crypto provider that can be switched off: then packets of SRTP and messages of DTLS are as good as plain, and each
//! integrity is right, so that an engine gets at what lies behind.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Once;
use std::time::{Duration, Instant};

use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, KeyingMaterial, ProtocolVersion,
    SrtpProfile,
};
use str0m::crypto::{
    AeadAes128GcmCipher, CryptoError, CryptoProvider, Sha1HmacProvider, SrtpProvider, SupportedAeadAes128Gcm,
    SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
};

/// Bytes behind an SRTP packet, which count for nothing here.
pub const TAG: usize = 16;
/// What the far end's certificate is, and the SHA-256 of that.
pub const CERTIFICATE: &[u8] = b"plain";
pub const FINGERPRINT: &str =
    "A1:16:C9:ED:46:D6:20:77:34:A4:33:17:D3:0F:D8:8F:52:AC:86:34:C3:7D:90:4B:BF:4E:41:D8:65:F9:04:75";

/// How much of it is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Off {
    /// Nothing.
    Nothing,
    /// Each integrity of STUN is right.
    Checks,
    /// Media and data are plain as well.
    All,
}

thread_local! {
    static OFF: Cell<Off> = const { Cell::new(Off::Nothing) };
}

/// Runs `action`, in which that much is switched off for connections of this thread.
pub fn plainly<T>(off: Off, action: impl FnOnce() -> T) -> T {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let real = Box::leak(Box::new(str0m::crypto::from_feature_flags()));
        let provider = Box::leak(Box::new(Provider(real)));
        let ours = CryptoProvider {
            srtp_provider: provider,
            sha1_hmac_provider: provider,
            sha1_provider: real.sha1_provider,
            sha256_provider: real.sha256_provider,
            dtls_provider: provider,
        };
        ours.install_process_default();
    });
    OFF.set(off);
    let result = action();
    OFF.set(Off::Nothing);
    result
}

#[derive(Debug)]
struct Provider(&'static CryptoProvider);

impl Sha1HmacProvider for Provider {
    fn sha1_hmac(&self, key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
        if OFF.get() >= Off::Checks { [0; 20] } else { self.0.sha1_hmac_provider.sha1_hmac(key, payloads) }
    }
}

impl SrtpProvider for Provider {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        self.0.srtp_provider.aes_128_cm_sha1_80()
    }
    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        if OFF.get() == Off::All { &Plain } else { self.0.srtp_provider.aead_aes_128_gcm() }
    }
    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        self.0.srtp_provider.aead_aes_256_gcm()
    }
    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        self.0.srtp_provider.srtp_aes_128_ecb_round(key, input, output);
    }
    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        self.0.srtp_provider.srtp_aes_256_ecb_round(key, input, output);
    }
}

#[derive(Debug)]
struct Plain;

impl SupportedAeadAes128Gcm for Plain {
    fn create_cipher(&self, _key: [u8; 16], _encrypt: bool) -> Box<dyn AeadAes128GcmCipher> {
        Box::new(Plain)
    }
}

impl AeadAes128GcmCipher for Plain {
    fn encrypt(&mut self, _: &[u8; 12], _: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        output[..input.len()].copy_from_slice(input);
        output[input.len()..input.len() + TAG].fill(0);
        Ok(())
    }
    fn decrypt(&mut self, _: &[u8; 12], _: &[&[u8]], input: &[u8], output: &mut [u8]) -> Result<usize, CryptoError> {
        let length = input.len() - TAG;
        output[..length].copy_from_slice(&input[..length]);
        Ok(length)
    }
}

impl DtlsProvider for Provider {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.0.dtls_provider.generate_certificate()
    }
    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        match OFF.get() {
            Off::All => Ok(Box::new(PlainDtls { active: false, up: false, next: VecDeque::new(), now })),
            _ => self.0.dtls_provider.new_dtls(certificate, now, version, mtu),
        }
    }
}

/// Is connected by the first message; each further one is what a data channel brings.
#[derive(Debug)]
struct PlainDtls {
    active: bool,
    up: bool,
    next: VecDeque<Said>,
    now: Instant,
}

#[derive(Debug)]
enum Said {
    Certificate,
    Keys,
    Connected,
    Data(Vec<u8>),
}

impl DtlsInstance for PlainDtls {
    fn set_active(&mut self, active: bool) {
        self.active = active;
    }
    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        if std::mem::replace(&mut self.up, true) {
            self.next.push_back(Said::Data(packet[1..].to_vec()));
        } else {
            self.next.extend([Said::Certificate, Said::Keys, Said::Connected]);
        }
        Ok(())
    }
    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let mut copied = |bytes: &[u8]| {
            // What comes out of a record is never longer.
            let length = bytes.len().min(buffer.len());
            buffer[..length].copy_from_slice(&bytes[..length]);
            length
        };
        match self.next.pop_front() {
            Some(Said::Certificate) => {
                let length = copied(CERTIFICATE);
                DtlsOutput::PeerCert(&buffer[..length])
            }
            Some(Said::Keys) => {
                DtlsOutput::KeyingMaterial(KeyingMaterial::new(&[7; 56]), SrtpProfile::AEAD_AES_128_GCM)
            }
            Some(Said::Connected) => DtlsOutput::Connected,
            Some(Said::Data(data)) => {
                let length = copied(&data);
                DtlsOutput::ApplicationData(&buffer[..length])
            }
            None => DtlsOutput::Timeout(self.now + Duration::from_secs(1000)),
        }
    }
    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.now = now;
        Ok(())
    }
    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        Ok(if self.up { data.len() } else { 0 })
    }
    fn is_active(&self) -> bool {
        self.active
    }
    fn protocol_version(&self) -> Option<ProtocolVersion> {
        None
    }
    fn close(&mut self) -> Result<(), DtlsImplError> {
        Ok(())
    }
}
