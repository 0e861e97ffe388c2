//! Home's own way out, where all viewers share one.

use std::time::Duration;

use intercom_core::call::protocol::FromPage;
use str0m_netem::{Input as LinkInput, Netem, NetemConfig, Output as LinkOutput};

use crate::paths::{open, path, path_of};
use crate::terms::{ms, s};
use crate::viewer::Packet;
use crate::world::World;

impl World {
    /// A datagram has left home's own network.
    pub fn deliver(&mut self, packet: Packet) {
        match self.viewers.iter_mut().find(|v| v.owns(packet.to)) {
            Some(viewer) => viewer.downlink(packet.from, packet.to, packet.bytes, self.now),
            None => *self.stray.entry(packet.to).or_default() += 1,
        }
    }

    pub fn advance_uplink(&mut self) {
        let Some(mut uplink) = self.uplink.take() else { return };
        uplink.handle_input(LinkInput::Timeout(self.now));
        while let Some(output) = uplink.poll_output() {
            if let LinkOutput::Packet(packet) = output {
                self.deliver(packet);
            }
        }
        self.uplink = Some(uplink);
    }
}

/// What came for each viewer within this time, in kbit/s.
fn rates(world: &mut World, time: Duration) -> Vec<u64> {
    let before: Vec<u64> = world.viewers.iter().map(|viewer| viewer.came.1).collect();
    world.run(time);
    let came = world.viewers.iter().zip(before).map(|(viewer, before)| viewer.came.1 - before);
    came.map(|bytes| bytes * 8 / time.as_millis() as u64).collect()
}

#[test]
fn who_comes_late_has_as_much_of_homes_uplink_as_who_was_there_first() {
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(8);
    for seed in 0..seeds {
        let mut random = fastrand::Rng::with_seed(seed);
        let count = random.u64(2..5);
        let kbps = count * (150.0 * 6f64.powf(random.f64())) as u64;
        let queue = random.u64(150..400);
        let case = format!("seed {seed}: {count} behind {kbps} kbit/s, a queue of {queue} ms");
        let mut world = World::new();
        world.uplink = Some(Netem::new(path_of(kbps, ms(5), queue).seed(seed)));
        for _ in 0..count {
            open(&mut world, NetemConfig::new().latency(ms(random.u64(5..90))), Some(kbps * 8 / 10));
            world.run(ms(random.u64(3000..12_000)));
        }
        world.run(s(15));
        let (since, sounds) = (world.now, world.viewers.iter().map(|viewer| viewer.sound).collect::<Vec<_>>());
        let rates = rates(&mut world, s(30));
        let (least, most, sum) = (rates.iter().min().unwrap(), rates.iter().max().unwrap(), rates.iter().sum::<u64>());
        let shown: Vec<usize> = world.viewers.iter().map(|viewer| viewer.shown_since(since)).collect();
        let heard: Vec<_> = world.viewers.iter().zip(sounds).map(|(viewer, sound)| viewer.sound - sound).collect();
        let told = format!("{case}: {rates:?} kbit/s, {shown:?} pictures and {heard:?} packets of sound in 30 s");
        assert!(least * 100 > most * 75, "{told}");
        assert!(sum * 100 > kbps * 70, "{told}");
        // With so little each second frame may be left out.
        assert!(shown.iter().all(|shown| *shown > if kbps / count < 200 { 400 } else { 780 }), "{told}");
        assert!(heard.iter().all(|heard| *heard > 1480), "{told}");
    }
}

#[test]
fn who_has_a_narrow_place_of_their_own_keeps_it_and_the_others_have_the_rest() {
    for (own, uplink) in [(150, 1500), (250, 1500), (400, 3000)] {
        let mut world = World::new();
        world.uplink = Some(Netem::new(path_of(uplink, ms(5), 300)));
        for link in [NetemConfig::new().latency(ms(25)), path(own), NetemConfig::new().latency(ms(60))] {
            open(&mut world, link, Some(own));
        }
        world.run(s(25));
        let since = world.now;
        let rates = rates(&mut world, s(30));
        let told = format!("{own} and {uplink}: {rates:?}");
        assert!(rates[1] * 100 > own * 55, "{told}");
        assert!([0, 2].iter().all(|at| rates[*at] * 100 > uplink * 30), "{told}");
        assert!(world.viewers[0].shown_since(since) > 850 && world.viewers[2].shown_since(since) > 850, "{told}");
        assert!(world.viewers[1].shown_since(since) > 350, "{told}: {}", world.viewers[1].shown_since(since));
    }
}

#[test]
fn an_uplink_that_widens_or_narrows_and_viewers_who_leave_are_followed() {
    let mut world = World::new();
    world.uplink = Some(Netem::new(path_of(800, ms(5), 300)));
    for _ in 0..3 {
        open(&mut world, NetemConfig::new().latency(ms(25)), Some(600));
    }
    world.run(s(15));
    assert_eq!(shared(&world), [true; 3]);
    world.uplink = Some(Netem::new(path_of(4000, ms(5), 300)));
    world.run(s(15));
    let wide = rates(&mut world, s(5));
    assert!(wide.iter().all(|rate| *rate > 800), "{wide:?}");
    world.uplink = Some(Netem::new(path_of(600, ms(5), 300)));
    world.run(s(4));
    let thin = rates(&mut world, s(10));
    assert!(thin.iter().all(|rate| (110..210).contains(rate)), "{thin:?}");
    // Who stays has the room of who leaves at once.
    for (gone, least) in [(0, 180), (1, 380)] {
        let now = world.now;
        world.viewers[gone].say(&FromPage::Leave {}, now);
        world.run(s(2));
        let left = rates(&mut world, s(6));
        assert!(left[gone + 1..].iter().all(|rate| *rate > least), "{left:?}");
    }
}

#[test]
fn paths_of_their_own_are_not_taken_for_one_that_is_shared() {
    for seed in 0..6 {
        let mut world = World::new();
        for number in 0..3 {
            open(&mut world, path(600 + 300 * (number + seed) % 900).seed(seed * 7 + number), Some(600));
        }
        for _ in 0..200 {
            world.run(ms(200));
            assert_eq!(shared(&world), [false; 3], "{seed} at {:?}", world.age());
        }
    }
}

/// Who is taken to share the uplink with others.
fn shared(world: &World) -> Vec<bool> {
    let status = world.home.status();
    status["visits"].as_array().unwrap().iter().map(|visit| !visit["share_kbps"].is_null()).collect()
}
