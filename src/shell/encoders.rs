//! Fixed-rate encoder threads.

/// Orders for one encoder thread.
#[derive(Debug, Default)]
pub struct EncoderControl;

impl EncoderControl {
    /// Passes an order on; takes effect at once.
    pub fn order(&self, _order: crate::shell::wires::EncoderOrder) {}
}
