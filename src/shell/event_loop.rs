//! One thread, one poll, explicit deadlines.
