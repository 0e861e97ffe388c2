//! Home on an owner's page: what is set of it, how it is, how it is reached.

use std::net::IpAddr;

use intercom_base::language::Language;
use intercom_core::call::home::HomeOutput;
use intercom_core::call::house::House;
use intercom_core::call::items::Checkup;
use intercom_core::call::protocol::{
    ErrorCode, FromHome, FromPage, HomeInfo, HomeValues, HomeWish, NotDone, Origin, PersonWish, Wanted,
};
use intercom_core::devices::doctor::{Finding, FindingKind};
use intercom_core::people::register::Role;
use intercom_core::reach::Addresses;
use intercom_core::tv::notices::{Finding as Told, Notices, Topic};

use crate::keys::{self, GUEST, OWNER, SECOND_OWNER};
use crate::terms::{inside, ms, ordinary, s, say};
use crate::world::World;

/// Somebody whose page comes from this address.
fn from(world: &mut World, address: [u8; 4], key: u64) -> usize {
    let viewer = world.viewer(ordinary());
    (world.viewers[viewer].key, world.viewers[viewer].far) = (keys::key(key), Some(IpAddr::from(address)));
    world.open_socket(viewer);
    let now = world.now;
    world.viewers[viewer].open_page(now);
    world.run(s(2));
    viewer
}

/// An owner whose page shows home.
fn owner(world: &mut World) -> usize {
    let owner = inside(world, OWNER);
    say(world, owner, &FromPage::Home { language: "de".into() });
    owner
}

fn infos(world: &World, viewer: usize) -> Vec<HomeInfo> {
    let heard = world.viewers[viewer].heard.iter();
    heard.filter_map(|m| if let FromHome::Home(info) = m { Some((**info).clone()) } else { None }).collect()
}

fn info(world: &World, viewer: usize) -> HomeInfo {
    infos(world, viewer).pop().expect("home is told")
}

fn heard_names(world: &World, viewer: usize) -> Vec<String> {
    let heard = world.viewers[viewer].heard.iter();
    heard.filter_map(|m| if let FromHome::Name { home } = m { Some(home.clone()) } else { None }).collect()
}

fn full() -> HomeWish {
    HomeWish { name: Some(" Oma ".into()), volume: Some(50), chime: Some(0), language: Some("hi".into()) }
}

fn checkup() -> Checkup {
    let mut notices = Notices::default();
    notices.set(Topic::Reset, Some(Told::Reset));
    let (what, remedy) = ("No camera was found.".to_owned(), "Plug one in.".to_owned());
    Checkup {
        findings: vec![Finding { about: "camera", kind: FindingKind::Absent, wrong: true, what, remedy }],
        notices,
    }
}

#[test]
fn what_an_owner_sets_holds_at_once_for_all_and_what_is_taken_back_is_as_before() {
    let mut world = World::household();
    let (family, owner) = (inside(&mut world, 1), owner(&mut world));
    let before = info(&world, owner);
    assert_eq!(before.set, HomeWish::default());
    let expected = HomeValues { name: "Home".into(), volume: 80, chime: 70, language: "en".into() };
    assert_eq!((&before.holds, before.volume_least, before.volume_most), (&expected, 20, 100));
    assert_eq!((before.version.as_str(), before.reach.port), ("1.2.3", 8443));
    world.orders.clear();
    say(&mut world, owner, &FromPage::SetHome(full()));
    let after = info(&world, owner);
    assert_eq!(after.set, HomeWish { name: Some("Oma".into()), ..full() });
    assert_eq!(after.holds, HomeValues { name: "Oma".into(), volume: 50, chime: 0, language: "hi".into() });
    assert_eq!(world.volume, Some(50));
    let looks = |order: &HomeOutput| matches!(order, HomeOutput::Looks { name, language } if name == "Oma" && *language == Language::Hindi);
    assert!(world.orders.iter().any(looks), "{:?}", world.orders);
    assert!(world.orders.iter().any(|order| matches!(order, HomeOutput::ChimeVolume(0))));
    assert_eq!(world.house, House::from_toml(&world.house.to_toml()).unwrap());
    assert_eq!((world.house.name.as_deref(), world.house.volume_percent), (Some("Oma"), Some(50)));
    for page in [family, owner] {
        assert_eq!(heard_names(&world, page), ["Oma"], "all pages hear the name");
    }
    let late = inside(&mut world, 2);
    let welcomed =
        |m: &FromHome| matches!(m, FromHome::Welcome { home, volume, .. } if home == "Oma" && volume.percent == 50);
    assert!(world.viewers[late].heard.iter().any(welcomed));
    // Quiet hours stand beside it and stay.
    say(&mut world, owner, &FromPage::QuietHours { hours: Some("13:00-13:30".into()) });
    assert_eq!(world.house.name.as_deref(), Some("Oma"));
    say(&mut world, owner, &FromPage::SetHome(HomeWish::default()));
    assert_eq!((&info(&world, owner).holds, world.volume), (&expected, Some(80)));
    assert!(world.house.quiet_hours.is_some() && world.house.name.is_none(), "{:?}", world.house);
    assert_eq!(heard_names(&world, family), ["Oma", "Home"]);
}

