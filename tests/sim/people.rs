//! An owner's page: people, links, roles, and what the last owner may not do.

use std::time::Duration;

use intercom_core::call::items::For;
use intercom_core::call::protocol::{ByeReason, Entry, ErrorCode, FromHome, FromPage, NotDone, PersonInfo, PersonWish};
use intercom_core::people::edit::{Edit, Setting};
use intercom_core::people::entering::Entering;
use intercom_core::people::items::{Change, InviteId, NewLink};
use intercom_core::people::keys::Key;
use intercom_core::people::register::{Person, Role, Wish};

use crate::keys::{self, GUEST, OWNER, SECOND_OWNER};
use crate::terms::{ms, ordinary, s, say};
use crate::world::World;

/// An owner who sees the list of people.
fn owner(world: &mut World) -> usize {
    let owner = world.visit_as(OWNER, ordinary());
    world.run(s(2));
    say(world, owner, &FromPage::People {});
    owner
}

fn list(world: &World, viewer: usize) -> Vec<PersonInfo> {
    let lists = world.viewers[viewer].heard.iter().rev();
    let mut lists = lists.filter_map(|message| match message {
        FromHome::People { people, .. } => Some(people.clone()),
        _ => None,
    });
    lists.next().expect("a list of people")
}

fn info(world: &World, viewer: usize, number: u64) -> Option<PersonInfo> {
    list(world, viewer).into_iter().find(|person| person.number == number)
}

fn not_done(world: &World, viewer: usize) -> Option<NotDone> {
    world.viewers[viewer].heard.iter().rev().find_map(|message| match message {
        FromHome::NotDone { why, .. } => Some(*why),
        _ => None,
    })
}

fn wish(number: u64, role: Role) -> PersonWish {
    PersonWish { person: number, name: None, role, entering: None, in_quiet_hours: None, quiet_hours: None }
}

fn token(number: u8) -> Key {
    Key::mint(|bytes| {
        bytes.fill(number);
        Ok::<_, ()>(())
    })
    .unwrap()
}

/// The disk makes the link that was asked for; its number and token.
fn made(world: &mut World, number: u64) -> String {
    let (invite, wish) = world.inviting.pop_front().expect("a link was asked for");
    let token = token(number as u8);
    let person = Person::new(wish.person.unwrap_or(number), wish.name, wish.role);
    let until = world.unix() + Duration::from_secs(wish.days * 86_400);
    let link = NewLink { person, hash: token.hash(), until, devices: wish.devices };
    world.home.handle_invite_made(invite, Some((link, token.to_text())), world.now);
    world.run(ms(100));
    token.to_text()
}

fn invited(world: &World, viewer: usize, wanted: u32) -> Option<(u64, String)> {
    world.viewers[viewer].heard.iter().rev().find_map(|message| match message {
        FromHome::Invited { request, person, link, .. } if *request == wanted => Some((*person, link.clone())),
        _ => None,
    })
}

fn invite(request: u32, name: &str, role: Role) -> FromPage {
    FromPage::Invite { request, person: None, name: Some(name.into()), role }
}

