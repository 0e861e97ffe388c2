//! Whether a viewer's picture is small, and which side's connection that is most likely down to.
//!
//! Home sees paths from end to end: of one alone it cannot tell which part is narrow. Several tell more. Where all of several networks get
//! little at the same time, what they have in common is narrow: home's own way out. So it is where their packets wait in the same queue
//! (`uplink.rs`). Where another network gets the full picture at the same time, home's way out is wide enough.
//!
//! | of the others, in other networks | it is |
//! |---|---|
//! | one or more wait in the same queue, and none of them gets twice as much | home |
//! | one waits in the same queue, and gets twice as much all the same | the viewer |
//! | one or more get little, too, and none gets the full picture | home |
//! | one gets the full picture, and twice as much | the viewer |
//! | else, or nobody else is there | somewhere between |
//!
//! Whoever comes from within home's network uses nobody's way out.

use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;
use serde::{Deserialize, Serialize};

use crate::people::fairness::Source;

/// A picture has little below this part of what the full size needs, in percent: it has half its sides then, or less ...
const LITTLE: u64 = 56;
/// ... and no longer from this part on.
const AMPLE: u64 = 75;

/// It is told when it has lasted for so long: a path that was narrow for a moment is climbed again by then, ...
const COMES: Duration = Duration::from_secs(8);
/// ... and taken back when it has been over for so long.
const GOES: Duration = Duration::from_secs(10);

/// What is most likely narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitedBy {
    /// Home's way out.
    Home,
    /// The viewer's connection.
    Viewer,
    /// Some part of the way: which one, home cannot tell.
    Between,
    /// Some part of the way, which has no internet in it.
    Near,
}

/// One viewer's path, as it is now.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// What it offers the picture.
    pub room: Bitrate,
    /// That is little.
    pub little: bool,
    /// Where the viewer is, if they are beyond home's network.
    pub network: Option<Source>,
    /// Its packets wait in the same queue as those of others who are so.
    pub shares: bool,
}

/// What is most likely narrow for the one at this place, who gets little. `None` is of no help: nothing is known of their path.
pub fn limited_by(at: usize, all: &[Option<Seen>]) -> LimitedBy {
    let Some(own) = all.get(at).copied().flatten() else { return LimitedBy::Between };
    let Some(network) = own.network else { return LimitedBy::Near };
    let apart = |other: &&Seen| other.network.is_some_and(|other| other.is_apart(network));
    let others = || all.iter().flatten().filter(apart);
    let has_more = |other: &Seen| other.room.bps() >= own.room.bps() * 2;
    let beside = || others().filter(|other| own.shares && other.shares);
    if beside().next().is_some() {
        return if beside().any(has_more) { LimitedBy::Viewer } else { LimitedBy::Home };
    }
    let ample = || others().filter(|other| !other.little);
    if ample().any(has_more) {
        return LimitedBy::Viewer;
    }
    let together = others().next().is_some() && ample().next().is_none();
    if together { LimitedBy::Home } else { LimitedBy::Between }
}

/// What a page is told of it: nothing that comes and goes.
#[derive(Debug, Default)]
pub struct Limit {
    told: Option<LimitedBy>,
    little_since: Option<Instant>,
    ample_since: Option<Instant>,
    /// What it seems to be other than what was told, and since when.
    other: Option<(LimitedBy, Instant)>,
}

impl Limit {
    /// What the page was told last.
    pub fn told(&self) -> Option<LimitedBy> {
        self.told
    }

    /// Whether a path that offers this much to a picture that needs `need` at its full size offers it little.
    pub fn is_little(&self, room: Bitrate, need: Bitrate) -> bool {
        room < need.percent(if self.little_since.is_some() { AMPLE } else { LITTLE })
    }

    /// The viewer gets little by this, or enough. Whether the page is to be told.
    pub fn update(&mut self, by: Option<LimitedBy>, now: Instant) -> bool {
        let lasted = |since: Instant, time: Duration| now.saturating_duration_since(since) >= time;
        let Some(by) = by else {
            self.other = None;
            if self.told.is_none() {
                self.little_since = None;
                return false;
            }
            let over = lasted(*self.ample_since.get_or_insert(now), GOES);
            if over {
                *self = Limit::default();
            }
            return over;
        };
        self.ample_since = None;
        let since = *self.little_since.get_or_insert(now);
        let since = match self.told {
            Some(told) if told == by => {
                self.other = None;
                return false;
            }
            None => since,
            Some(_) => {
                let since = self.other.filter(|(other, _)| *other == by).map_or(now, |(_, since)| since);
                self.other = Some((by, since));
                since
            }
        };
        let news = lasted(since, COMES);
        if news {
            (self.told, self.other) = (Some(by), None);
        }
        news
    }

