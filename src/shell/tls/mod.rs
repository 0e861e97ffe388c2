//! Certificates: our own CA and its leaves, or a trusted pair from files; whichever it is can change while we serve.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use crate::config::TlsFiles;
use crate::reach::Addresses;
use crate::shell::clock;
use crate::shell::state::StateError;

mod authority;
mod trusted;

use authority::Authority;
use trusted::TrustedPair;

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

/// What a leaf must be good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The machine's addresses and the public one.
    pub addresses: Vec<IpAddr>,
    /// `public_address` where it is a name.
    pub public_host: Option<String>,
    /// The machine's own name, without a domain.
    pub hostname: Option<String>,
}

impl Names {
    /// The names that go with `addresses`; `public_host` is the host of `public_address`, a name or an address.
    pub fn of(addresses: &Addresses, public_host: Option<&str>) -> Names {
        let mut names = Names { addresses: addresses.local.clone(), hostname: hostname(), public_host: None };
        match public_host.map(|host| (host, host.trim_matches(['[', ']']).parse::<IpAddr>())) {
            Some((_, Ok(address))) => names.addresses.push(address),
            Some((name, Err(_))) => names.public_host = Some(name.to_owned()),
            None => {}
        }
        names
    }

    /// Every subject alternative name: addresses first, and those that always hold.
    fn all(&self) -> Vec<String> {
        let always = ["127.0.0.1", "::1", "localhost"].map(str::to_owned);
        let local = self.hostname.iter().flat_map(|name| [name.clone(), format!("{name}.local")]);
        let named = self.public_host.iter().cloned().chain(local);
        let mut all: Vec<String> = Vec::new();
        for name in self.addresses.iter().map(ToString::to_string).chain(always).chain(named) {
            // A name that no certificate can carry (an underscore, say) must not keep the others from theirs.
            if rustls_pki_types::ServerName::try_from(name.as_str()).is_ok() && !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }
}

/// The machine's name up to its first dot.
fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim().split('.').next()?.to_ascii_lowercase();
    (!name.is_empty() && name != "localhost").then_some(name)
}

/// Whether our own CA can be used. One that is there and broken is never replaced: people may have installed it.
pub fn check_own(state_dir: &Path, home: &str) -> Result<(), TlsError> {
    if state_dir.join("ca.pem").exists() {
        Authority::open(state_dir, home, clock::unix_time()).map(drop)
    } else {
        Ok(())
    }
}

/// The certificate that is shown to browsers now, and where it comes from. Shared between threads.
pub struct Certificates {
    shown: Arc<Shown>,
    source: Mutex<Source>,
    public_host: Option<String>,
}

enum Source {
    Own(Box<Authority>),
    Trusted(TrustedPair),
}

impl Certificates {
    /// Opens the trusted pair if `files` names one; else our own CA in `state_dir`, which is made on the first start
    /// and named after `home`. Fails in words if a file is there but broken: a CA that people installed on their
    /// phones is never replaced silently.
    pub fn open(
        state_dir: &Path,
        home: &str,
        files: Option<&TlsFiles>,
        addresses: &Addresses,
        public_host: Option<&str>,
    ) -> Result<Certificates, TlsError> {
        let (source, key) = match files {
            Some(files) => {
                let (pair, key) = TrustedPair::load(files)?;
                (Source::Trusted(pair), key)
            }
            None => {
                let mut authority = Authority::open(state_dir, home, clock::unix_time())?;
                let key = authority.leaf(&Names::of(addresses, public_host), clock::unix_time())?;
                (Source::Own(Box::new(authority)), key)
            }
        };
        let shown = Arc::new(Shown(RwLock::new(Arc::new(key))));
        Ok(Certificates { shown, source: Mutex::new(source), public_host: public_host.map(str::to_owned) })
    }

    /// TLS 1.3 and 1.2, tickets for resumption, `http/1.1` and nothing else.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let crypto = |e: rustls::Error| TlsError::Crypto(e.to_string());
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(crypto)?
            .with_no_client_auth()
            .with_cert_resolver(self.shown.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Tickets rather than a table of sessions: nothing that strangers could fill.
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(crypto)?;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Ok(Arc::new(config))
    }

    /// SHA-256 of the certificate that a person compares: our CA's, which stays, or the trusted leaf's.
    /// Upper-case pairs with colons, as browsers show it.
    pub fn fingerprint(&self) -> String {
        match &*self.source() {
            Source::Own(authority) => fingerprint(authority.certificate()),
            Source::Trusted(_) => self.leaf_fingerprint(),
        }
    }

