//! Signaling that cannot cut the call off: every order of offer, candidates and socket death.

use intercom_core::call::protocol::FromPage;

use crate::terms::{ms, ordinary, s};
use crate::world::World;

#[test]
fn a_visit_shows_home_and_hears_it() {
    let mut world = World::new();
    let a = world.visit(ordinary());
    world.viewers[a].speak(world.now);
    world.run(s(5));
    let viewer = &world.viewers[a];
    assert!(viewer.shown.first().is_some_and(|f| f.keyframe), "the first frame is a keyframe");
    assert!(viewer.shown.windows(2).all(|w| w[0].number < w[1].number), "frames come in order");
    assert!(viewer.shown.len() > 120, "about 30 frames a second: {}", viewer.shown.len());
    assert!(viewer.sound > 200, "home is heard: {}", viewer.sound);
    assert_eq!(viewer.broken, 0);
    assert!(world.heard.values().sum::<u64>() > 200, "the viewer is heard at home");
    assert!(world.listed[0].connected);
}

#[test]
fn the_socket_may_die_at_any_moment_and_the_picture_comes_up() {
    for kill_at in (0..600).step_by(15) {
        let mut world = World::new();
        let a = world.visit(ordinary());
        world.run(ms(kill_at));
        world.kill_socket(a);
        world.run(ms(700));
        world.reconnect(a);
        let since = world.now;
        assert!(
            world.run_until(s(8), |w| w.viewers[a].shown_since(since) > 10),
            "socket killed after {kill_at} ms: no picture; {:?}",
            world.home.status()
        );
        assert_eq!(world.listed.iter().filter(|v| v.connected).count(), 1);
    }
}

#[test]
fn media_comes_up_without_any_socket_once_the_answer_is_there() {
    let mut world = World::new();
    let a = world.viewer(ordinary());
    world.viewers[a].blocked = true;
    world.open_socket(a);
    let now = world.now;
    world.viewers[a].open_page(now);
    world.run(s(2));
    assert!(world.viewers[a].checking(), "no datagram passes: ICE is checking");
    world.kill_socket(a);
    world.run(s(5));
    world.viewers[a].blocked = false;
    let since = world.now;
    assert!(world.run_until(s(10), |w| w.viewers[a].shown_since(since) > 30), "{:?}", world.home.status());
}

#[test]
fn media_goes_on_for_as_long_as_it_likes_without_a_socket() {
    let mut world = World::new();
    let a = world.visit(ordinary());
    world.run(s(3));
    let killed = world.now;
    world.kill_socket(a);
    world.run(s(600));
    let gap = world.viewers[a].longest_gap(killed, world.now);
    assert!(gap < ms(200), "the picture stood still for {gap:?}");
    world.reconnect(a);
    world.run(s(1));
    assert_eq!(world.viewers[a].resumed, Some(true), "ten minutes later it is still the same visit");
}

#[test]
fn every_order_of_hello_offer_and_candidates() {
    // Offer and candidate in both orders, the socket dying before, between or after them, the candidate told before
    // its offer, once or twice.
    for order in 0..16 {
        let mut world = World::new();
        let a = world.viewer(ordinary());
        world.open_socket(a);
        let now = world.now;
        world.viewers[a].hello(now);
        world.viewers[a].build(now);
        let candidate_first = order & 1 == 1;
        let die_between = order & 2 == 2;
        let die_after = order & 4 == 4;
        let twice = order & 8 == 8;
        let say = |world: &mut World, candidate: bool| {
            let now = world.now;
            if candidate {
                world.viewers[a].say_candidate(now);
            } else {
                world.viewers[a].say_offer(now);
            }
            if twice {
                world.run(ms(25));
                let now = world.now;
                if candidate {
                    world.viewers[a].say_candidate(now);
                } else {
                    world.viewers[a].say_offer(now);
                }
            }
        };
        say(&mut world, candidate_first);
        if die_between {
            world.run(ms(22));
            world.reconnect(a);
        }
        say(&mut world, !candidate_first);
        if die_after {
            world.run(ms(22));
            world.reconnect(a);
        }
        assert!(
            world.run_until(s(8), |w| w.viewers[a].shown.len() > 30),
            "order {order:04b}: no picture; {:?}",
            world.home.status()
        );
    }
}

#[test]
fn a_visit_without_socket_and_media_ends_after_thirty_seconds_and_everything_stops() {
    let mut world = World::new();
    let a = world.visit(ordinary());
    world.run(s(3));
    world.kill_socket(a);
    world.viewers[a].blocked = true;
    world.run(s(120));
    assert!(world.listed.is_empty(), "{:?}", world.listed);
    assert!(!world.present);
    assert!(world.encoders.iter().all(|e| e.bitrate.is_none()), "nobody watches: no encoding");
}

#[test]
fn a_page_that_waits_with_udp_blocked_does_not_keep_the_encoder_busy() {
    let mut world = World::new();
    let a = world.viewer(ordinary());
    world.viewers[a].blocked = true;
    world.open_socket(a);
    let now = world.now;
    world.viewers[a].open_page(now);
    world.run(s(60));
    assert!(world.encoders.iter().all(|e| e.bitrate.is_none()));
    assert!(world.viewers[a].closed_by_home.is_some(), "others may have its seat");
    world.viewers[a].blocked = false;
    world.open_socket(a);
    let now = world.now;
    world.viewers[a].hello(now);
    world.viewers[a].build(now);
    world.viewers[a].say_offer(now);
    world.viewers[a].say_candidate(now);
    assert!(world.run_until(s(5), |w| w.viewers[a].shown.len() > 30), "and comes up when the way is free");
}

#[test]
fn a_rebuilt_connection_replaces_the_old_one() {
    let mut world = World::new();
    let a = world.visit(ordinary());
    world.run(s(3));
    let now = world.now;
    world.viewers[a].build(now);
    world.viewers[a].say_offer(now);
    world.viewers[a].say_candidate(now);
    assert!(world.run_until(s(5), |w| w.viewers[a].shown_since(now + s(1)) > 30), "{:?}", world.home.status());
    assert_eq!(world.listed.len(), 1);
}

#[test]
fn an_ice_restart_keeps_the_picture() {
    let mut world = World::new();
    let a = world.visit(ordinary());
    world.run(s(3));
    let now = world.now;
    world.viewers[a].restart_ice(now);
    assert!(world.run_until(s(8), |w| w.viewers[a].shown_since(now + s(1)) > 60), "{:?}", world.home.status());
}

#[test]
fn leaving_ends_the_visit_at_once() {
    let mut world = World::new();
    let a = world.visit(ordinary());
    world.run(s(2));
    let now = world.now;
    world.viewers[a].say(&FromPage::Leave {}, now);
    world.run(ms(100));
    assert!(world.listed.is_empty());
    assert!(!world.present);
}

#[test]
fn a_page_that_stops_answering_loses_its_socket_and_keeps_its_picture() {
    let mut world = World::new();
    let a = world.visit(ordinary());
    world.run(s(2));
    world.viewers[a].mute = true;
    world.run(s(60));
    assert!(world.viewers[a].closed_by_home.is_some());
    let gap = world.viewers[a].longest_gap(world.start + s(2), world.now);
    assert!(gap < ms(200), "the picture stood still for {gap:?}");
}
