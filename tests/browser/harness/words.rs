//! How much of spoken words gets through: short-time objective intelligibility, after Taal, Hendriks, Heusdens and Jensen,
//! "An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy Speech" (IEEE, 2011). It compares how
//! the loudness of fifteen bands moves within a third of a second, which is what listeners go by.
//!
//! What was heard may be late, and later at one place than at another: each third of a second is looked for around its place.

use std::f64::consts::PI;

use super::sound::Sound;

/// Samples a second that it works at.
const RATE: f64 = 10_000.0;
/// Samples of a frame, and from one to the next: 25.6 and 12.8 ms.
const FRAME: usize = 256;
const HOP: usize = 128;
const FFT: usize = 512;
/// Third octaves from 150 Hz on.
const BANDS: usize = 15;
const LOWEST: f64 = 150.0;
/// Frames of a segment: 384 ms.
const SEGMENT: usize = 30;
/// Frames that are quieter than the loudest by more than so many dB hold no speech.
const RANGE: f64 = 40.0;
/// Distortion counts up to so many dB.
const CLIP: f64 = -15.0;
/// A segment is looked for up to so many frames around its place: 0.13 s.
const AROUND: isize = 10;
/// So many places are tried for the whole.
const PLACES: usize = 4;

/// How well `heard` conveys what `spoken` said: 1 is perfect, above 0.75 nearly every word is understood, below 0.5 many are
/// not. `heard` may begin anywhere in a repetition of `spoken`, and be late by as much as it likes.
pub fn intelligibility(spoken: &Sound, heard: &Sound) -> f64 {
    let (spoken, heard) = (bands(spoken), bands(heard));
    let speech = speech_frames(&spoken);
    // Speech is much like itself a sentence later: the likeliest places are all tried.
    lags(&spoken, &heard).into_iter().map(|lag| score(&spoken, &speech, &heard, lag)).fold(0.0, f64::max)
}

/// The mean over all segments that hold speech.
fn score(spoken: &[Frame], speech: &[bool], heard: &[Frame], lag: isize) -> f64 {
    let mut scores = Vec::new();
    // One segment for a tenth of a second is enough.
    for start in (0..spoken.len().saturating_sub(SEGMENT)).step_by(8) {
        if speech[start..start + SEGMENT].iter().filter(|speech| **speech).count() < SEGMENT / 2 {
            continue;
        }
        let near = |shift: isize| usize::try_from(start as isize + lag + shift).ok();
        let fitting = (-AROUND..=AROUND).filter_map(near).filter(|at| at + SEGMENT <= heard.len());
        let best = fitting.map(|at| segment(&spoken[start..start + SEGMENT], &heard[at..at + SEGMENT]));
        scores.extend(best.reduce(f64::max));
    }
    // What overlaps little proves nothing.
    if scores.len() < 10 { 0.0 } else { scores.iter().sum::<f64>() / scores.len() as f64 }
}

type Frame = [f64; BANDS];

/// The magnitude of each band, frame by frame.
fn bands(sound: &Sound) -> Vec<Frame> {
    let samples = resampled(sound);
    let window: Vec<f64> =
        (0..FRAME).map(|n| 0.5 - 0.5 * (2.0 * PI * (n as f64 + 1.0) / (FRAME as f64 + 1.0)).cos()).collect();
    let edges: Vec<(usize, usize)> = (0..BANDS)
        .map(|band| {
            let centre = LOWEST * 2f64.powf(band as f64 / 3.0);
            let bin = |hz: f64| (hz * FFT as f64 / RATE).round() as usize;
            (bin(centre * 2f64.powf(-1.0 / 6.0)), bin(centre * 2f64.powf(1.0 / 6.0)).min(FFT / 2))
        })
        .collect();
    let frames = samples.len().saturating_sub(FRAME) / HOP + 1;
    (0..frames)
        .filter_map(|n| samples.get(n * HOP..n * HOP + FRAME))
        .map(|part| {
            let mut re = vec![0.0; FFT];
            let mut im = vec![0.0; FFT];
            re.iter_mut().zip(part.iter().zip(&window)).for_each(|(re, (sample, window))| *re = sample * window);
            fft(&mut re, &mut im);
            std::array::from_fn(|band| {
                let (from, to) = edges[band];
                (from..to).map(|bin| re[bin].powi(2) + im[bin].powi(2)).sum::<f64>().sqrt()
            })
        })
        .collect()
}

