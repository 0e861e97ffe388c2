//! Thin, far and changing paths: what each gets of home's picture. `SEEDS=300` takes more of them.

use std::time::Duration;

use intercom_base::settings::Rung;
use intercom_base::units::{Bitrate, FrameRate};
use intercom_core::call::protocol::{FromHome, RungName};
use str0m_netem::{Bitrate as LinkRate, DataSize, Netem, NetemConfig, Probability, RandomLoss};

use crate::terms::{ms, s};
use crate::world::World;

/// A path with a queue of 300 ms, and 60 ms round trip.
pub fn path(kbps: u64) -> NetemConfig {
    path_of(kbps, ms(30), 300)
}

pub fn path_of(kbps: u64, latency: Duration, queue_ms: u64) -> NetemConfig {
    NetemConfig::new().latency(latency).link(LinkRate::kbps(kbps), DataSize::bytes((kbps * queue_ms / 8) as i64))
}

/// Somebody opens the page, which came at so many kbit/s as far as it can tell.
pub fn open(world: &mut World, link: NetemConfig, kbps: Option<u64>) -> usize {
    let index = world.viewer(link);
    world.viewers[index].kbps = kbps.map(|kbps| kbps as u32);
    world.open_socket(index);
    let now = world.now;
    world.viewers[index].open_page(now);
    index
}

fn order(world: &World, encoder: usize) -> u64 {
    world.encoders[encoder].bitrate.map_or(0, |bitrate| bitrate.kbps())
}

#[test]
fn each_path_gets_a_picture_that_moves_and_fits() {
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(24);
    for seed in 0..seeds {
        let mut random = fastrand::Rng::with_seed(seed);
        let kbps = (200.0 * 30f64.powf(random.f64())) as u64;
        let (latency, queue) = (ms(random.u64(5..100)), random.u64(200..500));
        let case = format!("seed {seed}: {kbps} kbit/s, {latency:?}, a queue of {queue} ms");
        let mut world = World::new();
        let a = open(&mut world, path_of(kbps, latency, queue).seed(seed), Some(kbps * random.u64(60..110) / 100));
        world.run(s(8));
        let viewer = &world.viewers[a];
        let first = viewer.shown.first().map(|shown| shown.at - world.start);
        assert!(first.is_some_and(|first| first < ms(900) + 6 * latency), "{case}: first picture after {first:?}");
        let (since, sent, came) = (world.now, viewer.sent, viewer.came);
        world.run(s(20));
        let viewer = &world.viewers[a];
        let fps = viewer.shown_since(since) as f64 / 20.0;
        assert!(fps > if kbps < 300 { 15.0 } else { 26.0 }, "{case}: {fps} pictures a second");
        let (sent, came) = (viewer.sent.0 - sent.0, (viewer.came.0 - came.0, viewer.came.1 - came.1));
        let lost = sent.saturating_sub(came.0) as f64 / sent as f64;
        assert!(lost < 0.01, "{case}: {:.1} % did not fit into the queue", lost * 100.0);
        let used = came.1 as f64 * 8.0 / 20_000.0 / kbps as f64;
        assert!(used > 0.6 || order(&world, 0) > 2000, "{case}: {:.0} % of the path is used", used * 100.0);
        let late = world.delay(a, since, 95);
        assert!(late < latency + ms(queue) * 4 / 5, "{case}: 5 % of the pictures are older than {late:?}");
    }
}

/// From Wi-Fi to mobile, or by another route: all packets take longer, and none waits.
#[test]
fn a_path_that_gets_longer_is_not_taken_for_a_full_one() {
    for (kbps, longer) in [(600, 70), (1500, 80), (3000, 150)] {
        let mut world = World::new();
        let a = open(&mut world, path(kbps), Some(kbps));
        world.run(s(15));
        let before = order(&world, 0);
        world.viewers[a].change_link(path_of(kbps, ms(30 + longer), 300));
        let mut later = Vec::new();
        for second in 0..20 {
            world.run(s(1));
            later.push(order(&world, 0));
            let now = later[second];
            assert!(now > before / 2, "{kbps} kbit/s, {longer} ms longer: {before}, and {now} after {second} s");
        }
        // For half a minute it is not taken for calm.
        let mean = later[10..].iter().sum::<u64>() / 10;
        assert!(mean > before * 7 / 10, "{kbps} kbit/s, {longer} ms longer: {before}, and {later:?}");
    }
}

/// A provider who drops what is too much lets nothing wait.
#[test]
fn a_path_that_drops_instead_of_queueing_is_followed_when_it_narrows() {
    for (wide, thin) in [(3000, 800), (1500, 500)] {
        let mut world = World::new();
        let a = open(&mut world, path(wide), Some(wide));
        world.run(s(20));
        world.viewers[a].change_link(path_of(thin, ms(30), 50));
        world.run(s(4));
        let since = world.now;
        let (sent, came) = (world.viewers[a].sent.0, world.viewers[a].came.0);
        world.run(s(10));
        let lost = 100 - (world.viewers[a].came.0 - came) * 100 / (world.viewers[a].sent.0 - sent).max(1);
        let fps = world.viewers[a].shown_since(since) / 10;
        assert!(lost < 10 && fps > 15, "{wide} to {thin}: {lost} % lost, {fps} pictures a second");
        assert!(order(&world, 0) < thin, "{wide} to {thin}: {}", order(&world, 0));
    }
}

