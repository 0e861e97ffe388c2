//! A token is exchanged for a key of the device's own: that of the code on the TV, which is good for ten minutes and one device, or
//! that of a link, which `people/access.rs` knows.
//!
//! A page says a nonce along with the token. As long as it says the same one it hears of the same key, whatever sockets die meanwhile.

use std::time::{Duration, Instant};

use subtle::ConstantTimeEq as _;

use crate::call::home::admission::Stage;
use crate::call::home::{HELLO_WITHIN, Home, HomeOutput, SocketId};
use crate::call::items::{ExchangeId, For, PairingCode};
use crate::call::protocol::{CodeInfo, ErrorCode, FromHome, NotDone, VERSION};
use crate::people::guessers::Guess;
use crate::people::items::NewKey;
use crate::people::names;
use crate::people::register::Role;
use crate::reach::links::{Links, token_links};

/// A code is good for so long, and so long the key of an exchange is said again.
pub const CODE_LIFE: Duration = Duration::from_secs(600);

/// A press that comes sooner after another counts as the same: contacts bounce, and so do fingers.
const BOUNCE: Duration = Duration::from_millis(700);

/// Length of a page's nonce, in bytes: long enough that no two pages have the same.
const NONCE: std::ops::RangeInclusive<usize> = 16..=64;

/// Exchanges that are remembered; the oldest goes first.
const MOST: usize = 16;

/// Whose a home is.
const FIRST: For = For::Newcomer { name: None, role: Role::Owner };

/// The code on the TV.
pub(super) struct Pairing {
    token: String,
    whom: For,
    /// What anyone may do who comes with it.
    role: Role,
    until: Instant,
    /// Somebody wanted it, now; otherwise it stands there because nobody could enter.
    asked: bool,
    /// A page has shown it.
    used: bool,
}

impl Pairing {
    /// A phone may still come in with it.
    fn is_good(&self, now: Instant) -> bool {
        now < self.until && !self.used
    }
}

/// A token that a page has shown.
pub(super) struct Exchange {
    id: ExchangeId,
    token: String,
    nonce: String,
    until: Instant,
    /// It was the code on the TV.
    of_code: bool,
    /// The key, once it is stored.
    key: Option<String>,
}

fn same(one: &str, other: &str) -> bool {
    bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}

impl Home {
    /// All threads run. A home that nobody could enter tomorrow shows a code until somebody can.
    pub fn handle_started(&mut self, now: Instant) {
        if !self.access.has_keys() {
            self.begin_pairing(FIRST, Role::Owner, false, now);
        }
    }

    /// Shows a code for a new viewer whom home will call `name`; the links that say the same. A code from before is void. The first
    /// device of all is an owner's, whatever the role.
    pub fn handle_code_wanted(&mut self, name: Option<String>, role: Role, now: Instant) -> Links {
        let role = if self.access.has_keys() { role } else { Role::Owner };
        self.begin_pairing(For::Newcomer { name, role }, role, true, now)
    }

