//! What to ask a camera for, without I/O: follows one redirect, proves who asks, and judges the heads of answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::address::Address;
use super::auth::{self, Challenge, Digest};
use super::cause;
use super::reply::Head;
use crate::contract::DeviceError;

/// Requests in a row that bring no picture's bytes: a redirect, a challenge, an old nonce, and one to spare.
const ASKED: u32 = 5;

/// A name and a password.
pub type User = (String, String);

/// How it is proven who asks.
#[derive(Clone, Debug)]
enum Proof {
    /// Not, as long as nobody wants to know.
    None,
    Basic,
    Digest(Box<Digest>),
}

/// What to do after a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The body holds what was asked for.
    Body,
    /// Ask again: the request has changed.
    Ask,
}

/// The requests to one camera.
#[derive(Debug)]
pub struct Session {
    address: Address,
    user: Option<User>,
    proof: Proof,
    /// The proof was taken before.
    is_proven: bool,
    moved: bool,
    /// A redirect led to another port, which is told no password.
    elsewhere: bool,
    asked: u32,
    digest: DigestOffered,
}

/// Whether a camera has ever offered Digest. Whoever takes its place must not get the password in clear, so all sessions with one
/// camera share it.
pub type DigestOffered = Arc<AtomicBool>;

impl Session {
    /// With the camera at this address.
    pub fn new(address: Address, user: Option<User>, digest: DigestOffered) -> Session {
        let (proof, is_proven) = (Proof::None, false);
        Session { address, user, proof, is_proven, moved: false, elsewhere: false, asked: 0, digest }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.address.port
    }

    /// The next request. `client` is a text that nobody can guess.
    pub fn request(&mut self, client: &str) -> Vec<u8> {
        self.asked += 1;
        let proof = match (&mut self.proof, &self.user) {
            (Proof::Digest(digest), Some(user)) => Some(digest.answer(user, self.address.target(), client)),
            (Proof::Basic, Some(user)) => Some(auth::basic(user)),
            _ => None,
        };
        self.address.request(proof.as_deref())
    }

    /// Takes the head of the answer.
    ///
    /// # Errors
    /// If there will be no picture, with the reason.
    pub fn handle_head(&mut self, head: &Head) -> Result<Next, DeviceError> {
        match head.status {
            200..=299 => {
                self.asked = 0;
                self.is_proven = true;
                Ok(Next::Body)
            }
            301 | 302 | 303 | 307 | 308 => self.follow(head.location.as_deref().unwrap_or_default()),
            401 => self.prove(&auth::challenges(head.challenges.iter().map(Vec::as_slice))),
            403 if self.elsewhere => Err(cause::withheld(&self.address, "403")),
            _ => Err(cause::status(head)),
        }
    }

    fn follow(&mut self, location: &str) -> Result<Next, DeviceError> {
        let refuse = |why: &str| Err(cause::sent_on(location, why));
        let to = match self.address.follow(location) {
            Ok(to) => to,
            Err(why) => return refuse(&format!("which {why}")),
        };
        if !to.is_at_host_of(&self.address) {
            return refuse("which is another host");
        }
        if std::mem::replace(&mut self.moved, true) {
            return refuse("which is not the first time");
        }
        if to.port != self.address.port {
            // Another port may be another program's. What was meant for the camera is not told there.
            (self.user, self.elsewhere) = (None, true);
        }
        (self.proof, self.is_proven) = (Proof::None, false);
        self.address = to;
        Ok(Next::Ask)
    }

