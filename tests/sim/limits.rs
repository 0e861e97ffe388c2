//! Pages hear which connection makes their picture small, and a device that saves data gets a small one.

use std::time::{Duration, Instant};

use intercom_core::call::protocol::{FromHome, FromPage, LimitedBy};
use str0m_netem::{Netem, NetemConfig};

use crate::network::link;
use crate::terms::{ms, s};
use crate::world::World;

fn wide() -> NetemConfig {
    NetemConfig::new().latency(ms(20))
}

/// What a page was told, one after the other.
fn told(world: &World, viewer: usize) -> Vec<Option<LimitedBy>> {
    let limit = |message: &FromHome| if let FromHome::Limit { by, .. } = message { Some(*by) } else { None };
    world.viewers[viewer].heard.iter().filter_map(limit).collect()
}

/// Runs until the page has been told so often, for at most `time`; when that was.
fn until_told(world: &mut World, viewer: usize, times: usize, time: Duration) -> Instant {
    assert!(world.run_until(time, |w| told(w, viewer).len() >= times), "{:?}", told(world, viewer));
    world.now
}

#[test]
fn one_alone_on_a_thin_path_hears_of_the_way_between_and_when_it_is_wide_again() {
    let mut world = World::new();
    let a = world.visit(link(500));
    let at = until_told(&mut world, a, 1, s(15));
    assert_eq!(told(&world, a), [Some(LimitedBy::Between)]);
    assert!(at - world.start >= s(8), "not at once: {:?}", at - world.start);
    world.run(s(60));
    assert_eq!(told(&world, a).len(), 1, "once is enough");
    world.viewers[a].change_link(wide());
    let since = world.now;
    let at = until_told(&mut world, a, 2, s(40));
    assert_eq!(told(&world, a).last(), Some(&None));
    assert!(at - since >= s(10), "not at once: {:?}", at - since);
    world.run(s(30));
    assert_eq!(told(&world, a).len(), 2);
}

#[test]
fn a_moment_of_trouble_and_a_wide_path_are_told_to_nobody() {
    let mut world = World::new();
    let a = world.visit(wide());
    world.run(s(15));
    world.viewers[a].change_link(link(300));
    world.run(s(2));
    world.viewers[a].change_link(wide());
    world.run(s(30));
    let b = world.visit(link(1600));
    world.run(s(30));
    assert_eq!((told(&world, a), told(&world, b)), (vec![], vec![]));
}

#[test]
fn where_everybody_gets_little_it_is_home() {
    let mut world = World::new();
    world.uplink = Some(Netem::new(link(800)));
    let (a, b) = (world.visit(wide()), world.visit(wide()));
    world.run(s(40));
    for viewer in [a, b] {
        assert_eq!(told(&world, viewer).last(), Some(&Some(LimitedBy::Home)), "{}", world.home.status());
    }
    // Who is left alone has the whole way out, and nobody knows more of it.
    let now = world.now;
    world.viewers[b].say(&FromPage::Leave {}, now);
    world.run(s(60));
    assert_ne!(told(&world, a).last(), Some(&Some(LimitedBy::Home)), "{}", world.home.status());
}

#[test]
fn where_somebody_elsewhere_has_the_full_picture_it_is_the_viewer() {
    let mut world = World::new();
    let (a, b) = (world.visit(link(500)), world.visit(wide()));
    world.run(s(30));
    assert_eq!((told(&world, a), told(&world, b)), (vec![Some(LimitedBy::Viewer)], vec![]));
    assert_eq!(world.home.status()["visits"][0]["limited_by"], "viewer");
}

#[test]
fn who_has_a_narrow_place_of_their_own_beside_a_narrow_way_out_hears_of_that() {
    let mut world = World::new();
    world.uplink = Some(Netem::new(link(1500)));
    let (a, b, c) = (world.visit(wide()), world.visit(wide()), world.visit(link(250)));
    world.run(s(90));
    let last = |viewer| told(&world, viewer).last().copied().flatten();
    assert_eq!(
        [a, b, c].map(last),
        [LimitedBy::Home, LimitedBy::Home, LimitedBy::Viewer].map(Some),
        "{}",
        world.home.status()
    );
}

