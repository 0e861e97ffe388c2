//! Home calls: open pages ring, whoever comes or answers ends it, and who was not there hears of it later.

use std::time::Duration;

use intercom_core::call::home::CALL_LIFE;
use intercom_core::call::items::NewsKind;
use intercom_core::call::protocol::{Entry, FromHome, FromPage};
use intercom_core::people::visits::Outcome;

use crate::feels::leave;
use crate::keys::{GUEST, OWNER};
use crate::terms::{ms, ordinary, s};
use crate::world::World;

fn rings(world: &World, viewer: usize) -> Option<bool> {
    world.viewers[viewer].heard.iter().rev().find_map(|message| match message {
        FromHome::Call { .. } => Some(true),
        FromHome::CallOver {} => Some(false),
        _ => None,
    })
}

fn missed(world: &World, viewer: usize) -> Option<u64> {
    world.viewers[viewer].heard.iter().find_map(|message| match message {
        FromHome::MissedCall { at } => Some(*at),
        _ => None,
    })
}

fn news(world: &World) -> Option<(NewsKind, Option<String>)> {
    world.door.news.as_ref().map(|news| (news.what, news.name.as_deref().map(str::to_owned)))
}

#[test]
fn open_pages_ring_within_half_a_second_and_one_answer_ends_it_for_all() {
    let mut world = World::new();
    let pages = [OWNER, 7, 8].map(|key| world.visit_as(key, ordinary()));
    world.run(s(3));
    world.home.handle_call_pressed(world.now);
    world.run(ms(500));
    assert!(pages.iter().all(|page| rings(&world, *page) == Some(true)));
    assert_eq!((news(&world), world.calls.len()), (Some((NewsKind::Calling, None)), 1));
    // A page whose socket died rings on.
    world.viewers[pages[1]].heard.clear();
    world.reconnect(pages[1]);
    world.run(ms(500));
    assert_eq!(rings(&world, pages[1]), Some(true));
    let now = world.now;
    world.viewers[pages[0]].say(&FromPage::Answer {}, now);
    world.run(ms(500));
    assert!(pages.iter().all(|page| rings(&world, *page) == Some(false)));
    assert_eq!(news(&world), Some((NewsKind::Answered, Some("Olga".into()))));
    world.run(CALL_LIFE * 2);
    assert!(!world.log.newest().any(|entry| entry.outcome == Outcome::Called), "it was answered");
}

#[test]
fn who_is_called_by_name_comes_in_without_a_knock_and_nobody_else_rings() {
    let mut world = World::new();
    let other = world.visit_as(7, ordinary());
    world.run(s(3));
    assert_eq!(world.home.handle_call(Some(GUEST), world.now), Ok(0));
    assert!(world.home.handle_call(Some(9999), world.now).is_err());
    world.run(s(10));
    assert_eq!(rings(&world, other), None);
    let call = &world.calls[0];
    assert_eq!((call.person, call.name.as_deref(), &*call.home), (Some(GUEST), Some("Gregor"), "Home"));
    let guest = world.visit_as(GUEST, ordinary());
    world.run(s(2));
    let inside = |m: &FromHome| matches!(m, FromHome::Welcome { entry: Entry::Inside, .. });
    assert!(world.viewers[guest].heard.iter().any(inside));
    assert_eq!(news(&world), Some((NewsKind::Answered, Some("Gregor".into()))));
    world.run(CALL_LIFE);
    assert_eq!(missed(&world, guest), None);
}

#[test]
fn a_call_that_nobody_answers_is_told_later_and_once() {
    let mut world = World::new();
    world.home.handle_call_pressed(world.now);
    let called = world.unix().as_secs();
    world.run(CALL_LIFE + s(1));
    assert_eq!(news(&world), Some((NewsKind::NotAnswered, None)));
    world.run(s(3600));
    let family = world.visit_as(7, ordinary());
    world.run(s(3));
    let at = missed(&world, family).expect("it is told");
    assert!((called..=called + 60).contains(&at), "{at} {called}");
    leave(&mut world, family);
    world.run(s(600));
    let again = world.visit_as(7, ordinary());
    let other = world.visit_as(8, ordinary());
    world.run(s(3));
    assert_eq!(missed(&world, again), None, "once");
    assert_eq!(missed(&world, other), Some(at), "and to each who was not there");
    world.home.handle_wall_clock(world.unix() + Duration::from_secs(8 * 86_400), world.now);
    let late = world.visit_as(9, ordinary());
    world.run(s(3));
    assert_eq!(missed(&world, late), None, "not for ever");
}

#[test]
fn a_second_press_takes_the_call_back_and_the_world_is_told_seldom() {
    let mut world = World::new();
    let page = world.visit_as(7, ordinary());
    world.run(s(3));
    for expected in [Some(true), Some(false)] {
        for _ in 0..4 {
            world.home.handle_call_pressed(world.now);
            world.run(ms(30));
        }
        world.run(s(1));
        assert_eq!(rings(&world, page), expected);
    }
    assert_eq!(news(&world), None);
    for _ in 0..40 {
        world.home.handle_call_pressed(world.now);
        world.run(s(1));
    }
    assert!(world.calls.len() <= 6, "{}", world.calls.len());
}
