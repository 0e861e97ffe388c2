//! How long a client may take for each step.

use std::time::Duration;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the connection to its first byte, and from that to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the handshake to the request's first byte: browsers connect ahead of need. And from an answer to the next request.
    pub idle: Duration,
    /// From the first byte of the request's head to its last.
    pub head: Duration,
    /// From the end of a POST's head to its body's.
    pub body: Duration,
    /// From a POST's body to home's words. A wrong key is answered later and later, up to half a minute.
    pub words: Duration,
    /// From the request to the end of its answer.
    pub answer: Duration,
    /// For a refusal to be sent.
    pub refusal: Duration,
    /// From the answer's end until the far end closes too. That end is the kernel's: over a thin path most of the answer is
    /// still on its way, and what is abandoned then arrives in part.
    pub linger: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            handshake: Duration::from_secs(5),
            idle: Duration::from_secs(10),
            head: Duration::from_secs(5),
            body: Duration::from_secs(10),
            words: Duration::from_secs(40),
            answer: Duration::from_secs(10),
            refusal: Duration::from_secs(2),
            linger: Duration::from_secs(20),
        }
    }
}