    /// Shows a code as an owner wants it: for a further device of a person, or for somebody new.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn show_code_for(
        &mut self,
        person: Option<u64>,
        name: Option<&str>,
        role: Role,
        now: Instant,
    ) -> Result<(), NotDone> {
        let Some(number) = person else {
            let name = name.map(names::tidy).transpose().map_err(|_| NotDone::Name)?;
            self.handle_code_wanted(name, role, now);
            return Ok(());
        };
        let known = self.access.people().person(number).filter(|known| known.number != 0);
        let role = known.ok_or(NotDone::Unknown)?.role;
        self.begin_pairing(For::Device(number), role, true, now);
        Ok(())
    }

    /// This person may not come in any more, nor with a code that was for them.
    pub(super) fn end_code_of(&mut self, number: u64, now: Instant) {
        if self.pairing.take_if(|code| code.whom == For::Device(number)).is_some() {
            self.exchanges.retain(|exchange| !exchange.of_code || exchange.key.is_some());
            self.out.push_back(HomeOutput::Code(None));
            self.handle_started(now);
            self.tell_owners(now);
        }
    }

    /// This person may do something else from now on, and so may the phone that comes with a code for them.
    pub(super) fn code_follows(&mut self, number: u64, role: Role) {
        if let Some(code) = self.pairing.as_mut().filter(|code| code.whom == For::Device(number) && code.role != role) {
            code.role = role;
            self.show_code();
        }
    }

    /// The code that somebody asked for, if the TV shows one.
    pub(super) fn code_info(&self, now: Instant) -> Option<CodeInfo> {
        let code = self.pairing.as_ref().filter(|code| code.is_good(now) && code.asked)?;
        let person = if let For::Device(person) = code.whom { Some(person) } else { None };
        Some(CodeInfo { person, role: code.role })
    }

    fn begin_pairing(&mut self, whom: For, role: Role, asked: bool, now: Instant) -> Links {
        let token = self.token();
        let links = self.links_of(&token);
        self.exchanges.retain(|exchange| !exchange.of_code || exchange.key.is_some());
        self.pairing = Some(Pairing { token, whom, role, until: now + CODE_LIFE, asked, used: false });
        self.show_code();
        self.tell_owners(now);
        links
    }

    /// Somebody at home pressed the key for a new phone: the code is shown or, if one is, taken away. While somebody waits at the door
    /// they are let in instead. A home that nobody could
    /// enter otherwise goes back to the code that waits for its first phone.
    pub fn handle_invite_pressed(&mut self, now: Instant) {
        let bounced = self.invite_pressed.replace(now).is_some_and(|last| now.duration_since(last) < BOUNCE);
        if bounced {
            return;
        }
        // Who stands before the TV while somebody knocks means them.
        if self.is_late(now) {
            self.invite_let_in = true;
            return;
        }
        let waiting = self.visits.iter().find(|visit| !visit.gate.is_inside()).map(|visit| visit.id);
        self.invite_let_in = waiting.is_some();
        if let Some(waiting) = waiting {
            return self.let_in(waiting, now);
        }
        if self.is_code_asked(now) {
            log::info!("the code on the TV is taken away, by a key at home");
            self.take_code_away(now);
        } else {
            log::info!("a code for a new phone is on the TV, by a key at home");
            self.handle_code_wanted(None, Role::Family, now);
        }
    }

    /// Somebody at home held the key for a new phone for some seconds: the code makes an owner, so that a lost phone of the only owner can
    /// be replaced.
    pub fn handle_invite_held(&mut self, now: Instant) {
        if self.invite_let_in {
            return;
        }
        log::info!("a code for an owner is on the TV, by a key at home");
        self.handle_code_wanted(None, Role::Owner, now);
    }

    /// Whether the TV shows a code that somebody asked for.
    pub(super) fn is_code_asked(&self, now: Instant) -> bool {
        self.pairing.as_ref().is_some_and(|code| code.is_good(now) && code.asked)
    }

    /// Somebody can enter now, by a link: the code that waited for a home's first phone would make a further owner.
    pub(super) fn end_first_code(&mut self) {
        if self.pairing.take_if(|code| !code.asked && !code.used).is_some() {
            self.exchanges.retain(|exchange| !exchange.of_code || exchange.key.is_some());
            self.out.push_back(HomeOutput::Code(None));
        }
    }

    /// Takes away a code that somebody asked for.
    pub(super) fn take_code_away(&mut self, now: Instant) {
        if !self.is_code_asked(now) {
            return;
        }
        if !self.access.has_keys() {
            self.begin_pairing(FIRST, Role::Owner, false, now);
            return;
        }
        self.exchanges.retain(|exchange| !exchange.of_code || exchange.key.is_some());
        self.pairing = None;
        self.out.push_back(HomeOutput::Code(None));
        self.tell_owners(now);
    }

    /// The key that was asked for with [`HomeOutput::Mint`] is stored, `text` is the key itself; or it could not be.
    pub fn handle_minted(&mut self, id: ExchangeId, minted: Option<(NewKey, String)>, now: Instant) {
        let waiting = self.waiting_for(id);
        let index = self.exchanges.iter().position(|exchange| exchange.id == id);
        match (index, minted) {
            (Some(index), Some((key, text))) => {
                log::info!("key {} was made for person {}", key.number, key.person.number);
                self.exchanges[index].key = Some(text);
                self.handle_key_added(key, now);
                for socket in waiting {
                    self.hand_key(socket, index, now);
                }
            }
            (index, minted) => {
                // A key that could not be stored makes the token worth no less: anyone who tries again may still come in.
                if let Some(exchange) = index.map(|index| self.exchanges.remove(index))
                    && let Some(pairing) = self.pairing.as_mut().filter(|pairing| pairing.token == exchange.token)
                {
                    pairing.used = false;
                    self.show_code();
                }
                if let Some((key, _)) = minted {
                    log::info!("key {} was made for a token that is void by now; nobody has it", key.number);
                    self.handle_key_added(key, now);
                }
                for socket in waiting {
                    self.close_socket(socket);
                }
            }
        }
    }

    pub(super) fn pair(&mut self, id: SocketId, v: u32, token: &str, nonce: &str, now: Instant) {
        if !NONCE.contains(&nonce.len()) {
            return self.refuse(id, "code", None, now);
        }
        let begun = self.exchanges.iter().position(|exchange| same(&exchange.token, token) && exchange.nonce == nonce);
        let of_code = self.pairing.as_ref().filter(|code| code.is_good(now) && same(&code.token, token));
        let of_code = of_code.map(|code| code.whom.clone());
        let of_link = self.access.invited(token, self.wall_at(now)).map(|invited| For::Person(invited.person));
        let (is_code, whom) = (of_code.is_some(), of_code.or(of_link));
        if begun.is_none() && whom.is_none() {
            return self.refuse(id, "code", Some(Guess::new(nonce, token)), now);
        }
        if v != VERSION {
            self.fail(id, ErrorCode::Version, "this page is of another version than home: reload it");
            return self.close_socket(id);
        }
        if let Some(index) = begun {
            return self.hand_key(id, index, now);
        }
        let Some(whom) = whom else { return };
        if is_code && let Some(code) = &mut self.pairing {
            code.used = true;
            self.out.push_back(HomeOutput::Code(None));
            self.tell_owners(now);
        }
        if self.exchanges.len() >= MOST {
            self.exchanges.remove(0);
        }
        let exchange = ExchangeId(self.next_exchange);
        self.next_exchange += 1;
        self.exchanges.push(Exchange {
            id: exchange,
            token: token.to_owned(),
            nonce: nonce.to_owned(),
            until: now + CODE_LIFE,
            of_code: is_code,
            key: None,
        });
        self.set_stage(id, Stage::Pairing { exchange, until: now + HELLO_WITHIN });
        self.out.push_back(HomeOutput::Mint { exchange, whom });
    }

    /// Says the key of an exchange, or waits for it.
    fn hand_key(&mut self, id: SocketId, index: usize, now: Instant) {
        let until = now + HELLO_WITHIN;
        let Exchange { id: exchange, key, .. } = &self.exchanges[index];
        match key.clone() {
            Some(key) => {
                self.set_stage(id, Stage::Unauthenticated { until });
                self.out.push_back(HomeOutput::Say(id, FromHome::Paired { key }));
                if self.is_post(id) {
                    self.close_socket(id);
                }
            }
            None => {
                let exchange = *exchange;
                self.set_stage(id, Stage::Pairing { exchange, until });
            }
        }
    }

    fn waiting_for(&self, wanted: ExchangeId) -> Vec<SocketId> {
        let waits = |stage: &Stage| matches!(stage, Stage::Pairing { exchange, .. } if *exchange == wanted);
        self.sockets.iter().filter(|(_, socket)| waits(&socket.stage)).map(|(id, _)| *id).collect()
    }

    pub(super) fn pairing_deadline(&self) -> Option<Instant> {
        let exchanges = self.exchanges.iter().map(|exchange| exchange.until);
        exchanges.chain(self.pairing.as_ref().map(|pairing| pairing.until)).min()
    }

    pub(super) fn pairing_timeout(&mut self, now: Instant) {
        self.exchanges.retain(|exchange| now < exchange.until);
        if let Some(pairing) = self.pairing.take_if(|pairing| pairing.until <= now) {
            if !pairing.used {
                self.out.push_back(HomeOutput::Code(None));
            }
            self.handle_started(now);
            self.tell_owners(now);
        }
    }

    /// Puts the code that is still good on the TV, with the addresses of now.
    pub(super) fn show_code(&mut self) {
        let Some(pairing) = self.pairing.as_ref().filter(|pairing| !pairing.used) else { return };
        let (until, asked, role) = (pairing.until, pairing.asked, pairing.role);
        let Links { all, best } = self.links_of(&pairing.token);
        // A home without the internet has no best link, and may still be visited from the same network.
        let code = best.or_else(|| all.into_iter().next()).map(|link| PairingCode { link, until, asked, role });
        self.out.push_back(HomeOutput::Code(code));
    }

    pub(super) fn links_of(&self, token: &str) -> Links {
        token_links(&self.addresses, self.config.port, self.config.public.as_ref(), token)
    }
}
