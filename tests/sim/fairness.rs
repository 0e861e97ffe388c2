//! Nobody takes what is there for all: places before `hello`, seats, frames, checks to addresses that a viewer named.

use std::net::{IpAddr, SocketAddr};

use intercom_core::call::home::SocketId;
use intercom_core::call::protocol::{ByeReason, ErrorCode, FromHome, FromPage};

use crate::terms::{ms, ordinary, s};
use crate::world::{HOME, World};

/// Sockets of an attacker, that the world knows nothing of.
fn attack(world: &mut World, from: IpAddr, number: u64) -> SocketId {
    let id = SocketId(1_000_000 + number);
    world.home.handle_socket_open(id, SocketAddr::new(from, 1000), HOME.into(), world.now);
    id
}

fn heard(world: &World, viewer: usize, wanted: &FromHome) -> bool {
    world.viewers[viewer].heard.contains(wanted)
}

fn error(world: &World, viewer: usize) -> Option<ErrorCode> {
    match world.last_error(viewer) {
        Some(FromHome::Error { code, .. }) => Some(*code),
        _ => None,
    }
}

/// A viewer whose datagrams are all lost.
fn visit_without_media(world: &mut World, key: u64) -> usize {
    let viewer = world.viewer(ordinary());
    world.viewers[viewer].key = crate::keys::key(key);
    world.viewers[viewer].blocked = true;
    world.open_socket(viewer);
    let now = world.now;
    world.viewers[viewer].open_page(now);
    world.run(ms(200));
    viewer
}

fn visit_of(world: &mut World, key: u64) -> usize {
    let viewer = world.visit_as(key, ordinary());
    world.run(s(1));
    viewer
}

