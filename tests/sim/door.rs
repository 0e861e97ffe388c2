//! The door: each way of entering, who answers, quiet hours, the curtain.

use std::time::Duration;

use intercom_core::call::chimes::Chime;
use intercom_core::call::home::{BACK_WITHIN, Curtain, KNOCK_LIFE, PREVIEW_LIFE};
use intercom_core::call::items::NewsKind;
use intercom_core::call::protocol::{ByeReason, Entry, ErrorCode, FromHome, FromPage, RungName};
use intercom_core::people::register::Role;
use intercom_core::people::visits::Outcome::{Declined, Missed, Resting, Visited};
use intercom_core::tv::local_time::Zone;

use crate::feels::leave;
use crate::keys::{GUEST, OWNER, PREVIEWED, SECOND_GUEST};
use crate::terms::{ms, ordinary, s};
use crate::world::World;

/// How the visit stands, as its page was told last.
pub fn entry(world: &World, viewer: usize) -> Option<Entry> {
    world.viewers[viewer].heard.iter().rev().find_map(|message| match message {
        FromHome::Welcome { entry, .. } | FromHome::Entry { entry } => Some(*entry),
        _ => None,
    })
}

pub fn bye(world: &World, viewer: usize) -> Option<(ByeReason, Option<u64>)> {
    world.viewers[viewer].heard.iter().rev().find_map(|message| match message {
        FromHome::Bye { reason, until } => Some((*reason, *until)),
        _ => None,
    })
}

fn rings(world: &World) -> usize {
    world.chimes.iter().filter(|(_, chime)| *chime == Chime::Knock).count()
}

/// Pictures and packets of sound that a viewer got, and what home heard and saw of them.
fn traffic(world: &World, viewer: usize) -> (usize, u64, u64, u64) {
    let viewer = &world.viewers[viewer];
    (viewer.shown.len(), viewer.sound, world.heard.values().sum(), world.seen.values().sum())
}

/// A viewer who talks from the first moment on.
fn speaking(world: &mut World, key: u64) -> usize {
    let viewer = world.visit_as(key, ordinary());
    let now = world.now;
    world.viewers[viewer].speak(now);
    viewer
}

pub fn say(world: &mut World, viewer: usize, message: &FromPage) {
    let now = world.now;
    world.viewers[viewer].say(message, now);
    world.run(ms(100));
}

#[test]
fn a_guest_sees_and_hears_nothing_and_is_neither_seen_nor_heard_until_somebody_lets_them_in() {
    let mut world = World::new();
    let guest = speaking(&mut world, GUEST);
    world.run(s(10));
    assert!(matches!(entry(&world, guest), Some(Entry::Knock { .. })));
    assert_eq!(traffic(&world, guest), (0, 0, 0, 0));
    assert!(world.listed.is_empty() && !world.present, "camera and microphone rest");
    let knock = &world.door.knocks[0];
    assert_eq!((knock.name.as_deref(), knock.preview), (Some("Gregor"), false));
    assert!(rings(&world) == 1 && world.chimes.len() == 1);
    let let_in = world.now;
    world.home.handle_let_in_pressed(let_in);
    assert!(world.run_until(s(2), |world| world.viewers[guest].shown.len() > 5 && world.viewers[guest].sound > 5));
    assert!(world.viewers[guest].shown[0].at - let_in < ms(400), "everything was there");
    assert_eq!(entry(&world, guest), Some(Entry::Inside));
    assert!(world.door.knocks.is_empty() && world.listed.len() == 1);
    world.run(s(2));
    assert!(world.heard.values().sum::<u64>() > 20, "and home hears them");
    assert_eq!(world.chimes.len(), 1, "who knocked is not announced again");
}

#[test]
fn a_knock_is_declined_or_passes_and_home_rings_again_in_between() {
    let mut world = World::new();
    let guest = world.visit_as(GUEST, ordinary());
    world.run(s(3));
    world.home.handle_decline_pressed(world.now);
    world.run(s(1));
    assert_eq!(bye(&world, guest), Some((ByeReason::Declined, None)));
    assert!(world.door.knocks.is_empty() && world.viewers[guest].closed_by_home.is_some());
    let again = world.visit_as(GUEST, ordinary());
    world.run(KNOCK_LIFE - s(1));
    assert_eq!((bye(&world, again), rings(&world)), (None, 5), "one for the first, four for this one");
    world.run(s(2));
    assert_eq!(bye(&world, again), Some((ByeReason::NoAnswer, None)));
    let news = world.door.news.as_ref().map(|news| (news.what, news.name.as_deref()));
    assert_eq!(news, Some((NewsKind::Missed, Some("Gregor"))));
    assert_eq!(traffic(&world, again), (0, 0, 0, 0));
}

