//! Our own CA: made once, kept in the state directory; it signs the leaves that browsers are shown, and can sign nothing
//! but names of home's and addresses.

use std::path::Path;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData,
};
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::server::ParsedCertificate;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use time::OffsetDateTime;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::names::Names;
use super::wall::{EPOCH, Wall};
use super::{TlsError, provider};
use crate::shell::state;

/// The CA is good from the epoch until 2046-01-01, whatever the clock says when it is made.
const AUTHORITY_UNTIL: Duration = Duration::from_secs(2_398_377_600);
/// A leaf ends so long after it is made: browsers refuse more than 398 days from now.
const LEAF_AHEAD: Duration = Duration::from_secs(397 * 86_400);
/// And it is good for so long in all, beginning in the past, for clocks that are behind: Apple refuses more than 825 days, also of a
/// CA that its owner installed.
const LEAF_LIFE: Duration = Duration::from_secs(824 * 86_400);

const REMEDY: &str = "delete ca.pem and ca.key to have a new CA made (phones that trust the old one must install it)";

/// The CA.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    roots: RootCertStore,
    span: Span,
    /// The names that it may sign; `None` in a CA of an early version, which may sign any.
    permitted: Option<Vec<String>>,
}

/// From when until when a certificate is good, in UTC since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub from: Duration,
    /// Its last.
    pub until: Duration,
}

impl Authority {
    /// Reads `ca.pem` and `ca.key` in `state_dir`, or makes both, for these names and no others.
    pub fn open(state_dir: &Path, names: &Names) -> Result<Authority, TlsError> {
        match Authority::stored(state_dir)? {
            Some(authority) => Ok(authority),
            None => Authority::make(state_dir, names),
        }
    }

    /// The one in `state_dir`, if there is one.
    pub fn stored(state_dir: &Path) -> Result<Option<Authority>, TlsError> {
        let (cert_path, key_path) = (state_dir.join("ca.pem"), state_dir.join("ca.key"));
        let (cert_pem, key_pem) = match (state::read(&cert_path)?, state::read(&key_path)?) {
            (Some(certificate), Some(key)) => (certificate, key),
            (Some(_), None) => return Err(unusable(&key_path, "is missing, but ca.pem is there")),
            // The key is written first, so a power cut between the two leaves a key that nobody knows.
            (None, _) => return Ok(None),
        };
        let certificate = CertificateDer::from_pem_slice(cert_pem.as_bytes())
            .map_err(|_| unusable(&cert_path, "holds no certificate"))?;
        let key = KeyPair::from_pem(&key_pem).map_err(|_| unusable(&key_path, "holds no private key"))?;
        Authority::of(certificate, key, &cert_path, &key_path).map(Some)
    }

