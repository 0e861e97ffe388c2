//! Changes of who may do what: owners hear of them, whether they are here or not.

use std::time::Duration;

use intercom_core::call::items::For;
use intercom_core::call::protocol::{CodeInfo, ErrorCode, FromHome, FromPage, NewsInfo, NotDone, PersonWish, Wanted};
use intercom_core::people::entering::Entering;
use intercom_core::people::items::NewKey;
use intercom_core::people::register::{Person, Role};
use intercom_core::people::visits::Outcome;

use crate::keys::{self, GUEST, OWNER, SECOND_OWNER};
use crate::terms::{inside, ms, ordinary, s, say};
use crate::world::World;

fn news(world: &World, viewer: usize) -> Vec<NewsInfo> {
    let heard = world.viewers[viewer].heard.iter();
    heard.filter_map(|m| if let FromHome::News { news } = m { Some(news.clone()) } else { None }).flatten().collect()
}

/// All that was told to a page, each number once.
fn numbers(world: &World, viewer: usize) -> Vec<u64> {
    let mut numbers: Vec<u64> = news(world, viewer).iter().map(|news| news.number).collect();
    numbers.dedup();
    numbers
}

fn kinds(world: &World, viewer: usize) -> Vec<(Outcome, u64)> {
    let mut told = news(world, viewer);
    told.sort_by_key(|news| news.number);
    told.dedup();
    told.into_iter().map(|news| (news.what, news.person)).collect()
}

fn code_of(world: &World, viewer: usize) -> Option<CodeInfo> {
    let heard = world.viewers[viewer].heard.iter().rev();
    let mut lists = heard.filter_map(|m| if let FromHome::People { code, .. } = m { Some(*code) } else { None });
    lists.next().expect("a list of people")
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
fn who_was_not_here_hears_it_with_the_next_visit_until_it_is_read() {
    let mut world = World::household();
    let owner = inside(&mut world, OWNER);
    device(&mut world, 2001, Person::new(2000, Some("Anna".into()), Role::Family));
    // The same within a moment is another change, and erasing the log silences none.
    device(&mut world, 2003, Person::new(2000, Some("Anna".into()), Role::Family));
    say(&mut world, owner, &FromPage::EraseVisits {});
    // Whatever the clock shows.
    world.home.handle_wall_clock(Duration::from_secs(1_000_000), world.now);
    say(&mut world, owner, &FromPage::Person(wish(GUEST, Role::Family)));
    let expected = [(Outcome::Device, 2000), (Outcome::Device, 2000), (Outcome::Rights, GUEST)];
    for again in 0..2 {
        let back = inside(&mut world, SECOND_OWNER);
        assert_eq!(kinds(&world, back), expected, "{again}: not read yet");
        // A new socket hears it, too, whether the one before did or not.
        world.viewers[back].heard.clear();
        world.kill_socket(back);
        world.open_socket(back);
        let now = world.now;
        world.viewers[back].say_hello_again(now);
        world.run(s(1));
        assert_eq!(kinds(&world, back), expected);
        say(&mut world, back, &FromPage::Leave {});
    }
    let reader = inside(&mut world, SECOND_OWNER);
    let last = *numbers(&world, reader).last().unwrap();
    say(&mut world, reader, &FromPage::NewsRead { number: last });
    say(&mut world, reader, &FromPage::Leave {});
    let again = inside(&mut world, SECOND_OWNER);
    assert_eq!(kinds(&world, again), [], "it was read");
    assert!(!kinds(&world, owner).is_empty(), "by that device alone");
}

#[test]
fn a_device_that_a_thief_makes_reads_nothing_for_others_and_hears_nothing_of_itself() {
    let mut world = World::household();
    device(&mut world, 2002, Person::new(OWNER, None, Role::Owner));
    let thief = inside(&mut world, 2002);
    assert_eq!(kinds(&world, thief), []);
    say(&mut world, thief, &FromPage::NewsRead { number: u64::MAX });
    say(&mut world, thief, &FromPage::EraseVisits {});
    let owner = inside(&mut world, OWNER);
    assert_eq!(kinds(&world, owner), [(Outcome::Device, OWNER)]);
    let family = inside(&mut world, 1);
    world.viewers[family].heard.clear();
    say(&mut world, family, &FromPage::NewsRead { number: u64::MAX });
    assert!(matches!(world.last_error(family), Some(FromHome::Error { code: ErrorCode::NotAllowed, .. })));
}

#[test]
fn a_person_whom_the_shell_removes_is_told_of_and_a_single_device_is_not() {
    let mut world = World::household();
    let owner = inside(&mut world, OWNER);
    device(&mut world, 2001, Person::new(GUEST, None, Role::Guest));
    assert_eq!(world.home.handle_revoked(2001, world.now), Ok(()));
    assert_eq!(world.home.handle_revoked(GUEST, world.now), Ok(()));
    // Whose only device is gone is gone, and so is a code for them.
    device(&mut world, 2100, Person::new(2099, None, Role::Family));
    say(&mut world, owner, &FromPage::ShowCode { shown: true, person: Some(2099), name: None, role: Role::Family });
    assert!(world.code.is_some());
    assert_eq!(world.home.handle_revoked(2100, world.now), Ok(()));
    world.run(ms(100));
    assert!(world.code.is_none());
    let expected =
        [(Outcome::Device, GUEST), (Outcome::Removed, GUEST), (Outcome::Device, 2099), (Outcome::Removed, 2099)];
    assert_eq!(kinds(&world, owner), expected);
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
    // The code says what the person may do now, whose it is, and is worth nothing once they are removed.
    say(&mut world, owner, &FromPage::People {});
    say(&mut world, owner, &code(Some(GUEST)));
    assert_eq!(code_of(&world, owner), Some(CodeInfo { person: Some(GUEST), role: Role::Guest }));
    say(&mut world, owner, &FromPage::Person(wish(GUEST, Role::Owner)));
    assert_eq!(world.code.clone().map(|code| code.role), Some(Role::Owner));
    let token = world.code.clone().unwrap().link.rsplit_once("#p=").expect("a token").1.to_owned();
    say(&mut world, owner, &FromPage::Remove { person: GUEST });
    assert!(world.code.is_none() && code_of(&world, owner).is_none());
    let late = world.viewer(ordinary());
    world.open_socket(late);
    say(&mut world, late, &FromPage::Pair { v: 1, token, nonce: "0123456789abcdef".into() });
    assert!(world.minting.is_empty(), "no key is made");
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
