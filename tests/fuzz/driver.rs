//! The mutator: changes good inputs a little, many times, always in the same way.

/// Inputs tried for each target, and of those that do much with each: a fraction of a second.
const ROUNDS: usize = 20_000;
const FEW_ROUNDS: usize = 300;
const SLOW: [&str; 14] = [
    "config",
    "wifi",
    "manifest",
    "bundle",
    "decoder",
    "voice",
    "offer",
    "datagrams",
    "dtls",
    "call",
    "tls",
    "websocket",
    "pem",
    "home",
];
/// What parsers stumble over.
const PIECES: [&[u8]; 19] = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\0",
    b":",
    b" ",
    b"\t",
    b"/",
    b",",
    b"\"",
    b"{",
    b"[",
    b"]",
    b"=",
    b"\xff",
    b"999999999999999999999",
    b"9223372036854775807",
    b"-1",
];

/// Runs `target` on each seed cut short at each length, and mutated.
pub fn drive(name: &str, target: fn(&[u8]), seeds: &[&[u8]]) {
    let rounds = if SLOW.contains(&name) { FEW_ROUNDS } else { ROUNDS };
    for seed in seeds {
        for length in (0..=seed.len()).step_by((seed.len() * ROUNDS / rounds / 10_000).max(1)) {
            target(&seed[..length]);
        }
    }
    let mut random = fastrand::Rng::with_seed(0x1db8);
    let mut input = Vec::new();
    for _ in 0..rounds {
        input.clear();
        input.extend_from_slice(seeds[random.usize(..seeds.len())]);
        for _ in 0..random.usize(1..8) {
            mutate(&mut input, seeds, &mut random);
        }
        target(&input);
    }
}

pub fn mutate(input: &mut Vec<u8>, seeds: &[&[u8]], random: &mut fastrand::Rng) {
    let at = random.usize(..=input.len());
    match random.u8(..8) {
        0 if at < input.len() => input[at] ^= 1 << random.u8(..8),
        1 if at < input.len() => input[at] = random.u8(..),
        2 if at < input.len() => drop(input.remove(at)),
        3 => input.truncate(at),
        4 => {
            // A part of it, many times over.
            let end = random.usize(at..=input.len());
            let part = input[at..end].to_vec();
            for _ in 0..random.usize(1..100) {
                input.splice(at..at, part.iter().copied());
                if input.len() > 20_000 {
                    break;
                }
            }
        }
        5 => {
            let other = seeds[random.usize(..seeds.len())];
            let from = random.usize(..=other.len());
            input.splice(at.., other[from..].iter().copied());
        }
        _ => {
            let piece = PIECES[random.usize(..PIECES.len())];
            input.splice(at..at, piece.iter().copied());
        }
    }
}
