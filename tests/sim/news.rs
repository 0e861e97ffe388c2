//! Changes of who may do what: owners hear of them, whether they are here or not.

use intercom_core::call::items::For;
use intercom_core::call::protocol::{FromHome, FromPage, NewsInfo, NotDone, PersonWish, Wanted};
use intercom_core::people::entering::Entering;
use intercom_core::people::items::NewKey;
use intercom_core::people::register::{Person, Role};
use intercom_core::people::visits::Outcome;

use crate::keys::{self, GUEST, OWNER, SECOND_OWNER};
use crate::terms::{ms, ordinary, s};
use crate::world::World;

fn say(world: &mut World, viewer: usize, message: &FromPage) {
    let now = world.now;
    world.viewers[viewer].say(message, now);
    world.run(ms(100));
}

fn inside(world: &mut World, key: u64) -> usize {
    let viewer = world.visit_as(key, ordinary());
    world.run(s(2));
    viewer
}

fn news(world: &World, viewer: usize) -> Vec<NewsInfo> {
    let heard = world.viewers[viewer].heard.iter();
    heard.filter_map(|m| if let FromHome::News { news } = m { Some(news.clone()) } else { None }).flatten().collect()
}

fn kinds(world: &World, viewer: usize) -> Vec<(Outcome, u64)> {
    news(world, viewer).iter().map(|news| (news.what, news.person)).collect()
}

fn wish(person: u64, role: Role) -> PersonWish {
    PersonWish { person, name: None, role, entering: None, in_quiet_hours: None, quiet_hours: None }
}

/// A device of this person is stored.
fn device(world: &mut World, number: u64, person: Person) {
    let key = NewKey { number, hash: keys::hash(&keys::key(number)), person, by_link: false };
    world.home.handle_key_added(key, world.now);
    world.run(ms(100));
}

#[test]
fn owners_who_are_here_hear_of_each_change_and_others_do_not() {
    let mut world = World::household();
    let (owner, second, family) = (inside(&mut world, OWNER), inside(&mut world, SECOND_OWNER), inside(&mut world, 1));
    device(&mut world, 2001, Person::new(2000, Some("Anna".into()), Role::Family));
    say(&mut world, owner, &FromPage::Person(wish(2000, Role::Owner)));
    // A name is no right; the way of entering is one.
    say(&mut world, owner, &FromPage::Person(PersonWish { name: Some("Ann".into()), ..wish(2000, Role::Owner) }));
    let preview = PersonWish { name: Some("Ann".into()), entering: Some(Entering::Preview), ..wish(2000, Role::Owner) };
    say(&mut world, owner, &FromPage::Person(preview));
    say(&mut world, owner, &FromPage::Remove { person: 2000 });
    let expected = [Outcome::Device, Outcome::Owner, Outcome::Rights, Outcome::Removed].map(|what| (what, 2000));
    assert_eq!(kinds(&world, owner), expected);
    assert_eq!(news(&world, owner)[0].name.as_deref(), Some("Anna"));
    assert_eq!(kinds(&world, second), expected);
    assert_eq!(kinds(&world, family), []);
    // The log has them, too.
    say(&mut world, owner, &FromPage::Visits {});
    let log = world.viewers[owner].heard.iter().rev().find_map(|m| match m {
        FromHome::Visits { visits } => Some(visits.iter().map(|entry| entry.outcome).collect::<Vec<_>>()),
        _ => None,
    });
    let log: Vec<_> = log.unwrap().into_iter().filter(|outcome| outcome.is_change()).collect();
    assert_eq!(log, [Outcome::Removed, Outcome::Rights, Outcome::Owner, Outcome::Device]);
}

