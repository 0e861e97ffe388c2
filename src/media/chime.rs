//! The chimes of home: two soft bell-like notes of our own, or somebody's WAV file.

use std::f32::consts::{PI, TAU};
use std::fmt;
use std::io::Cursor;

use hound::{SampleFormat, WavReader, WavSpec};
use intercom_base::resample::Resampler;
use intercom_base::sound::SAMPLE_RATE;

use crate::wav;

/// A file may be no longer than this.
pub const LONGEST_SECONDS: u32 = 10;

/// Most bytes of a file worth reading: the longest sound, stereo, at the highest rate, and room for a head.
pub const LARGEST_FILE: u64 = LONGEST_SECONDS as u64 * HIGHEST_RATE as u64 * 4 + 65_536;

/// What files of sound have. A filter for any other rate would take seconds to make.
const RATES: [u32; 13] =
    [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, HIGHEST_RATE];

const HIGHEST_RATE: u32 = 192_000;

/// Pitches in Hz: G5 and C6.
const LOW: f32 = 783.99;
const HIGH: f32 = 1046.5;

/// When the second note begins, and when all is over, in seconds.
const SECOND_NOTE: f32 = 0.19;
const LENGTH: f32 = 1.1;

/// Partials of a small bell: pitch against the note's, strength, and the time in which it falls to a third, in seconds.
const PARTIALS: [(f32, f32, f32); 4] = [(1.0, 1.0, 0.30), (2.0, 0.30, 0.16), (3.01, 0.10, 0.09), (4.2, 0.04, 0.05)];

/// The loudest sample of ours, of full scale.
const PEAK: f32 = 0.5;

/// Fades in and out over so many samples (8 ms), so that nothing clicks.
const FADE: usize = 384;

/// Somebody arrived: the second note is the higher one. Mono, 48 kHz.
pub fn arrive() -> Vec<i16> {
    ring([LOW, HIGH])
}

/// Somebody left: the second note is the lower one.
pub fn leave() -> Vec<i16> {
    ring([HIGH, LOW])
}

/// Somebody knocks: three notes, so that nobody takes it for an arrival.
pub fn knock() -> Vec<i16> {
    let note = ring([HIGH, HIGH]);
    let mut sound = note[..note.len().min((2.0 * SECOND_NOTE * SAMPLE_RATE as f32) as usize)].to_vec();
    let length = sound.len();
    // The third note begins where the second has half died away.
    for (n, sample) in sound.iter_mut().skip(length.saturating_sub(FADE)).enumerate() {
        *sample = (f32::from(*sample) * (1.0 - n as f32 / FADE as f32)) as i16;
    }
    sound.extend(ring([LOW, HIGH]));
    sound
}

/// Why a file is no chime.
#[derive(Debug)]
pub enum WavError {
    /// It cannot be read as a WAV file.
    Broken(hound::Error),
    /// Its samples are of a kind that is not played here.
    Format(WavSpec),
    /// It lasts longer than [`LONGEST_SECONDS`].
    TooLong,
    /// There is no sound in it.
    Empty,
}

impl fmt::Display for WavError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WavError::Broken(error) => write!(f, "it is no whole WAV file: {error}"),
            WavError::Format(WavSpec { channels, sample_rate, bits_per_sample, sample_format }) => {
                let kind = if *sample_format == SampleFormat::Float { "floating point" } else { "bits" };
                write!(f, "it has {channels} channels of {bits_per_sample} {kind} at {sample_rate} Hz")
            }
            WavError::TooLong => write!(f, "it lasts longer than {LONGEST_SECONDS} s"),
            WavError::Empty => f.write_str("there is no sound in it"),
        }
    }
}

impl std::error::Error for WavError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            WavError::Broken(error) => Some(error),
            _ => None,
        }
    }
}