    /// SHA-256 of the certificate that browsers are shown now.
    pub fn leaf_fingerprint(&self) -> String {
        self.shown.now().cert.first().map(fingerprint).unwrap_or_default()
    }

    /// Our CA's certificate in DER, for `/ca.crt`; `None` with a trusted pair.
    pub fn authority(&self) -> Option<CertificateDer<'static>> {
        match &*self.source() {
            Source::Own(authority) => Some(authority.certificate().clone()),
            Source::Trusted(_) => None,
        }
    }

    /// The machine's addresses changed: signs a new leaf if the present one does not cover them all.
    pub fn handle_addresses(&self, addresses: &Addresses) {
        if let Source::Own(authority) = &mut *self.source() {
            let names = Names::of(addresses, self.public_host.as_deref());
            self.show(authority.renew(&names, clock::unix_time()));
        }
    }

    /// Looks whether a new leaf is due or the trusted files changed; call it at [`Certificates::next_look`].
    pub fn look(&self) {
        match &mut *self.source() {
            Source::Own(authority) => self.show(authority.renew_if_due(clock::unix_time())),
            Source::Trusted(pair) => {
                if let Some(key) = pair.reload_if_changed() {
                    self.shown.replace(key);
                    log::info!("new certificate, SHA-256 {}", self.leaf_fingerprint());
                }
            }
        }
    }

    /// When to look next.
    pub fn next_look(&self, now: Instant) -> Instant {
        now + match &*self.source() {
            // A clock that jumps (no battery, then NTP) can make a leaf too young or too old at any time.
            Source::Own(_) => Duration::from_secs(60),
            Source::Trusted(_) => Duration::from_secs(3),
        }
    }

    fn show(&self, renewed: Result<Option<CertifiedKey>, TlsError>) {
        match renewed {
            Ok(Some(key)) => {
                self.shown.replace(key);
                log::info!("new certificate for the present addresses, SHA-256 {}", self.leaf_fingerprint());
            }
            Ok(None) => {}
            Err(e) => log::error!("the certificate stays as it is: {e}"),
        }
    }

    fn source(&self) -> std::sync::MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({})", self.leaf_fingerprint())
    }
}

/// Answers each handshake with the present certificate.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl Shown {
    fn now(&self) -> Arc<CertifiedKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, key: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
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

    fn addresses(list: &[&str]) -> Addresses {
        Addresses { local: list.iter().map(|a| a.parse().unwrap()).collect(), best: None, public: None }
    }

    #[test]
    fn a_restart_shows_the_same_certificate_so_that_a_browsers_exception_holds() {
        let dir = TestDir::new();
        let open = |list: &[&str]| Certificates::open(&dir.0, "Home", None, &addresses(list), None).unwrap();
        let first = open(&["192.0.2.1", "192.0.2.2"]);
        let again = open(&["192.0.2.1"]);
        assert_eq!(first.leaf_fingerprint(), again.leaf_fingerprint());
        assert_eq!(first.fingerprint(), again.fingerprint());
        assert_ne!(first.fingerprint(), first.leaf_fingerprint());
        let moved = open(&["192.0.2.3"]);
        assert_ne!(first.leaf_fingerprint(), moved.leaf_fingerprint());
        assert_eq!(first.fingerprint(), moved.fingerprint(), "the CA stays");
    }

    #[test]
    fn a_new_address_gets_a_new_leaf_live() {
        let dir = TestDir::new();
        let certificates = Certificates::open(&dir.0, "Home", None, &addresses(&["192.0.2.1"]), None).unwrap();
        let before = certificates.leaf_fingerprint();
        certificates.handle_addresses(&addresses(&[]));
        assert_eq!(certificates.leaf_fingerprint(), before, "a lost address needs no new leaf");
        certificates.handle_addresses(&addresses(&["192.0.2.1", "2001:db8::9"]));
        assert_ne!(certificates.leaf_fingerprint(), before);
    }

    #[test]
    fn names_that_no_certificate_can_carry_are_left_out() {
        let names = Names {
            addresses: vec!["192.0.2.1".parse().unwrap()],
            public_host: Some("home example".into()),
            hostname: Some("pi".into()),
        };
        assert_eq!(names.all(), ["192.0.2.1", "127.0.0.1", "::1", "localhost", "pi", "pi.local"]);
        let public = Names::of(&addresses(&[]), Some("[2001:db8::1]"));
        assert_eq!(public.addresses, ["2001:db8::1".parse::<IpAddr>().unwrap()]);
    }
}
