//! The door where somebody did not hear what was said, pressed late, or came twice.

use intercom_core::call::protocol::{ByeReason, Entry, FromPage};

use crate::door::{bye, entry, say};
use crate::feels::leave;
use crate::keys::{self, GUEST, PREVIEWED, SECOND_GUEST};
use crate::terms::{ms, ordinary, s};
use crate::world::World;

#[test]
fn who_was_sent_away_and_missed_the_goodbye_does_not_come_back_by_itself() {
    let mut world = World::new();
    let family = world.visit_as(7, ordinary());
    world.run(s(3));
    // The phone changes its network; home ends the visit meanwhile.
    world.kill_socket(family);
    world.run(s(2));
    world.home.handle_decline_pressed(world.now);
    world.run(s(2));
    world.open_socket(family);
    let now = world.now;
    world.viewers[family].say_hello_again(now);
    world.run(s(2));
    assert_eq!(bye(&world, family), Some((ByeReason::Ended, None)));
    assert!(world.listed.is_empty() && world.viewers[family].closed_by_home.is_some());
    // Who opens the page anew means it.
    let again = world.visit_as(7, ordinary());
    world.run(s(3));
    assert_eq!(entry(&world, again), Some(Entry::Inside));
}

#[test]
fn a_preview_lasts_from_its_first_picture_however_late_its_media_come() {
    let mut world = World::new();
    let viewer = world.viewer(ordinary());
    world.viewers[viewer].key = keys::key(PREVIEWED);
    world.open_socket(viewer);
    let now = world.now;
    world.viewers[viewer].say(&FromPage::Hello { v: 1, key: keys::key(PREVIEWED), resume: None, attempt: None }, now);
    world.run(s(15));
    assert!(matches!(entry(&world, viewer), Some(Entry::Preview { .. })), "nobody at home has heard of it yet");
    assert!(world.listed.is_empty() && world.chimes.is_empty());
    let late = world.visit_as(PREVIEWED, ordinary());
    world.run(s(5));
    let left = entry(&world, late);
    assert!(matches!(left, Some(Entry::Preview { left_ms }) if left_ms <= 10_000), "{left:?}");
    assert!(world.chimes.len() == 1 && world.listed.is_empty());
    world.run(s(10));
    assert_eq!(entry(&world, late), Some(Entry::Inside));
}

#[test]
fn a_press_that_comes_a_moment_late_means_nobody_else() {
    let mut world = World::new();
    let family = world.visit_as(7, ordinary());
    let first = world.visit_as(GUEST, ordinary());
    world.run(s(2));
    let second = world.visit_as(SECOND_GUEST, ordinary());
    world.run(s(3));
    leave(&mut world, first);
    world.run(ms(500));
    world.home.handle_let_in_pressed(world.now);
    world.home.handle_invite_pressed(world.now);
    world.run(ms(500));
    assert!(matches!(entry(&world, second), Some(Entry::Knock { .. })), "the press was for the first");
    world.run(s(2));
    leave(&mut world, second);
    world.run(ms(500));
    world.home.handle_decline_pressed(world.now);
    world.run(s(1));
    assert!(bye(&world, family).is_none() && world.listed.len() == 1, "and not for everybody");
    world.run(s(2));
    world.home.handle_decline_pressed(world.now);
    world.run(s(1));
    assert_eq!(bye(&world, family).map(|bye| bye.0), Some(ByeReason::Ended));
}

#[test]
fn who_waits_at_the_door_holds_no_seat_against_who_may_enter_and_orders_no_keyframes() {
    let mut world = World::with_max(4);
    let family = world.visit_as(7, ordinary());
    world.run(s(3));
    for key in [GUEST, SECOND_GUEST, GUEST] {
        world.visit_as(key, ordinary());
        world.run(s(1));
    }
    let keyframes = world.encoders[0].keyframes;
    for guest in 1..4 {
        for _ in 0..5 {
            say(&mut world, guest, &FromPage::Keyframe { pc: 1 });
        }
    }
    world.run(s(3));
    assert_eq!(world.encoders[0].keyframes, keyframes, "the others pay for none");
    let other = world.visit_as(8, ordinary());
    world.run(s(3));
    assert_eq!(entry(&world, other), Some(Entry::Inside));
    assert_eq!((world.door.knocks.len(), bye(&world, 1).map(|bye| bye.0)), (2, Some(ByeReason::Replaced)));
    assert!(bye(&world, family).is_none());
}

#[test]
fn two_devices_of_one_person_are_one_visit_in_the_log() {
    let mut world = World::new();
    let [phone, tablet] = [(); 2].map(|()| world.visit_as(7, ordinary()));
    world.run(s(10));
    leave(&mut world, tablet);
    world.run(s(10));
    assert_eq!(world.home.visits(10).iter().filter(|entry| entry.here).count(), 1);
    leave(&mut world, phone);
    world.run(s(5));
    let told: Vec<_> = world.log.newest().map(|entry| (entry.person, entry.ended.is_some())).collect();
    assert_eq!(told, [(7, true)]);
}
