//! People who talk: read sentences and spoken words where their packages are installed, a synthetic voice, and one that
//! consists of nothing but a seed.

use std::f32::consts::TAU;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian's pocketsphinx-testdata has LibriVox's sentences.
const SENTENCES: &str = "/usr/share/pocketsphinx/test/data/librivox";
/// Where alsa-utils has its channels' names.
const WORDS: &str = "/usr/share/sounds/alsa";
/// What espeak-ng says.
const TEXT: &str = "Could you put the kettle on? We were just talking about the garden, and whether the roses need more \
    water this summer. The neighbours called earlier, they will come over on Sunday afternoon. How did it go at school?";

/// Somebody's speech, 48 kHz, and what it is.
#[derive(Clone)]
pub struct Speech {
    pub name: &'static str,
    pub sound: Vec<f32>,
}

impl Speech {
    /// At `db` of full scale while it is there (pauses do not count), for `seconds`, over and over.
    pub fn lasting(&self, seconds: f64, db: f32) -> Vec<f32> {
        let gain = 10f32.powf((db - active_level(&self.sound)) / 20.0);
        self.sound.iter().map(|s| s * gain).cycle().take((seconds * 48_000.0) as usize).collect()
    }
}

/// All who can be had, the ones with the most recorded speech first; the last one always can.
pub fn voices() -> Vec<Speech> {
    let mut found = Vec::new();
    let sentences: Vec<f32> = waves(SENTENCES, |_| true).concat();
    if !sentences.is_empty() {
        found.push(Speech { name: "read sentences", sound: sentences });
    }
    if let Some(sound) = espeak() {
        found.push(Speech { name: "espeak-ng", sound });
    }
    let words: Vec<f32> = waves(WORDS, |name| !name.contains("Noise")).concat();
    if !words.is_empty() {
        found.push(Speech { name: "spoken words", sound: words });
    }
    found.push(Speech { name: "made-up syllables", sound: syllables(7, 115.0, 20.0) });
    found
}

/// Another made-up talker, with a higher voice.
pub fn other() -> Speech {
    Speech { name: "other syllables", sound: syllables(23, 205.0, 20.0) }
}

/// One that nothing was tuned with.
pub fn stranger() -> Speech {
    Speech { name: "stranger's syllables", sound: syllables(53, 160.0, 20.0) }
}

/// Syllables with a melody, vowels that differ, hisses between them, and pauses; alike for each seed.
pub fn syllables(seed: u64, pitch: f32, seconds: f32) -> Vec<f32> {
    const VOWELS: [[f32; 3]; 5] = [
        [730.0, 1090.0, 2440.0],
        [530.0, 1840.0, 2480.0],
        [270.0, 2290.0, 3010.0],
        [570.0, 840.0, 2410.0],
        [300.0, 870.0, 2240.0],
    ];
    let mut random = fastrand::Rng::with_seed(seed);
    let mut out = Vec::new();
    while out.len() < (seconds * 48_000.0) as usize {
        let vowel = VOWELS[random.usize(0..VOWELS.len())];
        let length = 0.11 + 0.14 * random.f32();
        let (from, to) = (pitch * (0.85 + 0.4 * random.f32()), pitch * (0.8 + 0.35 * random.f32()));
        let strength = 0.5 + 0.5 * random.f32();
        if random.u8(0..3) == 0 {
            let mut before = 0.0;
            for n in 0..(0.07 * 48_000.0) as usize {
                let white = random.f32() - 0.5;
                let swell = (TAU / 2.0 * n as f32 / (0.07 * 48_000.0)).sin();
                out.push(1500.0 * swell * strength * (white - before));
                before = white;
            }
        }
        let (mut phase, samples) = (0.0f32, (length * 48_000.0) as usize);
        for n in 0..samples {
            let part = n as f32 / samples as f32;
            let hz = from + (to - from) * part;
            phase = (phase + hz / 48_000.0).fract();
            let swell = (TAU / 2.0 * part).sin().powf(0.5);
            let most = (4000.0 / hz) as usize;
            let voice: f32 = (1..=most)
                .map(|k| {
                    let f = k as f32 * hz;
                    let formant: f32 = vowel
                        .iter()
                        .zip([1.0, 0.5, 0.25])
                        .map(|(v, a)| a * (-((f - v) / (60.0 + v * 0.08)).powi(2)).exp())
                        .sum();
                    (formant + 0.02) * (TAU * k as f32 * phase).sin()
                })
                .sum();
            out.push(9000.0 * strength * swell * voice + (random.f32() - 0.5) * 20.0);
        }
        let pause = if random.u8(0..6) == 0 { 0.35 } else { 0.03 * random.f32() };
        out.extend(std::iter::repeat_n(0.0, (pause * 48_000.0) as usize));
    }
    out
}

/// dB of full scale of the parts within 25 dB of the loudest.
pub fn active_level(sound: &[f32]) -> f32 {
    let power = |part: &[f32]| part.iter().map(|s| (s / 32_768.0).powi(2)).sum::<f32>() / part.len() as f32;
    let powers: Vec<f32> = sound.chunks_exact(960).map(power).collect();
    let most = powers.iter().fold(0.0f32, |a, b| a.max(*b));
    let active: Vec<f32> = powers.into_iter().filter(|p| *p > most * 10f32.powf(-2.5)).collect();
    10.0 * (active.iter().sum::<f32>() / active.len().max(1) as f32).max(1e-12).log10()
}

fn waves(folder: &str, wanted: impl Fn(&str) -> bool) -> Vec<Vec<f32>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "wav") && wanted(&path.to_string_lossy()));
    paths.sort();
    paths.iter().filter_map(|path| wave(path)).collect()
}

fn espeak() -> Option<Vec<f32>> {
    let path = std::env::temp_dir().join(format!("intercom-espeak-{}.wav", std::process::id()));
    let done = Command::new("espeak-ng").args(["-v", "en-us+f3", "-w"]).arg(&path).arg(TEXT).status();
    let sound = done.is_ok_and(|status| status.success()).then(|| wave(&path)).flatten();
    let _ = std::fs::remove_file(&path);
    sound
}

/// A WAV file (16 bit, mono) at 48 kHz.
fn wave(path: &Path) -> Option<Vec<f32>> {
    let bytes = std::fs::read(path).ok()?;
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let mut at = 12;
    let mut rate = None;
    while let (Some(id), Some(len)) = (bytes.get(at..at + 4), number(at + 4)) {
        let body = bytes.get(at + 8..)?;
        match id {
            b"fmt " => {
                let mono_16 = body.get(2..4)? == [1, 0] && body.get(14..16)? == [16, 0];
                rate = Some(f64::from(number(at + 12)?)).filter(|_| mono_16);
            }
            b"data" => {
                let body = &body[..(len as usize).min(body.len())];
                let sound: Vec<f32> =
                    body.as_chunks::<2>().0.iter().map(|s| f32::from(i16::from_le_bytes(*s))).collect();
                let ratio = rate? / 48_000.0;
                let samples = (sound.len() as f64 / ratio) as usize;
                return Some((0..samples).map(|n| super::room::between(&sound, n as f64 * ratio)).collect());
            }
            _ => {}
        }
        at += 8 + (len as usize).next_multiple_of(2);
    }
    None
}
