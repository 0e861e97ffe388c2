//! The leaves that browsers are shown: one for each name or address that is asked for, made on first use and kept on disk.
//!
//! A leaf is kept over restarts because a browser that was told to trust this very leaf would otherwise refuse the page's
//! WebSocket, without a word to anybody. For the same reason a new address changes no leaf of another, and a clock that is not known to
//! be right makes none too old or too young.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::KeyPair;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::authority::{Authority, Span, pem};
use super::names::{Names, Wanted};
use super::wall::Wall;
use super::{TlsError, provider};
use crate::shell::state;

/// Most leaves; whichever was asked for longest ago goes first.
const MOST: usize = 32;
/// A leaf is renewed this long before its end.
const RENEWAL: Duration = Duration::from_secs(30 * 86_400);

/// See the module.
pub struct Leaves {
    dir: PathBuf,
    authority: Authority,
    names: Names,
    known: HashMap<Wanted, Leaf>,
    uses: u64,
}

struct Leaf {
    key: Arc<CertifiedKey>,
    span: Span,
    used: u64,
}

impl Leaves {
    /// Those of this authority in `state_dir`.
    pub fn open(state_dir: &Path, authority: Authority, names: Names) -> Leaves {
        // Up to 0.1 there was one leaf for everything, which told strangers all names and addresses of home.
        let _ = state::remove(&state_dir.join("leaf.pem"));
        Leaves { dir: state_dir.join("leaves"), authority, names, known: HashMap::new(), uses: 0 }
    }

    /// Who signs them.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// How home is called.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The leaf for a handshake that names `server_name`, if any, and came to the address `local` of ours.
    pub fn get(&mut self, server_name: Option<&str>, local: IpAddr, wall: Wall) -> Result<Arc<CertifiedKey>, TlsError> {
        let wanted = self.names.wanted(server_name, local);
        self.uses += 1;
        if let Some(leaf) = self.known.get_mut(&wanted).filter(|leaf| !is_over(leaf.span, wall)) {
            leaf.used = self.uses;
            return Ok(Arc::clone(&leaf.key));
        }
        let (key, span) = match self.stored(&wanted, wall) {
            Some(stored) => stored,
            None => self.issue(&wanted, wall)?,
        };
        self.make_room();
        let key = Arc::new(key);
        self.known.insert(wanted, Leaf { key: Arc::clone(&key), span, used: self.uses });
        Ok(key)
    }

    /// Those that were asked for since the start, by name or address.
    pub fn all(&self) -> impl Iterator<Item = (String, &Arc<CertifiedKey>)> {
        self.known.iter().map(|(wanted, leaf)| (wanted.to_string(), &leaf.key))
    }

    /// Forgets leaves that are over; the next handshake that asks for one gets a new one. The machine's name may be another by now.
    pub fn look(&mut self, wall: Wall) {
        self.known.retain(|_, leaf| !is_over(leaf.span, wall));
        self.names.hostname = Names::of(None).hostname;
    }

    fn make_room(&mut self) {
        if self.known.len() < MOST {
            return;
        }
        let oldest = self.known.iter().min_by_key(|(_, leaf)| leaf.used).map(|(wanted, _)| wanted.clone());
        if let Some(wanted) = oldest {
            self.known.remove(&wanted);
            let _ = state::remove(&self.path(&wanted));
        }
    }

    fn path(&self, wanted: &Wanted) -> PathBuf {
        self.dir.join(format!("{wanted}.pem"))
    }

    /// The leaf on the disk, if it is of our CA, says what it must and nothing else, and is not over.
    fn stored(&self, wanted: &Wanted, wall: Wall) -> Option<(CertifiedKey, Span)> {
        let text = state::read(&self.path(wanted)).ok()??;
        let certificate = CertificateDer::from_pem_slice(text.as_bytes()).ok()?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).ok()?;
        let span = self.authority.recognises(&certificate, &self.names.alternatives(wanted))?;
        (!is_over(span, wall)).then_some(())?;
        Some((certified(certificate, key).ok()?, span))
    }

    fn issue(&self, wanted: &Wanted, wall: Wall) -> Result<(CertifiedKey, Span), TlsError> {
        let (certificate, key, span) = self.authority.sign(&self.names.alternatives(wanted), wall)?;
        let text = format!("{}{}", key.serialize_pem(), pem(&certificate));
        let certified = certified(certificate, pkcs8(&key))?;
        // It only saves viewers a second warning: a full disk must not keep the address from working.
        let kept =
            state::make_private_dir(&self.dir).and_then(|()| state::write(&self.path(wanted), text.as_bytes(), 0o600));
        if let Err(error) = kept {
            log::warn!("{error}");
        }
        Ok((certified, span))
    }
}

/// Whether it is to be replaced: never for the sake of a clock that may be wrong.
fn is_over(span: Span, wall: Wall) -> bool {
    wall.known && (wall.now < span.from || wall.now + RENEWAL >= span.until)
}

