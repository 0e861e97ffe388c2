//! Loss, delay and rate limits; a viewer that stops reading; an hour of visits; clocks that jump.

use std::time::Duration;

use intercom_base::units::Bitrate;
use intercom_core::call::protocol::{FromHome, FromPage, RungName};
use str0m_netem::{Bitrate as LinkRate, DataSize, NetemConfig, Probability, RandomLoss};

use crate::terms::{ms, s};
use crate::world::World;

pub fn link(kbps: u64) -> NetemConfig {
    NetemConfig::new().latency(ms(20)).link(LinkRate::kbps(kbps), DataSize::bytes((kbps * 1000 / 8 / 3) as i64))
}

#[test]
fn a_clean_path_gets_no_playout_delay() {
    let mut world = World::new();
    let a = world.visit(NetemConfig::new().latency(ms(5)));
    world.run(s(10));
    assert_eq!(world.viewers[a].playout_max, Some(Duration::ZERO));
}

#[test]
fn loss_opens_the_playout_delay_and_the_picture_goes_on() {
    let mut world = World::new();
    // It carries no copies of what gets lost.
    let lossy = link(1500).loss(RandomLoss::new(Probability::new(0.05))).seed(3);
    let a = world.visit(lossy);
    world.run(s(30));
    let viewer = &world.viewers[a];
    assert!(viewer.playout_max.is_some_and(|d| d >= ms(100)), "{:?}", viewer.playout_max);
    let gap = viewer.longest_gap(world.start + s(5), world.now);
    assert!(gap < s(2), "the picture stood still for {gap:?}");
    assert!(viewer.shown_since(world.start + s(5)) > 400, "{} frames of 750", viewer.shown_since(world.start + s(5)));
}

#[test]
fn a_narrow_viewer_gets_the_reduced_picture_and_nobody_else_a_worse_one() {
    let mut world = World::new();
    let wide = world.visit(NetemConfig::new().latency(ms(20)));
    let narrow = world.visit(link(700));
    world.run(s(30));
    let said_reduced = |m: &FromHome| matches!(m, FromHome::Stream { rung: RungName::Reduced });
    assert!(world.viewers[narrow].heard.iter().any(said_reduced), "{}", world.home.status());
    assert!(!world.viewers[wide].heard.iter().any(said_reduced));
    let since = world.now;
    world.run(s(20));
    assert!(world.viewers[wide].shown_since(since) > 580, "wide: {} of 600", world.viewers[wide].shown_since(since));
    assert!(
        world.viewers[narrow].shown_since(since) > 200,
        "narrow: {} of 300; {}",
        world.viewers[narrow].shown_since(since),
        world.home.status()
    );
    let full = world.encoders[0].bitrate.expect("runs");
    assert!(full >= Bitrate::from_kbps(2000), "the wide viewer's picture is encoded at {full}");
}

#[test]
fn the_bitrate_follows_the_path() {
    let mut world = World::new();
    let a = world.visit(link(2600));
    world.run(s(20));
    let since = world.now;
    let mut rates = Vec::new();
    for _ in 0..40 {
        world.run(s(1));
        rates.push(world.encoders[0].bitrate.map_or(0, |b| b.kbps()));
    }
    let mean = rates.iter().sum::<u64>() / rates.len() as u64;
    println!("{rates:?} delay {:?} {:?}", world.delay(a, since, 50), world.delay(a, since, 95));
    assert!((1400..2500).contains(&mean), "encoded at {mean} kbit/s for a path of 2600: {rates:?}");
    let gap = world.viewers[a].longest_gap(since, world.now);
    assert!(gap < s(1), "the picture stood still for {gap:?}");
    let late = world.delay(a, since, 95);
    assert!(late < ms(400), "5 % of the frames were older than {late:?}");
}

#[test]
fn a_viewer_that_stops_reading_harms_nobody_and_is_gone_after_a_while() {
    let mut world = World::new();
    let good = world.visit(NetemConfig::new().latency(ms(20)));
    let gone = world.visit(NetemConfig::new().latency(ms(20)));
    world.run(s(5));
    let since = world.now;
    world.viewers[gone].blocked = true;
    world.kill_socket(gone);
    world.run(s(120));
    let gap = world.viewers[good].longest_gap(since, world.now);
    assert!(gap < ms(100), "the other viewer's picture stood still for {gap:?}");
    assert_eq!(world.listed.len(), 1, "{}", world.home.status());
}

