//! Why a Wi-Fi is not joined, out of what wpa_supplicant prints and whether there is an address.

use std::time::{Duration, Instant};

use crate::tv::message::{Message, Text};

/// A Wi-Fi that is not joined is told after this.
const PATIENCE: Duration = Duration::from_secs(60);
/// For so long a failure explains that nothing is joined: wpa_supplicant waits up to five minutes between two tries.
const COUNTS: Duration = Duration::from_secs(600);
/// Letters of a network's name that are looked at: a name has at most 32 bytes.
const LONGEST_NAME: usize = 32;

/// Follows one network interface.
///
/// What wpa_supplicant 2.10 prints at its usual verbosity is read, nothing else: whether a network was in sight at all it keeps for its
/// control socket.
#[derive(Debug)]
pub struct WifiWatch {
    /// Since when home cannot use it; `None` while it can.
    unused_since: Option<Instant>,
    /// When the connection to the access point came up.
    connected_since: Option<Instant>,
    addressed: bool,
    /// Home is reached by another card.
    elsewhere: bool,
    switched_off: bool,
    /// When wpa_supplicant first and last ended by itself, of a row without a longer pause.
    failing: Option<(Instant, Instant)>,
    /// The network that was tried last, and when.
    tried: Option<(String, Instant)>,
    refused: Option<(Refusal, String, Instant)>,
}

/// Why an access point did not let home in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Password,
    Other,
}

impl WifiWatch {
    /// Begins with an interface that is not joined to anything.
    pub fn new(now: Instant) -> WifiWatch {
        WifiWatch {
            unused_since: Some(now),
            connected_since: None,
            addressed: false,
            elsewhere: false,
            switched_off: false,
            failing: None,
            tried: None,
            refused: None,
        }
    }

    /// wpa_supplicant printed this line.
    pub fn handle_line(&mut self, line: &str, now: Instant) {
        if line.contains("Trying to authenticate with ") || line.contains("Trying to associate with ") {
            if let Some(name) = between(line, "SSID='", "' freq=") {
                self.tried = Some((name, now));
            }
        } else if line.contains("CTRL-EVENT-CONNECTED ") {
            self.connected_since = Some(now);
            self.refused = None;
            self.follow(now);
        } else if line.contains("CTRL-EVENT-DISCONNECTED ") {
            // A network that was joined and went away did not refuse anybody. One that ends a try did, perhaps.
            if self.connected_since.take().is_some() {
                self.tried = None;
            }
            self.follow(now);
        } else if line.contains("CTRL-EVENT-SSID-TEMP-DISABLED ") {
            let name = between(line, "ssid=\"", "\" auth_failures=");
            let why = if line.ends_with("reason=WRONG_KEY") { Refusal::Password } else { Refusal::Other };
            self.refuse(why, name, now);
        } else if line.contains("pre-shared key may be incorrect") {
            self.refuse(Refusal::Password, None, now);
        } else if line.contains("CTRL-EVENT-AUTH-REJECT ")
            && line.contains(" auth_type=3 ")
            && line.contains(" status_code=15")
        {
            // WPA3 (SAE) finds a wrong password before anything else.
            self.refuse(Refusal::Password, None, now);
        } else if line.contains("CTRL-EVENT-ASSOC-REJECT ") || line.contains("CTRL-EVENT-AUTH-REJECT ") {
            self.refuse(Refusal::Other, None, now);
        } else if line.contains("rfkill: WLAN ") {
            self.switched_off = line.ends_with(" blocked");
        }
    }

    /// wpa_supplicant has ended by itself; it is started again.
    pub fn handle_ended(&mut self, now: Instant) {
        let first =
            self.failing.filter(|(_, last)| now.saturating_duration_since(*last) < PATIENCE).map(|(first, _)| first);
        self.failing = Some((first.unwrap_or(now), now));
        // It says so again at its next start.
        self.switched_off = false;
        self.connected_since = None;
        self.follow(now);
    }

    /// Whether the interface has an address with which it can be reached, and whether another Wi-Fi card has one.
    pub fn handle_addressed(&mut self, addressed: bool, elsewhere: bool, now: Instant) {
        (self.addressed, self.elsewhere) = (addressed, elsewhere);
        self.follow(now);
    }