#[test]
fn an_owner_invites_a_second_phone_which_comes_in_by_its_role() {
    let mut world = World::household();
    let owner = owner(&mut world);
    say(&mut world, owner, &invite(7, " Anna ", Role::Guest));
    let (_, asked) = world.inviting.front().expect("a link is wanted").clone();
    assert_eq!((asked.name.as_deref(), asked.role, asked.days, asked.devices), (Some("Anna"), Role::Guest, 7, 3));
    let token = made(&mut world, 500);
    let (person, link) = invited(&world, owner, 7).expect("the link");
    assert_eq!((person, link.as_str()), (500, format!("https://10.0.0.1:8443/#p={token}").as_str()));
    let anna = info(&world, owner, 500).expect("she is in the list");
    assert_eq!((anna.name.as_deref(), anna.role, anna.devices, anna.links_left), (Some("Anna"), Role::Guest, 0, 3));
    assert!(anna.invited_until.is_some());
    // Two phones open it at once; both get a key of their own.
    for n in 0..2 {
        let page = world.viewer(ordinary());
        world.open_socket(page);
        let nonce = format!("0123456789abcdef-{n}");
        say(&mut world, page, &FromPage::Pair { v: 1, token: token.clone(), nonce });
        assert!(matches!(world.minting.front(), Some((_, For::Person(500)))));
        world.mint(true);
        world.run(s(1));
        let key = world.viewers[page].heard.iter().find_map(|message| match message {
            FromHome::Paired { key } => Some(key.clone()),
            _ => None,
        });
        say(&mut world, page, &FromPage::Hello { v: 1, key: key.expect("a key"), resume: None, attempt: None });
        let knocks =
            |m: &FromHome| matches!(m, FromHome::Welcome { role: Role::Guest, entry: Entry::Knock { .. }, .. });
        assert!(world.viewers[page].heard.iter().any(knocks), "a guest knocks");
    }
    assert_eq!(info(&world, owner, 500).map(|anna| (anna.devices, anna.links_left)), Some((2, 1)));
}

#[test]
fn the_same_request_is_one_link_however_often_it_is_said() {
    let mut world = World::household();
    let owner = owner(&mut world);
    for _ in 0..3 {
        say(&mut world, owner, &invite(1, "Anna", Role::Family));
    }
    assert_eq!(world.inviting.len(), 1);
    made(&mut world, 500);
    let first = invited(&world, owner, 1);
    // The answer got lost with its socket.
    world.reconnect(owner);
    world.run(s(1));
    world.viewers[owner].heard.clear();
    say(&mut world, owner, &invite(1, "Anna", Role::Family));
    assert_eq!(invited(&world, owner, 1), first);
    assert!(world.inviting.is_empty());
    say(&mut world, owner, &FromPage::People {});
    say(&mut world, owner, &FromPage::Invite { request: 2, person: Some(500), name: None, role: Role::Owner });
    let (_, asked) = world.inviting.front().expect("for a further phone").clone();
    assert_eq!(asked, Wish { name: Some("Anna".into()), person: Some(500), role: Role::Owner, ..Wish::default() });
    made(&mut world, 501);
    assert_eq!(info(&world, owner, 500).map(|anna| anna.role), Some(Role::Family), "a link changes nobody's role");
}

#[test]
fn a_link_that_cannot_be_stored_or_is_wanted_of_nobody_is_told() {
    let mut world = World::household();
    let owner = owner(&mut world);
    say(&mut world, owner, &invite(1, "Anna", Role::Family));
    let (id, _) = world.inviting.pop_front().expect("wanted");
    world.home.handle_invite_made(id, None, world.now);
    world.run(ms(100));
    assert_eq!(not_done(&world, owner), Some(NotDone::Storage));
    // An answer that nobody waits for changes nothing.
    world.home.handle_invite_made(InviteId(77), None, world.now);
    for (message, why) in [
        (invite(2, "\u{200b}", Role::Family), NotDone::Name),
        (FromPage::Invite { request: 3, person: Some(9999), name: None, role: Role::Family }, NotDone::Unknown),
        (FromPage::Invite { request: 4, person: Some(0), name: None, role: Role::Family }, NotDone::Unknown),
    ] {
        say(&mut world, owner, &message);
        assert_eq!(not_done(&world, owner), Some(why), "{message:?}");
    }
    let mut crowd = World::new();
    let olga = self::owner(&mut crowd);
    say(&mut crowd, olga, &invite(1, "Anna", Role::Family));
    assert_eq!(not_done(&crowd, olga), Some(NotDone::TooMany), "that home knows 300 already");
}

