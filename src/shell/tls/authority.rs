//! Our own CA: made once, kept in the state directory; it signs the leaves that browsers are shown.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use time::OffsetDateTime;

use super::{Names, TlsError, provider};
use crate::shell::state;

const DAY: Duration = Duration::from_secs(86_400);
const AUTHORITY_LIFE: Duration = Duration::from_secs(3652 * 86_400);
/// Apple refuses leaves of more than 398 days and others follow; one day of it lies in the past, for clocks that
/// are behind.
const LEAF_LIFE: Duration = Duration::from_secs(396 * 86_400);
/// A leaf is renewed this long before its end.
const LEAF_RENEWAL: Duration = Duration::from_secs(30 * 86_400);
/// 2026-01-01: a machine that believes in an earlier time has not set its clock yet.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);

const REMEDY: &str = "delete ca.pem and ca.key to have a new CA made (phones that trust the old one must install it)";

/// The CA and the leaf of the day.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    roots: RootCertStore,
    leaf_path: PathBuf,
    /// The present leaf, what it must be good for, and up to when.
    leaf: Option<Leaf>,
    names: Names,
}

struct Leaf {
    certificate: CertificateDer<'static>,
}

impl Authority {
    /// Reads `ca.pem` and `ca.key` in `state_dir`, or makes both.
    pub fn open(state_dir: &Path, home: &str, now: Duration) -> Result<Authority, TlsError> {
        let (cert_path, key_path) = (state_dir.join("ca.pem"), state_dir.join("ca.key"));
        let (cert_pem, key_pem) = match (state::read(&cert_path)?, state::read(&key_path)?) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) => Authority::make(&cert_path, &key_path, home, now)?,
            (Some(_), None) => return Err(unusable(&key_path, "is missing, but ca.pem is there")),
            // The key is written first, so a power cut between the two leaves a key that nobody knows.
            (None, Some(_)) => Authority::make(&cert_path, &key_path, home, now)?,
        };
        let certificate = CertificateDer::from_pem_slice(cert_pem.as_bytes())
            .map_err(|_| unusable(&cert_path, "holds no certificate"))?;
        let key = KeyPair::from_pem(&key_pem).map_err(|_| unusable(&key_path, "holds no private key"))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|_| unusable(&cert_path, "holds a certificate that cannot be read"))?;
        let mut roots = RootCertStore::empty();
        roots
            .add(certificate.clone())
            .map_err(|_| unusable(&cert_path, "holds a certificate that cannot be a CA's"))?;
        let leaf_path = state_dir.join("leaf.pem");
        let authority = Authority { certificate, issuer, roots, leaf_path, leaf: None, names: Names::default() };
        // A pair that does not belong together signs leaves that no browser accepts: better found now.
        let (probe, _) = authority.sign(&Names::default(), now)?;
        if !authority.covers(&probe, &Names::default(), now) {
            return Err(unusable(&key_path, "is not the key of ca.pem"));
        }
        Ok(authority)
    }

    /// The CA's certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// A leaf for `names`: the stored one if it is still good, else a new one, which is stored.
    ///
    /// It is kept over restarts because a browser that was told to trust this very leaf would otherwise refuse
    /// the page's WebSocket after each restart, without a word to anybody.
    pub fn leaf(&mut self, names: &Names, now: Duration) -> Result<CertifiedKey, TlsError> {
        self.names = names.clone();
        if let Some((certificate, key)) = self.stored()
            && self.covers(&certificate, names, now)
            && let Ok(certified) = self.certified(certificate.clone(), key)
        {
            self.leaf = Some(Leaf { certificate });
            return Ok(certified);
        }
        self.issue(now)
    }

    /// A new leaf if the present one does not cover `names`.
    pub fn renew(&mut self, names: &Names, now: Duration) -> Result<Option<CertifiedKey>, TlsError> {
        self.names = names.clone();
        self.renew_if_due(now)
    }

    /// A new leaf if the present one is not good for what it must be good for, or soon no more.
    pub fn renew_if_due(&mut self, now: Duration) -> Result<Option<CertifiedKey>, TlsError> {
        match &self.leaf {
            Some(leaf) if self.covers(&leaf.certificate, &self.names, now) => Ok(None),
            _ => self.issue(now).map(Some),
        }
    }

    fn make(cert_path: &Path, key_path: &Path, home: &str, now: Duration) -> Result<(String, String), TlsError> {
        let key = KeyPair::generate().map_err(crypto)?;
        let mut params = CertificateParams::default();
        // X.520 allows 64 characters for a common name.
        let name: String = format!("GoLocal Intercom at {home}").chars().take(64).collect();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = validity(now, AUTHORITY_LIFE)?;
        let certificate = params.self_signed(&key).map_err(crypto)?.pem();
        let key = key.serialize_pem();
        let kept = state::write(key_path, key.as_bytes(), 0o600)
            .and_then(|()| state::write(cert_path, certificate.as_bytes(), 0o644));
        if let Err(error) = kept {
            log::warn!("a CA that lasts until the end of this process: {error}");
        }
        Ok((certificate, key))
    }

    /// Signs, remembers and stores a leaf for the present names.
    fn issue(&mut self, now: Duration) -> Result<CertifiedKey, TlsError> {
        let (certificate, key) = self.sign(&self.names, now)?;
        let text = format!("{}{}", key.serialize_pem(), pem(&certificate));
        let certified = self.certified(certificate.clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
        self.leaf = Some(Leaf { certificate });
        // It only saves visitors a second warning: a full disk must not keep the new address from working.
        if let Err(e) = state::write(&self.leaf_path, text.as_bytes(), 0o600) {
            log::warn!("{e}");
        }
        Ok(certified)
    }

    fn sign(&self, names: &Names, now: Duration) -> Result<(CertificateDer<'static>, KeyPair), TlsError> {
        // A new key for each leaf; its hash becomes the serial number, so no two leaves share one.
        let key = KeyPair::generate().map_err(crypto)?;
        let mut params = CertificateParams::new(names.all()).map_err(crypto)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "GoLocal Intercom");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = validity(now, LEAF_LIFE)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(crypto)?;
        Ok((certificate.der().clone(), key))
    }

    fn stored(&self) -> Option<(CertificateDer<'static>, PrivateKeyDer<'static>)> {
        let text = state::read(&self.leaf_path).ok()??;
        let certificate = CertificateDer::from_pem_slice(text.as_bytes()).ok()?;
        Some((certificate, PrivateKeyDer::from_pem_slice(text.as_bytes()).ok()?))
    }

    fn certified(
        &self,
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    ) -> Result<CertifiedKey, TlsError> {
        // The CA goes along, so that a browser's certificate viewer shows the fingerprint that was printed.
        let chain = vec![certificate, self.certificate.clone()];
        CertifiedKey::from_der(chain, key, &provider()).map_err(|e| TlsError::Crypto(e.to_string()))
    }

    /// Whether `leaf` is of this CA, good for all `names`, and valid now and for a while.
    fn covers(&self, leaf: &CertificateDer<'_>, names: &Names, now: Duration) -> bool {
        let now = now.max(EARLIEST);
        let Ok(leaf) = ParsedCertificate::try_from(leaf) else { return false };
        let algorithms = provider().signature_verification_algorithms.all;
        let valid_at = |at: Duration| {
            let at = UnixTime::since_unix_epoch(at);
            verify_server_cert_signed_by_trust_anchor(&leaf, &self.roots, &[], at, algorithms).is_ok()
        };
        let named = |name: &String| {
            ServerName::try_from(name.as_str()).is_ok_and(|name| verify_server_name(&leaf, &name).is_ok())
        };
        valid_at(now) && valid_at(now + LEAF_RENEWAL) && names.all().iter().all(named)
    }
}

