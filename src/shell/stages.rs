//! How long a frame spends in each stage on its way from the camera to the network.

use std::time::Duration;

/// Samples kept per stage: the last half minute at 30 frames a second.
const KEPT: usize = 1024;

/// One stage's latest durations.
#[derive(Debug, Default)]
struct Stage {
    samples: Vec<u32>,
    next: usize,
}

impl Stage {
    fn add(&mut self, took: Duration) {
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        if self.samples.len() < KEPT {
            self.samples.push(micros);
        } else {
            self.samples[self.next] = micros;
        }
        self.next = (self.next + 1) % KEPT;
    }

    fn summary(&self) -> serde_json::Value {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable();
        let at = |p: f64| {
            let index = ((sorted.len() as f64 * p).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
            sorted.get(index).map(|micros| f64::from(*micros) / 1000.0)
        };
        serde_json::json!({ "n": sorted.len(), "p50": at(0.5), "p95": at(0.95), "p99": at(0.99) })
    }
}

/// All stages of the video path.
#[derive(Debug, Default)]
pub struct Stages {
    wait: Stage,
    encode: Stage,
    handoff: Stage,
    send: Stage,
}

impl Stages {
    /// A frame went through: it waited for its encoder, was encoded, handed to the event loop, and sent to all.
    pub fn add(&mut self, wait: Duration, encode: Duration, handoff: Duration, send: Duration) {
        self.wait.add(wait);
        self.encode.add(encode);
        self.handoff.add(handoff);
        self.send.add(send);
    }

    /// Milliseconds per stage.
    pub fn summary(&self) -> serde_json::Value {
        serde_json::json!({
            "wait_ms": self.wait.summary(),
            "encode_ms": self.encode.summary(),
            "handoff_ms": self.handoff.summary(),
            "send_ms": self.send.summary(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_the_latest_samples() {
        let mut stages = Stages::default();
        for ms in 1..=100 {
            let took = Duration::from_millis(ms);
            stages.add(took, took, took, took);
        }
        let summary = stages.summary();
        assert_eq!(summary["wait_ms"]["p50"], 50.0);
        assert_eq!(summary["send_ms"]["p99"], 99.0);
    }
}
