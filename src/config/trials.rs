//! Which configs could not start, although nothing is wrong with their text: a port that is taken, a broken certificate.

use std::path::PathBuf;

use intercom_base::letters::clipped;
use sha2::{Digest, Sha256};

/// A config that ran before may fail so often before another one takes its place: what stands in its way may go.
const PATIENCE: u32 = 3;

/// A new one that vanishes without a word (a crash, the watchdog) is begun so often.
const BEGINNINGS: u32 = 2;

/// Texts that are remembered, the newest.
const MOST: usize = 4;

/// What became of configs since the machine was switched on. After an edit, or after the next start of the machine, each
/// has its chance again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trials {
    /// Of the kernel's start.
    boot: String,
    tried: Vec<Tried>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tried {
    hash: String,
    /// Begun without a result so far.
    begun: u32,
    failures: u32,
    why: String,
}

impl Trials {
    /// Reads what [`Trials::to_text`] wrote; what another start of the machine wrote is forgotten, and so is what makes
    /// no sense.
    pub fn parse(text: &str, boot: &str) -> Trials {
        let mut lines = text.lines();
        let mut trials = Trials { boot: boot.to_owned(), tried: Vec::new() };
        if lines.next() == Some(boot) {
            let read = |line: &str| {
                // A last line without an end may have the half of one.
                let mut words = line.trim_end_matches('\r').splitn(4, ' ');
                let is_hash = |word: &&str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
                let hash = words.next().filter(is_hash)?.to_owned();
                let (begun, failures) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
                Some(Tried { hash, begun, failures, why: words.next().unwrap_or_default().to_owned() })
            };
            trials.tried = lines.filter_map(read).take(MOST).collect();
        }
        trials
    }

    /// For [`Trials::parse`].
    pub fn to_text(&self) -> String {
        let lines = self.tried.iter().map(|t| format!("{} {} {} {}\n", t.hash, t.begun, t.failures, t.why));
        format!("{}\n{}", self.boot, lines.collect::<String>())
    }

    /// Why this text had better not run now; `ran` if it did once.
    pub fn against(&self, text: &str, ran: bool) -> Option<String> {
        let hash = hash(text);
        let tried = self.tried.iter().find(|tried| tried.hash == hash)?;
        match ran {
            _ if tried.failures >= if ran { PATIENCE } else { 1 } => Some(tried.why.clone()),
            false if tried.begun >= BEGINNINGS => Some("ended twice before it was ready".to_owned()),
            _ => None,
        }
    }

    fn of(&mut self, hash: &str) -> &mut Tried {
        let known = self.tried.iter().position(|tried| tried.hash == hash).map(|at| self.tried.remove(at));
        let tried = known.unwrap_or_else(|| Tried { hash: hash.to_owned(), begun: 0, failures: 0, why: String::new() });
        self.tried.truncate(MOST - 1);
        self.tried.insert(0, tried);
        &mut self.tried[0]
    }
}

/// A start with one text. It goes well, fails, or is never heard of again; each leaves a text for the file.
#[derive(Clone, Debug)]
pub struct ConfigTrial {
    /// Where the texts are kept.
    pub file: PathBuf,
    trials: Trials,
    hash: String,
    /// It never ran so far, so that a start without an end counts.
    is_new: bool,
}

impl ConfigTrial {
    pub(super) fn new(file: PathBuf, trials: Trials, text: &str, is_new: bool) -> ConfigTrial {
        ConfigTrial { file, trials, hash: hash(text), is_new }
    }

    /// It begins; `None` if that need not be remembered.
    pub fn begin(&mut self) -> Option<String> {
        self.is_new.then(|| {
            self.trials.of(&self.hash).begun += 1;
            self.trials.to_text()
        })
    }

    /// The config is why it could not start.
    pub fn failed(&mut self, why: &str) -> String {
        let why = why.split(" (os error").next().unwrap_or_default().replace(['\n', '\r'], " ");
        let tried = self.trials.of(&self.hash);
        (tried.begun, tried.why) = (0, clipped(&why, 300));
        tried.failures += 1;
        self.trials.to_text()
    }

    /// It runs, or something else is why it does not; `None` if the file says so already.
    pub fn cleared(&mut self) -> Option<String> {
        let before = self.trials.tried.len();
        self.trials.tried.retain(|tried| tried.hash != self.hash);
        (self.trials.tried.len() < before).then(|| self.trials.to_text())
    }
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(trials: &Trials, text: &str, is_new: bool) -> ConfigTrial {
        ConfigTrial::new(PathBuf::new(), trials.clone(), text, is_new)
    }

    fn read(text: &str) -> Trials {
        Trials::parse(text, "boot")
    }

    #[test]
    fn a_new_text_that_failed_is_not_tried_again_until_it_is_edited_or_the_machine_starts() {
        let text = trial(&read(""), "new", true).failed("TCP port 443: in use (os error 98)");
        assert_eq!(read(&text).against("new", false).as_deref(), Some("TCP port 443: in use"));
        assert_eq!(read(&text).against("new, edited", false), None);
        assert_eq!(Trials::parse(&text, "the next boot").against("new", false), None);
    }

    #[test]
    fn one_that_ran_before_has_three_chances_and_one_that_runs_again_is_forgiven() {
        let mut trials = read("");
        for n in 1..=3 {
            assert_eq!(trials.against("old", true), None);
            let mut trial = trial(&trials, "old", false);
            assert_eq!(trial.begin(), None, "a usual start writes nothing");
            trials = read(&trial.failed(&format!("no {n}")));
        }
        assert_eq!(trials.against("old", true).as_deref(), Some("no 3"));
        trials = read(&trial(&trials, "old", false).cleared().unwrap());
        assert_eq!(trials.against("old", true), None);
        assert_eq!(trial(&trials, "old", false).cleared(), None);
    }

    #[test]
    fn one_that_vanishes_without_a_word_is_begun_twice() {
        let mut trials = read("");
        for _ in 0..2 {
            assert_eq!(trials.against("new", false), None);
            trials = read(&trial(&trials, "new", true).begin().unwrap());
        }
        assert!(trials.against("new", false).unwrap().contains("twice"));
        // Not so if it ended in order, or for a reason of another kind.
        let mut third = trial(&trials, "new", true);
        third.begin();
        assert_eq!(read(&third.cleared().unwrap()).against("new", false), None);
    }

    #[test]
    fn the_file_is_bounded_and_rubbish_in_it_means_nothing() {
        let mut trials = read("");
        for n in 0..20 {
            trials = read(&trial(&trials, &n.to_string(), true).failed(&"x\ny".repeat(1000)));
        }
        assert_eq!(trials.to_text().lines().count(), 1 + MOST);
        assert!(trials.to_text().len() < 2000);
        assert!(trials.against("19", false).is_some() && trials.against("0", false).is_none());
        assert_eq!(read("boot\nx y z\n\0\n").tried, []);
        assert_eq!(read(&format!("boot\n{} 1 0 \n", "^".repeat(64))).tried, [], "no hash");
        let cut = read(&format!("boot\n{} 1 0 a port\r", "0f".repeat(32)));
        assert_eq!((cut.tried[0].why.as_str(), read(&cut.to_text())), ("a port", cut.clone()));
        assert_eq!(read(&trials.to_text()), trials);
    }
}
