//! A target for each parser of bytes from outside: takes any bytes, asserts what must hold of them.
//!
//! `make test` and `make fuzz` call the same functions. A seed is a good input that the engine begins with.

pub mod bytes;
pub mod files;
pub mod home;
pub mod media;
pub mod peer;
pub mod plain;
pub mod settings;
pub mod socket;
pub mod state;
pub mod text;
pub mod update;

/// A target: its name, which is that of its folders, what it does, and its seeds.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All of them but those of the drivers, which are in `intercom_drivers::fuzz`.
pub const TARGETS: &[Target] = &[
    ("head", text::fuzz_head, text::heads),
    ("pages", text::fuzz_from_pages, text::pages),
    ("control", text::fuzz_control, text::requests),
    ("key", text::fuzz_key, text::keys),
    ("people", text::fuzz_key_file, text::people),
    ("visits", state::fuzz_visits, state::visits),
    ("house", state::fuzz_house, state::houses),
    ("news", state::fuzz_news, state::news),
    ("edit", state::fuzz_edit, state::edits),
    ("signaling", text::fuzz_signaling, text::messages),
    ("if_inet6", text::fuzz_if_inet6, text::tables),
    ("jail_wire", text::fuzz_jail_wire, text::answers),
    ("zone", text::fuzz_zone, text::zones),
    ("name", text::fuzz_name, text::names),
    ("config", files::fuzz_config, files::configs),
    ("trials", files::fuzz_trials, files::trials),
    ("notices", files::fuzz_notices, files::notices),
    ("wifi", settings::fuzz_wifi, settings::wifis),
    ("timezone", settings::fuzz_timezone, settings::timezones),
    ("manifest", update::fuzz_manifest, update::manifests),
    ("bundle", update::fuzz_bundle, update::bundles),
    ("wav", media::fuzz_wav, media::wavs),
    ("h264", media::fuzz_h264, media::access_units),
    ("decoder", media::fuzz_decoder, media::streams),
    ("voice", media::fuzz_voice, media::voices),
    ("offer", peer::fuzz_offer_bytes, peer::offers),
    ("datagrams", peer::fuzz_datagrams, peer::datagrams),
    ("dtls", peer::fuzz_dtls, peer::handshakes),
    ("call", peer::fuzz_call, peer::calls),
    ("tls", socket::fuzz_tls, socket::hellos),
    ("websocket", socket::fuzz_websocket, socket::frames),
    ("pem", socket::fuzz_pem, socket::pems),
    ("home", home::fuzz_home, home::days),
];
