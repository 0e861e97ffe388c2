//! Mixes the viewers' sound into one: nobody is turned down until the sum would clip, and then all, softly.

use crate::ramp::Ramp;
use crate::voice::BLOCK;

/// The limiter keeps the sum below this: 1 dB under full scale.
const CEILING: f32 = 0.89 * 32_768.0;
/// The gain stays down for so many blocks after the last excess (200 ms), so that it does not follow the waves.
const HOLD: u32 = 20;
/// The part of the missing gain that comes back with each block afterwards: most of it within 300 ms.
const RELEASE: f32 = 0.06;
/// The gain goes down over at least so many samples (0.5 ms), so that it is no click itself.
const ATTACK: usize = 24;

/// Sums blocks of 10 ms.
#[derive(Debug)]
pub struct Mixer {
    sum: [f32; BLOCK],
    gain: f32,
    hold: u32,
}

impl Default for Mixer {
    fn default() -> Mixer {
        Mixer { sum: [0.0; BLOCK], gain: 1.0, hold: 0 }
    }
}

impl Mixer {
    /// Adds one viewer's block to the sum.
    pub fn add(&mut self, block: &[i16; BLOCK]) {
        for (sum, sample) in self.sum.iter_mut().zip(block) {
            *sum += f32::from(*sample);
        }
    }

    /// Turns down what was added so far.
    pub fn turn(&mut self, ramp: &mut Ramp, wanted: f32) {
        ramp.turn(wanted, &mut self.sum);
    }

    /// The sum, limited; the next block starts from nothing.
    pub fn finish(&mut self, out: &mut [i16; BLOCK]) {
        let peak = self.sum.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        let allowed = if peak > CEILING { CEILING / peak } else { 1.0 };
        let from = self.gain;
        let (to, over) = if allowed < from {
            // Down by the time the first too loud sample comes.
            self.hold = HOLD;
            let first = self.sum.iter().position(|sample| sample.abs() * from > CEILING);
            (allowed, first.unwrap_or(BLOCK).max(ATTACK))
        } else {
            self.hold = self.hold.saturating_sub(1);
            let release = if self.hold > 0 { 0.0 } else { (1.0 - from) * RELEASE };
            ((from + release).min(allowed), BLOCK)
        };
        let step = (to - from) / over as f32;
        for (n, (out, sum)) in out.iter_mut().zip(&mut self.sum).enumerate() {
            let gain = from + step * n.min(over) as f32;
            *out = soft(*sum * gain);
            *sum = 0.0;
        }
        self.gain = if to > 0.9999 { 1.0 } else { to };
    }
}

/// Bends what is above the ceiling (the first samples of a sudden shout) so that it stays below full scale.
fn soft(sample: f32) -> i16 {
    let size = sample.abs();
    if size <= CEILING {
        return sample as i16;
    }
    let room = 32_767.0 - CEILING;
    let bent = CEILING + room * ((size - CEILING) / room).tanh();
    bent.copysign(sample) as i16
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::sound::{largest_step, level_db, tone, tone_share};

    use super::*;

    fn mix(voices: &[Vec<i16>]) -> Vec<i16> {
        let mut mixer = Mixer::default();
        let mut heard = Vec::new();
        for n in 0..voices[0].len() / BLOCK {
            for voice in voices {
                mixer.add(voice[n * BLOCK..][..BLOCK].try_into().unwrap());
            }
            let mut out = [0; BLOCK];
            mixer.finish(&mut out);
            heard.extend_from_slice(&out);
        }
        heard
    }

    fn loud(hz: f32, factor: i16) -> Vec<i16> {
        tone(hz, 48_000).into_iter().map(|s| s.saturating_mul(factor)).collect()
    }

    #[test]
    fn one_viewer_passes_through_untouched() {
        let voice = tone(300.0, 48_000);
        assert_eq!(mix(std::slice::from_ref(&voice)), voice);
    }

    #[test]
    fn two_are_their_sum() {
        let heard = mix(&[tone(300.0, 48_000), tone(1000.0, 48_000)]);
        assert!((tone_share(&heard, 300.0) - 0.5).abs() < 0.02);
        assert!((tone_share(&heard, 1000.0) - 0.5).abs() < 0.02);
    }

    #[test]
    fn five_who_shout_are_turned_down_not_clipped() {
        let voices: Vec<_> = [310.0, 290.0, 330.0, 270.0, 350.0].map(|hz| loud(hz, 3)).into();
        let heard = mix(&voices);
        let flat = heard.windows(3).filter(|w| w[0].unsigned_abs() > 29_100 && w[0] == w[1] && w[1] == w[2]).count();
        assert_eq!(flat, 0, "flat tops are clipping");
        assert!(level_db(&heard) > -16.0);
        // Their own sum steps by 1200 at this level.
        assert!(largest_step(&heard[BLOCK..]) < 1600, "{}", largest_step(&heard[BLOCK..]));
    }

    #[test]
    fn after_a_shout_the_others_come_back() {
        let mut shout = loud(300.0, 4);
        shout[12_000..].fill(0);
        let heard = mix(&[shout, tone(700.0, 48_000), tone(500.0, 48_000)]);
        let alone = mix(&[tone(700.0, 48_000), tone(500.0, 48_000)]);
        assert!((level_db(&heard[40_000..]) - level_db(&alone[40_000..])).abs() < 0.3);
    }
}