    fn of(
        certificate: CertificateDer<'static>,
        key: KeyPair,
        cert_path: &Path,
        key_path: &Path,
    ) -> Result<Authority, TlsError> {
        let unreadable = || unusable(cert_path, "holds a certificate that cannot be read");
        let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| unreadable())?;
        // A pair that does not belong together signs leaves that no browser accepts: better found now.
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(unusable(key_path, "is not the key of ca.pem"));
        }
        let (span, permitted) = (Span::of(&parsed), permitted_names(&parsed));
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|_| unreadable())?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).map_err(|_| unusable(cert_path, "holds a certificate that cannot be a CA's"))?;
        Ok(Authority { certificate, issuer, roots, span, permitted })
    }

    fn make(state_dir: &Path, names: &Names) -> Result<Authority, TlsError> {
        let (cert_path, key_path) = (state_dir.join("ca.pem"), state_dir.join("ca.key"));
        let key = KeyPair::generate().map_err(crypto)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        // Leaves name their issuer, so it says nothing of home. A family with two homes tells them apart by the number.
        let number = u16::from_be_bytes([key.public_key_raw()[1], key.public_key_raw()[2]]);
        params.distinguished_name.push(DnType::CommonName, format!("GoLocal Intercom CA {number:04X}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let mut permitted: Vec<GeneralSubtree> = vec![GeneralSubtree::DnsName("local".into())];
        permitted.extend(names.all().into_iter().map(GeneralSubtree::DnsName));
        // Addresses move: a home's are whatever its router and provider say tomorrow.
        permitted.push(GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])));
        permitted.push(GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])));
        params.name_constraints =
            Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });
        (params.not_before, params.not_after) = (date(EPOCH)?, date(AUTHORITY_UNTIL)?);
        let made = params.self_signed(&key).map_err(crypto)?;
        let kept = state::write(&key_path, key.serialize_pem().as_bytes(), 0o600)
            .and_then(|()| state::write(&cert_path, made.pem().as_bytes(), 0o644));
        if let Err(error) = kept {
            log::warn!("a CA that lasts until the end of this process: {error}");
        }
        Authority::of(made.der().clone(), key, &cert_path, &key_path)
    }

    /// The CA's certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// What is wrong with it although it works, in sentences with remedies.
    pub fn problems(&self, names: &Names, wall: Wall) -> Vec<String> {
        let mut problems = Vec::new();
        if wall.now < self.span.from {
            let from = in_words(self.span.from);
            problems.push(format!(
                "Home's CA begins only on {from}: the clock was wrong when it was made, or is now. If the clock is right, {REMEDY}."
            ));
        } else if wall.now >= self.span.until {
            problems.push(format!("Home's CA has been over since {}: {REMEDY}.", in_words(self.span.until)));
        }
        let Some(permitted) = &self.permitted else {
            problems.push(format!(
                "Home's CA is of an early version and could vouch for any site, should its key be stolen: {REMEDY}."
            ));
            return problems;
        };
        let covered = |name: &String| {
            permitted.iter().any(|permitted| name == permitted || name.ends_with(&format!(".{permitted}")))
        };
        for name in names.all().iter().filter(|name| !covered(name)) {
            problems.push(format!(
                "Home's CA was made without the name {name}, so devices that trust it still warn there: use another \
                 address, or {REMEDY}."
            ));
        }
        problems
    }

    /// A leaf for `names` and nothing else. A new key for each; its hash becomes the serial number, so no two share one.
    pub fn sign(&self, names: &[String], wall: Wall) -> Result<(CertificateDer<'static>, KeyPair, Span), TlsError> {
        let key = KeyPair::generate().map_err(crypto)?;
        let mut params = CertificateParams::new(names).map_err(crypto)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "GoLocal Intercom");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let until = wall.now + LEAF_AHEAD;
        let span = Span { from: until.saturating_sub(LEAF_LIFE).max(EPOCH), until };
        (params.not_before, params.not_after) = (date(span.from)?, date(span.until)?);
        let certificate = params.signed_by(&key, &self.issuer).map_err(crypto)?;
        Ok((certificate.der().clone(), key, span))
    }

    /// When `leaf` is good, if it is of this CA and for exactly these names. Its own time counts, not the clock's.
    pub fn recognises(&self, leaf: &CertificateDer<'_>, names: &[String]) -> Option<Span> {
        let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
        let span = Span::of(&parsed);
        let count = parsed.subject_alternative_name().ok()??.value.general_names.len();
        let leaf = ParsedCertificate::try_from(leaf).ok()?;
        let named = |name: &String| {
            ServerName::try_from(name.as_str()).is_ok_and(|name| verify_server_name(&leaf, &name).is_ok())
        };
        // Any moment at which both are good. A CA made by a clock far ahead has none with its leaves, which browsers see as well.
        let at = UnixTime::since_unix_epoch(span.from.max(self.span.from));
        let algorithms = provider().signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&leaf, &self.roots, &[], at, algorithms).ok()?;
        (count == names.len() && names.iter().all(named)).then_some(span)
    }
}

impl Span {
    fn of(certificate: &X509Certificate<'_>) -> Span {
        let validity = certificate.validity();
        let at = |timestamp: i64| Duration::from_secs(timestamp.max(0) as u64);
        Span { from: at(validity.not_before.timestamp()), until: at(validity.not_after.timestamp()) }
    }
}

/// The names that a CA's certificate lets it sign, if it says so.
fn permitted_names(certificate: &X509Certificate<'_>) -> Option<Vec<String>> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::NameConstraints(constraints) => {
            let subtrees = constraints.permitted_subtrees.as_ref()?;
            let name = |base: &GeneralName<'_>| match base {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            };
            Some(subtrees.iter().filter_map(|subtree| name(&subtree.base)).collect())
        }
        _ => None,
    })
}

fn date(time: Duration) -> Result<OffsetDateTime, TlsError> {
    OffsetDateTime::from_unix_timestamp(time.as_secs() as i64)
        .map_err(|_| TlsError::Crypto("the clock is set to an impossible time".into()))
}

fn in_words(time: Duration) -> String {
    date(time).map_or_else(|_| "no date at all".to_owned(), |date| date.date().to_string())
}

/// A certificate as text.
pub fn pem(certificate: &CertificateDer<'_>) -> String {
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
mod tests;