fn pkcs8(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(key.serialize_der().into())
}

fn certified(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Result<CertifiedKey, TlsError> {
    CertifiedKey::from_der(vec![certificate], key, &provider()).map_err(|e| TlsError::Crypto(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::state::tests::TestDir;
    use crate::shell::tls::wall::EPOCH;

    const DAY: Duration = Duration::from_secs(86_400);

    fn names() -> Names {
        Names { hostname: Some("pi".into()), ..Names::of(Some("home.example.org")) }
    }

    fn open(dir: &TestDir) -> Leaves {
        let names = names();
        Leaves::open(&dir.0, Authority::open(&dir.0, &names).unwrap(), names)
    }

    fn known(days: u32) -> Wall {
        Wall::at(EPOCH + DAY * days, true)
    }

    fn unknown(days: u32) -> Wall {
        Wall::at(EPOCH + DAY * days, false)
    }

    fn at(leaves: &mut Leaves, address: &str, wall: Wall) -> CertificateDer<'static> {
        leaves.get(None, address.parse().unwrap(), wall).unwrap().cert[0].clone()
    }

    #[test]
    fn each_thing_asked_for_has_a_leaf_of_its_own_that_others_do_not_change() {
        let dir = TestDir::new();
        let mut leaves = open(&dir);
        let first = at(&mut leaves, "192.0.2.1", known(400));
        for other in ["2001:db8::9", "172.17.0.1", "10.8.0.2"] {
            assert_ne!(at(&mut leaves, other, known(400)), first);
        }
        let named = leaves.get(Some("pi.local"), "192.0.2.1".parse().unwrap(), known(400)).unwrap();
        assert_ne!(named.cert[0], first);
        assert_eq!(at(&mut leaves, "192.0.2.1", known(400)), first);
        assert_eq!(at(&mut open(&dir), "192.0.2.1", known(401)), first, "over a restart");
    }

    #[test]
    fn a_leaf_is_renewed_in_time_by_a_clock_that_is_known_and_by_no_other() {
        let dir = TestDir::new();
        let mut leaves = open(&dir);
        let first = at(&mut leaves, "192.0.2.1", known(400));
        assert_eq!(at(&mut leaves, "192.0.2.1", known(400 + 360)), first);
        for wrong in [0, 400 + 380, 400 + 3650] {
            assert_eq!(at(&mut leaves, "192.0.2.1", unknown(wrong)), first, "day {wrong} by a clock that may be wrong");
            leaves.look(unknown(wrong));
            assert_eq!(at(&mut open(&dir), "192.0.2.1", unknown(wrong)), first, "and over a restart");
        }
        assert_ne!(at(&mut leaves, "192.0.2.1", known(400 + 380)), first);
    }

    #[test]
    fn a_leaf_made_by_a_clock_ahead_is_replaced_once_the_clock_is_right() {
        let dir = TestDir::new();
        let mut leaves = open(&dir);
        let ahead = at(&mut leaves, "192.0.2.1", unknown(400 + 3650));
        assert_eq!(at(&mut leaves, "192.0.2.1", unknown(400)), ahead);
        leaves.look(known(400));
        let right = at(&mut leaves, "192.0.2.1", known(400));
        assert_ne!(right, ahead);
        assert_eq!(at(&mut open(&dir), "192.0.2.1", unknown(0)), right, "the next power cut changes nothing");
    }

    #[test]
    fn leaves_are_bounded_and_those_in_use_stay() {
        let dir = TestDir::new();
        let mut leaves = open(&dir);
        let first = at(&mut leaves, "192.0.2.1", known(400));
        for n in 0..100 {
            at(&mut leaves, &format!("2001:db8::{n}"), known(400));
            assert_eq!(at(&mut leaves, "192.0.2.1", known(400)), first);
        }
        assert_eq!(std::fs::read_dir(dir.0.join("leaves")).unwrap().count(), MOST);
    }

    #[test]
    fn what_is_stored_and_broken_of_another_ca_or_for_something_else_is_replaced() {
        let (dir, other) = (TestDir::new(), TestDir::new());
        at(&mut open(&other), "192.0.2.1", known(400));
        let file = |dir: &TestDir, name: &str| dir.0.join("leaves").join(name);
        let mut leaves = open(&dir);
        at(&mut leaves, "192.0.2.9", known(400));
        let foreign = std::fs::read(file(&other, "192.0.2.1.pem")).unwrap();
        let for_another = std::fs::read(file(&dir, "192.0.2.9.pem")).unwrap();
        for left in [foreign, for_another, b"rubbish".to_vec()] {
            std::fs::write(file(&dir, "192.0.2.1.pem"), &left).unwrap();
            let mut leaves = open(&dir);
            let made = at(&mut leaves, "192.0.2.1", known(400));
            assert!(leaves.authority.recognises(&made, &["192.0.2.1".to_owned()]).is_some());
            assert_ne!(std::fs::read(file(&dir, "192.0.2.1.pem")).unwrap(), left);
        }
    }
}