/// From a day ago for `life`.
fn validity(now: Duration, life: Duration) -> Result<(OffsetDateTime, OffsetDateTime), TlsError> {
    let from = now.max(EARLIEST) - DAY;
    let at = |time: Duration| {
        OffsetDateTime::from_unix_timestamp(time.as_secs() as i64)
            .map_err(|_| TlsError::Crypto("the clock is set to an impossible time".into()))
    };
    Ok((at(from)?, at(from + life)?))
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine;
    let body = base64::engine::general_purpose::STANDARD.encode(certificate.as_ref());
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in body.as_bytes().chunks(64) {
        text += &String::from_utf8_lossy(line);
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

fn crypto(error: rcgen::Error) -> TlsError {
    TlsError::Crypto(error.to_string())
}

fn unusable(path: &Path, problem: &str) -> TlsError {
    TlsError::Unusable { path: path.to_owned(), problem: problem.to_owned(), remedy: REMEDY }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::shell::clock;
    use crate::shell::state::tests::TestDir;

    fn names(list: &[&str]) -> Names {
        Names {
            addresses: list.iter().map(|a| a.parse().unwrap()).collect(),
            public_host: Some("home.example.org".into()),
            hostname: Some("pi".into()),
        }
    }

    #[test]
    fn the_ca_is_made_once_and_its_key_is_private() {
        let dir = TestDir::new();
        let now = clock::unix_time();
        let first = Authority::open(&dir.0, &"Grandma's house ".repeat(9), now).unwrap();
        let again = Authority::open(&dir.0, "Another name", now).unwrap();
        assert_eq!(first.certificate(), again.certificate());
        let mode = |name: &str| std::fs::metadata(dir.0.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("ca.key"), mode("ca.pem")), (0o600, 0o644));
    }

    #[test]
    fn a_leaf_is_good_for_every_name_and_is_renewed_in_time() {
        let dir = TestDir::new();
        let now = clock::unix_time();
        let mut authority = Authority::open(&dir.0, "Home", now).unwrap();
        let wanted = names(&["192.0.2.1", "2001:db8::1"]);
        let leaf = authority.leaf(&wanted, now).unwrap();
        for name in ["192.0.2.1", "2001:db8::1", "home.example.org", "pi.local", "localhost"] {
            let parsed = ParsedCertificate::try_from(&leaf.cert[0]).unwrap();
            verify_server_name(&parsed, &ServerName::try_from(name).unwrap()).unwrap();
        }
        assert!(authority.renew_if_due(now + 360 * DAY).unwrap().is_none());
        assert!(authority.renew_if_due(now + 370 * DAY).unwrap().is_some(), "it nears its end");
        assert!(authority.renew_if_due(now + 370 * DAY).unwrap().is_none(), "and is good again");
        assert!(authority.renew_if_due(now - 300 * DAY).unwrap().is_some(), "the clock was set back");
    }

    #[test]
    fn a_machine_without_a_clock_makes_certificates_that_hold_once_it_has_one() {
        let dir = TestDir::new();
        let authority = Authority::open(&dir.0, "Home", Duration::ZERO).unwrap();
        let (leaf, _) = authority.sign(&names(&[]), clock::unix_time()).unwrap();
        assert!(authority.covers(&leaf, &names(&[]), clock::unix_time()));
    }

    #[test]
    fn a_broken_ca_is_told_in_words_and_never_replaced() {
        let dir = TestDir::new();
        let now = clock::unix_time();
        let open = || Authority::open(&dir.0, "Home", now).map(|_| ()).map_err(|e| e.to_string());
        open().unwrap();
        let key = std::fs::read(dir.0.join("ca.key")).unwrap();
        let certificate = std::fs::read(dir.0.join("ca.pem")).unwrap();

        std::fs::write(dir.0.join("ca.key"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
        assert!(open().unwrap_err().contains("ca.key: holds no private key"));
        let other = TestDir::new();
        Authority::open(&other.0, "Other", now).unwrap();
        std::fs::copy(other.0.join("ca.key"), dir.0.join("ca.key")).unwrap();
        assert!(open().unwrap_err().contains("is not the key of ca.pem"));
        std::fs::write(dir.0.join("ca.key"), key).unwrap();
        std::fs::write(dir.0.join("ca.pem"), &certificate[..certificate.len() / 2]).unwrap();
        assert!(open().unwrap_err().contains("ca.pem: holds no certificate"));
        std::fs::write(dir.0.join("ca.pem"), [0xff, 0xfe]).unwrap();
        assert!(open().unwrap_err().contains("ca.pem"));
        std::fs::write(dir.0.join("ca.pem"), &certificate).unwrap();
        open().unwrap();
        std::fs::remove_file(dir.0.join("ca.key")).unwrap();
        assert!(open().unwrap_err().contains("ca.key: is missing"));
    }

    #[test]
    fn a_stored_leaf_that_is_broken_or_of_another_ca_is_simply_replaced() {
        let (dir, other) = (TestDir::new(), TestDir::new());
        let now = clock::unix_time();
        Authority::open(&other.0, "Other", now).unwrap().leaf(&names(&[]), now).unwrap();
        for left in [std::fs::read(other.0.join("leaf.pem")).unwrap(), b"rubbish".to_vec()] {
            std::fs::write(dir.0.join("leaf.pem"), left).unwrap();
            let mut authority = Authority::open(&dir.0, "Home", now).unwrap();
            let leaf = authority.leaf(&names(&[]), now).unwrap();
            assert!(authority.covers(&leaf.cert[0], &names(&[]), now));
        }
    }
}