#[test]
fn what_an_owner_changes_holds_at_once_and_is_stored() {
    let mut world = World::household();
    let owner = owner(&mut world);
    let guest = world.visit_as(GUEST, ordinary());
    world.run(s(2));
    let changed = PersonWish {
        name: Some("Greg".into()),
        entering: Some(Entering::AtOnce),
        quiet_hours: Some("22:00-06:00".into()),
        ..wish(GUEST, Role::Family)
    };
    say(&mut world, owner, &FromPage::Person(changed.clone()));
    let person = info(&world, owner, GUEST).expect("he is there");
    assert_eq!(
        (person.name.as_deref(), person.role, person.entering),
        (Some("Greg"), Role::Family, Some(Entering::AtOnce))
    );
    let Some(Change::Person(stored)) = world.stored.last() else { panic!("{:?}", world.stored) };
    assert_eq!((stored.number, stored.name.as_deref(), stored.role), (GUEST, Some("Greg"), Role::Family));
    assert!(world.viewers[guest].heard.contains(&FromHome::Role { role: Role::Family }));
    assert_eq!(world.door.knocks[0].name.as_deref(), Some("Greg"), "the TV says the new name");
    let again = world.visit_as(GUEST, ordinary());
    world.run(s(1));
    let inside = |m: &FromHome| matches!(m, FromHome::Welcome { entry: Entry::Inside, .. });
    assert!(world.viewers[again].heard.iter().any(inside));
    // The same once more costs nothing and is answered.
    let (stored, lists) = (world.stored.len(), world.viewers[owner].heard.len());
    say(&mut world, owner, &FromPage::Person(changed.clone()));
    assert!(world.stored.len() == stored && world.viewers[owner].heard.len() > lists);
    for (change, why) in [
        (PersonWish { name: Some("a\nb".into()), ..changed.clone() }, NotDone::Name),
        (PersonWish { quiet_hours: Some("22-6".into()), ..changed.clone() }, NotDone::Hours),
        (wish(9999, Role::Guest), NotDone::Unknown),
    ] {
        say(&mut world, owner, &FromPage::Person(change));
        assert_eq!(not_done(&world, owner), Some(why));
    }
}

#[test]
fn who_is_removed_is_out_within_a_second_and_so_are_links_and_keys_on_their_way() {
    let mut world = World::household();
    let owner = owner(&mut world);
    let family = world.visit_as(7, ordinary());
    world.run(s(2));
    say(&mut world, owner, &FromPage::Remove { person: 7 });
    world.run(s(1));
    assert!(world.viewers[family].heard.contains(&FromHome::Bye { reason: ByeReason::Revoked, until: None }));
    assert!(info(&world, owner, 7).is_none() && world.stored.contains(&Change::Removed(7)));
    let again = world.visit_as(7, ordinary());
    world.run(s(5));
    assert!(matches!(world.last_error(again), Some(FromHome::Error { code: ErrorCode::WrongKey, .. })));
    // A link for a further device of theirs, and a key by it, were on their way to the disk.
    let late = NewLink {
        person: Person::new(7, None, Role::Family),
        hash: token(9).hash(),
        until: world.unix() * 2,
        devices: 3,
    };
    world.home.handle_invited(late, world.now);
    let page = world.viewer(ordinary());
    world.open_socket(page);
    say(&mut world, page, &FromPage::Pair { v: 1, token: token(9).to_text(), nonce: "0123456789abcdef".into() });
    assert!(world.minting.is_empty(), "it lets nobody in");
    assert!(info(&world, owner, 7).is_none());
}