#[test]
fn a_flood_of_sockets_from_one_address_keeps_nobody_else_out() {
    for by in ["silence", "guesses"] {
        let mut world = World::new();
        let attacker = IpAddr::from([198, 51, 100, 7]);
        for round in 0..20 {
            let viewer = world.viewer(ordinary());
            world.open_socket(viewer);
            // 900 a second, for the 300 ms that the viewer's `hello` takes.
            for n in 0..270 {
                let id = attack(&mut world, attacker, round * 1000 + n);
                if by == "guesses" {
                    let now = world.now;
                    world.home.handle_message(id, r#"{"type":"hello","v":1,"key":"a guess"}"#, now);
                }
                world.run(ms(1));
            }
            let now = world.now;
            world.viewers[viewer].open_page(now);
            assert!(world.run_until(s(2), |w| w.viewers[viewer].token.is_some()), "{by}, round {round}");
            let now = world.now;
            world.viewers[viewer].say(&FromPage::Leave {}, now);
            world.run(ms(100));
        }
    }
}

#[test]
fn an_attacker_with_many_addresses_takes_places_and_no_viewer_waits_long() {
    let mut world = World::new();
    let mut tries = 0;
    for round in 0..20u64 {
        // Up to a hundred addresses, one socket each, at 100 a second: chance decides who goes.
        loop {
            tries += 1;
            let viewer = world.viewer(ordinary());
            world.open_socket(viewer);
            for n in 0..30 {
                let from = IpAddr::from([198, 51, 100, (n % 100) as u8]);
                attack(&mut world, from, tries * 1000 + n);
                world.run(ms(10));
            }
            let now = world.now;
            world.viewers[viewer].open_page(now);
            if world.run_until(s(1), |w| w.viewers[viewer].token.is_some()) {
                let now = world.now;
                world.viewers[viewer].say(&FromPage::Leave {}, now);
                world.run(ms(100));
                break;
            }
        }
        assert!(tries < 40 + round, "{tries} tries in round {round}");
    }
}

#[test]
fn pings_and_binary_frames_and_bytes_cost_as_much_as_words() {
    for (what, before_hello) in [("frames", true), ("frames", false), ("bytes", true), ("bytes", false)] {
        let mut world = World::new();
        let viewer = world.viewer(ordinary());
        let id = world.open_socket(viewer);
        let now = world.now;
        if !before_hello {
            world.viewers[viewer].open_page(now);
            world.run(s(2));
        }
        let limit = if before_hello { 48 } else { 300 };
        let flood = |world: &mut World, count: u64| {
            let now = world.now;
            match what {
                "frames" => (0..count).for_each(|_| world.home.handle_socket_alive(id, now)),
                _ => world.home.handle_socket_bytes(id, count * 4096, now),
            }
            world.run(ms(100));
        };
        flood(&mut world, limit - 10);
        assert!(world.viewers[viewer].closed_by_home.is_none(), "{what} {before_hello}");
        flood(&mut world, 20);
        assert!(world.viewers[viewer].closed_by_home.is_some(), "{what} {before_hello}");
        assert_eq!(error(&world, viewer), (!before_hello).then_some(ErrorCode::TooFast), "strangers hear nothing");
        assert_eq!(world.listed.len(), usize::from(!before_hello), "a visit stays");
    }
}

#[test]
fn no_key_has_more_than_half_of_the_seats_but_the_one_of_run() {
    let mut world = World::with_max(4);
    for _ in 0..2 {
        let viewer = visit_of(&mut world, 7);
        assert!(world.viewers[viewer].shown.len() > 10);
    }
    let third = visit_of(&mut world, 7);
    assert_eq!(error(&world, third), Some(ErrorCode::KeyBusy));
    assert_eq!(world.listed.len(), 2, "those who see home are left alone");
    let other = visit_of(&mut world, 8);
    assert!(world.viewers[other].shown.len() > 10);

    let mut world = World::with_max(4);
    let many: Vec<usize> = (0..4).map(|_| visit_of(&mut world, 0)).collect();
    assert!(many.iter().all(|viewer| world.viewers[*viewer].shown.len() > 10));
    let fifth = visit_of(&mut world, 0);
    assert_eq!(error(&world, fifth), Some(ErrorCode::Full));
}

#[test]
fn a_visit_without_media_makes_room_for_the_next_of_its_key_the_oldest_first() {
    let mut world = World::with_max(4);
    let oldest = visit_without_media(&mut world, 7);
    let younger = visit_without_media(&mut world, 7);
    let newest = visit_of(&mut world, 7);
    assert!(heard(&world, oldest, &FromHome::Bye { reason: ByeReason::Replaced, until: None }));
    assert!(world.viewers[younger].closed_by_home.is_none());
    assert!(world.viewers[newest].shown.len() > 10);
}

#[test]
fn one_key_with_sockets_and_no_media_keeps_nobody_out() {
    let mut world = World::with_max(8);
    for _ in 0..30 {
        visit_without_media(&mut world, 7);
    }
    assert_eq!(world.listed.len(), 4);
    for key in 1..=4 {
        let viewer = visit_of(&mut world, key);
        assert!(world.viewers[viewer].shown.len() > 10, "key {key}: {}", world.home.status());
    }
    // All seats are taken, and a family member still comes in before those who only wait.
    let viewer = visit_of(&mut world, 5);
    assert!(world.viewers[viewer].shown.len() > 10, "{}", world.home.status());
}

#[test]
fn a_visit_with_a_socket_and_without_media_ends_after_twenty_seconds() {
    let mut world = World::new();
    let viewer = visit_without_media(&mut world, 1);
    world.run(s(19));
    assert_eq!(world.listed.len(), 1);
    world.run(s(2));
    assert!(world.listed.is_empty());
    assert!(heard(&world, viewer, &FromHome::Bye { reason: ByeReason::NoMedia, until: None }));

    // It counts again from a new socket, but not for ever.
    let viewer = visit_without_media(&mut world, 1);
    for _ in 0..4 {
        world.run(s(10));
        world.reconnect(viewer);
        world.run(ms(200));
        assert_eq!(world.listed.len(), 1);
    }
    world.run(s(18));
    assert_eq!(world.listed.len(), 1);
    world.run(s(3));
    assert!(world.listed.is_empty());

    // Media that is lost counts from there.
    let viewer = visit_of(&mut world, 1);
    world.run(s(60));
    world.viewers[viewer].blocked = true;
    world.run(s(15));
    assert_eq!(world.listed.len(), 1);
    world.run(s(30));
    assert!(world.listed.is_empty());
}

#[test]
fn an_address_that_a_viewer_named_gets_few_checks_and_only_so_many_addresses_do() {
    let mut world = World::new();
    let viewer = visit_without_media(&mut world, 1);
    let pc = world.viewers[viewer].pc;
    for n in 0..900u32 {
        // One at a time, or the flood itself would cost the socket.
        let candidate = format!("candidate:{n} 1 udp 2113937151 198.51.100.{} {} typ host", n % 100, 1000 + n);
        let now = world.now;
        world.viewers[viewer].say(&FromPage::Candidate { pc, candidate }, now);
        world.run(ms(10));
        if n % 30 == 0 {
            world.run(ms(700));
        }
        if world.listed.is_empty() {
            break;
        }
    }
    world.run(s(30));
    assert!(world.stray.len() > 10, "they are tried: {}", world.stray.len());
    assert!(world.stray.len() <= 66, "{} addresses", world.stray.len());
    let most = world.stray.values().max();
    assert!(most <= Some(&8), "{most:?} datagrams to one address");
}

#[test]
fn offers_without_end_cost_the_socket() {
    let mut world = World::new();
    let viewer = visit_of(&mut world, 1);
    for _ in 0..20 {
        let now = world.now;
        world.viewers[viewer].build(now);
        world.viewers[viewer].say_offer(now);
        world.run(ms(100));
    }
    assert_eq!(error(&world, viewer), Some(ErrorCode::TooFast));
    assert!(world.viewers[viewer].closed_by_home.is_some());
}

#[test]
fn a_candidate_that_comes_before_its_offer_is_short() {
    let mut world = World::new();
    let viewer = world.viewer(ordinary());
    world.open_socket(viewer);
    let now = world.now;
    world.viewers[viewer].hello(now);
    world.run(ms(100));
    let now = world.now;
    world.viewers[viewer].build(now);
    let pc = world.viewers[viewer].pc;
    // What a page would say, with so much behind it that it would have to be kept.
    for fill in [0, 10_000] {
        let host = world.viewers[viewer].address;
        let candidate =
            format!("candidate:1 1 udp 1 {} {} typ host {}", host.ip(), host.port() + fill, "x".repeat(fill.into()));
        world.viewers[viewer].say(&FromPage::Candidate { pc, candidate }, now);
    }
    world.viewers[viewer].say_offer(now);
    assert!(world.run_until(s(3), |w| w.viewers[viewer].shown.len() > 10));
    assert!(world.stray.is_empty());
}

#[test]
fn a_forged_stun_message_takes_no_route_away() {
    let mut world = World::new();
    let viewer = visit_of(&mut world, 1);
    world.viewers[viewer].speak(world.now);
    world.run(s(1));
    let from = world.viewers[viewer].address;
    let (since, before) = (world.now, world.heard.values().sum::<u64>());
    let mut forged = vec![0; 20];
    forged[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
    // A request, an answer, an indication: none of them says who sent it.
    for (n, class) in [[0, 1], [1, 1], [0, 0x11]].into_iter().cycle().take(3000).enumerate() {
        forged[..2].copy_from_slice(&class);
        forged[8..16].copy_from_slice(&(n as u64).to_be_bytes());
        let now = world.now;
        world.home.handle_datagram(from, HOME.into(), &forged, now);
        world.run(ms(1));
    }
    let gap = world.viewers[viewer].longest_gap(since, world.now);
    assert!(gap < ms(100), "the picture stood still for {gap:?}");
    let packets = world.heard.values().sum::<u64>() - before;
    assert!(packets >= 148, "home heard {packets} packets of 150");
}
