//! The control socket: `intercom link` and friends talk to the running daemon here.