#[test]
fn the_volume_keeps_within_homes_limits_and_the_same_again_is_no_change() {
    let mut world = World::household();
    let owner = owner(&mut world);
    for (wanted, holds) in [(0, 20), (255, 100)] {
        say(&mut world, owner, &FromPage::SetHome(HomeWish { volume: Some(wanted), ..HomeWish::default() }));
        assert_eq!((info(&world, owner).holds.volume, world.volume), (holds, Some(holds)));
    }
    // What a page in a visit sets is for now; what home starts with stays.
    say(&mut world, owner, &FromPage::Volume { percent: 30 });
    assert_eq!((info(&world, owner).holds.volume, world.volume), (100, Some(30)));
    let told = infos(&world, owner).len();
    say(&mut world, owner, &FromPage::SetHome(HomeWish { volume: Some(255), ..HomeWish::default() }));
    assert_eq!(infos(&world, owner).len(), told + 1, "who asks is answered");
    assert_eq!(world.volume, Some(30), "nothing was changed");
}

#[test]
fn nobody_but_an_owner_who_is_inside_sees_or_sets_home() {
    let mut world = World::household();
    let (owner, family, guest) = (owner(&mut world), inside(&mut world, 1), inside(&mut world, GUEST));
    for page in [family, guest] {
        for message in [FromPage::Home { language: "de".into() }, FromPage::SetHome(full())] {
            world.viewers[page].heard.clear();
            say(&mut world, page, &message);
            assert!(matches!(world.last_error(page), Some(FromHome::Error { code: ErrorCode::NotAllowed, .. })));
            assert!(infos(&world, page).is_empty());
        }
    }
    assert_eq!(world.house, House::default());
    // Who is an owner no more hears no more of it.
    let second = inside(&mut world, SECOND_OWNER);
    say(&mut world, second, &FromPage::Home { language: "en".into() });
    let told = infos(&world, second).len();
    let family = PersonWish {
        person: SECOND_OWNER,
        name: None,
        role: Role::Family,
        entering: None,
        in_quiet_hours: None,
        quiet_hours: None,
    };
    say(&mut world, owner, &FromPage::Person(family));
    say(&mut world, owner, &FromPage::SetHome(full()));
    assert_eq!((infos(&world, second).len(), told), (1, 1));
}

#[test]
fn what_cannot_be_set_is_told_and_changes_nothing() {
    let mut world = World::household();
    let owner = owner(&mut world);
    let wrong = [
        (HomeWish { name: Some(" ".into()), ..full() }, NotDone::Name),
        (HomeWish { name: Some("x".repeat(41)), ..full() }, NotDone::Name),
        (HomeWish { language: Some("klingon".into()), ..full() }, NotDone::Unknown),
    ];
    for (wish, expected) in wrong {
        world.viewers[owner].heard.clear();
        say(&mut world, owner, &FromPage::SetHome(wish));
        let told = world.viewers[owner].heard.iter().find_map(|m| match m {
            FromHome::NotDone { about, why, .. } => Some((*about, *why)),
            _ => None,
        });
        assert_eq!(told, Some((Wanted::Home, expected)));
        assert_eq!(info(&world, owner).holds.name, "Home", "and what holds is told again");
    }
    assert_eq!(world.house, House::default());
    for n in 0..40u8 {
        say(&mut world, owner, &FromPage::SetHome(HomeWish { chime: Some(n), ..HomeWish::default() }));
    }
    let too_many = |m: &FromHome| matches!(m, FromHome::NotDone { about: Wanted::Home, why: NotDone::TooMany, .. });
    assert!(world.viewers[owner].heard.iter().any(too_many), "each change costs the disk a write");
}

