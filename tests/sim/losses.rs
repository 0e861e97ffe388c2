//! Paths that lose packets by themselves, wide and not. `SEEDS=300` takes more of them.

use std::time::Duration;

use intercom_core::call::protocol::FromPage;
use str0m_netem::{GilbertElliot, LossModel, NetemConfig, Probability, RandomLoss};

use crate::paths::{open, path_of};
use crate::terms::{ms, s};
use crate::world::World;

/// Each packet by itself.
fn random(part: f32) -> LossModel {
    RandomLoss::new(Probability::new(part)).into()
}

/// This part of the packets, so many in a row on the average.
fn bursts(part: f32, of: f32) -> LossModel {
    let good = of * (1.0 - part) / part;
    GilbertElliot::new().good_duration(good).bad_duration(of).loss_in_bad(Probability::new(1.0)).into()
}

fn lossy(latency: Duration, loss: LossModel) -> NetemConfig {
    NetemConfig::new().latency(latency).loss(loss)
}

fn copies(world: &World, visit: usize) -> u64 {
    world.home.status()["visits"][visit]["copies"].as_u64().unwrap_or(0)
}

/// All seeds together: the test's viewer at times tells nonsense of when packets came, which costs one of them some seconds.
#[test]
fn what_a_wide_path_loses_holds_up_no_picture() {
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(16);
    let (mut shown, mut late, mut heard) = (0, 0, 0.0);
    for seed in 0..seeds {
        let mut chance = fastrand::Rng::with_seed(seed);
        let (latency, part) = (ms(chance.u64(25..120)), 0.015 + 0.07 * chance.f32());
        let of = 1.0 + 3.0 * chance.f32();
        let mut world = World::new();
        let a = open(&mut world, lossy(latency, bursts(part, of)).seed(seed), Some(20_000));
        let what = format!("seed {seed}: {:.1} % lost, {of:.1} in a row, {latency:?}", part * 100.0);
        assert!(world.run_until(s(20), |w| !w.viewers[a].shown.is_empty()), "{what}: no picture");
        world.run(s(10));
        let since = world.now;
        world.run(s(20));
        let viewer = &world.viewers[a];
        let ages = viewer.shown.iter().filter(|shown| shown.at >= since);
        // Asking again takes two ways more.
        late += ages.filter(|shown| shown.at - world.captured[shown.number as usize] > latency + ms(60)).count();
        shown += viewer.shown_since(since);
        heard += world.heard_part(a, since, world.now - s(1), s(1)).0 / seeds as f64;
    }
    let (fps, late) = (shown as f64 / 20.0 / seeds as f64, late as f64 / shown as f64);
    println!("{fps:.1} pictures a second, {:.1} % of them late, {:.1} % of the sound", late * 100.0, heard * 100.0);
    assert!(fps > 29.0, "{fps} pictures a second");
    assert!(late < 0.05, "{:.1} % of the pictures waited for what was lost", late * 100.0);
    assert!(heard > 0.97, "{heard} of the sound");
}

#[test]
fn nothing_is_sent_twice_for_long_where_nothing_is_lost_any_more() {
    let mut world = World::new();
    let a = open(&mut world, lossy(ms(80), random(0.05)).seed(1), Some(20_000));
    assert!(world.run_until(s(40), |w| copies(w, 0) > 0), "{}", world.home.status());
    let now = world.now;
    world.viewers[a].set_link(NetemConfig::new().latency(ms(80)), now);
    world.run(s(60));
    assert_eq!(copies(&world, 0), 0, "{}", world.home.status());
    let before = world.viewers[a].came.1;
    world.run(s(10));
    let kbps = (world.viewers[a].came.1 - before) * 8 / 10_000;
    assert!((2000..3500).contains(&kbps), "{kbps} kbit/s");
}