/// Reads a WAV file of 16 bit PCM, mono or stereo, at 8, 11.025, 12 … 192 kHz: mono, 48 kHz, its ends faded.
///
/// # Errors
/// If it is none, or lasts too long.
pub fn from_wav(file: &[u8]) -> Result<Vec<i16>, WavError> {
    let file = wav::tidy(file).ok_or(WavError::Broken(hound::Error::FormatError("no format and sound in it")))?;
    let mut reader = WavReader::new(Cursor::new(file)).map_err(WavError::Broken)?;
    let spec = reader.spec();
    let right = spec.bits_per_sample == 16
        && spec.sample_format == SampleFormat::Int
        && (1..=2).contains(&spec.channels)
        && RATES.contains(&spec.sample_rate);
    if !right {
        return Err(WavError::Format(spec));
    }
    if reader.duration() > spec.sample_rate * LONGEST_SECONDS {
        return Err(WavError::TooLong);
    }
    let samples: Vec<i16> = reader.samples().collect::<Result<_, _>>().map_err(WavError::Broken)?;
    let channels = usize::from(spec.channels);
    let mono = samples.chunks_exact(channels).map(|frame| frame.iter().map(|s| i32::from(*s)).sum::<i32>());
    let mono: Vec<i16> = mono.map(|sum| (sum / channels as i32) as i16).collect();
    if mono.is_empty() {
        return Err(WavError::Empty);
    }
    let mut sound = resample(&mono, spec.sample_rate);
    fade(&mut sound);
    Ok(sound)
}

/// The sound at another loudness; `gain` is at most 1.0.
pub fn at(gain: f32, sound: &[i16]) -> Vec<i16> {
    sound.iter().map(|sample| (f32::from(*sample) * gain) as i16).collect()
}

fn ring(notes: [f32; 2]) -> Vec<i16> {
    let mut sound = vec![0f32; (LENGTH * SAMPLE_RATE as f32) as usize];
    for (begin, pitch) in [0.0, SECOND_NOTE].into_iter().zip(notes) {
        let first = (begin * SAMPLE_RATE as f32) as usize;
        for (n, sample) in sound[first..].iter_mut().enumerate() {
            let time = n as f32 / SAMPLE_RATE as f32;
            let attack = 0.5 - 0.5 * (PI * (n as f32 / FADE as f32).min(1.0)).cos();
            let partials = PARTIALS
                .iter()
                .map(|(ratio, strength, life)| strength * (-time / life).exp() * (TAU * pitch * ratio * time).sin());
            *sample += attack * partials.sum::<f32>();
        }
    }
    let peak = sound.iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
    sound.iter_mut().for_each(|sample| *sample *= PEAK * 32_767.0 / peak);
    // Longer than at a file's end, because the bell is not quite silent by then.
    let tail = sound.len() - SAMPLE_RATE as usize / 5;
    let length = (sound.len() - tail) as f32;
    for (n, sample) in sound[tail..].iter_mut().enumerate() {
        *sample *= 0.5 + 0.5 * (PI * (n + 1) as f32 / length).cos();
    }
    sound.into_iter().map(|sample| sample as i16).collect()
}

fn fade(sound: &mut [i16]) {
    let length = FADE.min(sound.len() / 2);
    let fade = |(n, sample): (usize, &mut i16)| *sample = (f32::from(*sample) * n as f32 / length as f32) as i16;
    sound.iter_mut().take(length).enumerate().for_each(fade);
    sound.iter_mut().rev().take(length).enumerate().for_each(fade);
}

