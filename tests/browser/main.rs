//! A real headless Chromium visits the real program: what its viewer sees, hears and reads, and what home does.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a test from outside lives in real time")]

mod harness;
mod instruments;
mod lab;

fn main() -> std::process::ExitCode {
    lab::run(&[
        ("instruments_read_the_strips_test_vector", instruments::strip_vector),
        ("instruments_see_and_hear_a_loopback_call", instruments::loopback),
        ("instruments_answer_for_the_viewer", instruments::permissions),
        ("instruments_route_as_homes_do", instruments::routers),
        ("instruments_cut_udp", instruments::cut),
    ])
}