/// As in a crowded Wi-Fi: each packet is late by another time.
#[test]
fn a_path_whose_delay_jumps_is_not_taken_for_a_full_one() {
    for (kbps, jitter) in [(300, 30), (500, 30), (500, 60), (1000, 60)] {
        let mut sum = 0;
        for seed in 0..6 {
            let mut world = World::new();
            let a = open(&mut world, path(kbps).jitter(ms(jitter)).seed(seed), Some(kbps));
            world.run(s(10));
            let (since, came) = (world.now, world.viewers[a].came.1);
            world.run(s(20));
            let shown = world.viewers[a].shown_since(since);
            assert!(shown > 240, "{kbps} kbit/s, {jitter} ms, seed {seed}: {shown} pictures in 20 s");
            sum += (world.viewers[a].came.1 - came) * 8 / 20_000 * 100 / kbps;
        }
        assert!(sum > 6 * 60, "{kbps} kbit/s, {jitter} ms: {} % of it is used", sum / 6);
    }
}

#[test]
fn the_first_picture_is_as_large_as_the_page_came_fast_and_a_wide_path_has_the_full_one_within_two_seconds() {
    let width = |world: &World| world.encoders[0].sizes.size().width;
    for (kbps, hint, first) in
        [(50_000, Some(40_000), 1280), (1500, Some(1400), 960), (300, Some(280), 320), (50_000, None, 640)]
    {
        let mut world = World::new();
        let a = open(&mut world, path(kbps), hint);
        assert!(world.run_until(s(2), |w| !w.viewers[a].shown.is_empty()), "{kbps} {hint:?}");
        assert_eq!(width(&world), first, "{kbps} {hint:?}");
        world.run(s(2));
        assert!(kbps < 2000 || width(&world) == 1280, "{hint:?}: {}", width(&world));
    }
}

#[test]
fn a_path_that_narrows_is_followed_within_a_second_and_climbed_when_it_is_back() {
    for (wide, thin) in [(3000, 400), (1500, 700), (800, 250), (2000, 1000)] {
        let mut world = World::new();
        let a = open(&mut world, path(wide), Some(wide));
        world.viewers[a].reorder = 20;
        world.run(s(15));
        let before = order(&world, 0);
        world.viewers[a].change_link(path(thin));
        world.run(s(1));
        assert!(order(&world, 0) < thin * 120 / 100, "{wide} to {thin}: {} after a second", order(&world, 0));
        let since = world.now;
        world.run(s(19));
        let (viewer, now) = (&world.viewers[a], world.now);
        // The simulated browser waits for what was lost; a real one goes on at the next keyframe.
        let gap = viewer.longest_gap(since, now);
        assert!(gap < s(3), "{wide} to {thin}: the picture stood still for {gap:?}");
        assert!(viewer.shown_since(now - s(10)) > 240, "{wide} to {thin}: {} in 10 s", viewer.shown_since(now - s(10)));
        world.viewers[a].change_link(path(wide));
        world.run(s(20));
        assert!(order(&world, 0) * 2 > before, "{thin} to {wide}: {} of {before}", order(&world, 0));
    }
}

#[test]
fn several_viewers_have_what_each_path_carries_and_nobody_waits_for_another() {
    let mut world = World::new();
    let paths = [4000, 600, 1300];
    for kbps in paths {
        open(&mut world, path(kbps), Some(kbps));
    }
    world.run(s(15));
    let (since, came): (_, Vec<u64>) = (world.now, world.viewers.iter().map(|viewer| viewer.came.1).collect());
    world.run(s(20));
    for ((viewer, kbps), came) in world.viewers.iter().zip(paths).zip(came) {
        let (shown, rate) = (viewer.shown_since(since), (viewer.came.1 - came) * 8 / 20_000);
        assert!(shown > 400, "{kbps}: {shown} pictures in 20 s");
        assert!(rate * 100 > kbps.min(2500) * 40, "{kbps}: {rate} kbit/s");
    }
    assert!(world.viewers[0].shown_since(since) > 590 && order(&world, 0) > 2400, "the wide path notices nothing");
    assert!(world.encoders[..3].iter().all(|encoder| encoder.bitrate.is_some()));
    // Left alone, each has one encode, and what the path carries.
    let now = world.now;
    for index in [0, 2] {
        world.viewers[index].say(&intercom_core::call::protocol::FromPage::Leave {}, now);
    }
    world.run(s(15));
    let running = world.encoders.iter().filter(|encoder| encoder.bitrate.is_some()).count();
    assert_eq!((running, order(&world, 0) > 100), (1, true), "{}", world.home.status());
}

