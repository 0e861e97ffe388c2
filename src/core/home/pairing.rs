//! A code on the TV lets one new viewer in: its token is good for ten minutes and one exchange, for a key of the
//! viewer's own.

use std::time::{Duration, Instant};

use subtle::ConstantTimeEq as _;

use crate::core::home::admission::Stage;
use crate::core::home::{HELLO_WITHIN, Home, HomeOutput, SocketId};
use crate::core::items::{CodeId, NewKey, PairingCode};
use crate::core::protocol::{ErrorCode, FromHome, VERSION};
use crate::reach::links::{Links, pairing_links};

/// A code is good for so long.
pub const CODE_LIFE: Duration = Duration::from_secs(600);

/// Length of a page's nonce, in bytes: long enough that no two pages have the same.
const NONCE: std::ops::RangeInclusive<usize> = 16..=64;

pub(super) struct Pairing {
    id: CodeId,
    token: String,
    name: Option<String>,
    until: Instant,
    used: Option<Used>,
}

/// The exchange, once it began.
struct Used {
    nonce: String,
    /// The key, once it is stored.
    key: Option<String>,
}

impl Pairing {
    pub fn until(&self) -> Instant {
        self.until
    }
}

impl Home {
    /// All threads run. A home that nobody could enter tomorrow shows a code until somebody can.
    pub fn handle_started(&mut self, now: Instant) {
        if !self.doorkeeper.has_keys() {
            self.handle_code_wanted(None, now);
        }
    }

    /// Shows a code for a new viewer whom home will call `name`; the links that say the same. A code of before is void.
    pub fn handle_code_wanted(&mut self, name: Option<String>, now: Instant) -> Links {
        let token = self.token();
        let links = self.links_of(&token);
        let id = CodeId(self.next_code);
        self.next_code += 1;
        self.pairing = Some(Pairing { id, token, name, until: now + CODE_LIFE, used: None });
        self.show_code();
        links
    }

    /// The key that was asked for with [`HomeOutput::Mint`] is stored, `text` is the key itself; or it could not be.
    pub fn handle_minted(&mut self, code: CodeId, minted: Option<(NewKey, String)>, now: Instant) {
        let waiting = self.waiting_for(code);
        // Another code may stand there by now: its key is for somebody else.
        let used = self.pairing.as_mut().filter(|pairing| pairing.id == code).map(|pairing| &mut pairing.used);
        match (used, minted) {
            (Some(Some(used)), Some((key, text))) => {
                log::info!("key {} was made for whoever read the code", key.number);
                used.key = Some(text);
                self.doorkeeper.handle_added(key);
                for id in waiting {
                    self.hand_key(id, now);
                }
            }
            (used, minted) => {
                // A key that could not be stored makes the code worth no less: whoever tries again may still come in.
                if let Some(used) = used {
                    *used = None;
                    self.show_code();
                }
                if let Some((key, _)) = minted {
                    log::info!("key {} was made for a code that is void by now; nobody has it", key.number);
                    self.doorkeeper.handle_added(key);
                }
                for id in waiting {
                    self.close_socket(id);
                }
            }
        }
    }

    pub(super) fn pair(&mut self, id: SocketId, v: u32, token: &str, nonce: &str, now: Instant) {
        let known = self.pairing.as_mut().filter(|pairing| now < pairing.until);
        let known = known.filter(|pairing| bool::from(pairing.token.as_bytes().ct_eq(token.as_bytes())));
        let Some(pairing) = known.filter(|_| NONCE.contains(&nonce.len())) else {
            return self.refuse(id, "code", now);
        };
        if v != VERSION {
            self.fail(id, ErrorCode::Version, "this page is of another version than home: reload it");
            return self.close_socket(id);
        }
        match &pairing.used {
            Some(used) if used.nonce != nonce => self.refuse(id, "code", now),
            Some(_) => self.hand_key(id, now),
            None => {
                pairing.used = Some(Used { nonce: nonce.to_owned(), key: None });
                let (code, name) = (pairing.id, pairing.name.clone());
                self.set_stage(id, Stage::Pairing { code, until: now + HELLO_WITHIN });
                self.out.push_back(HomeOutput::Mint { code, name });
                self.out.push_back(HomeOutput::Code(None));
            }
        }
    }

    /// Says the key of the code that stands there, or waits for it.
    fn hand_key(&mut self, id: SocketId, now: Instant) {
        let until = now + HELLO_WITHIN;
        let Some(pairing) = &self.pairing else { return };
        match pairing.used.as_ref().and_then(|used| used.key.clone()) {
            Some(key) => {
                self.set_stage(id, Stage::Unauthenticated { until });
                self.out.push_back(HomeOutput::Say(id, FromHome::Paired { key }));
            }
            None => self.set_stage(id, Stage::Pairing { code: pairing.id, until }),
        }
    }

    fn waiting_for(&self, wanted: CodeId) -> Vec<SocketId> {
        let waits = |stage: &Stage| matches!(stage, Stage::Pairing { code, .. } if *code == wanted);
        self.sockets.iter().filter(|(_, socket)| waits(&socket.stage)).map(|(id, _)| *id).collect()
    }

    pub(super) fn pairing_timeout(&mut self, now: Instant) {
        if let Some(pairing) = self.pairing.take_if(|pairing| pairing.until <= now) {
            if pairing.used.is_none() {
                self.out.push_back(HomeOutput::Code(None));
            }
            self.handle_started(now);
        }
    }

    /// Puts the code that is still good on the TV, with the addresses of now.
    pub(super) fn show_code(&mut self) {
        let Some(pairing) = self.pairing.as_ref().filter(|pairing| pairing.used.is_none()) else { return };
        let until = pairing.until;
        let Links { all, best } = self.links_of(&pairing.token);
        // A home without the internet has no best link, and may still be visited from the same network.
        let code = best.or_else(|| all.into_iter().next()).map(|link| PairingCode { link, until });
        self.out.push_back(HomeOutput::Code(code));
    }

    fn links_of(&self, token: &str) -> Links {
        pairing_links(&self.addresses, self.config.port, self.config.public.as_ref(), token)
    }
}