#[test]
fn a_key_that_is_stored_while_its_person_is_removed_opens_nothing() {
    let mut world = World::household();
    let owner = owner(&mut world);
    say(&mut world, owner, &FromPage::Invite { request: 1, person: Some(7), name: None, role: Role::Family });
    let token = made(&mut world, 33);
    let page = world.viewer(ordinary());
    world.open_socket(page);
    say(&mut world, page, &FromPage::Pair { v: 1, token, nonce: "0123456789abcdef".into() });
    say(&mut world, owner, &FromPage::Remove { person: 7 });
    world.mint(true);
    world.run(s(1));
    assert!(info(&world, owner, 7).is_none(), "nobody is there again");
    let key = world.viewers[page].heard.iter().find_map(|message| match message {
        FromHome::Paired { key } => Some(key.clone()),
        _ => None,
    });
    if let Some(key) = key {
        say(&mut world, page, &FromPage::Hello { v: 1, key, resume: None, attempt: None });
        world.run(s(5));
        assert!(!world.viewers[page].heard.iter().any(|message| matches!(message, FromHome::Welcome { .. })));
    }
}

#[test]
fn the_last_owner_stays_one() {
    let mut world = World::household();
    let owner = owner(&mut world);
    // The other one may go, and the temporary key of the process does not count.
    say(&mut world, owner, &FromPage::Person(wish(SECOND_OWNER, Role::Family)));
    assert_eq!(not_done(&world, owner), None);
    for message in [FromPage::Person(wish(OWNER, Role::Guest)), FromPage::Remove { person: OWNER }] {
        say(&mut world, owner, &message);
        assert_eq!(not_done(&world, owner), Some(NotDone::LastOwner), "{message:?}");
        assert_eq!(info(&world, owner, OWNER).map(|olga| olga.role), Some(Role::Owner));
        world.viewers[owner].heard.retain(|message| !matches!(message, FromHome::NotDone { .. }));
    }
    // A second owner who was invited and never came does not count either.
    say(&mut world, owner, &FromPage::Person(wish(SECOND_OWNER, Role::Owner)));
    say(&mut world, owner, &FromPage::Remove { person: OWNER });
    world.run(s(1));
    assert!(world.viewers[owner].heard.contains(&FromHome::Bye { reason: ByeReason::Revoked, until: None }));
}

#[test]
fn the_shell_sees_everybody_and_may_change_the_last_owner_too() {
    let mut world = World::household();
    let owner = owner(&mut world);
    let all = world.home.people(world.now);
    let olga = all.people.iter().find(|person| person.number == OWNER).expect("she is there");
    assert!(olga.here && !olga.you && all.quiet_hours.is_none());
    assert!(all.people.iter().all(|person| person.number != 0), "the key of the process is nobody");
    let guest = Edit { role: Some(Role::Guest), ..Edit::default() };
    assert_eq!(world.home.handle_edit(SECOND_OWNER, &guest, world.now), Ok(false));
    assert_eq!(world.home.handle_edit(OWNER, &guest, world.now), Ok(true), "home has no owner now");
    world.run(ms(100));
    let olga = Person::new(OWNER, Some("Olga".into()), Role::Guest);
    assert_eq!(world.stored.last(), Some(&Change::Person(olga)), "her name stays, and the disk hears of it");
    assert!(world.viewers[owner].heard.contains(&FromHome::Role { role: Role::Guest }));
    let stored = world.stored.len();
    assert_eq!(world.home.handle_edit(OWNER, &guest, world.now), Ok(false), "she was none any more");
    // However often: the shell's owner waits for no budget.
    for n in 0..100 {
        let named = Edit { name: Some(Setting::To(format!("Olga {n}"))), ..Edit::default() };
        assert_eq!(world.home.handle_edit(OWNER, &named, world.now), Ok(false));
    }
    world.run(ms(100));
    assert_eq!(world.stored.len(), stored + 100);
    for nobody in [0, 9999] {
        let known = world.home.handle_edit(nobody, &guest, world.now).expect_err("nobody");
        assert!(known.contains(&OWNER) && !known.contains(&0), "{known:?}");
    }
}

