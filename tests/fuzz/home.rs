//! Days in the life of a home, by chance: see `targets/home.rs`.

use std::time::Instant;

use crate::offers::{SEEDS, count, mutated, random};
use crate::targets::home::{Day, Dice};

/// Days, and what happens in each.
const DAYS: usize = 150;
const EVENTS: usize = 500;

/// A browser's offer, or one that contradicts itself.
fn offer(dice: &mut Dice<'_>) -> String {
    let seed = &SEEDS[dice.below(SEEDS.len() as u64) as usize];
    match dice.coin() {
        true => seed.clone(),
        false => mutated(seed, 4, &mut fastrand::Rng::with_seed(dice.below(u64::MAX))),
    }
}

#[test]
fn no_order_of_events_breaks_home() {
    let start = Instant::now();
    let (mut visits, mut answers, mut pairings) = (0, 0, 0);
    for day in 0..count("DAYS", DAYS) as u64 {
        let seed = random(day).u64(..);
        eprintln!("seed {seed}");
        let mut day = Day::new(start, seed, Dice::Chance(fastrand::Rng::with_seed(seed)), offer);
        for _ in 0..EVENTS {
            day.event();
            day.run_until_idle();
            day.check();
        }
        visits += day.visits;
        pairings += day.pairings;
        answers += day.ufrags.len();
        day.home.handle_shutdown(day.now);
        day.run_until_idle();
        assert_eq!(day.home.viewers().len(), 0);
    }
    // The events are such that something comes of them.
    assert!(visits > 500 && answers > 500 && pairings > 20, "{visits} visits, {answers} answers, {pairings} pairings");
}