    /// What there is to tell the family, and what to do about it.
    pub fn notice(&self, now: Instant) -> Option<Message> {
        // By which card home is on the Wi-Fi does not matter.
        let since = self.unused_since.filter(|_| !self.elsewhere)?;
        if now.saturating_duration_since(since.max(self.connected_since.unwrap_or(since))) < PATIENCE {
            return None;
        }
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < COUNTS;
        let tried = self.tried.as_ref().filter(|(_, at)| is_fresh(*at)).map(|(name, _)| name);
        let refused = self.refused.as_ref().filter(|(.., at)| is_fresh(*at));
        let is_broken = self.failing.is_some_and(|(first, last)| {
            last.saturating_duration_since(first) >= PATIENCE && now.saturating_duration_since(last) < PATIENCE
        });
        Some(match (self.connected_since, refused, tried) {
            _ if self.switched_off => Message::WifiOff,
            _ if is_broken => Message::WifiCard,
            (Some(_), _, Some(name)) => Message::WifiNoAddress { name: Text::new(name) },
            (Some(_), _, None) => Message::WifiNoAddressUnnamed,
            (None, Some((Refusal::Password, name, _)), _) => Message::WifiPassword { name: Text::new(name) },
            (None, Some((Refusal::Other, name, _)), _) | (None, None, Some(name)) => {
                Message::WifiRefuses { name: Text::new(name) }
            }
            (None, None, None) => Message::WifiNone,
        })
    }

    fn refuse(&mut self, why: Refusal, name: Option<String>, now: Instant) {
        let Some(name) = name.or_else(|| self.tried.as_ref().map(|(name, _)| name.clone())) else { return };
        // The password is told first and what follows from it afterwards.
        let known = self.refused.as_ref().is_some_and(|(known, of, at)| {
            *known == Refusal::Password && *of == name && now.saturating_duration_since(*at) < PATIENCE
        });
        if !known || why == Refusal::Password {
            self.refused = Some((why, name, now));
        }
    }

    fn follow(&mut self, now: Instant) {
        let used = self.connected_since.is_some() && self.addressed;
        self.unused_since = if used { None } else { self.unused_since.or(Some(now)) };
        if used {
            self.failing = None;
        }
    }
}

/// A network's name between two marks, as wpa_supplicant escapes it.
fn between(line: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = line.split_once(before)?;
    let (escaped, _) = rest.rsplit_once(after)?;
    let text = String::from_utf8_lossy(&unescaped(escaped)).into_owned();
    let shown = text.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    Some(shown)
}

/// `\xe4` is a byte, `\"` a quote.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'\\', [b'x', high, low, tail @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or_default() as u8;
                (digit(high) * 16 + digit(low), tail)
            }
            (b'\\', [b'n' | b'r' | b't', tail @ ..]) => (b' ', tail),
            (b'\\', [b'e', tail @ ..]) => (0x1b, tail),
            (b'\\', [other, tail @ ..]) => (*other, tail),
            (other, tail) => (*other, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    bytes
}