#[test]
fn who_knocks_again_and_again_does_not_ring_all_day() {
    let mut world = World::new();
    for _ in 0..20 {
        let guest = world.visit_as(GUEST, ordinary());
        world.run(s(3));
        leave(&mut world, guest);
        world.run(s(1));
    }
    assert_eq!(rings(&world), 3);
    let other = world.visit_as(SECOND_GUEST, ordinary());
    world.run(s(3));
    assert_eq!(rings(&world), 4, "another one is heard");
    assert!(entry(&world, other).is_some());
}

#[test]
fn a_preview_is_frosted_and_silent_for_ten_seconds_and_then_clear() {
    let mut world = World::new();
    let viewer = speaking(&mut world, PREVIEWED);
    assert!(world.run_until(s(3), |world| world.viewers[viewer].shown.len() > 5));
    assert!(
        world.encoders[3].bitrate.is_some()
            && world.encoders[0].bitrate.is_none()
            && world.encoders[1].bitrate.is_none()
            && world.encoders[2].bitrate.is_none()
    );
    let (.., heard, seen) = traffic(&world, viewer);
    assert_eq!((world.viewers[viewer].sound, heard, seen), (0, 0, 0));
    assert_eq!(world.chimes.iter().map(|(_, chime)| *chime).collect::<Vec<_>>(), [Chime::Arrive]);
    assert!(world.door.knocks[0].preview && world.listed.is_empty());
    let full = world.encoders[0].frames;
    assert_eq!(full, 0, "nothing clear was ever encoded");
    world.run(PREVIEW_LIFE);
    assert_eq!(entry(&world, viewer), Some(Entry::Inside));
    world.run(s(2));
    assert!(world.encoders[3].bitrate.is_none(), "it rests while nobody needs it");
    assert!(world.encoders[0].bitrate.is_some() && world.viewers[viewer].sound > 20 && world.listed.len() == 1);
    let frosted_ends = world.encoders[3].frames;
    world.run(s(5));
    assert_eq!(world.encoders[3].frames, frosted_ends);
    assert!(world.viewers[viewer].broken == 0 && world.heard.values().sum::<u64>() > 20);
}

#[test]
fn a_preview_is_declined_or_let_in_early() {
    let mut world = World::new();
    let viewer = world.visit_as(PREVIEWED, ordinary());
    world.run(s(4));
    world.home.handle_decline_pressed(world.now);
    world.run(s(1));
    assert_eq!(bye(&world, viewer).map(|bye| bye.0), Some(ByeReason::Declined));
    assert!(world.encoders.iter().all(|encoder| encoder.bitrate.is_none()) && world.encoders[0].frames == 0);
    let again = world.visit_as(PREVIEWED, ordinary());
    world.run(s(2));
    assert!(
        matches!(entry(&world, again), Some(Entry::Preview { .. })),
        "who was declined is not let in the next time"
    );
    world.home.handle_invite_pressed(world.now);
    world.run(ms(200));
    assert_eq!(entry(&world, again), Some(Entry::Inside));
    assert!(world.code.is_none(), "Enter means who stands before the door");
    world.home.handle_invite_held(world.now);
    world.run(ms(200));
    assert!(world.code.is_none(), "however long it is held");
    world.run(s(2));
    world.home.handle_invite_pressed(world.now);
    world.run(s(5));
    world.home.handle_invite_held(world.now);
    world.run(ms(200));
    assert_eq!(world.code.as_ref().map(|code| code.role), Some(Role::Owner));
}