#[test]
fn a_path_that_carries_no_copies_gets_none() {
    for (seed, kbps) in [(1, 700), (2, 1200), (3, 1700)] {
        let mut world = World::new();
        let link = path_of(kbps, ms(50), 300).loss(random(0.05)).seed(seed);
        let a = open(&mut world, link, Some(kbps));
        world.run(s(10));
        let since = world.now;
        for _ in 0..20 {
            world.run(s(1));
            assert_eq!(copies(&world, 0), 0, "{kbps} kbit/s: {}", world.home.status());
        }
        let fps = world.viewers[a].shown_since(since) as f64 / 20.0;
        assert!(fps > 15.0, "{kbps} kbit/s: {fps} pictures a second");
    }
}

#[test]
fn a_lossy_path_that_narrows_loses_its_copies_at_once() {
    for seed in 0..6 {
        let mut world = World::new();
        let a = open(&mut world, lossy(ms(40), random(0.06)).seed(seed), Some(20_000));
        assert!(world.run_until(s(40), |w| copies(w, 0) > 0), "seed {seed}: {}", world.home.status());
        let since = world.now;
        world.viewers[a].change_link(path_of(2500, ms(40), 300).loss(random(0.06)).seed(seed));
        world.run(s(2));
        assert_eq!(copies(&world, 0), 0, "seed {seed}: {}", world.home.status());
        let sent = world.viewers[a].sent.1;
        world.run(s(8));
        let kbps = (world.viewers[a].sent.1 - sent) * 8 / 8000;
        assert!(kbps < 2700, "seed {seed}: {kbps} kbit/s are sent");
        let gap = world.viewers[a].longest_gap(since, world.now);
        assert!(gap < s(2), "seed {seed}: no picture for {gap:?}");
    }
}

#[test]
fn who_saves_data_pays_for_no_copies() {
    let mut world = World::new();
    let a = open(&mut world, lossy(ms(80), random(0.08)).seed(1), Some(20_000));
    assert!(world.run_until(s(40), |w| copies(w, 0) > 0), "{}", world.home.status());
    let now = world.now;
    world.viewers[a].say(&FromPage::State { microphone: false, camera: false, saves: true }, now);
    world.run(s(2));
    assert_eq!(copies(&world, 0), 0, "{}", world.home.status());
}

/// TCP, which brought the page, crawls where packets are lost; the estimator would stay there.
#[test]
fn a_wide_lossy_path_that_the_page_came_slowly_over_is_climbed() {
    let seeds = 8;
    let mut sum = 0;
    for seed in 0..seeds {
        let mut world = World::new();
        let a = open(&mut world, lossy(ms(60), random(0.08)).seed(seed), Some(200));
        assert!(world.run_until(s(20), |w| !w.viewers[a].shown.is_empty()), "seed {seed}: no picture");
        world.run(s(15));
        let kbps = world.encoders[0].bitrate.map_or(0, |bitrate| bitrate.kbps());
        println!("seed {seed}: {kbps} kbit/s, {} copies", copies(&world, 0));
        sum += kbps;
    }
    assert!(sum / seeds > 1000, "{} kbit/s on the average", sum / seeds);
}

/// A place that drops what is too much and lets nothing wait looks like one that loses by itself, until more is sent.
#[test]
fn a_place_without_a_queue_is_not_flooded() {
    let seeds = 8;
    let mut mean = 0.0;
    for seed in 0..seeds {
        let mut world = World::new();
        let link = path_of(900, ms(50), 40).loss(random(0.04)).seed(seed);
        let a = open(&mut world, link, Some(500));
        world.run(s(10));
        let (sent, came) = (world.viewers[a].sent.0, world.viewers[a].came.0);
        let since = world.now;
        world.run(s(40));
        let viewer = &world.viewers[a];
        let lost = 1.0 - (viewer.came.0 - came) as f64 / (viewer.sent.0 - sent) as f64;
        let fps = viewer.shown_since(since) as f64 / 40.0;
        mean += lost / f64::from(seeds as u32);
        assert!(fps > 12.0, "seed {seed}: {fps} pictures a second");
    }
    assert!(mean < 0.12, "{mean} of the packets are lost");
}
