//! One state machine per device: when to open it again.