#[test]
fn a_page_that_was_inside_is_back_at_once_and_one_that_was_sent_away_is_not() {
    let mut world = World::new();
    let guest = world.visit_as(GUEST, ordinary());
    world.run(s(2));
    world.home.handle_let_in_pressed(world.now);
    world.run(s(2));
    leave(&mut world, guest);
    world.run(BACK_WITHIN - s(2));
    let again = world.visit_as(GUEST, ordinary());
    world.run(s(1));
    assert_eq!(entry(&world, again), Some(Entry::Inside));
    let tablet = world.visit_as(GUEST, ordinary());
    world.run(s(1));
    assert_eq!(entry(&world, tablet), Some(Entry::Inside), "and so is another device of who is inside");
    world.home.handle_decline_pressed(world.now);
    world.run(s(1));
    assert_eq!(bye(&world, again).map(|bye| bye.0), Some(ByeReason::Ended));
    assert_eq!(bye(&world, tablet).map(|bye| bye.0), Some(ByeReason::Ended));
    let later = world.visit_as(GUEST, ordinary());
    world.run(s(1));
    assert!(matches!(entry(&world, later), Some(Entry::Knock { .. })));
    leave(&mut world, later);
    world.run(s(300));
    let much_later = world.visit_as(GUEST, ordinary());
    world.run(s(1));
    assert!(matches!(entry(&world, much_later), Some(Entry::Knock { .. })));
}

#[test]
fn a_knock_outlives_its_socket_and_is_over_when_its_page_says_so() {
    let mut world = World::new();
    let guest = world.visit_as(GUEST, ordinary());
    world.run(s(5));
    world.reconnect(guest);
    world.run(s(1));
    assert!(matches!(entry(&world, guest), Some(Entry::Knock { left_ms }) if (53_000..=55_000).contains(&left_ms)));
    assert_eq!((world.door.knocks.len(), rings(&world)), (1, 1), "the same knock");
    leave(&mut world, guest);
    world.run(s(1));
    assert!(world.door.knocks.is_empty());
    world.home.handle_let_in_pressed(world.now);
    world.run(s(1));
    assert!(world.listed.is_empty(), "nobody is there to be let in");
}

#[test]
fn an_owner_who_is_inside_may_answer_and_nobody_else() {
    let mut world = World::new();
    let owner = world.visit_as(OWNER, ordinary());
    let family = world.visit_as(7, ordinary());
    world.run(s(3));
    let guest = world.visit_as(GUEST, ordinary());
    world.run(s(3));
    let told = |world: &World, viewer: usize| {
        world.viewers[viewer].heard.iter().rev().find_map(|message| match message {
            FromHome::Door { knocks } => Some(knocks.clone()),
            _ => None,
        })
    };
    let knock = told(&world, owner).expect("told")[0].clone();
    assert_eq!(knock.name.as_deref(), Some("Gregor"));
    assert_eq!((told(&world, family), told(&world, guest)), (None, None));
    for other in [family, guest] {
        say(&mut world, other, &FromPage::LetIn { visit: knock.visit });
        let refused = world.last_error(other);
        assert!(matches!(refused, Some(FromHome::Error { code: ErrorCode::NotAllowed, fatal: false, .. })));
    }
    assert!(matches!(entry(&world, guest), Some(Entry::Knock { .. })));
    say(&mut world, owner, &FromPage::LetIn { visit: knock.visit });
    assert_eq!(entry(&world, guest), Some(Entry::Inside));
    assert_eq!(told(&world, owner), Some(Vec::new()), "and the page hears that it is over");
    // Somebody who is inside is not declined by a late message.
    say(&mut world, owner, &FromPage::Decline { visit: knock.visit });
    assert_eq!(bye(&world, guest), None);
}

/// Home in UTC; the world begins at 14:13:20 of a Monday.
fn rest(world: &mut World, owner: usize, hours: &str) {
    say(world, owner, &FromPage::QuietHours { hours: Some(hours.into()) });
    assert_eq!(world.house.quiet_hours.map(|hours| hours.to_string()).as_deref(), Some(hours));
}

