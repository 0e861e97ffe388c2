//! A code on the TV: one phone, once, within ten minutes.

use std::time::Duration;

use intercom_core::call::protocol::{ErrorCode, FromHome, FromPage};
use intercom_core::people::items::NewLink;
use intercom_core::people::keys::Key;
use intercom_core::people::register::{Person, Role};
use intercom_core::reach::Addresses;
use str0m_netem::NetemConfig;

use crate::terms::s;
use crate::world::World;

const NONCE: &str = "0123456789abcdef";

/// A page that shows `token`, and the number it has in the world.
fn pair(world: &mut World, token: &str, nonce: &str) -> usize {
    let page = world.viewer(NetemConfig::new().latency(Duration::from_millis(5)));
    world.open_socket(page);
    pair_again(world, page, token, nonce);
    page
}

fn pair_again(world: &mut World, page: usize, token: &str, nonce: &str) {
    let now = world.now;
    world.viewers[page].say(&FromPage::Pair { v: 1, token: token.into(), nonce: nonce.into() }, now);
    world.run(Duration::from_millis(100));
}

fn key(world: &World, page: usize) -> Option<String> {
    world.viewers[page].heard.iter().rev().find_map(|message| match message {
        FromHome::Paired { key } => Some(key.clone()),
        _ => None,
    })
}

fn wrong(world: &World, page: usize) -> bool {
    matches!(world.last_error(page), Some(FromHome::Error { code: ErrorCode::WrongKey, .. }))
}

fn token(world: &World) -> String {
    let link = &world.code.as_ref().expect("a code on the TV").link;
    link.strip_prefix("https://10.0.0.1:8443/#p=").expect(link).to_owned()
}

fn wanted(world: &mut World, name: Option<&str>) -> String {
    let links = world.home.handle_code_wanted(name.map(str::to_owned), Role::Family, world.now);
    world.run(Duration::ZERO);
    let token = token(world);
    assert!(links.best.expect("an address").ends_with(&token));
    token
}

#[test]
fn whoever_reads_the_code_gets_a_key_and_goes_in_with_it_by_name() {
    let mut world = World::new();
    let token = wanted(&mut world, Some("Anna"));
    let page = pair(&mut world, &token, NONCE);
    assert_eq!(key(&world, page), None, "not before it is stored");
    assert!(world.code.is_none(), "the TV offers it no more");
    world.mint(true);
    world.run(s(1));
    let key = key(&world, page).expect("a key");
    // On the same socket.
    let now = world.now;
    world.viewers[page].say(&FromPage::Hello { v: 1, key, resume: None, attempt: None }, now);
    world.run(s(1));
    assert!(world.viewers[page].heard.iter().any(|message| matches!(message, FromHome::Welcome { .. })));
    assert_eq!(world.listed[0].name.as_deref(), Some("Anna"));
}

#[test]
fn nobody_else_can_use_it_again_and_whoever_lost_the_answer_can() {
    let mut world = World::new();
    let token = wanted(&mut world, None);
    let page = pair(&mut world, &token, NONCE);
    let other = pair(&mut world, &token, "another nonce of a page");
    world.mint(true);
    world.run(s(3));
    assert!(wrong(&world, other) && key(&world, other).is_none());
    assert!(key(&world, page).is_some());
    let again = pair(&mut world, &token, NONCE);
    world.run(s(1));
    assert_eq!(key(&world, again), key(&world, page), "the same key");
    assert!(world.minting.is_empty(), "and no second one was made");
    let late = pair(&mut world, &token, "another nonce of a page");
    world.run(s(5));
    assert!(wrong(&world, late));
}

#[test]
fn a_key_at_home_shows_a_code_and_takes_it_away_also_while_somebody_visits() {
    let mut world = World::new();
    world.visit(NetemConfig::new().latency(Duration::from_millis(5)));
    world.run(s(3));
    assert!(world.code.is_none());
    let press = |world: &mut World| {
        world.home.handle_invite_pressed(world.now);
        world.run(s(1));
    };
    press(&mut world);
    let first = token(&world);
    // The visit goes on, and a second phone comes in.
    let page = pair(&mut world, &first, NONCE);
    world.mint(true);
    world.run(s(1));
    assert!(key(&world, page).is_some() && world.code.is_none());
    assert_eq!(world.listed.len(), 1, "the first visit");
    press(&mut world);
    let second = token(&world);
    assert_ne!(first, second);
    press(&mut world);
    assert!(world.code.is_none(), "pressed once more");
    let late = pair(&mut world, &second, "another nonce of a page");
    world.run(s(5));
    assert!(wrong(&world, late) && key(&world, late).is_none(), "a code that was taken away is void");
    // A finger that bounces is one press.
    for _ in 0..4 {
        world.home.handle_invite_pressed(world.now);
        world.run(Duration::from_millis(30));
    }
    assert!(world.code.is_some());
}

