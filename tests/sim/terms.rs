//! Short words for what all simulations speak of: times, the usual connection, and what a page says.

use std::time::Duration;

use intercom_core::call::protocol::FromPage;
use str0m_netem::NetemConfig;

use crate::world::World;

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// An ordinary connection: 25 ms each way.
pub fn ordinary() -> NetemConfig {
    NetemConfig::new().latency(ms(25))
}

/// A viewer's page says something, and a moment passes.
pub fn say(world: &mut World, viewer: usize, message: &FromPage) {
    let now = world.now;
    world.viewers[viewer].say(message, now);
    world.run(ms(100));
}

/// Somebody with the key of this number, who is inside if they may come in at once.
pub fn inside(world: &mut World, key: u64) -> usize {
    let viewer = world.visit_as(key, ordinary());
    world.run(s(2));
    viewer
}