#[test]
fn in_quiet_hours_owners_come_in_family_knocks_in_silence_and_guests_hear_when_they_end() {
    let mut world = World::new();
    let owner = world.visit_as(OWNER, ordinary());
    world.run(s(2));
    let before = world.visit_as(8, ordinary());
    world.run(s(2));
    rest(&mut world, owner, "14:00-16:00");
    assert!(world.door.resting);
    world.run(s(2));
    assert_eq!(bye(&world, before), None, "quiet hours that begin end no visit");
    let said = |m: &FromHome| matches!(m, FromHome::QuietHours { until: Some(_) });
    assert!(world.viewers[before].heard.iter().any(said), "but are said in it");
    let chimes = world.chimes.len();
    let family = world.visit_as(9, ordinary());
    let guest = world.visit_as(GUEST, ordinary());
    world.run(s(20));
    assert!(matches!(entry(&world, family), Some(Entry::Knock { .. })));
    assert_eq!(world.chimes.len(), chimes, "nobody is woken");
    let end = (world.unix().as_secs() / 86_400) * 86_400 + 16 * 3600;
    assert_eq!(bye(&world, guest), Some((ByeReason::Resting, Some(end))));
    assert!(entry(&world, guest).is_none() && world.viewers[guest].closed_by_home.is_some());
    // Later they end by the clock alone, and a clock that jumps counts as well.
    world.home.handle_wall_clock(Duration::from_secs(end), world.now);
    let late = world.visit_as(GUEST, ordinary());
    world.run(s(1));
    assert!(!world.door.resting && matches!(entry(&world, late), Some(Entry::Knock { .. })));
    // Another zone: there it is two hours later, or earlier.
    let berlin = world_zone(2 * 3600);
    world.home.handle_wall_clock(Duration::from_secs(end - 7 * 3600 / 2), world.now);
    world.home.handle_zone(berlin, world.now);
    world.run(ms(10));
    assert!(world.door.resting, "12:30 UTC is 14:30 there");
    say(&mut world, owner, &FromPage::QuietHours { hours: None });
    assert!(!world.door.resting && world.house.quiet_hours.is_none());
}

