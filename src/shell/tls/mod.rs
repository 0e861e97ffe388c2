//! Certificates: our own CA and a leaf for each name or address that is asked for, or a trusted pair from files.
//!
//! A handshake tells a stranger the name or the addresses by which they came, and nothing else of home.
//!
//! # One leaf per name or address (`leaves.rs`, `names.rs`)
//!
//! - The leaf is for the name that the handshake asks for, if it is a name of home's. Else it is for the address that
//!   the connection came to, and the public address that leads to it.
//! - It is made on first use. So a new address changes no other leaf, and a leaf that nobody asks for is never made.
//! - Temporary and tunnel addresses get a leaf too: a relative may come through a VPN.
//! - The CA's certificate does not go along, since it names what its leaves may be. The fingerprints that a person
//!   compares are printed at start and shown by `intercom status`.
//! - 32 leaves are kept. The one that was asked for longest ago goes first.
//!
//! # Leaves are kept in files
//!
//! A browser ties a click-through exception to the exact certificate. A new leaf at each start would break the
//! WebSocket of a page that reconnects, without a word. For the same reason a leaf is replaced only by a clock that is
//! known to be right (`wall.rs`): the network has set it, or the machine has run for an hour.
//!
//! # How long a leaf lasts (`authority.rs`)
//!
//! - It ends 397 days after it is made: browsers refuse more than 398 days from now.
//! - It lasts 824 days in all. So it begins about 14 months in the past, for clocks that are behind. Apple refuses
//!   more than 825 days, also of a CA that its owner installed. To begin all leaves in 2026 would break that limit
//!   from 2027 on.
//! - It is renewed 30 days before its end.
//!
//! # The CA can sign little (`authority.rs`)
//!
//! - Names: under `local`, `localhost`, the host's name, and `public_address`'s, as they are when the CA is made.
//! - Addresses: any, since those move.
//! - TLS servers only. It lasts from 2026 to 2046, whatever the clock says.
//! - A CA of an early version without these limits, or one that lacks a name, goes on working. `check`, `doctor` and
//!   the log say what to do.
//! - A CA that is there and broken is never replaced: people may have installed it.
//!
//! # Without a disk
//!
//! A CA that cannot be stored lives in memory until the process ends. A leaf that cannot be stored is used all the
//! same.
//!
//! # No HSTS
//!
//! The header is never sent. After one visit it would make a home with our own CA unreachable for good. See
//! `gateway/reply.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use crate::config::TlsFiles;
use crate::shell::state::StateError;

mod authority;
mod leaves;
mod names;
mod trusted;
mod wall;

pub use names::Names;

use authority::Authority;
use leaves::Leaves;
use trusted::TrustedPair;
use wall::Wall;

/// Certificates could not be had.
#[derive(Debug)]
pub enum TlsError {
    /// A file could not be read or written.
    State(StateError),
    /// A file was read, but it is of no use.
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The cryptography refused.
    Crypto(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::State(e) => e.fmt(f),
            TlsError::Unusable { path, problem, remedy } => write!(f, "{}: {problem}; {remedy}", path.display()),
            TlsError::Crypto(problem) => write!(f, "certificates: {problem}"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TlsError::State(e) => Some(e),
            _ => None,
        }
    }
}

impl From<StateError> for TlsError {
    fn from(error: StateError) -> TlsError {
        TlsError::State(error)
    }
}

/// Whether our own CA can be used. One that is there and broken is never replaced: people may have installed it.
pub fn check_own(state_dir: &Path) -> Result<(), TlsError> {
    Authority::stored(state_dir).map(drop)
}

/// What is wrong with our own CA in `state_dir` although it can be used, in sentences with remedies; `public_host` as for
/// [`Certificates::open`]. Nothing if there is none yet, or none can be read.
pub fn problems(state_dir: &Path, public_host: Option<&str>) -> Vec<String> {
    match Authority::stored(state_dir) {
        Ok(Some(authority)) => authority.problems(&Names::of(public_host), Wall::now()),
        _ => Vec::new(),
    }
}

/// The certificates that browsers are shown, and where they come from. Shared between threads.
pub struct Certificates {
    source: Arc<Mutex<Source>>,
    base: ServerConfig,
}

enum Source {
    Own(Box<Leaves>),
    Trusted(TrustedPair, Arc<CertifiedKey>),
}

impl Certificates {
    /// Opens the trusted pair if `files` names one; else our own CA in `state_dir`, which is made on the first start.
    /// `public_host` is the host of `public_address`, a name or an address. Fails in words if a file is there but broken: a CA that
    /// people installed on their phones is never replaced silently.
    pub fn open(
        state_dir: &Path,
        files: Option<&TlsFiles>,
        public_host: Option<&str>,
    ) -> Result<Certificates, TlsError> {
        let source = match files {
            Some(files) => {
                let (pair, key) = TrustedPair::load(files)?;
                Source::Trusted(pair, Arc::new(key))
            }
            None => {
                let names = Names::of(public_host);
                let authority = Authority::open(state_dir, &names)?;
                for problem in authority.problems(&names, Wall::now()) {
                    log::warn!("{problem}");
                }
                Source::Own(Box::new(Leaves::open(state_dir, authority, names)))
            }
        };
        let source = Arc::new(Mutex::new(source));
        let base = base_config(Arc::new(Shown { source: Arc::clone(&source), local: None }))?;
        Ok(Certificates { source, base })
    }

