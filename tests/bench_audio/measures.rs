//! What the table's figures mean.

/// By how many dB the echo is lower in `out` than in `echo`, between two times (seconds), where there is echo.
pub fn reduction_db(echo: &[f32], out: &[f32], from: f64, to: f64) -> f64 {
    let part = |sound: &[f32]| -> Vec<f32> {
        let len = echo.len().min(out.len());
        let at = |t: f64| ((t * 48_000.0) as usize).min(len);
        sound[at(from)..at(to)].to_vec()
    };
    let (echo, out) = (part(echo), part(out));
    let loud = power(&echo) * 0.03;
    let (mut before, mut after) = (0.0, 1e-9);
    for (echo, out) in echo.chunks_exact(960).zip(out.chunks_exact(960)) {
        if power(echo) > loud {
            before += power(echo);
            after += power(out);
        }
    }
    10.0 * (before / after).log10()
}

/// Seconds after `jump` from which on the reduction stays above `db`, half a second at a time; `None` if never.
pub fn recovery(echo: &[f32], out: &[f32], jump: f64, end: f64, db: f64) -> Option<f64> {
    let mut since = None;
    let mut t = jump;
    while t + 0.5 <= end {
        match reduction_db(echo, out, t, t + 0.5) >= db {
            true => since = since.or(Some(t - jump)),
            false => since = None,
        }
        t += 0.1;
    }
    since
}

/// By how many dB who talks at home is lower in `both` than in `alone`, which is the same processing without the far
/// end, while there is echo: what of `both` goes along with `alone`, 20 ms at a time.
pub fn lowered_db(alone: &[f32], both: &[f32], echo: &[f32], from: f64, to: f64) -> f64 {
    let range = (from * 48_000.0) as usize..((to * 48_000.0) as usize).min(alone.len()).min(both.len());
    let (alone, both, echo) = (&alone[range.clone()], &both[range.clone()], &echo[range]);
    let (loud, loud_echo) = (power(alone) * 0.03, power(echo) * 0.03);
    let (mut before, mut after) = (0.0, 1e-9);
    for ((alone, both), echo) in alone.chunks_exact(960).zip(both.chunks_exact(960)).zip(echo.chunks_exact(960)) {
        let own = power(alone);
        if own > loud && power(echo) > loud_echo {
            let along: f64 =
                alone.iter().zip(both).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>() / 960.0 / own;
            before += own;
            after += own * along.max(0.0).powi(2);
        }
    }
    10.0 * (before / after).log10()
}

/// By how many ms `after` is later than `before`, at most 30.
pub fn later_ms(before: &[f32], after: &[f32]) -> f64 {
    let middle = before.len() / 2..(before.len() / 2 + 96_000).min(before.len() - 1440);
    let alike = |lag: usize| -> f64 {
        let after = &after[middle.start + lag..middle.end + lag];
        before[middle.clone()].iter().zip(after).map(|(b, a)| f64::from(*b) * f64::from(*a)).sum()
    };
    let best = (0..1440).max_by(|a, b| alike(*a).total_cmp(&alike(*b)));
    best.unwrap_or_default() as f64 / 48.0
}

fn power(sound: &[f32]) -> f64 {
    sound.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / sound.len().max(1) as f64
}
