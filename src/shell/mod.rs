//! Touches the world, and is thin: clock, event loop, sockets, gateway, device and encoder threads.

pub mod addresses;
pub mod clock;
pub mod control;
pub mod devices;
pub mod doctor;
pub mod encoders;
pub mod event_loop;
pub mod gateway;
pub mod hotplug;
pub mod key_file;
pub mod minter;
pub mod netlink;
pub mod notices;
pub mod patience;
pub mod priority;
pub mod pulse;
pub mod run;
pub mod service;
pub mod signaling;
pub mod state;
pub mod tls;
pub mod trial;
pub mod udp;
pub mod wake;
pub mod wires;
pub mod worker;