/// At [`RATE`], by a windowed sinc.
fn resampled(sound: &Sound) -> Vec<f64> {
    let step = sound.rate / RATE;
    let count = (sound.samples.len() as f64 / step) as usize;
    let reach = (16.0 * step) as isize;
    // In whole numbers: where a sample lies between those that were recorded comes round again.
    let (rate, wanted) = (sound.rate as usize, RATE as usize);
    let nearest = |n: usize| (n * rate + wanted / 2) / wanted;
    let kernel = |n: usize| -> Vec<f64> {
        let off = nearest(n) as f64 - n as f64 * step;
        let weight = |tap: isize| {
            let x = (tap as f64 + off) / step;
            let window = 0.5 + 0.5 * (PI * x / 16.5).cos();
            let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) };
            sinc * window / step
        };
        (-reach..=reach).map(weight).collect()
    };
    let kernels: Vec<Vec<f64>> = (0..wanted / common_divisor(rate, wanted)).map(kernel).collect();
    (0..count)
        .map(|n| {
            let taps = kernels[n % kernels.len()].iter().zip(nearest(n) as isize - reach..);
            taps.filter_map(|(weight, at)| Some(weight * sound.samples.get(usize::try_from(at).ok()?)?)).sum()
        })
        .collect()
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// In place; the length is a power of two.
fn fft(re: &mut [f64], im: &mut [f64]) {
    let n = re.len();
    let mut j = 0;
    for i in 1..n {
        let mut bit = n >> 1;
        while j & bit != 0 {
            j ^= bit;
            bit >>= 1;
        }
        j |= bit;
        if i < j {
            re.swap(i, j);
            im.swap(i, j);
        }
    }
    let mut length = 2;
    while length <= n {
        let angle = -2.0 * PI / length as f64;
        let turns: Vec<(f64, f64)> = (0..length / 2).map(|k| (angle * k as f64).sin_cos()).collect();
        for start in (0..n).step_by(length) {
            for (k, (s, c)) in turns.iter().enumerate() {
                let (a, b) = (start + k, start + k + length / 2);
                let (x, y) = (re[b] * c - im[b] * s, re[b] * s + im[b] * c);
                (re[b], im[b]) = (re[a] - x, im[a] - y);
                (re[a], im[a]) = (re[a] + x, im[a] + y);
            }
        }
        length *= 2;
    }
}

fn power(frame: &Frame) -> f64 {
    frame.iter().map(|band| band * band).sum()
}

fn speech_frames(frames: &[Frame]) -> Vec<bool> {
    let loudest = frames.iter().map(power).fold(0.0, f64::max);
    frames.iter().map(|frame| power(frame) > loudest * 10f64.powf(-RANGE / 10.0)).collect()
}

/// By how many frames `heard` may be late, as far as loudness tells.
fn lags(spoken: &[Frame], heard: &[Frame]) -> Vec<isize> {
    let envelope = |frames: &[Frame]| -> Vec<f64> {
        let levels: Vec<f64> = frames.iter().map(|frame| power(frame).max(1e-9).log10().max(-4.0)).collect();
        let mean = levels.iter().sum::<f64>() / levels.len().max(1) as f64;
        levels.iter().map(|level| level - mean).collect()
    };
    let (spoken, heard) = (envelope(spoken), envelope(heard));
    let likeness = |lag: isize| {
        let pairs = spoken.iter().enumerate().filter_map(|(n, level)| {
            let at = usize::try_from(n as isize + lag).ok()?;
            Some((*level, *heard.get(at)?))
        });
        let (mut both, mut count) = (0.0, 0usize);
        for (a, b) in pairs {
            both += a * b;
            count += 1;
        }
        // Whatever overlaps too little proves nothing.
        if count < spoken.len() / 3 { f64::MIN } else { both / count as f64 }
    };
    let range = -(spoken.len() as isize)..heard.len() as isize;
    let mut all: Vec<(isize, f64)> = range.map(|lag| (lag, likeness(lag))).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut best: Vec<isize> = Vec::new();
    for (lag, _) in all {
        if best.len() == PLACES {
            break;
        }
        if best.iter().all(|known| known.abs_diff(lag) > AROUND.unsigned_abs()) {
            best.push(lag);
        }
    }
    best
}

/// The mean correlation of the bands, with what was heard brought to the same loudness and clipped.
fn segment(spoken: &[Frame], heard: &[Frame]) -> f64 {
    let mut sum = 0.0;
    for band in 0..BANDS {
        let x: Vec<f64> = spoken.iter().map(|frame| frame[band]).collect();
        let y: Vec<f64> = heard.iter().map(|frame| frame[band]).collect();
        let size = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
        let alpha = size(&x) / size(&y).max(1e-12);
        let clip = 1.0 + 10f64.powf(-CLIP / 20.0);
        let y: Vec<f64> = y.iter().zip(&x).map(|(y, x)| (alpha * y).min(clip * x)).collect();
        sum += correlation(&x, &y);
    }
    sum / BANDS as f64
}

fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        xy += (x - mx) * (y - my);
        xx += (x - mx).powi(2);
        yy += (y - my).powi(2);
    }
    if xx * yy > 1e-24 { xy / (xx * yy).sqrt() } else { 0.0 }
}