// A test's time begins at some time.
#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const TRY: &str =
        "wlan0: Trying to associate with 02:00:00:00:01:00 (SSID='Caf\\xc3\\xa9 \\\"A\\\"' freq=2437 MHz)";
    const WRONG: [&str; 4] = [
        "wlan0: Associated with 02:00:00:00:01:00",
        "wlan0: WPA: 4-Way Handshake failed - pre-shared key may be incorrect",
        "wlan0: CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid=\"Caf\\xc3\\xa9 \\\"A\\\"\" auth_failures=1 duration=10 reason=WRONG_KEY",
        "wlan0: CTRL-EVENT-DISCONNECTED bssid=02:00:00:00:01:00 reason=15",
    ];
    const JOINED: &str = "wlan0: CTRL-EVENT-CONNECTED - Connection to 02:00:00:00:01:00 completed [id=0 id_str=]";
    const LOST: &str = "wlan0: CTRL-EVENT-DISCONNECTED bssid=02:00:00:00:01:00 reason=3 locally_generated=1";

    struct Watched {
        watch: WifiWatch,
        now: Instant,
    }

    impl Watched {
        fn new() -> Watched {
            let now = Instant::now();
            Watched { watch: WifiWatch::new(now), now }
        }

        fn hear(&mut self, lines: &[&str]) {
            lines.iter().for_each(|line| self.watch.handle_line(line, self.now));
        }

        fn after(&mut self, seconds: u64) -> String {
            self.now += Duration::from_secs(seconds);
            self.watch.notice(self.now).map_or_else(String::new, |message| message.english())
        }
    }

    #[test]
    fn a_network_that_nobody_sees_is_told_after_a_minute() {
        let mut home = Watched::new();
        assert_eq!(home.after(59), "");
        assert!(home.after(1).starts_with("No Wi-Fi of wifi.txt is in reach"));
    }

    #[test]
    fn a_wrong_password_is_told_by_name_until_another_is_taken() {
        let mut home = Watched::new();
        home.hear(&[TRY]);
        home.hear(&WRONG);
        assert_eq!(home.after(30), "");
        assert!(home.after(30).starts_with("The Wi-Fi “Café \"A\"” does not take the password"));
        // The next try comes minutes later, and what it is refused with is only what follows.
        assert!(home.after(240).contains("password"));
        home.hear(&[TRY, WRONG[1], "wlan0: CTRL-EVENT-ASSOC-REJECT bssid=02:00:00:00:01:00 status_code=1"]);
        assert!(home.after(5).contains("password"));
        home.hear(&[TRY, JOINED]);
        home.watch.handle_addressed(true, false, home.now);
        assert_eq!(home.after(500), "");
    }

    #[test]
    fn without_an_address_it_is_of_no_use() {
        let mut home = Watched::new();
        home.hear(&[TRY, JOINED]);
        assert_eq!(home.after(59), "");
        assert!(home.after(1).starts_with("The Wi-Fi “Café \"A\"” gives home no address"));
        home.watch.handle_addressed(true, false, home.now);
        assert_eq!(home.after(0), "");
        // It goes away, and its address with it or later.
        home.hear(&[LOST]);
        assert_eq!(home.after(59), "", "a router that starts again");
        assert!(home.after(1).contains("in reach"), "it refused nobody");
        home.watch.handle_addressed(false, false, home.now);
        assert!(home.after(600).contains("in reach"));
        home.watch.handle_addressed(false, true, home.now);
        assert_eq!(home.after(0), "", "another card is joined");
    }

    #[test]
    fn who_refuses_for_another_reason_is_told_as_such_and_a_switch_as_a_switch() {
        let mut home = Watched::new();
        home.hear(&[TRY, "wlan0: CTRL-EVENT-ASSOC-REJECT bssid=02:00:00:00:01:00 status_code=17"]);
        assert!(home.after(60).contains("does not let home in"));
        home.hear(&["rfkill: WLAN soft blocked"]);
        assert!(home.after(0).contains("switched off"));
        home.hear(&["rfkill: WLAN unblocked"]);
        assert!(home.after(0).contains("does not let home in"));
    }

    #[test]
    fn wpa3_tells_a_wrong_password_in_another_way() {
        let mut home = Watched::new();
        let tried = TRY.replace("Trying to associate", "SME: Trying to authenticate");
        let reject = "wlan0: CTRL-EVENT-AUTH-REJECT 02:00:00:00:01:00 auth_type=3 auth_transaction=2 status_code=15";
        let disabled = WRONG[2].replace("WRONG_KEY", "CONN_FAILED");
        home.hear(&[&tried, reject, &disabled]);
        assert!(home.after(60).starts_with("The Wi-Fi \u{201c}Caf\u{e9} \"A\"\u{201d} does not take the password"));
        // An access point that says nothing to it.
        let mut home = Watched::new();
        home.hear(&[&tried]);
        assert!(home.after(60).contains("Is the password right?"));
    }

    #[test]
    fn a_card_that_does_not_work_is_told_and_one_that_does_again_is_not() {
        let mut home = Watched::new();
        for _ in 0..12 {
            home.watch.handle_ended(home.now);
            home.after(6);
        }
        assert!(home.after(0).contains("card of this machine does not work"));
        home.watch.handle_addressed(false, true, home.now);
        assert_eq!(home.after(0), "", "another card is joined");
        home.watch.handle_addressed(false, false, home.now);
        home.hear(&[TRY, JOINED]);
        home.watch.handle_addressed(true, false, home.now);
        assert_eq!(home.after(100), "");
    }

    #[test]
    fn one_end_of_the_program_hides_no_other_reason() {
        let mut home = Watched::new();
        home.hear(&["rfkill: WLAN soft blocked"]);
        home.watch.handle_ended(home.now);
        home.hear(&[TRY]);
        home.hear(&WRONG);
        assert!(home.after(120).contains("does not take the password"));
        home.watch.handle_ended(home.now);
        assert!(home.after(120).contains("does not take the password"), "two ends are no row");
    }

    #[test]
    fn any_line_is_survived_and_every_notice_is_short() {
        let mut random = fastrand::Rng::with_seed(3);
        let lines = [TRY, WRONG[1], WRONG[2], JOINED, LOST, "rfkill: WLAN hard blocked"];
        let mut home = Watched::new();
        for _ in 0..20_000 {
            let mut line: Vec<char> = lines[random.usize(..lines.len())].chars().collect();
            for _ in 0..random.usize(..3) {
                let at = random.usize(..line.len());
                line[at] = ['\\', 'x', '\'', '"', 'é', '\u{7f}'][random.usize(..6)];
            }
            let line: String = line.into_iter().skip(random.usize(..20)).collect();
            home.hear(&[&line]);
            assert!(home.after(random.u64(..90)).chars().count() < 200, "{line}");
        }
    }
}
