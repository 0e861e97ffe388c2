//! How a visit feels: chimes when somebody comes and goes, home's microphone muted, home's speaker turned up and down.

use intercom_core::call::chimes::Chime;
use intercom_core::call::home::{Mute, ORPHAN_LIFE};
use intercom_core::call::protocol::{FromHome, FromPage, Volume};

use crate::terms::{ms, ordinary, s};
use crate::world::World;

fn chimes(world: &World) -> Vec<Chime> {
    world.chimes.iter().map(|(_, chime)| *chime).collect()
}

pub fn leave(world: &mut World, viewer: usize) {
    let now = world.now;
    world.viewers[viewer].say(&FromPage::Leave {}, now);
}

/// What a page knows of home's microphone: the newest word on it.
fn muted(world: &World, viewer: usize) -> Option<bool> {
    world.viewers[viewer].heard.iter().rev().find_map(|message| match message {
        FromHome::Welcome { muted, .. } | FromHome::Microphone { muted } => Some(*muted),
        _ => None,
    })
}

fn volume(world: &World, viewer: usize) -> Option<Volume> {
    world.viewers[viewer].heard.iter().rev().find_map(|message| match message {
        FromHome::Welcome { volume, .. } | FromHome::Volume { volume } => Some(*volume),
        _ => None,
    })
}

fn set(world: &mut World, viewer: usize, percent: u8) {
    let now = world.now;
    world.viewers[viewer].say(&FromPage::Volume { percent }, now);
    world.run(s(1));
}

#[test]
fn home_chimes_when_the_picture_is_seen_and_when_the_visit_is_over() {
    let mut world = World::new();
    let a = world.visit(ordinary());
    assert!(world.run_until(s(5), |w| w.listed.iter().any(|v| v.connected)));
    assert_eq!(chimes(&world), [Chime::Arrive]);
    world.run(s(20));
    leave(&mut world, a);
    world.run(s(10));
    assert_eq!(chimes(&world), [Chime::Arrive, Chime::Leave]);
}

#[test]
fn who_knocks_and_never_sees_home_is_not_heard() {
    let mut world = World::new();
    let a = world.viewer(ordinary());
    world.viewers[a].blocked = true;
    world.open_socket(a);
    let now = world.now;
    world.viewers[a].open_page(now);
    world.run(s(10));
    assert_eq!(world.listed.len(), 1);
    world.kill_socket(a);
    world.run(ORPHAN_LIFE + s(10));
    assert!(world.listed.is_empty() && world.chimes.is_empty());
}

#[test]
fn a_connection_that_breaks_and_comes_back_within_the_visit_is_not_heard() {
    let mut world = World::new();
    let a = world.visit(ordinary());
    world.run(s(5));
    for _ in 0..3 {
        world.kill_socket(a);
        world.viewers[a].blocked = true;
        world.run(s(15));
        world.viewers[a].blocked = false;
        world.reconnect(a);
        let now = world.now;
        world.run(ms(200));
        world.viewers[a].restart_ice(world.now);
        assert!(world.run_until(s(20), |w| w.viewers[a].shown_since(now) > 10));
    }
    assert_eq!(chimes(&world), [Chime::Arrive]);
    // The page builds another connection, as it does when the old one cannot be mended.
    let now = world.now;
    world.viewers[a].build(now);
    world.viewers[a].say_offer(now);
    world.viewers[a].say_candidate(now);
    assert!(world.run_until(s(20), |w| w.viewers[a].shown_since(now + s(1)) > 10));
    assert_eq!(chimes(&world), [Chime::Arrive]);
    // And in the end it stays away.
    world.kill_socket(a);
    world.viewers[a].blocked = true;
    world.run(ORPHAN_LIFE * 2);
    assert_eq!(chimes(&world), [Chime::Arrive, Chime::Leave]);
}

