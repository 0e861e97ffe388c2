//! The mutator: changes good inputs a little, many times, always in the same way.

/// Inputs tried for each target: a fraction of a second.
const ROUNDS: usize = 20_000;
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

/// Runs `target` on each seed as it is, cut short at each length, and mutated.
pub fn drive(target: fn(&[u8]), seeds: &[&[u8]]) {
    for seed in seeds {
        for length in 0..=seed.len() {
            target(&seed[..length]);
        }
    }
    let mut random = fastrand::Rng::with_seed(0x1db8);
    let mut input = Vec::new();
    for _ in 0..ROUNDS {
        input.clear();
        input.extend_from_slice(seeds[random.usize(..seeds.len())]);
        for _ in 0..random.usize(1..8) {
            mutate(&mut input, seeds, &mut random);
        }
        target(&input);
    }
}

fn mutate(input: &mut Vec<u8>, seeds: &[&[u8]], random: &mut fastrand::Rng) {
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
