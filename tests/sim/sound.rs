//! Home's sound on bad networks, and one clock for sound and picture.

use std::time::Instant;

use str0m_netem::{Bitrate as LinkRate, DataSize, NetemConfig, Probability, RandomLoss};

use crate::feels::leave;
use crate::terms::{ms, s};
use crate::world::World;

/// What a viewer behind this link hears, by the ten seconds: in packets of their own or inside others (RED), and with
/// what the next one recovers (FEC), each within 400 ms of its capture.
fn listen(link: NetemConfig, seconds: u64) -> (World, usize, Vec<(f64, f64)>) {
    let mut world = World::new();
    let a = world.visit(link);
    assert!(world.run_until(s(10), |w| !w.viewers[a].sounds.is_empty()), "{}", world.home.status());
    let heard = hear(&mut world, a, seconds);
    (world, a, heard)
}

/// The same of a viewer who hears home already.
fn hear(world: &mut World, a: usize, seconds: u64) -> Vec<(f64, f64)> {
    let mut heard = Vec::new();
    for _ in 0..seconds / 10 {
        let from = world.now;
        world.run(s(10));
        // What is still on its way is not judged.
        heard.push(world.heard_part(a, from, world.now - ms(500), ms(400)));
    }
    println!("heard {heard:.3?} {}", world.home.status());
    heard
}

#[test]
fn on_a_clean_path_no_packet_is_missing_and_none_is_sent_twice() {
    let (world, _, heard) = listen(NetemConfig::new().latency(ms(30)), 20);
    assert!(heard.iter().all(|(packets, _)| *packets == 1.0), "{heard:?}");
    let speech = world.speech.expect("an order");
    assert_eq!((speech.bitrate.kbps(), speech.loss_percent), (32, 8));
    assert_eq!(world.home.status()["visits"][0]["redundancy"], false);
}

#[test]
fn at_thirty_percent_loss_nearly_all_of_the_sound_gets_through() {
    // Keys differ from run to run, and with them what of a seed's losses meets what: one minute may be a bad one.
    let mut later = Vec::new();
    for seed in [4, 5, 6, 7] {
        let mut world = World::new();
        // The handshake's own losses, which may take long, are not what this is about.
        let a = world.visit(NetemConfig::new().latency(ms(30)));
        assert!(world.run_until(s(10), |w| !w.viewers[a].sounds.is_empty()), "{}", world.home.status());
        let lossy = NetemConfig::new().latency(ms(30)).loss(RandomLoss::new(Probability::new(0.3))).seed(seed);
        let now = world.now;
        world.viewers[a].set_link(lossy, now);
        later.extend(hear(&mut world, a, 60).split_off(1));
    }
    // Each packet and its twin both get lost in 9 of 100 cases; of those the next one brings most along.
    let mean = |part: fn(&(f64, f64)) -> f64| later.iter().map(part).sum::<f64>() / later.len() as f64;
    assert!(mean(|heard| heard.0) > 0.88 && mean(|heard| heard.1) > 0.94, "{later:?}");
    assert!(later.iter().all(|(packets, _)| *packets > 0.8), "each packet brings the one before along: {later:?}");
}

#[test]
fn where_there_is_room_for_little_more_than_the_voice_it_comes_first() {
    for kbps in [50, 56, 64, 72] {
        let narrow = NetemConfig::new().latency(ms(20)).link(LinkRate::kbps(kbps), third_of_a_second(kbps));
        let (world, a, heard) = listen(narrow, 60);
        // Now and then it is tried whether there is room for more. In between nothing is sent that would push the voice aside.
        let whole = heard[2..].iter().filter(|(packets, _)| *packets > 0.99).count();
        let ever = heard[2..].iter().all(|(packets, all)| *packets > 0.85 && *all > 0.88);
        assert!(ever && whole >= 2, "{kbps} kbit/s: {heard:?}");
        let shown = world.viewers[a].shown_since(world.start + s(10));
        let some = if kbps < 56 { 0..50 } else { 5..50 };
        assert!(some.contains(&shown), "{kbps} kbit/s: {shown} pictures in 50 s");
        assert_eq!(world.home.status()["visits"][0]["still"], true, "{kbps} kbit/s");
    }
}

/// What fits into a queue.
fn third_of_a_second(kbps: u64) -> DataSize {
    DataSize::bytes(kbps as i64 * 1000 / 8 / 3)
}

