//! How a visit feels: chimes when somebody comes and goes.

use std::time::Duration;

use intercom::core::chimes::Chime;
use intercom::core::home::ORPHAN_LIFE;
use intercom::core::protocol::FromPage;
use str0m_netem::NetemConfig;

use crate::world::World;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn ordinary() -> NetemConfig {
    NetemConfig::new().latency(ms(25))
}

fn chimes(world: &World) -> Vec<Chime> {
    world.chimes.iter().map(|(_, chime)| *chime).collect()
}

fn leave(world: &mut World, viewer: usize) {
    let now = world.now;
    world.viewers[viewer].say(&FromPage::Leave {}, now);
}

#[test]
fn home_chimes_when_the_picture_is_seen_and_when_the_visit_is_over() {
    let mut world = World::new();
    let a = world.visit(ordinary());
    assert!(world.run_until(s(5), |w| w.visitors.iter().any(|v| v.connected)));
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
    assert_eq!(world.visitors.len(), 1);
    world.kill_socket(a);
    world.run(ORPHAN_LIFE + s(10));
    assert!(world.visitors.is_empty() && world.chimes.is_empty());
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
    assert_eq!(world.visitors.iter().filter(|v| v.connected).count(), 4);
    assert_eq!(chimes(&world), [Chime::Arrive]);
    viewers.into_iter().for_each(|viewer| leave(&mut world, viewer));
    world.run(s(10));
    assert_eq!(chimes(&world), [Chime::Arrive, Chime::Leave]);
    let mut last = world.visit(ordinary());
    for _ in 0..30 {
        world.run(s(10));
        leave(&mut world, last);
        world.run(ms(500));
        last = world.visit(ordinary());
    }
    world.run(s(10));
    assert_eq!(chimes(&world), [Chime::Arrive, Chime::Leave, Chime::Arrive]);
}