    /// When to call [`Limit::update`] again, if nothing happens until then.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let goes = self.ample_since.map(|since| since + GOES);
        let comes = self.little_since.filter(|_| self.told.is_none()).map(|since| since + COMES);
        goes.or(comes).or(self.other.map(|(_, since)| since + COMES))
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const NEED: Bitrate = Bitrate::from_kbps(1000);

    fn seen(kbps: u64, network: &str) -> Option<Seen> {
        let network = (!network.is_empty()).then(|| Source::of(network.parse().unwrap()));
        Some(Seen { room: Bitrate::from_kbps(kbps), little: kbps < 560, network, shares: false })
    }

    fn shares(seen: Option<Seen>) -> Option<Seen> {
        seen.map(|seen| Seen { shares: true, ..seen })
    }

    #[test]
    fn several_networks_tell_what_one_alone_cannot() {
        use LimitedBy::{Between, Home, Near, Viewer};
        let (a, b, c) = ("198.51.100.1", "198.51.100.2", "203.0.113.3");
        for (viewers, by) in [
            (vec![seen(300, a)], Between),
            (vec![seen(300, a), None], Between),
            (vec![seen(300, a), seen(350, b)], Home),
            (vec![seen(300, a), seen(350, b), seen(100, c)], Home),
            (vec![seen(300, a), seen(2000, b)], Viewer),
            (vec![seen(300, a), seen(200, b), seen(2000, c)], Viewer),
            // Not so different that it could not be how several share one way out.
            (vec![seen(500, a), seen(900, b)], Between),
            // Behind one address there is one connection, and one household may have an address of each kind.
            (vec![seen(300, a), seen(350, a)], Between),
            (vec![seen(300, a), seen(2000, a)], Between),
            (vec![seen(300, a), seen(350, "2001:db8::1")], Between),
            (vec![seen(300, "2001:db8::2"), seen(350, "2001:db8::1")], Between),
            // They wait in the same queue, whatever each makes of it.
            (vec![shares(seen(500, a)), shares(seen(900, b))], Home),
            (vec![shares(seen(500, a)), shares(seen(520, b)), seen(2000, c)], Home),
            (vec![shares(seen(200, a)), shares(seen(420, b)), shares(seen(420, c))], Viewer),
            // One that is before another household, where two of it are.
            (vec![shares(seen(300, a)), shares(seen(350, a)), seen(2000, b)], Viewer),
            (vec![shares(seen(300, a)), shares(seen(350, a))], Between),
            // Home's network says nothing of its way out.
            (vec![seen(300, ""), seen(350, b)], Near),
            (vec![seen(300, a), seen(2000, "")], Between),
        ] {
            assert_eq!(limited_by(0, &viewers), by, "{viewers:?}");
        }
    }

    #[test]
    fn it_comes_after_eight_seconds_and_goes_after_ten() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut limit = Limit::default();
        let by = Some(LimitedBy::Between);
        assert!(!limit.update(by, at(0)) && !limit.update(by, at(7)));
        // It was over for a moment.
        assert!(!limit.update(None, at(7)) && limit.poll_timeout().is_none());
        assert!(!limit.update(by, at(8)) && !limit.update(by, at(15)));
        assert_eq!(limit.poll_timeout(), Some(at(16)));
        assert!(limit.update(by, at(16)));
        assert_eq!((limit.told(), limit.poll_timeout()), (by, None));
        assert!(!limit.update(None, at(20)) && !limit.update(None, at(29)));
        assert!(!limit.update(by, at(29)), "and is back");
        assert!(!limit.update(None, at(30)));
        assert_eq!(limit.poll_timeout(), Some(at(40)));
        assert!(limit.update(None, at(40)));
        assert_eq!((limit.told(), limit.poll_timeout()), (None, None));
    }

    #[test]
    fn another_side_is_told_when_it_has_seemed_so_for_eight_seconds() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let (home, between) = (Some(LimitedBy::Home), Some(LimitedBy::Between));
        let mut limit = Limit::default();
        // Which side it is may change until it is told.
        assert!(!limit.update(home, at(0)) && limit.update(between, at(8)));
        assert!(!limit.update(home, at(9)) && !limit.update(between, at(16)) && !limit.update(home, at(17)));
        assert_eq!(limit.poll_timeout(), Some(at(25)));
        assert!(!limit.update(home, at(24)) && limit.update(home, at(25)));
        assert_eq!((limit.told(), limit.poll_timeout()), (home, None));
    }

    #[test]
    fn what_is_little_has_to_become_clearly_more() {
        let (mut limit, now) = (Limit::default(), Instant::now());
        let kbps = Bitrate::from_kbps;
        assert!(limit.is_little(kbps(550), NEED) && !limit.is_little(kbps(600), NEED));
        limit.update(Some(LimitedBy::Home), now);
        assert!(limit.is_little(kbps(740), NEED) && !limit.is_little(kbps(760), NEED));
    }
}
