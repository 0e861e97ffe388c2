//! Shares: what clients compete for is counted per source, and what is full is taken from the source that has most.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// All addresses that one client has at least: an IPv4 address, or the /64 around an IPv6 address (RFC 6177: nobody is
/// given less). What is limited per address is limited per this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source(IpAddr);

impl Source {
    /// The source that `address` belongs to; an IPv4-mapped IPv6 address is the IPv4 address in it.
    pub fn of(address: IpAddr) -> Source {
        match address.to_canonical() {
            IpAddr::V6(v6) => Source(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))),
            v4 => Source(v4),
        }
    }

    /// Whether it is certainly another network: a household may have one address of each kind.
    pub fn is_apart(self, other: Source) -> bool {
        self.0.is_ipv4() == other.0.is_ipv4() && self != other
    }
}

/// One of the places that are shared, as it is taken now.
#[derive(Clone, Copy, Debug)]
pub struct Occupant<O, R> {
    /// Who has it.
    pub owner: O,
    /// What it is worth keeping: of one owner's places the least goes first.
    pub rank: R,
    /// Since when.
    pub since: Instant,
}

/// How many places there are.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For all together.
    pub all: usize,
    /// For one owner.
    pub each: usize,
}

/// Which of the places `taken` must be given up before `newcomer` gets one, if any. An owner at the limit of one gives up
/// one of their own. Where all places are taken, the one who has most gives up one, the newcomer's counted with them.
/// Of one owner the place of the lowest rank goes, then the oldest. Of owners who have equally many, `toss` chooses:
/// neither the oldest nor the newest is a safe place to be.
pub fn evict<O: Copy + Eq + Hash, R: Copy + Ord>(
    taken: &[Occupant<O, R>],
    newcomer: O,
    limits: Limits,
    toss: impl FnOnce() -> u64,
) -> Option<usize> {
    let of_newcomer = taken.iter().filter(|place| place.owner == newcomer).count();
    if of_newcomer >= limits.each {
        return least(taken, |owner| *owner == newcomer);
    }
    if taken.len() < limits.all {
        return None;
    }
    from_most(taken, Some(newcomer), toss)
}

/// Which of the places `taken` is given up if one must be, also for a newcomer.
pub fn from_most<O: Copy + Eq + Hash, R: Copy + Ord>(
    taken: &[Occupant<O, R>],
    newcomer: Option<O>,
    toss: impl FnOnce() -> u64,
) -> Option<usize> {
    let mut counts: HashMap<O, usize> = HashMap::new();
    for owner in taken.iter().map(|place| place.owner) {
        *counts.entry(owner).or_default() += 1;
    }
    if let Some(own) = newcomer.and_then(|newcomer| counts.get_mut(&newcomer)) {
        *own += 1;
    }
    let most = counts.values().copied().max()?;
    counts.retain(|_, count| *count == most);
    let lowest = taken.iter().filter(|place| counts.contains_key(&place.owner)).map(|place| place.rank).min()?;
    let mut owners: Vec<O> = Vec::new();
    for place in taken.iter().filter(|place| place.rank == lowest && counts.contains_key(&place.owner)) {
        if !owners.contains(&place.owner) {
            owners.push(place.owner);
        }
    }
    let chosen = *owners.get(toss().checked_rem(owners.len() as u64)? as usize)?;
    least(taken, |owner| *owner == chosen)
}

fn least<O, R: Copy + Ord>(taken: &[Occupant<O, R>], of: impl Fn(&O) -> bool) -> Option<usize> {
    let own = taken.iter().enumerate().filter(|(_, place)| of(&place.owner));
    own.min_by_key(|(_, place)| (place.rank, place.since)).map(|(index, _)| index)
}

/// How fast something may be used: so much at once, and so much a second after it (a token bucket).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// At once.
    pub burst: f64,
    /// A second.
    pub per_second: f64,
}

/// What is left of a [`Rate`].
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    rate: Rate,
    left: f64,
    counted: Instant,
}

impl Budget {
    /// A full one.
    pub fn new(rate: Rate, now: Instant) -> Budget {
        Budget { rate, left: rate.burst, counted: now }
    }

    /// Takes `cost` off; `false` if there is less left, and then nothing changes.
    pub fn spend(&mut self, cost: f64, now: Instant) -> bool {
        self.earn(now);
        let enough = self.left >= cost;
        if enough {
            self.left -= cost;
        }
        enough
    }

    /// Whether all of it is there again.
    pub fn is_full(&self, now: Instant) -> bool {
        let mut then = *self;
        then.earn(now);
        then.left >= self.rate.burst
    }

    fn earn(&mut self, now: Instant) {
        let earned = now.saturating_duration_since(self.counted).as_secs_f64() * self.rate.per_second;
        self.counted = self.counted.max(now);
        self.left = (self.left + earned).min(self.rate.burst);
    }
}

/// Sources whose budgets are remembered; past it, the one that was quiet for longest is forgotten.
const MOST_SOURCES: usize = 1024;
/// How often those are forgotten who have all of their budget again.
const TIDY_EVERY: Duration = Duration::from_secs(10);

/// A budget for each source.
#[derive(Debug)]
pub struct Budgets {
    rate: Rate,
    known: HashMap<Source, Budget>,
    tidied: Option<Instant>,
}