/// The whole sound at our rate, no later than it was and as long.
fn resample(sound: &[i16], rate: u32) -> Vec<i16> {
    let Some(mut resampler) = Resampler::new(rate, SAMPLE_RATE) else { return sound.to_vec() };
    let length = (sound.len() as f64 * f64::from(SAMPLE_RATE) / f64::from(rate)).round() as usize;
    let delay = (resampler.delay().as_secs_f64() * f64::from(SAMPLE_RATE)).round() as usize;
    let mut out = Vec::with_capacity(length + 2 * delay);
    resampler.process(sound, &mut out);
    resampler.flush(&mut out);
    out.drain(..delay.min(out.len()));
    out.resize(length, 0);
    out
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::sound::{largest_step, level_db, tone_share};

    use super::*;

    fn wav(spec: WavSpec, samples: impl IntoIterator<Item = i16>) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
        samples.into_iter().for_each(|sample| writer.write_sample(sample).unwrap());
        writer.finalize().unwrap();
        file.into_inner()
    }

    fn spec(channels: u16, sample_rate: u32) -> WavSpec {
        WavSpec { channels, sample_rate, bits_per_sample: 16, sample_format: SampleFormat::Int }
    }

    fn sine(hz: f32, rate: u32, samples: usize) -> impl Iterator<Item = i16> {
        (0..samples).map(move |n| (9000.0 * (TAU * hz * n as f32 / rate as f32).sin()) as i16)
    }

    #[test]
    fn ours_are_short_soft_bells_that_rise_and_fall_without_a_click() {
        for (sound, first, second) in [(arrive(), LOW, HIGH), (leave(), HIGH, LOW)] {
            assert!(sound.len() < SAMPLE_RATE as usize * 12 / 10);
            let (one, other) = (&sound[960..8640], &sound[14_400..28_800]);
            assert!(tone_share(one, first) > 0.5 && tone_share(one, second) < 0.1);
            assert!(tone_share(other, second) > 0.5 && tone_share(other, second) > 2.0 * tone_share(other, first));
            let ends = sound[..8].iter().chain(&sound[sound.len() - 24..]);
            assert!(ends.clone().all(|sample| sample.abs() < 40), "{:?}", ends.collect::<Vec<_>>());
            // A note at its loudest steps by 2400 from sample to sample; a click would by far more.
            assert!(largest_step(&sound) < 5000, "{}", largest_step(&sound));
            let peak = sound.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
            assert!((15_000..17_000).contains(&peak), "{peak}");
            assert!(level_db(&sound[sound.len() - 4800..]) < level_db(one) - 25.0, "it fades away");
        }
    }

    #[test]
    fn a_file_of_any_rate_and_either_count_of_channels_keeps_its_pitch_length_and_level() {
        for rate in [8000, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000] {
            let mono = from_wav(&wav(spec(1, rate), sine(700.0, rate, rate as usize / 2))).unwrap();
            assert!(mono.len().abs_diff(24_000) <= 1, "{rate}: {}", mono.len());
            let middle = &mono[2000..21_200];
            assert!(tone_share(middle, 700.0) > 0.999, "{rate}: {}", tone_share(middle, 700.0));
            let expected = 20.0 * (9000.0 / 32_768.0 / 2f64.sqrt()).log10();
            assert!((level_db(middle) - expected).abs() < 0.2, "{rate}: {}", level_db(middle));
            let both = sine(700.0, rate, rate as usize / 2).flat_map(|sample| [sample, sample]);
            let stereo = from_wav(&wav(spec(2, rate), both)).unwrap();
            assert_eq!(stereo, mono, "{rate}");
            assert!(mono[0] == 0 && mono[mono.len() - 1].abs() < 40);
        }
    }

    #[test]
    fn what_is_above_the_lower_rate_does_not_come_back_as_another_pitch() {
        let high = from_wav(&wav(spec(1, 96_000), sine(40_000.0, 96_000, 48_000))).unwrap();
        assert!(level_db(&high[2000..22_000]) < -65.0, "{}", level_db(&high[2000..22_000]));
    }

    #[test]
    fn what_is_no_chime_is_refused_in_words() {
        let refuse = |file: &[u8]| from_wav(file).unwrap_err().to_string();
        assert!(refuse(b"").contains("no whole WAV file"));
        assert!(refuse(b"ID3\x04 and so on").contains("no whole WAV file"));
        let whole = wav(spec(1, 48_000), sine(700.0, 48_000, 4800));
        assert!(refuse(&whole[..40]).contains("no whole WAV file"));
        assert!(refuse(&wav(spec(1, 48_000), [])).contains("no sound"));
        assert!(refuse(&wav(spec(4, 48_000), [0; 8])).contains("4 channels"));
        for rate in [4000, 8001, 191_999] {
            assert!(refuse(&wav(spec(1, rate), [0; 8])).contains(&format!("{rate} Hz")));
        }
        assert!(refuse(&wav(spec(1, 8000), (0..80_001).map(|_| 0))).contains("longer than 10 s"));
        let float = WavSpec { bits_per_sample: 32, sample_format: SampleFormat::Float, ..spec(1, 48_000) };
        let mut file = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, float).unwrap();
        writer.write_sample(0.5f32).unwrap();
        writer.finalize().unwrap();
        assert!(refuse(&file.into_inner()).contains("32 floating point"));
    }

    #[test]
    fn lengths_and_chunks_may_be_as_programs_write_them_into_a_pipe() {
        let whole = wav(spec(1, 48_000), sine(700.0, 48_000, 24_000));
        let (head, sound) = whole.split_at(44);
        let plain = from_wav(&whole).unwrap();
        let file = |riff: u32, before: &[u8], data: u32, sound: &[u8]| {
            let (riff, data) = (riff.to_le_bytes(), data.to_le_bytes());
            [b"RIFF", &riff[..], &head[8..36], before, b"data", &data, sound].concat()
        };
        let list = |body: &[u8]| [b"LIST", &(body.len() as u32).to_le_bytes()[..], body].concat();
        let right = sound.len() as u32;
        for (length, name) in [(u32::MAX, "ffmpeg"), (0x7fff_f000, "arecord"), (0, "sox")] {
            assert_eq!(from_wav(&file(length, &[], length, sound)).unwrap(), plain, "{name}");
            assert_eq!(from_wav(&file(length, &list(b"INFOISFT"), length, sound)).unwrap(), plain, "{name} with a tag");
        }
        assert_eq!(from_wav(&file(0, &list(b"a tag\0"), right, sound)).unwrap(), plain);
        let odd = [list(b"a tag").as_slice(), &[0]].concat();
        assert_eq!(from_wav(&file(0, &odd, right, sound)).unwrap(), plain, "an odd chunk with its padding");
        assert!(from_wav(&file(0, &list(b"a tag"), right, sound)).is_err(), "without its padding it is no RIFF file");
        assert_eq!(from_wav(&file(0, &[], right + 1, &[sound, &[9]].concat())).unwrap(), plain, "half a sample");
        let tagged = [sound, &list(b"a tag\0")].concat();
        assert_eq!(from_wav(&file(0, &[], right, &tagged)).unwrap(), plain, "what follows is no sound");
        assert!(matches!(from_wav(&file(0, &[], 0, &list(b"a tag\0"))), Err(WavError::Empty)));
        // One that is cut off is played as far as it goes.
        assert_eq!(from_wav(&whole[..44 + sound.len() / 2]).unwrap().len(), 12_000);
        assert!(matches!(from_wav(&file(u32::MAX, &[], u32::MAX, &sound.repeat(30))), Err(WavError::TooLong)));
    }

    #[test]
    fn whatever_the_bytes_are_nothing_breaks() {
        let whole = wav(spec(2, 44_100), sine(700.0, 44_100, 400));
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..20_000 {
            let mut file = whole.clone();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..file.len().min(64));
                file[at] = random.u8(..);
            }
            file.truncate(random.usize(..=file.len()));
            let _ = from_wav(&file);
        }
    }

    #[test]
    fn its_loudness_is_set() {
        let sound = arrive();
        let quiet = at(0.1, &sound);
        assert!((level_db(&sound) - level_db(&quiet) - 20.0).abs() < 0.2);
        assert_eq!(at(1.0, &sound), sound);
    }
}
