//! Scales pictures.

use intercom_drivers::contract::I420;

/// Placeholder.
pub fn scale_into(_source: &I420, _target: &mut I420) {}