#[test]
fn home_looks_at_itself_when_an_owner_asks_and_tells_all_who_asked() {
    let mut world = World::household();
    let owner = owner(&mut world);
    let looks = |world: &World| world.orders.iter().filter(|order| matches!(order, HomeOutput::Examine)).count();
    assert_eq!((looks(&world), info(&world, owner).looked), (1, false));
    world.home.handle_examined(checkup());
    world.run(ms(100));
    let told = info(&world, owner);
    assert!(told.looked && told.findings.len() == 1 && told.findings[0].about == "camera", "{told:?}");
    assert_eq!(told.notices, [Language::German.sentences().reset], "in the language of the page");
    // A second one hears at once what is known, in another language.
    let second = inside(&mut world, SECOND_OWNER);
    say(&mut world, second, &FromPage::Home { language: "xx".into() });
    assert_eq!(info(&world, second).notices, [Language::English.sentences().reset]);
    let count = infos(&world, owner).len();
    world.home.handle_examined(checkup());
    world.run(ms(100));
    assert_eq!(infos(&world, owner).len(), count, "nothing is new");
    world.home.handle_examined(Checkup::default());
    world.run(ms(100));
    for page in [owner, second] {
        assert!(info(&world, page).findings.is_empty() && info(&world, page).looked);
    }
    // A look that does not end is told, and no verdict of before stands.
    world.run(s(60));
    say(&mut world, owner, &FromPage::Home { language: "de".into() });
    world.run(s(31));
    say(&mut world, owner, &FromPage::Home { language: "de".into() });
    let kinds: Vec<_> = info(&world, owner).findings.iter().map(|finding| (finding.kind, finding.wrong)).collect();
    assert_eq!(kinds, [(FindingKind::Hangs, true)]);
    world.home.handle_examined(Checkup::default());
    world.run(ms(100));
    assert!(info(&world, owner).findings.is_empty());
    world.orders.clear();
    // However often pages ask, devices are looked at now and then.
    for _ in 0..100 {
        say(&mut world, owner, &FromPage::Home { language: "de".into() });
    }
    assert!((2..6).contains(&looks(&world)), "{} looks", looks(&world));
}

#[test]
fn whether_somebody_came_from_outside_is_told_with_its_time() {
    let mut world = World::household();
    let owner = from(&mut world, [10, 0, 0, 9], OWNER);
    say(&mut world, owner, &FromPage::Home { language: "en".into() });
    let reach = info(&world, owner).reach;
    assert_eq!((reach.outside, reach.you, reach.public), (None, Origin::Home, None));
    assert_eq!(reach.addresses, ["10.0.0.1"]);
    // Who waits before the door proves nothing yet, and nobody from home's own network ever does.
    let guest = from(&mut world, [198, 51, 100, 7], GUEST);
    assert_eq!(info(&world, owner).reach.outside, None, "who knocks");
    world.home.handle_let_in_pressed(world.now);
    world.run(s(2));
    let at = info(&world, owner).reach.outside.expect("somebody came from outside");
    assert!(at <= world.unix().as_secs() && at + 5 > world.unix().as_secs());
    say(&mut world, guest, &FromPage::Leave {});
    let second = from(&mut world, [203, 0, 113, 9], SECOND_OWNER);
    say(&mut world, second, &FromPage::Home { language: "en".into() });
    assert_eq!((info(&world, second).reach.you, info(&world, owner).reach.you), (Origin::Outside, Origin::Home));
    // A page that was opened at home and goes on over a mobile network proves it as well.
    let before = info(&world, owner).reach.outside;
    world.run(s(100));
    world.kill_socket(owner);
    world.viewers[owner].far = Some(IpAddr::from([198, 51, 100, 9]));
    world.open_socket(owner);
    let now = world.now;
    world.viewers[owner].say_hello_again(now);
    world.run(s(1));
    say(&mut world, owner, &FromPage::Home { language: "en".into() });
    let reach = info(&world, owner).reach;
    assert!(reach.you == Origin::Outside && reach.outside > before.map(|at| at + 90), "{reach:?}");
    let local = vec![IpAddr::from([10, 0, 0, 1]), IpAddr::from([192, 168, 1, 5])];
    world.home.handle_addresses(Addresses { best: None, local, public: None }, world.now);
    world.run(ms(100));
    assert_eq!(info(&world, owner).reach.addresses, ["10.0.0.1", "192.168.1.5"], "a new address is told");
}

#[test]
fn a_reset_forgets_what_an_owner_set() {
    let mut world = World::household();
    let owner = owner(&mut world);
    say(&mut world, owner, &FromPage::SetHome(full()));
    assert_eq!(world.home.name(), "Oma");
    world.home.handle_reset(world.now);
    assert_eq!((world.home.name(), world.home.chime_percent()), ("Home", 70));
}