#[test]
fn who_was_not_here_hears_it_with_the_next_visit_and_once() {
    let mut world = World::household();
    let second = inside(&mut world, SECOND_OWNER);
    say(&mut world, second, &FromPage::Leave {});
    let owner = inside(&mut world, OWNER);
    world.run(s(60));
    device(&mut world, 2001, Person::new(2000, Some("Anna".into()), Role::Family));
    world.run(s(300));
    say(&mut world, owner, &FromPage::Person(wish(GUEST, Role::Family)));
    let back = inside(&mut world, SECOND_OWNER);
    assert_eq!(kinds(&world, back), [(Outcome::Device, 2000), (Outcome::Rights, GUEST)], "the oldest first");
    let times: Vec<u64> = news(&world, back).iter().map(|news| news.at).collect();
    assert!(times[0] + 300 <= times[1], "{times:?}");
    // Another device of theirs, while they are here, has nothing new to tell; nor has the next visit.
    device(&mut world, 2002, Person::new(SECOND_OWNER, None, Role::Owner));
    let other = inside(&mut world, 2002);
    assert_eq!(kinds(&world, other), []);
    say(&mut world, other, &FromPage::Leave {});
    say(&mut world, back, &FromPage::Leave {});
    world.run(s(300));
    let again = inside(&mut world, SECOND_OWNER);
    assert_eq!(kinds(&world, again), []);
}

#[test]
fn who_visits_for_the_first_time_hears_nothing_of_before() {
    let mut world = World::household();
    device(&mut world, 2001, Person::new(2000, Some("Anna".into()), Role::Family));
    let owner = inside(&mut world, OWNER);
    assert_eq!(kinds(&world, owner), []);
}

#[test]
fn a_person_whom_the_shell_removes_is_told_of_and_a_single_device_is_not() {
    let mut world = World::household();
    let owner = inside(&mut world, OWNER);
    device(&mut world, 2001, Person::new(GUEST, None, Role::Guest));
    assert_eq!(world.home.handle_revoked(2001, world.now), Ok(()));
    assert_eq!(world.home.handle_revoked(GUEST, world.now), Ok(()));
    world.run(ms(100));
    assert_eq!(kinds(&world, owner), [(Outcome::Device, GUEST), (Outcome::Removed, GUEST)]);
}

#[test]
fn the_code_on_the_tv_makes_a_further_device_of_a_person() {
    let mut world = World::household();
    let owner = inside(&mut world, OWNER);
    let code = |person| FromPage::ShowCode { shown: true, person, name: Some("Ignored".into()), role: Role::Owner };
    say(&mut world, owner, &code(Some(999)));
    let unknown =
        FromHome::NotDone { request: None, person: Some(999), about: Wanted::ShowCode, why: NotDone::Unknown };
    assert!(world.viewers[owner].heard.contains(&unknown) && world.code.is_none());
    say(&mut world, owner, &code(Some(GUEST)));
    let shown = world.code.clone().expect("a code");
    assert_eq!(shown.role, Role::Guest, "the TV says what the phone becomes");
    let token = shown.link.rsplit_once("#p=").expect("a token").1.to_owned();
    let page = world.viewer(ordinary());
    world.open_socket(page);
    say(&mut world, page, &FromPage::Pair { v: 1, token, nonce: "0123456789abcdef".into() });
    assert!(matches!(world.minting.front(), Some((_, For::Device(GUEST)))), "{:?}", world.minting);
    world.mint(true);
    world.run(ms(100));
    assert_eq!(kinds(&world, owner), [(Outcome::Device, GUEST)]);
    // Who is removed while the code stands there comes in with it no more.
    say(&mut world, owner, &code(Some(GUEST)));
    assert!(world.code.is_some());
    say(&mut world, owner, &FromPage::Remove { person: GUEST });
    assert!(world.code.is_none());
}

#[test]
fn the_list_of_people_says_when_each_was_here_last() {
    let mut world = World::household();
    let owner = inside(&mut world, OWNER);
    let family = inside(&mut world, 1);
    let came = world.unix().as_secs();
    world.run(s(100));
    say(&mut world, family, &FromPage::Leave {});
    let left = world.unix().as_secs();
    say(&mut world, owner, &FromPage::People {});
    let last = |number: u64| {
        let list = world.viewers[owner].heard.iter().rev().find_map(|m| match m {
            FromHome::People { people, .. } => Some(people.clone()),
            _ => None,
        });
        list.expect("a list").into_iter().find(|person| person.number == number).and_then(|person| person.last_visit)
    };
    assert!(last(1).is_some_and(|at| at + 2 >= left && at > came), "{:?}, not {left}", last(1));
    assert!(last(OWNER).is_some_and(|at| at <= came), "who is here: since then");
    assert_eq!(last(2), None, "who never was");
}