#[test]
fn the_code_of_a_home_that_nobody_could_enter_otherwise_is_not_taken_away() {
    let mut world = World::fresh();
    let asked = |world: &World| world.code.as_ref().map(|code| code.asked);
    assert_eq!(asked(&world), Some(false));
    // In a visit, too, only for as long as somebody wants it.
    for expected in [true, false, true] {
        world.home.handle_invite_pressed(world.now);
        world.run(s(1));
        assert_eq!(asked(&world), Some(expected));
    }
    world.run(s(600));
    assert_eq!(asked(&world), Some(false), "after ten minutes");
}

#[test]
fn a_socket_that_dies_while_the_key_is_stored_costs_nothing() {
    let mut world = World::new();
    let token = wanted(&mut world, None);
    let page = pair(&mut world, &token, NONCE);
    world.kill_socket(page);
    world.open_socket(page);
    pair_again(&mut world, page, &token, NONCE);
    assert_eq!(world.minting.len(), 1);
    world.mint(true);
    world.run(s(1));
    assert!(key(&world, page).is_some());
}

#[test]
fn a_key_for_one_code_never_goes_to_whoever_read_the_next() {
    for works in [true, false] {
        let mut world = World::new();
        let first = wanted(&mut world, Some("Anna"));
        let early = pair(&mut world, &first, NONCE);
        let second = wanted(&mut world, Some("Bert"));
        let late = pair(&mut world, &second, "another nonce of a page");
        world.mint(works);
        world.run(s(1));
        assert!(key(&world, early).is_none() && key(&world, late).is_none());
        assert!(world.viewers[early].closed_by_home.is_some() && world.viewers[late].closed_by_home.is_none());
        world.mint(true);
        world.run(s(1));
        assert!(key(&world, early).is_none());
        let key = key(&world, late).expect("the key of their own code");
        let now = world.now;
        world.viewers[late].say(&FromPage::Hello { v: 1, key, resume: None, attempt: None }, now);
        world.run(s(1));
        assert_eq!(world.listed[0].name.as_deref(), Some("Bert"));
    }
}

#[test]
fn a_disk_that_is_full_does_not_use_the_code_up() {
    let mut world = World::new();
    let token = wanted(&mut world, None);
    let page = pair(&mut world, &token, NONCE);
    world.mint(false);
    world.run(s(1));
    assert!(world.viewers[page].closed_by_home.is_some() && world.last_error(page).is_none(), "try again");
    assert!(world.code.is_some());
    world.open_socket(page);
    pair_again(&mut world, page, &token, NONCE);
    world.mint(true);
    world.run(s(1));
    assert!(key(&world, page).is_some());
}

#[test]
fn guessing_a_code_is_as_slow_as_guessing_a_key() {
    let mut world = World::new();
    let right = wanted(&mut world, None);
    let first = world.viewer(NetemConfig::new());
    for wait in [500, 1000, 2000] {
        let page = world.viewer(NetemConfig::new().latency(Duration::from_millis(5)));
        let same_home = world.viewers[first].address.ip();
        world.viewers[page].address.set_ip(same_home);
        world.open_socket(page);
        pair_again(&mut world, page, &format!("guess {wait}"), NONCE);
        world.run(Duration::from_millis(wait - 200));
        assert!(world.viewers[page].heard.is_empty());
        world.run(Duration::from_millis(300));
        assert!(wrong(&world, page));
    }
    for nonce in ["", "short", &"x".repeat(65)] {
        let page = pair(&mut world, &right, nonce);
        assert!(world.minting.is_empty() && key(&world, page).is_none());
    }
}

#[test]
fn it_is_over_after_ten_minutes_and_with_the_next_one() {
    let mut world = World::new();
    let first = wanted(&mut world, None);
    let second = wanted(&mut world, None);
    assert_ne!(first, second);
    let page = pair(&mut world, &first, NONCE);
    world.run(s(3));
    assert!(wrong(&world, page));
    world.run(s(590));
    assert!(world.code.is_some());
    world.run(s(8));
    assert!(world.code.is_none(), "the TV shows it no longer than it is good for");
    let page = pair(&mut world, &second, NONCE);
    world.run(s(5));
    assert!(wrong(&world, page) && world.minting.is_empty());
}