#[test]
fn nobody_but_an_owner_who_is_inside_sees_or_changes_people() {
    let mut world = World::household();
    let messages = [
        FromPage::People {},
        invite(1, "Eve", Role::Owner),
        FromPage::Person(wish(GUEST, Role::Owner)),
        FromPage::Remove { person: OWNER },
        FromPage::ShowCode { shown: true, person: None, name: None, role: Role::Owner },
        FromPage::QuietHours { hours: None },
        FromPage::LetIn { visit: 1 },
        FromPage::Decline { visit: 1 },
    ];
    for key in [7, GUEST] {
        let viewer = world.visit_as(key, ordinary());
        world.run(s(2));
        for message in &messages {
            world.viewers[viewer].heard.clear();
            say(&mut world, viewer, message);
            let [FromHome::Error { code: ErrorCode::NotAllowed, fatal: false, .. }] = &world.viewers[viewer].heard[..]
            else {
                panic!("{key} {message:?}: {:?}", world.viewers[viewer].heard)
            };
        }
    }
    assert!(world.inviting.is_empty() && world.stored.is_empty() && world.code.is_none());
    // An owner who is made less hears no more of people.
    let owner = owner(&mut world);
    let second = world.visit_as(SECOND_OWNER, ordinary());
    world.run(s(2));
    say(&mut world, second, &FromPage::Person(wish(OWNER, Role::Family)));
    world.viewers[owner].heard.clear();
    say(&mut world, second, &FromPage::Person(wish(7, Role::Guest)));
    assert!(!world.viewers[owner].heard.iter().any(|message| matches!(message, FromHome::People { .. })));
}

#[test]
fn owners_see_each_others_changes_codes_and_links_that_run_out() {
    let mut world = World::household();
    let owner = owner(&mut world);
    let second = world.visit_as(SECOND_OWNER, ordinary());
    world.run(s(2));
    say(&mut world, second, &FromPage::People {});
    say(&mut world, second, &FromPage::Invite { request: 1, person: Some(7), name: None, role: Role::Family });
    made(&mut world, 33);
    assert!(info(&world, owner, 7).is_some_and(|person| person.links_left == 3));
    world.home.handle_wall_clock(world.unix() + Duration::from_secs(8 * 86_400), world.now);
    world.run(ms(100));
    assert!(info(&world, owner, 7).is_some_and(|person| person.links_left == 0 && person.invited_until.is_none()));
    let shown = |world: &World, viewer: usize| {
        world.viewers[viewer].heard.iter().rev().find_map(|message| match message {
            FromHome::People { code_shown, .. } => Some(*code_shown),
            _ => None,
        })
    };
    say(
        &mut world,
        owner,
        &FromPage::ShowCode { shown: true, person: None, name: Some("Ben".into()), role: Role::Guest },
    );
    assert_eq!((shown(&world, second), world.code.as_ref().map(|code| code.role)), (Some(true), Some(Role::Guest)));
    say(&mut world, second, &FromPage::ShowCode { shown: false, person: None, name: None, role: Role::Family });
    assert_eq!((shown(&world, owner), world.code.is_none()), (Some(false), true));
    world.home.handle_invite_held(world.now);
    world.run(ms(100));
    assert_eq!(world.code.as_ref().map(|code| code.role), Some(Role::Owner), "the key at home, held");
}

#[test]
fn an_owner_who_changes_all_the_time_is_told_to_wait_and_may_still_remove() {
    let mut world = World::household();
    let owner = owner(&mut world);
    for n in 0..40 {
        let role = if n % 2 == 0 { Role::Guest } else { Role::Family };
        say(&mut world, owner, &FromPage::Person(wish(7, role)));
    }
    assert_eq!(not_done(&world, owner), Some(NotDone::TooMany));
    assert!(world.stored.len() < 40);
    say(&mut world, owner, &FromPage::Remove { person: 7 });
    assert!(info(&world, owner, 7).is_none());
    let key = keys::key(7);
    let page = world.viewer(ordinary());
    world.viewers[page].key = key;
    world.open_socket(page);
    let now = world.now;
    world.viewers[page].open_page(now);
    world.run(s(5));
    assert!(matches!(world.last_error(page), Some(FromHome::Error { code: ErrorCode::WrongKey, .. })));
}
