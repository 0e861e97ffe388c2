//! A trusted certificate and key from files (`[tls] cert`, `key`), loaded again when they change.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{TlsError, provider};
use crate::config::TlsFiles;
use crate::shell::state::StateError;

/// A file longer than this is no certificate.
const LONGEST: u64 = 1 << 20;

/// The two files, and how they looked when they were last read.
pub struct TrustedPair {
    files: TlsFiles,
    seen: Option<[Stamp; 2]>,
}

/// What changes when a file is replaced or rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    modified: (i64, i64),
    length: u64,
}

impl TrustedPair {
    /// Loads both files; an error names the file and what is wrong with it.
    pub fn load(files: &TlsFiles) -> Result<(TrustedPair, CertifiedKey), TlsError> {
        let seen = stamps(files);
        let key = read_pair(files)?;
        Ok((TrustedPair { files: files.clone(), seen }, key))
    }

    /// The new pair if the files changed since they were last read and are good. A pair that is not good is logged
    /// once and the old one stays: its two halves may be in the middle of being replaced.
    pub fn reload_if_changed(&mut self) -> Option<CertifiedKey> {
        let stamps = stamps(&self.files);
        if stamps == self.seen {
            return None;
        }
        self.seen = stamps;
        match read_pair(&self.files) {
            Ok(key) => Some(key),
            Err(e) => {
                log::warn!("the old certificate stays: {e}");
                None
            }
        }
    }
}

fn stamps(files: &TlsFiles) -> Option<[Stamp; 2]> {
    let stamp = |path: &Path| {
        let about = std::fs::metadata(path).ok()?;
        let modified = (about.mtime(), about.mtime_nsec());
        Some(Stamp { inode: about.ino(), modified, length: about.len() })
    };
    Some([stamp(&files.cert)?, stamp(&files.key)?])
}

fn read_pair(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let text = read(&files.cert)?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|e| cert_problem(&files.cert, format!("is not PEM: {e}")))?;
    if chain.is_empty() {
        return Err(cert_problem(&files.cert, "holds no certificate".into()));
    }
    let text = read(&files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|e| match e {
        pem::Error::NoItemsFound if text.windows(9).any(|w| w == b"ENCRYPTED") => {
            key_problem(&files.key, "holds a key with a passphrase".into())
        }
        pem::Error::NoItemsFound => key_problem(&files.key, "holds no private key".into()),
        e => key_problem(&files.key, format!("is not PEM: {e}")),
    })?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|e| match e {
        rustls::Error::InconsistentKeys(_) => {
            key_problem(&files.key, format!("is not the key of {}", files.cert.display()))
        }
        rustls::Error::InvalidCertificate(e) => cert_problem(&files.cert, format!("cannot be read: {e}")),
        e => key_problem(&files.key, format!("cannot be used: {e}")),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::State(StateError { action: "read", path: path.to_owned(), source });
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > LONGEST {
        return Err(cert_problem(path, "is too long for a certificate or a key".into()));
    }
    std::fs::read(path).map_err(failed)
}

fn cert_problem(path: &Path, problem: String) -> TlsError {
    let remedy = "[tls] cert must name a PEM file with the certificate chain, the leaf first";
    TlsError::Unusable { path: path.to_owned(), problem, remedy }
}

fn key_problem(path: &Path, problem: String) -> TlsError {
    let remedy = "[tls] key must name a PEM file with the certificate's private key, without a passphrase";
    TlsError::Unusable { path: path.to_owned(), problem, remedy }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey as Made, generate_simple_self_signed};

    use super::*;
    use crate::shell::state::tests::TestDir;

    fn make(files: &TlsFiles) {
        let Made { cert, signing_key } = generate_simple_self_signed(["home.example.org".to_owned()]).unwrap();
        std::fs::write(&files.cert, cert.pem()).unwrap();
        std::fs::write(&files.key, signing_key.serialize_pem()).unwrap();
    }

    fn files(dir: &TestDir) -> TlsFiles {
        TlsFiles { cert: dir.0.join("cert.pem"), key: dir.0.join("key.pem") }
    }

    #[test]
    fn a_pair_is_loaded_and_loaded_again_when_it_changes() {
        let dir = TestDir::new();
        let files = files(&dir);
        make(&files);
        let (mut pair, first) = TrustedPair::load(&files).unwrap();
        assert!(pair.reload_if_changed().is_none());
        make(&files);
        let second = pair.reload_if_changed().expect("a new pair");
        assert_ne!(first.cert, second.cert);

        std::fs::write(&files.key, "half a k").unwrap();
        assert!(pair.reload_if_changed().is_none(), "the old one stays");
        std::fs::remove_file(&files.key).unwrap();
        assert!(pair.reload_if_changed().is_none());
        make(&files);
        assert!(pair.reload_if_changed().is_some(), "healed");
    }

    #[test]
    fn what_is_wrong_is_said_with_the_file() {
        let dir = TestDir::new();
        let files = files(&dir);
        let problem = || TrustedPair::load(&files).map(|_| ()).unwrap_err().to_string();
        assert!(problem().contains("cert.pem"), "missing: {}", problem());
        make(&files);
        let key = std::fs::read(&files.key).unwrap();
        make(&files);
        std::fs::write(&files.key, &key).unwrap();
        assert!(problem().contains("key.pem: is not the key of"), "{}", problem());
        std::fs::write(
            &files.key,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        )
        .unwrap();
        assert!(problem().contains("passphrase"), "{}", problem());
        std::fs::write(&files.cert, "").unwrap();
        assert!(problem().contains("cert.pem: holds no certificate"), "{}", problem());
        std::fs::write(&files.cert, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        std::fs::write(&files.key, &key).unwrap();
        assert!(problem().contains("cert.pem"), "{}", problem());
    }
}