/// A zone file (RFC 9636) with one offset.
fn world_zone(offset: i32) -> Zone {
    let mut bytes = b"TZif2".to_vec();
    bytes.extend([0; 15]);
    let head = bytes.clone();
    let block = |bytes: &mut Vec<u8>| {
        for count in [0u32, 0, 0, 0, 1, 4] {
            bytes.extend(count.to_be_bytes());
        }
        bytes.extend(offset.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(b"LOC\0");
    };
    block(&mut bytes);
    bytes.extend(head);
    block(&mut bytes);
    bytes.extend(format!("\n<LOC>{}\n", -offset / 3600).as_bytes());
    Zone::of_file(&bytes)
}

#[test]
fn the_curtain_stops_homes_picture_and_sound_for_all_and_nothing_of_theirs() {
    let mut world = World::new();
    let a = speaking(&mut world, 1);
    let b = speaking(&mut world, 2);
    world.run(s(5));
    assert!(world.home.handle_curtain(Curtain::Toggle, world.now));
    world.run(s(1));
    assert!(world.curtain && world.door.curtain && world.encoders.iter().all(|encoder| encoder.bitrate.is_none()));
    let before: Vec<_> = [a, b].map(|viewer| traffic(&world, viewer)).into();
    world.run(s(10));
    for (viewer, before) in [a, b].into_iter().zip(before) {
        let after = traffic(&world, viewer);
        assert_eq!((after.0, after.1), (before.0, before.1), "no picture and no sound");
        assert!(after.2 > before.2 + 100, "they are heard");
        let told = world.viewers[viewer].heard.contains(&FromHome::Curtain { drawn: true });
        assert!(told && bye(&world, viewer).is_none());
    }
    let late = world.visit(ordinary());
    world.run(s(5));
    assert_eq!((world.viewers[late].shown.len(), world.viewers[late].sound), (0, 0));
    let welcomed = world.viewers[late].heard.iter().any(|m| matches!(m, FromHome::Welcome { curtain: true, .. }));
    assert!(welcomed && world.listed.iter().all(|viewer| viewer.connected), "and home sees who is there");
    let opened = world.now;
    assert!(!world.home.handle_curtain(Curtain::Open, opened));
    world.run(s(1));
    for viewer in [a, b, late] {
        let first = world.viewers[viewer].shown.iter().find(|shown| shown.at >= opened).expect("the picture is back");
        assert!(first.keyframe && first.at - opened < ms(400), "{:?}", first.at - opened);
    }
}

#[test]
fn behind_the_curtain_viewers_do_not_hear_each_other_and_before_it_again() {
    let mut world = World::new();
    let both = [1, 2].map(|key| speaking(&mut world, key));
    world.run(s(5));
    assert_eq!(world.mix_minus.len(), 2, "they hear each other");
    world.home.handle_curtain(Curtain::Draw, world.now);
    world.run(s(1));
    assert!(world.mix_minus.is_empty(), "nothing of theirs is mixed for anybody");
    let all = [both[0], both[1], speaking(&mut world, 3)];
    world.run(s(5));
    assert!(world.mix_minus.is_empty(), "nor of who comes meanwhile");
    let before = all.map(|viewer| traffic(&world, viewer));
    world.run(s(5));
    for (viewer, before) in all.into_iter().zip(before) {
        let after = traffic(&world, viewer);
        assert_eq!(after.1, before.1, "no sound, of home or of another one");
        assert!(after.2 > before.2 + 600, "home hears all three");
    }
    world.home.handle_curtain(Curtain::Open, world.now);
    world.run(s(5));
    assert_eq!(world.mix_minus.len(), 3);
    assert!(all.into_iter().zip(before).all(|(viewer, before)| traffic(&world, viewer).1 > before.1 + 200));
}

#[test]
fn a_finger_that_bounces_is_one_press_and_a_curtain_drawn_twice_is_drawn() {
    let mut world = World::new();
    for _ in 0..4 {
        world.home.handle_curtain(Curtain::Toggle, world.now);
        world.run(ms(20));
    }
    assert!(world.curtain);
    assert!(world.home.handle_curtain(Curtain::Draw, world.now));
    let guests = [GUEST, SECOND_GUEST].map(|key| world.visit_as(key, ordinary()));
    world.run(s(2));
    for _ in 0..4 {
        world.home.handle_let_in_pressed(world.now);
        world.run(ms(20));
    }
    world.run(s(1));
    assert_eq!(entry(&world, guests[0]), Some(Entry::Inside));
    assert!(matches!(entry(&world, guests[1]), Some(Entry::Knock { .. })), "one press, one guest");
}

#[test]
fn nobody_sees_the_frosted_picture_but_in_a_preview() {
    let mut world = World::new();
    let viewer = world.visit(ordinary());
    world.visit_as(PREVIEWED, ordinary());
    world.run(s(20));
    let stream = |rung| world.viewers[viewer].heard.contains(&FromHome::Stream { rung });
    assert!(!stream(RungName::Frosted) && world.viewers[viewer].broken == 0);
    assert!(world.encoders[3].frames > 20);
}

#[test]
fn the_visit_log_says_who_came_how_long_and_who_did_not_come_in() {
    let mut world = World::new();
    let owner = world.visit_as(OWNER, ordinary());
    world.run(s(60));
    let guest = world.visit_as(GUEST, ordinary());
    world.run(s(3));
    world.home.handle_decline_pressed(world.now);
    world.run(s(10));
    let other = world.visit_as(SECOND_GUEST, ordinary());
    world.run(s(3));
    leave(&mut world, other);
    world.run(s(10));
    rest(&mut world, owner, "14:00-16:00");
    for _ in 0..5 {
        world.visit_as(GUEST, ordinary());
        world.run(s(2));
    }
    leave(&mut world, owner);
    world.run(s(5));
    let told: Vec<_> = world.log.newest().map(|entry| (entry.person, entry.outcome, entry.ended.is_some())).collect();
    let expected =
        [(GUEST, Resting, true), (SECOND_GUEST, Missed, true), (GUEST, Declined, true), (OWNER, Visited, true)];
    assert_eq!(told, expected, "who is refused five times is one entry");
    let owners = world.log.newest().last().expect("an entry").clone();
    assert_eq!(owners.name.as_deref(), Some("Olga"));
    let length = owners.ended.expect("it is over") - owners.began;
    assert!((s(85)..s(110)).contains(&length), "{length:?}");
    assert!(bye(&world, guest).is_some());
    // An owner reads and erases it, and nobody else; who is here stays in it.
    let owner = world.visit_as(OWNER, ordinary());
    let family = world.visit_as(7, ordinary());
    world.run(s(2));
    say(&mut world, family, &FromPage::Visits {});
    assert!(matches!(world.last_error(family), Some(FromHome::Error { code: ErrorCode::NotAllowed, .. })));
    let read = |world: &World| {
        world.viewers[owner].heard.iter().rev().find_map(|message| match message {
            FromHome::Visits { visits } => Some(visits.iter().map(|v| (v.person, v.here)).collect::<Vec<_>>()),
            _ => None,
        })
    };
    say(&mut world, owner, &FromPage::Visits {});
    let all = read(&world).expect("the log");
    assert!(all.len() == 4 && all.contains(&(OWNER, true)), "back within two minutes: {all:?}");
    say(&mut world, owner, &FromPage::EraseVisits {});
    assert_eq!(read(&world), Some(vec![(OWNER, true)]));
    assert_eq!(world.log.newest().count(), 1);
}