    /// For a connection to this address of ours: TLS 1.3 and 1.2, tickets for resumption, `http/1.1` and nothing else.
    pub fn server_config(&self, local: IpAddr) -> Arc<ServerConfig> {
        let mut config = self.base.clone();
        config.cert_resolver = Arc::new(Shown { source: Arc::clone(&self.source), local: Some(local) });
        Arc::new(config)
    }

    /// SHA-256 of the certificate that a person compares: our CA's, which stays, or the trusted leaf's.
    /// Upper-case pairs with colons, as browsers show it.
    pub fn fingerprint(&self) -> String {
        match &*lock(&self.source) {
            Source::Own(leaves) => fingerprint(leaves.authority().certificate()),
            Source::Trusted(_, key) => key.cert.first().map(fingerprint).unwrap_or_default(),
        }
    }

    /// SHA-256 of what a browser shows that came to this address of ours, by this name if by any: with a warning, before the CA is
    /// installed.
    pub fn shown(&self, server_name: Option<&str>, local: IpAddr) -> Option<String> {
        let key = match &mut *lock(&self.source) {
            Source::Own(leaves) => leaves.get(server_name, local, Wall::now()).ok()?,
            Source::Trusted(_, key) => Arc::clone(key),
        };
        key.cert.first().map(fingerprint)
    }

    /// The same for all names and addresses that were asked for since the start; none with a trusted pair.
    pub fn all_shown(&self) -> BTreeMap<String, String> {
        match &*lock(&self.source) {
            Source::Own(leaves) => {
                leaves.all().filter_map(|(what, key)| Some((what, key.cert.first().map(fingerprint)?))).collect()
            }
            Source::Trusted(..) => BTreeMap::new(),
        }
    }

    /// Our CA's certificate in DER, for `/ca.crt`; `None` with a trusted pair.
    pub fn authority(&self) -> Option<CertificateDer<'static>> {
        match &*lock(&self.source) {
            Source::Own(leaves) => Some(leaves.authority().certificate().clone()),
            Source::Trusted(..) => None,
        }
    }

    /// What is wrong with our own CA although it can be used, in sentences with remedies.
    pub fn problems(&self) -> Vec<String> {
        match &*lock(&self.source) {
            Source::Own(leaves) => leaves.authority().problems(leaves.names(), Wall::now()),
            Source::Trusted(..) => Vec::new(),
        }
    }

    /// Looks whether leaves are over or the trusted files changed; call it at [`Certificates::next_look`].
    pub fn look(&self) {
        match &mut *lock(&self.source) {
            Source::Own(leaves) => leaves.look(Wall::now()),
            Source::Trusted(pair, key) => {
                if let Some(new) = pair.reload_if_changed() {
                    *key = Arc::new(new);
                    let shown = key.cert.first().map(fingerprint).unwrap_or_default();
                    log::info!("new certificate, SHA-256 {shown}");
                }
            }
        }
    }

    /// When to look next.
    pub fn next_look(&self, now: Instant) -> Instant {
        now + match &*lock(&self.source) {
            // A clock that jumps (no battery, then NTP) can make a leaf too young or too old at any time.
            Source::Own(_) => Duration::from_secs(60),
            Source::Trusted(..) => Duration::from_secs(3),
        }
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({})", self.fingerprint())
    }
}

fn lock(source: &Mutex<Source>) -> MutexGuard<'_, Source> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A packet has room for so much of a record, its head and tag beside it.
const RECORD: usize = 1350;

fn base_config(resolver: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, TlsError> {
    let crypto = |e: rustls::Error| TlsError::Crypto(e.to_string());
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(crypto)?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A record is read when it is there as a whole. One of a packet's size is there with that packet: the page hears how fast the
    // document comes, and begins with what has come.
    config.max_fragment_size = Some(RECORD);
    // Tickets rather than a table of sessions: nothing that strangers could fill.
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(crypto)?;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(config)
}

/// Answers each handshake with what it asks for.
struct Shown {
    source: Arc<Mutex<Source>>,
    /// The address of ours that the connection came to: browsers send no name for an address.
    local: Option<IpAddr>,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shown({:?})", self.local)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        match &mut *lock(&self.source) {
            Source::Trusted(_, key) => Some(Arc::clone(key)),
            Source::Own(leaves) => match leaves.get(hello.server_name(), self.local?, Wall::now()) {
                Ok(key) => Some(key),
                Err(error) => {
                    log::error!("no certificate: {error}");
                    None
                }
            },
        }
    }
}

/// The cryptography that all of TLS uses here.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(certificate.as_ref());
    digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::state::tests::TestDir;

    #[test]
    fn a_restart_shows_the_same_certificates_so_that_a_browsers_exception_holds() {
        let dir = TestDir::new();
        let shown = |certificates: &Certificates| match &mut *lock(&certificates.source) {
            Source::Own(leaves) => leaves.get(None, "192.0.2.1".parse().unwrap(), Wall::now()).unwrap().cert.clone(),
            Source::Trusted(..) => unreachable!("it is our own"),
        };
        let first = Certificates::open(&dir.0, None, None).unwrap();
        let leaf = shown(&first);
        let again = Certificates::open(&dir.0, None, None).unwrap();
        assert_eq!(shown(&again), leaf);
        let told = again.all_shown();
        assert_eq!(told.get("192.0.2.1"), leaf.first().map(fingerprint).as_ref());
        assert_eq!(told.get("192.0.2.1"), again.shown(None, "192.0.2.1".parse().unwrap()).as_ref());
        assert_eq!(first.fingerprint(), again.fingerprint());
        assert_eq!(leaf.len(), 1, "the CA names what a stranger has no business to know");
    }
}