#[test]
fn a_family_that_comes_together_is_one_chime_and_an_hour_of_reloading_next_to_none() {
    let mut world = World::new();
    let viewers: Vec<usize> = (0..4).map(|_| world.visit(ordinary())).collect();
    world.run(s(10));
    assert_eq!(world.listed.iter().filter(|v| v.connected).count(), 4);
    assert_eq!(chimes(&world), [Chime::Arrive]);
    viewers.into_iter().for_each(|viewer| leave(&mut world, viewer));
    world.run(s(10));
    assert_eq!(chimes(&world), [Chime::Arrive, Chime::Leave]);
    let mut last = world.visit_as(1, ordinary());
    for _ in 0..30 {
        world.run(s(10));
        leave(&mut world, last);
        world.run(ms(500));
        last = world.visit_as(1, ordinary());
    }
    world.run(s(10));
    assert_eq!(chimes(&world), [Chime::Arrive, Chime::Leave, Chime::Arrive]);
}

#[test]
fn a_muted_home_says_so_to_all_who_are_there_and_to_all_who_come() {
    let mut world = World::new();
    let a = world.visit(ordinary());
    let b = world.visit(ordinary());
    world.run(s(3));
    assert_eq!((muted(&world, a), muted(&world, b), world.muted), (Some(false), Some(false), false));
    let now = world.now;
    assert!(world.home.handle_mute(Mute::On, now));
    world.run(s(1));
    assert_eq!((muted(&world, a), muted(&world, b), world.muted), (Some(true), Some(true), true));
    let told = world.viewers[a].heard.len();
    assert!(world.home.handle_mute(Mute::On, world.now));
    world.run(ms(100));
    let again = world.viewers[a].heard[told..].iter().filter(|m| matches!(m, FromHome::Microphone { .. })).count();
    assert_eq!(again, 0, "what everybody knows is not said again");
    leave(&mut world, a);
    leave(&mut world, b);
    world.run(s(60));
    let c = world.visit(ordinary());
    world.run(s(3));
    assert_eq!((muted(&world, c), world.muted), (Some(true), true), "it outlives those who were there");
    // A socket that was away when it changed hears of it with the welcome.
    world.kill_socket(c);
    world.home.handle_mute(Mute::Off, world.now);
    world.run(s(1));
    world.reconnect(c);
    world.run(s(1));
    assert_eq!((muted(&world, c), world.muted), (Some(false), false));
    assert_eq!(world.home.status()["muted"], false);
}

#[test]
fn a_button_goes_to_and_fro_and_its_bouncing_is_one_press() {
    let mut world = World::new();
    for expected in [true, false, true] {
        world.run(s(1));
        let now = world.now;
        assert_eq!(world.home.handle_mute(Mute::Toggle, now), expected);
        for bounce in [ms(5), ms(30), ms(200)] {
            assert_eq!(world.home.handle_mute(Mute::Toggle, now + bounce), expected);
        }
    }
}

#[test]
fn the_volume_is_the_same_on_all_pages_and_stays_within_its_limits() {
    let mut world = World::new();
    let a = world.visit(ordinary());
    let b = world.visit(ordinary());
    world.run(s(3));
    let at = |percent| Some(Volume { percent, least: 20, most: 100 });
    assert_eq!((volume(&world, a), volume(&world, b), world.volume), (at(80), at(80), None));
    set(&mut world, a, 55);
    assert_eq!((volume(&world, a), volume(&world, b), world.volume), (at(55), at(55), Some(55)));
    set(&mut world, b, 3);
    assert_eq!((volume(&world, a), volume(&world, b), world.volume), (at(20), at(20), Some(20)));
    let before = world.viewers[a].heard.len();
    set(&mut world, b, 0);
    assert_eq!(volume(&world, b), at(20), "who wants what is not allowed hears what it is");
    let told = world.viewers[a].heard[before..].iter().filter(|m| matches!(m, FromHome::Volume { .. })).count();
    assert_eq!(told, 0, "and nobody else");
    world.reconnect(a);
    world.run(s(1));
    assert_eq!(volume(&world, a), at(20));
    leave(&mut world, a);
    leave(&mut world, b);
    world.run(s(60));
    let c = world.visit(ordinary());
    world.run(s(3));
    assert_eq!(volume(&world, c), at(20), "it outlives those who set it");
}
