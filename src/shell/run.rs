//! Starts all threads, ends them in order.
