//! Command line, exit code, wiring of threads and channels; nothing else.
#![forbid(unsafe_code)]

fn main() {}