    fn prove(&mut self, challenges: &[Challenge]) -> Result<Next, DeviceError> {
        let mut ways: Vec<&str> = challenges.iter().map(|one| one.scheme.as_str()).collect();
        ways.dedup();
        let ways =
            if ways.is_empty() { "it does not say how".to_owned() } else { crate::words::shown(&ways.join(" or ")) };
        match self.user {
            None if self.elsewhere => return Err(cause::withheld(&self.address, &format!("401, {ways}"))),
            None => return Err(cause::wants_password(&ways)),
            Some(_) => {}
        }
        // Digest, if there is any: the password is never sent in clear to a camera that can do better.
        let digests: Vec<&Challenge> = challenges.iter().filter(|one| one.is("Digest")).collect();
        if !digests.is_empty() {
            self.digest.store(true, Ordering::Relaxed);
        }
        let proof = match digests.iter().find_map(|one| Digest::new(one).ok().map(|digest| (digest, *one))) {
            Some((digest, challenge)) => {
                let again = match &self.proof {
                    Proof::Digest(before) => {
                        challenge.is_stale() || (self.is_proven && !before.has_nonce_of(challenge))
                    }
                    _ => true,
                };
                if !again || self.asked >= ASKED {
                    return Err(cause::wrong_password("Digest"));
                }
                Proof::Digest(Box::new(digest))
            }
            None if !digests.is_empty() => {
                let why = digests.iter().find_map(|one| Digest::new(one).err()).unwrap_or_default();
                return Err(cause::unknown_way(&why));
            }
            None if challenges.iter().any(|one| one.is("Basic")) => match self.proof {
                // What takes its place now may be somebody who wants the password.
                _ if self.digest.load(Ordering::Relaxed) => return Err(cause::downgraded()),
                Proof::Basic => return Err(cause::wrong_password("Basic")),
                _ => Proof::Basic,
            },
            None => return Err(cause::unknown_way(&ways)),
        };
        // A password that was changed is refused at the second time.
        (self.proof, self.is_proven) = (proof, false);
        Ok(Next::Ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::http_mjpeg::reply::{Piece, Reply};

    fn head(text: &str) -> Head {
        let text = format!("HTTP/1.1 {text}\r\n\r\n");
        match Reply::default().take(&mut text.as_bytes()) {
            Ok(Some(Piece::Head(head))) => head,
            other => panic!("{other:?}"),
        }
    }

    fn digest(nonce: &str) -> Head {
        head(&format!("401 No\r\nWWW-Authenticate: Digest realm=x, qop=auth, nonce={nonce}"))
    }

    fn session() -> Session {
        Session::new(
            Address::parse("http://cam/a").unwrap(),
            Some(("me".into(), "hush".into())),
            DigestOffered::default(),
        )
    }

    fn asks(session: &mut Session) -> String {
        String::from_utf8(session.request("c")).unwrap()
    }

    #[test]
    fn a_nonce_is_used_on_and_counted_and_a_new_one_is_taken_from_a_camera_that_knows_us() {
        let mut session = session();
        assert!(!asks(&mut session).contains("Authorization"));
        assert_eq!(session.handle_head(&digest("one")), Ok(Next::Ask));
        for count in 1..20 {
            let request = asks(&mut session);
            assert!(request.contains("nonce=\"one\"") && request.contains(&format!("nc={count:08x}")), "{request}");
            assert_eq!(session.handle_head(&head("200 OK")), Ok(Next::Body));
        }
        // It forgot the nonce, and does not say so.
        asks(&mut session);
        assert_eq!(session.handle_head(&digest("two")), Ok(Next::Ask));
        assert!(asks(&mut session).contains("nonce=\"two\", uri=\"/a\""));
        // The password was changed.
        assert!(session.handle_head(&digest("three")).is_err());
    }

    #[test]
    fn the_longest_request_is_as_short_as_it_is_said_to_be() {
        let long = |length: usize| "\\".repeat(length);
        let address = Address::parse(&format!("http://cam/{}", long(2000 - 11))).unwrap();
        let mut session = Session::new(address, Some((long(1000), long(1000))), DigestOffered::default());
        let repeated = ["realm", "nonce", "opaque"].map(|key| format!("{key}=\"{}\", ", "\\\\".repeat(1024))).concat();
        let head =
            head(&format!("401 No\r\nWWW-Authenticate: Digest {repeated}algorithm=SHA-512-256-sess, qop=auth-int"));
        assert_eq!(session.handle_head(&head), Ok(Next::Ask));
        let request = asks(&mut session);
        assert!(request.contains("response=") && request.len() < 16 * 1024, "{}", request.len());
    }

    #[test]
    fn the_first_challenge_that_is_spoken_is_answered() {
        let mut session = session();
        let both = "401 No\r\nWWW-Authenticate: Digest nonce=1, algorithm=SHA3\r\n\
                    WWW-Authenticate: Digest nonce=2, algorithm=SHA-256, Digest nonce=3, algorithm=MD5, Basic realm=x";
        assert_eq!(session.handle_head(&head(both)), Ok(Next::Ask));
        assert!(asks(&mut session).contains("nonce=\"2\""));
    }
}