#[test]
fn keyframe_requests_are_rate_limited() {
    let mut world = World::new();
    let a = world.visit(NetemConfig::new().latency(ms(5)));
    world.run(s(2));
    let before = world.encoders[0].keyframes;
    for _ in 0..1000 {
        let now = world.now;
        let pc = world.viewers[a].pc;
        world.viewers[a].say(&FromPage::Keyframe { pc }, now);
        world.run(ms(60));
    }
    let made = world.encoders[0].keyframes - before;
    assert!((60..=122).contains(&made), "{made} keyframes in a minute of asking 16 times a second");
}

#[test]
fn one_encode_serves_all_viewers() {
    let mut world = World::new();
    for _ in 0..8 {
        world.visit(NetemConfig::new().latency(ms(10)));
    }
    world.run(s(3));
    let (frames, since) = (world.encoders[0].frames, world.now);
    world.run(s(10));
    let made = world.encoders[0].frames - frames;
    assert!((298..=302).contains(&made), "{made} frames encoded in 10 s for 8 viewers");
    for viewer in &world.viewers {
        assert!(viewer.shown_since(since) >= 297, "{} shown", viewer.shown_since(since));
    }
}

#[test]
fn clocks_jump_and_the_picture_does_not_care() {
    let mut world = World::new();
    let a = world.visit(NetemConfig::new().latency(ms(20)));
    world.run(s(3));
    let since = world.now;
    // The wall clock is set by NTP to another decade, back and forth.
    for unix in [0, 4_000_000_000, 1_790_000_100] {
        let now = world.now;
        world.home.handle_wall_clock(s(unix), now);
        world.run(s(2));
    }
    let gap = world.viewers[a].longest_gap(since, world.now);
    assert!(gap < ms(100), "the picture stood still for {gap:?}");
    // The machine sleeps for an hour: everything is late at once.
    world.now += s(3600);
    world.run(s(60));
    assert!(world.listed.len() <= 1);
    let b = world.visit(NetemConfig::new().latency(ms(20)));
    assert!(world.run_until(s(5), |w| w.viewers[b].shown.len() > 30), "home works after the sleep");
}

#[test]
fn an_hour_of_visits() {
    let mut world = World::new();
    let mut random = fastrand::Rng::with_seed(2026);
    let end = world.now + s(3600);
    let mut shown = 0;
    while world.now < end {
        let lossy = NetemConfig::new()
            .latency(ms(random.u64(5..120)))
            .jitter(ms(random.u64(0..10)))
            .loss(RandomLoss::new(Probability::new(random.f32() * 0.03)))
            .seed(random.u64(..));
        // Simulated viewers are dear; the hour is made of many short visits by at most two at a time.
        let first = world.viewers.len();
        for _ in 0..random.usize(1..=2) {
            world.visit(lossy);
        }
        let since = world.now;
        world.run(s(random.u64(3..12)));
        for index in first..world.viewers.len() {
            assert!(world.viewers[index].shown_since(since) > 5, "visit {index} saw nothing at {:?}", world.age());
            shown += world.viewers[index].shown.len();
            match random.u8(0..4) {
                0 => {
                    let now = world.now;
                    world.viewers[index].say(&FromPage::Leave {}, now);
                }
                1 => world.kill_socket(index),
                2 => world.reconnect(index),
                _ => world.viewers[index].mute = true,
            }
        }
        world.run(s(1));
        for index in first..world.viewers.len() {
            world.viewers[index].blocked = true;
            world.kill_socket(index);
        }
        // Nobody for a few minutes.
        world.run(s(random.u64(60..300)));
        world.viewers.clear();
        world.forget_sockets();
        assert!(world.listed.is_empty(), "a visit was left over at {:?}: {:?}", world.age(), world.listed);
        assert!(!world.present);
        assert!(world.home.poll_timeout().is_none(), "an empty home waits for input only");
    }
    assert!(shown > 3000);
}