#[test]
fn behind_one_address_there_is_one_connection_and_homes_network_has_none() {
    let mut world = World::new();
    let (a, b) = (world.viewer(link(500)), world.viewer(wide()));
    let together = world.viewers[a].address.ip();
    world.viewers[b].far = Some(together);
    let near = world.viewer(link(500));
    world.viewers[near].far = Some([10, 0, 0, 7].into());
    for viewer in [a, b, near] {
        world.open_socket(viewer);
        let now = world.now;
        world.viewers[viewer].open_page(now);
    }
    world.run(s(30));
    assert_eq!((told(&world, a), told(&world, near)), (vec![Some(LimitedBy::Between)], vec![Some(LimitedBy::Near)]));
}

#[test]
fn who_comes_back_hears_that_it_is_over() {
    let mut world = World::new();
    let a = world.visit(link(500));
    world.run(s(20));
    world.kill_socket(a);
    world.viewers[a].heard.clear();
    world.viewers[a].change_link(wide());
    world.run(s(60));
    world.reconnect(a);
    world.run(s(1));
    assert_eq!(told(&world, a), [None], "it was over meanwhile");
}

#[test]
fn behind_the_curtain_nothing_is_small() {
    let mut world = World::new();
    let a = world.visit(link(500));
    world.run(s(15));
    let now = world.now;
    world.home.handle_curtain(intercom_core::call::home::Curtain::Draw, now);
    world.run(s(15));
    assert_eq!(told(&world, a), [Some(LimitedBy::Between), None]);
}

/// What comes to a viewer, in kbit/s.
fn rate(world: &mut World, viewer: usize, time: Duration) -> u64 {
    let before = world.viewers[viewer].came.1;
    world.run(time);
    (world.viewers[viewer].came.1 - before) * 8 / time.as_millis() as u64
}

#[test]
fn a_device_that_saves_data_gets_a_small_picture_from_the_first_on_until_it_takes_the_full_one() {
    let mut world = World::new();
    let a = world.viewer(wide());
    world.viewers[a].saves = true;
    world.open_socket(a);
    let now = world.now;
    world.viewers[a].open_page(now);
    let other = world.visit(wide());
    assert!(rate(&mut world, a, s(5)) < 500, "from the first on");
    let saved = rate(&mut world, a, s(60));
    assert!((150..500).contains(&saved), "{saved} kbit/s");
    assert!(rate(&mut world, other, s(10)) > 2000, "nobody has a worse picture for it");
    assert_eq!(told(&world, a), [], "that is nobody's connection");
    assert_eq!(world.home.status()["visits"][0]["saves"], true);
    let since = world.now;
    world.viewers[a].say(&FromPage::State { microphone: false, camera: false, saves: false }, since);
    world.run(s(5));
    assert!(rate(&mut world, a, s(5)) > 2000, "{}", world.home.status());
    assert!(world.viewers[a].longest_gap(since, world.now) < ms(500));
    let now = world.now;
    world.viewers[a].say(&FromPage::State { microphone: false, camera: false, saves: true }, now);
    world.run(s(3));
    assert!(rate(&mut world, a, s(10)) < 500, "{}", world.home.status());
}

#[test]
fn an_address_of_each_kind_may_be_one_household() {
    let mut world = World::new();
    let (a, b) = (world.viewer(link(500)), world.viewer(link(500)));
    world.viewers[b].far = Some("2001:db8::7".parse().expect("an address"));
    for viewer in [a, b] {
        world.open_socket(viewer);
        let now = world.now;
        world.viewers[viewer].open_page(now);
    }
    world.run(s(30));
    let by: Vec<_> = [a, b].map(|viewer| told(&world, viewer)).into();
    assert_eq!(by, [[Some(LimitedBy::Between)], [Some(LimitedBy::Between)]]);
}
