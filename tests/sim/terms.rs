//! Short words for what all simulations speak of: times, and the usual connection.

use std::time::Duration;

use str0m_netem::NetemConfig;

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