impl Budgets {
    /// The same for all.
    pub fn new(rate: Rate) -> Budgets {
        Budgets { rate, known: HashMap::new(), tidied: None }
    }

    /// Takes one off the budget of `source`; `false` if it had none left.
    pub fn spend(&mut self, source: Source, now: Instant) -> bool {
        if !self.known.contains_key(&source) {
            self.make_room(now);
        }
        self.known.entry(source).or_insert_with(|| Budget::new(self.rate, now)).spend(1.0, now)
    }

    fn make_room(&mut self, now: Instant) {
        if self.known.len() < MOST_SOURCES {
            return;
        }
        if self.tidied.is_none_or(|last| now.saturating_duration_since(last) >= TIDY_EVERY) {
            self.tidied = Some(now);
            self.known.retain(|_, budget| !budget.is_full(now));
        }
        if self.known.len() >= MOST_SOURCES
            && let Some(quietest) = self.known.iter().min_by_key(|(_, budget)| budget.counted).map(|(who, _)| *who)
        {
            self.known.remove(&quietest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { all: 256, each: 32 };

    #[expect(clippy::disallowed_methods, reason = "a test's time begins at some time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn places(of: impl Iterator<Item = (u32, u8)>) -> Vec<Occupant<u32, u8>> {
        let start = start();
        let since = |n: usize| start + Duration::from_millis(n as u64);
        of.enumerate().map(|(n, (owner, rank))| Occupant { owner, rank, since: since(n) }).collect()
    }

    #[test]
    fn ipv6_neighbours_of_one_64_are_one_source_and_ipv4_ones_are_not() {
        let of = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
    }

    #[test]
    fn below_the_limits_nobody_goes() {
        let taken = places((0..LIMITS.all as u32 - 1).map(|n| (n / 20, 1)));
        assert_eq!(evict(&taken, 999, LIMITS, || 0), None);
    }

    #[test]
    fn one_owner_at_their_limit_gives_up_their_own_least_and_oldest() {
        let mut taken = places((0..100).map(|n| (if n < 68 { n } else { 77 }, 1)));
        assert_eq!(evict(&taken, 77, LIMITS, || 0), Some(68));
        taken[68].rank = 2;
        assert_eq!(evict(&taken, 77, LIMITS, || 0), Some(69), "what is worth more stays");
        taken[90].rank = 0;
        assert_eq!(evict(&taken, 77, LIMITS, || 0), Some(90), "what is worth least goes first");
        assert_eq!(evict(&taken, 3, LIMITS, || 0), None);
    }

    #[test]
    fn when_full_whoever_has_most_makes_room_and_the_newcomer_counts() {
        let taken = places((0..LIMITS.all as u32).map(|n| (if n < 240 { n } else { 1000 }, 1)));
        assert_eq!(evict(&taken, 5000, LIMITS, || 7), Some(240));
        // Two of equal size: the one who wants another is then the largest.
        let taken = places((0..4).map(|n| (n % 2, 1)));
        assert_eq!(evict(&taken, 1, Limits { all: 4, each: 4 }, || 0), Some(1));
        assert_eq!(from_most::<u32, u8>(&[], None, || 0), None);
    }

    #[test]
    fn of_equals_chance_decides_and_not_age() {
        let taken = places((0..LIMITS.all as u32).map(|n| (n, 1)));
        let gone: std::collections::BTreeSet<_> =
            (0..1000).filter_map(|toss| evict(&taken, 5000, LIMITS, || toss)).collect();
        assert_eq!(gone.len(), LIMITS.all);
        let mut ranked = taken;
        ranked[200].rank = 0;
        assert_eq!(evict(&ranked, 5000, LIMITS, || 3), Some(200));
    }

    #[test]
    fn a_budget_is_a_burst_and_then_a_rate() {
        let now = start();
        let mut budget = Budget::new(Rate { burst: 10.0, per_second: 2.0 }, now);
        assert!((0..10).all(|_| budget.spend(1.0, now)));
        assert!(!budget.spend(1.0, now) && !budget.is_full(now));
        let later = now + Duration::from_secs(1);
        assert!(budget.spend(1.0, later) && budget.spend(1.0, later) && !budget.spend(1.0, later));
        assert!(!budget.spend(5.0, later + Duration::from_secs(2)));
        assert!(budget.spend(4.0, later + Duration::from_secs(2)), "who asks too often still gets their share");
        assert!(budget.is_full(later + Duration::from_secs(10)));
    }

    #[test]
    fn budgets_are_bounded_and_keep_those_who_spend() {
        let now = start();
        let mut budgets = Budgets::new(Rate { burst: 2.0, per_second: 0.01 });
        let busy = Source::of(IpAddr::from([192, 0, 2, 1]));
        for n in 0..5000u32 {
            let at = now + Duration::from_millis(u64::from(n));
            budgets.spend(Source::of(IpAddr::from((0x0a00_0000 + n).to_be_bytes())), at);
            budgets.spend(busy, at);
        }
        assert_eq!(budgets.known.len(), MOST_SOURCES);
        assert!(!budgets.spend(busy, now + Duration::from_secs(5)));
    }
}