#[test]
fn when_a_path_is_wide_again_the_picture_moves_again() {
    let mut world = World::new();
    let narrow = NetemConfig::new().latency(ms(20)).link(LinkRate::kbps(64), third_of_a_second(64));
    let a = world.visit(narrow);
    world.run(s(20));
    assert_eq!(world.home.status()["visits"][0]["still"], true, "{}", world.home.status());
    let now = world.now;
    world.viewers[a].set_link(NetemConfig::new().latency(ms(20)), now);
    world.run(s(60));
    let since = world.now;
    world.run(s(10));
    assert!(world.viewers[a].shown_since(since) > 100, "{}", world.home.status());
}

/// The browser plays sound and picture together by their sender reports: both must lead back to the same capture clock,
/// however old each was when it was sent.
#[test]
fn both_tracks_lead_back_to_one_capture_clock() {
    let mut world = World::new();
    (world.sound_age, world.picture_age) = (ms(35), ms(140));
    let a = world.visit(NetemConfig::new().latency(ms(30)));
    world.run(s(20));
    let viewer = &world.viewers[a];
    let mut offsets = Vec::new();
    for (captured, told) in &viewer.captures {
        let when: Instant = match captured {
            crate::viewer::Captured::Sound(sample) => world.sounds[*sample as usize / 960],
            crate::viewer::Captured::Picture(number) => world.captured[*number as usize],
        };
        let told = told.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64();
        offsets
            .push((matches!(captured, crate::viewer::Captured::Sound(_)), told - (when - world.start).as_secs_f64()));
    }
    let mean = |sound: bool| {
        let of: Vec<f64> = offsets.iter().filter(|(is_sound, _)| *is_sound == sound).map(|(_, at)| *at).collect();
        assert!(of.len() > 100, "{} of {sound}", of.len());
        of.iter().sum::<f64>() / of.len() as f64
    };
    let apart = (mean(true) - mean(false)) * 1e3;
    assert!(apart.abs() < 2.0, "sound and picture are {apart} ms apart");
}

#[test]
fn several_hear_each_other_and_each_has_one_stream_of_sound() {
    let mut world = World::new();
    let link = || NetemConfig::new().latency(ms(30));
    let [a, b, listener] = [0; 3].map(|_| {
        let viewer = world.visit(link());
        assert!(world.run_until(s(10), |w| w.viewers[viewer].connected()));
        viewer
    });
    world.run(s(2));
    assert!(world.mix_minus.is_empty(), "nobody says anything");
    for viewer in [a, b] {
        world.viewers[viewer].speak(world.now);
    }
    world.run(s(2));
    assert_eq!(world.mix_minus.len(), 2);
    let before = [a, b, listener].map(|viewer| world.viewers[viewer].sound);
    let from = world.now;
    world.run(s(10));
    for (viewer, before) in [a, b, listener].into_iter().zip(before) {
        let packets = world.viewers[viewer].sound - before;
        assert!((498..=502).contains(&packets), "{packets} packets in ten seconds: one of each time");
        assert_eq!(world.heard_part(viewer, from, world.now - ms(500), ms(400)).0, 1.0, "and none is missing");
    }

    leave(&mut world, b);
    world.run(s(2));
    assert_eq!(world.mix_minus.len(), 1, "the listener hears who is left");
    leave(&mut world, listener);
    world.run(s(2));
    assert!(world.mix_minus.is_empty(), "what one alone says is for home");
    assert!(world.heard.values().all(|packets| *packets > 500), "{:?}", world.heard);
    let (from, heard) = (world.now, world.viewers[a].sound);
    world.run(s(5));
    assert_eq!(world.heard_part(a, from, world.now - ms(500), ms(400)).0, 1.0);
    assert!(world.viewers[a].sound - heard <= 251);
}

#[test]
fn where_viewers_are_not_to_hear_each_other_they_hear_home() {
    let mut world = World::apart();
    for _ in 0..2 {
        let viewer = world.visit(NetemConfig::new().latency(ms(30)));
        assert!(world.run_until(s(10), |w| w.viewers[viewer].connected()));
        world.viewers[viewer].speak(world.now);
    }
    world.run(s(5));
    assert!(world.mix_minus.is_empty());
    assert!(world.viewers.iter().all(|viewer| viewer.sound > 200));
    assert!(world.heard.values().all(|packets| *packets > 200), "home hears both");
}