#[test]
fn a_home_without_any_key_offers_codes_until_it_has_one() {
    let mut world = World::fresh();
    let first = token(&world);
    world.run(s(601));
    let second = token(&world);
    assert_ne!(first, second);
    pair(&mut world, &second, NONCE);
    world.mint(true);
    world.run(s(1300));
    assert!(world.code.is_none());
}

/// A link for three devices, made now.
fn linked(world: &mut World) -> String {
    let token = Key::mint(|bytes| {
        bytes.fill(5);
        Ok::<_, ()>(())
    });
    let token = token.expect("a token");
    let until = world.unix() + s(7 * 86_400);
    let link =
        NewLink { person: Person::new(500, Some("Anna".into()), Role::Family), hash: token.hash(), until, devices: 3 };
    world.home.handle_invited(link, world.now);
    token.to_text()
}

#[test]
fn a_link_lets_three_devices_in_each_with_a_key_of_its_own_and_no_fourth() {
    let mut world = World::new();
    let token = linked(&mut world);
    let mut keys = Vec::new();
    for n in 0..3 {
        let nonce = format!("{NONCE}{n}");
        let page = pair(&mut world, &token, &nonce);
        world.mint(true);
        world.run(s(1));
        // A page that lost the answer hears the same, and that costs no device.
        let again = pair(&mut world, &token, &nonce);
        world.run(s(1));
        assert_eq!(key(&world, page), key(&world, again));
        keys.push(key(&world, page).expect("a key"));
    }
    keys.dedup();
    assert_eq!(keys.len(), 3);
    assert!(world.minting.is_empty());
    let fourth = pair(&mut world, &token, NONCE);
    world.run(s(5));
    assert!(wrong(&world, fourth) && world.minting.is_empty());
}

#[test]
fn a_link_is_over_a_day_after_its_first_opening_and_a_week_after_it_was_made() {
    for (opened, late, good) in
        [(true, 86_000, true), (true, 90_000, false), (false, 600_000, true), (false, 700_000, false)]
    {
        let mut world = World::new();
        let token = linked(&mut world);
        if opened {
            pair(&mut world, &token, NONCE);
            world.mint(true);
        }
        world.run(s(late));
        let page = pair(&mut world, &token, "another nonce of a page");
        assert_eq!(world.minting.len(), usize::from(good), "{opened} {late}");
        world.run(s(5));
        assert_eq!(wrong(&world, page), !good, "{opened} {late}");
    }
}

#[test]
fn two_pages_at_once_with_the_last_use_of_a_link_get_one_key() {
    let mut world = World::new();
    let token = linked(&mut world);
    for n in 0..2 {
        pair(&mut world, &token, &format!("{NONCE}{n}"));
        world.mint(true);
    }
    let (first, second) = (pair(&mut world, &token, NONCE), pair(&mut world, &token, "another nonce of a page"));
    world.mint(true);
    // The disk knows that it is used up.
    world.mint(false);
    world.run(s(1));
    assert!(key(&world, first).is_some() && key(&world, second).is_none());
    assert!(world.viewers[second].closed_by_home.is_some() && world.last_error(second).is_none(), "it may ask again");
    world.open_socket(second);
    pair_again(&mut world, second, &token, "another nonce of a page");
    world.run(s(5));
    assert!(wrong(&world, second));
}

#[test]
fn the_code_follows_the_addresses() {
    let mut world = World::fresh();
    let before = token(&world);
    let local = vec!["192.0.2.9".parse().unwrap()];
    world.home.handle_addresses(Addresses { best: Some(local[0]), local, public: None }, world.now);
    world.run(Duration::ZERO);
    assert_eq!(world.code.as_ref().unwrap().link, format!("https://192.0.2.9:8443/#p={before}"));
    world.home.handle_addresses(Addresses::default(), world.now);
    world.run(Duration::ZERO);
    assert!(world.code.is_none(), "nobody could follow it");
}

#[test]
fn the_code_that_waits_for_a_first_phone_is_void_once_somebody_came_by_a_link() {
    let mut world = World::fresh();
    let waiting = token(&world);
    let until = world.unix() + s(3600);
    let link = NewLink {
        person: Person::new(500, Some("Anna".into()), Role::Family),
        hash: Key::parse(&crate::keys::key(500)).expect("a token").hash(),
        until,
        devices: 3,
    };
    world.home.handle_invited(link, world.now);
    let page = pair(&mut world, &crate::keys::key(500), NONCE);
    world.mint(true);
    world.run(s(1));
    assert!(key(&world, page).is_some() && world.code.is_none());
    let late = pair(&mut world, &waiting, "another nonce of a page");
    world.run(s(5));
    assert!(wrong(&world, late), "it would have made an owner");
}