#[test]
fn viewers_with_like_paths_share_one_encode() {
    let mut world = World::new();
    for _ in 0..3 {
        open(&mut world, path(8000), Some(8000));
        world.run(s(5));
    }
    world.run(s(20));
    let running: Vec<bool> = world.encoders.iter().map(|encoder| encoder.bitrate.is_some()).collect();
    assert_eq!(running, [true, false, false, false]);
}

#[test]
fn three_behind_one_thin_uplink_all_see_a_moving_picture_and_hear_home() {
    let mut world = World::new();
    world.uplink = Some(Netem::new(path(1000)));
    for _ in 0..3 {
        open(&mut world, NetemConfig::new().latency(ms(10)), Some(800));
        world.run(s(5));
    }
    world.run(s(5));
    let (since, sounds) = (world.now, world.viewers.iter().map(|viewer| viewer.sound).collect::<Vec<_>>());
    world.run(s(30));
    for (viewer, sound) in world.viewers.iter().zip(sounds) {
        let (shown, heard) = (viewer.shown_since(since), viewer.sound - sound);
        assert!(shown > 500, "{shown} pictures in 30 s");
        assert!(heard > 1480, "{heard} of 1500 packets of sound");
    }
}

#[test]
fn the_page_hears_when_the_picture_is_not_the_full_one() {
    let mut world = World::new();
    let a = open(&mut world, path(600), Some(600));
    world.run(s(10));
    let told = |world: &World| {
        let stream = |message: &FromHome| if let FromHome::Stream { rung } = message { Some(*rung) } else { None };
        world.viewers[a].heard.iter().filter_map(stream).collect::<Vec<_>>()
    };
    assert_eq!(told(&world), [RungName::Reduced]);
    world.viewers[a].change_link(path(20_000));
    world.run(s(20));
    assert_eq!(told(&world).last(), Some(&RungName::Full));
}

#[test]
fn who_vanishes_without_a_word_costs_nothing_after_three_seconds_and_is_back_with_the_first_packet() {
    let mut world = World::new();
    let a = open(&mut world, path(3000), Some(3000));
    world.run(s(10));
    world.viewers[a].blocked = true;
    // What was under way when it was noticed goes out within a moment.
    world.run(s(5));
    let sent = world.viewers[a].sent.1;
    world.run(s(3));
    let more = world.viewers[a].sent.1 - sent;
    assert!(more < 3000, "{more} bytes in three seconds, where ICE alone looks for them");
    assert!(world.encoders.iter().all(|encoder| encoder.bitrate.is_none()), "nothing is encoded for nobody");
    world.viewers[a].blocked = false;
    let since = world.now;
    assert!(world.run_until(s(4), |w| w.viewers[a].shown_since(since) > 0), "{}", world.home.status());
    world.run(s(2));
    assert!(world.viewers[a].shown_since(since) > 50, "{}", world.viewers[a].shown_since(since));
}

#[test]
fn a_path_that_loses_much_is_not_taken_for_one_that_is_gone() {
    for seed in 0..20 {
        let mut world = World::new();
        let a = open(&mut world, NetemConfig::new().latency(ms(100)), Some(20_000));
        assert!(world.run_until(s(10), |w| !w.viewers[a].shown.is_empty()));
        let now = world.now;
        let lossy = NetemConfig::new().latency(ms(100)).loss(RandomLoss::new(Probability::new(0.3))).seed(seed);
        world.viewers[a].set_link(lossy, now);
        for _ in 0..100 {
            world.run(ms(200));
            assert!(world.encoders.iter().any(|encoder| encoder.bitrate.is_some()), "seed {seed} at {:?}", world.age());
        }
    }
}

#[test]
fn a_home_with_the_lowest_bitrate_there_is_lets_people_in() {
    let (floor, max) = (Bitrate::from_kbps(30), Bitrate::from_kbps(30));
    let rung = Rung { width: 160, height: 90, rate: FrameRate::from_whole(5), floor, max };
    for hint in [None, Some(1), Some(20_000)] {
        let mut world = World::sized(rung, rung);
        let a = open(&mut world, path(1000), hint);
        world.run(s(5));
        assert!(world.viewers[a].shown.len() > 15, "{hint:?}: {}", world.viewers[a].shown.len());
    }
}

#[test]
fn home_has_little_to_do_for_a_small_picture_whatever_the_path() {
    for (latency, kbps) in [(2, 1000), (100, 400), (30, 150), (300, 2000)] {
        let small = |width, height, fps, floor, max| Rung {
            width,
            height,
            rate: FrameRate::from_whole(fps),
            floor: Bitrate::from_kbps(floor),
            max: Bitrate::from_kbps(max),
        };
        let mut world = World::sized(small(320, 180, 5, 200, 400), small(160, 90, 3, 40, 100));
        open(&mut world, path_of(kbps, ms(latency), 300), None);
        world.run(s(10));
        let turns = world.turns;
        world.run(s(20));
        // 50 packets of sound a second, feedback on them, some pictures: no timer runs wild.
        let turns = (world.turns - turns) / 20;
        assert!(turns < 500, "{kbps} kbit/s, {latency} ms: {turns} turns a second");
    }
}
