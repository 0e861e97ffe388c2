//! A deterministic source of damage for tests of parsers.

/// Numbers below what it is asked for, the same ones each time.
pub fn storm() -> impl FnMut(usize) -> usize {
    let mut seed = 1u64;
    move |below: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % below
    }
}
