//! One viewer's loudness: whether they speak, how loudly, and bringing that slowly to another level.
//!
//! Browsers turn microphones up and down themselves, each in its own way. What is left between two viewers is matched here,
//! slowly enough that nobody hears it happen, and only by what is speech: nothing changes in a pause.

use crate::voice::BLOCK;

/// Nobody is turned up or down by more than so many dB.
const MOST: f32 = 12.0;
/// Steps in dB for each block of speech: 3 dB up and 6 dB down in a second of it.
const UP: f32 = 0.03;
const DOWN: f32 = 0.06;
/// A block this much above the background, in dB, is speech …
const ABOVE: f32 = 9.0;
/// … unless it is below this.
const FAINTEST: f32 = -55.0;
/// The part that one block of speech has in the level that is followed: about a second's average.
const SHARE: f32 = 0.01;
/// The background may rise by so many dB with each block: 3 dB a second, so that a long word is none.
const RISE: f32 = 0.03;
/// Blocks of speech in a row until somebody counts as speaking (50 ms), and without it until no more (400 ms).
const BEGINS: u32 = 5;
const ENDS: u32 = 40;

/// The level of one voice.
#[derive(Clone, Debug)]
pub struct Leveler {
    /// Of the background, of speech, and what speech is changed by: dB.
    background: f32,
    speech: Option<f32>,
    gain: f32,
    loud: u32,
    quiet: u32,
    speaking: bool,
}

impl Default for Leveler {
    fn default() -> Leveler {
        Leveler { background: -60.0, speech: None, gain: 0.0, loud: 0, quiet: 0, speaking: false }
    }
}

impl Leveler {
    /// Listens to a block, and brings its level nearer to `target`, in dB of full scale; without one, to its own.
    pub fn apply(&mut self, block: &mut [i16; BLOCK], target: Option<f32>) {
        self.follow(level(block));
        let from = factor(self.gain);
        if let Some(speech) = self.speech.filter(|_| self.loud > 0) {
            let wanted = target.map_or(0.0, |target| (target - speech).clamp(-MOST, MOST));
            self.gain += (wanted - self.gain).clamp(-DOWN, UP);
        }
        if self.gain == 0.0 && from == 1.0 {
            return;
        }
        let step = (factor(self.gain) - from) / BLOCK as f32;
        for (n, sample) in block.iter_mut().enumerate() {
            let changed = f32::from(*sample) * (from + step * n as f32);
            *sample = changed.clamp(-32_768.0, 32_767.0) as i16;
        }
    }

    /// Whether its owner speaks now.
    pub fn is_speaking(&self) -> bool {
        self.speaking
    }

    /// How loud their speech is as it comes in, in dB of full scale; `None` until they spoke.
    pub fn speech_db(&self) -> Option<f32> {
        self.speech
    }

    /// What speech is turned up by now, in dB.
    pub fn gain_db(&self) -> f32 {
        self.gain
    }

    /// Nothing was said for a while that was not listened to.
    pub fn rest(&mut self) {
        (self.loud, self.quiet, self.speaking) = (0, ENDS, false);
    }

    fn follow(&mut self, level: f32) {
        let is_speech = level > (self.background + ABOVE).max(FAINTEST);
        self.background = if level < self.background { level.max(-90.0) } else { (self.background + RISE).min(level) };
        if is_speech {
            (self.loud, self.quiet) = (self.loud + 1, 0);
            let speech = self.speech.get_or_insert(level);
            // What is loud of speech is what ears go by.
            let share = if level > *speech { 3.0 * SHARE } else { SHARE };
            *speech += (level - *speech) * share;
            self.speaking |= self.loud >= BEGINS;
        } else {
            (self.loud, self.quiet) = (0, self.quiet + 1);
            self.speaking &= self.quiet < ENDS;
        }
    }
}

/// In dB of full scale.
fn level(block: &[i16; BLOCK]) -> f32 {
    let power = block.iter().map(|sample| (f32::from(*sample) / 32_768.0).powi(2)).sum::<f32>() / BLOCK as f32;
    (10.0 * power.max(1e-12).log10()).max(-120.0)
}

fn factor(db: f32) -> f32 {
    10.0f32.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::sound::{largest_step, level_db, speech_like};

    use super::*;

    const TARGET: Option<f32> = Some(-24.0);

    /// Half a minute of speech, turned down by `db`.
    fn speech(db: f32) -> Vec<i16> {
        speech_like(48_000 * 30).iter().map(|sample| (f32::from(*sample) * factor(-db)) as i16).collect()
    }

    fn levelled(sound: &[i16]) -> (Vec<i16>, Leveler) {
        let mut leveler = Leveler::default();
        let mut out = sound.to_vec();
        out.as_chunks_mut::<BLOCK>().0.iter_mut().for_each(|block| leveler.apply(block, TARGET));
        (out, leveler)
    }

    #[test]
    fn a_loud_and_a_quiet_viewer_end_up_alike() {
        let [loud, quiet] = [0.0, 14.0].map(|db| level_db(&levelled(&speech(db)).0[48_000 * 20..]));
        assert!((loud - quiet).abs() < 3.0, "{loud} and {quiet} dB");
    }

    #[test]
    fn it_is_not_heard_happening() {
        let sound = speech(14.0);
        let (mut leveler, mut out, mut highest) = (Leveler::default(), sound.clone(), 0.0f32);
        for block in out.as_chunks_mut::<BLOCK>().0 {
            leveler.apply(block, TARGET);
            highest = highest.max(leveler.gain_db());
        }
        assert!(highest > 3.0 && highest <= MOST, "{highest}");
        let most = largest_step(&sound) as f32 * factor(highest) + 2.0;
        assert!((largest_step(&out) as f32) <= most, "a click");
        let second =
            |n: usize| level_db(&out[48_000 * n..48_000 * (n + 5)]) - level_db(&sound[48_000 * n..48_000 * (n + 5)]);
        assert!(second(0) < 4.0, "at once: {}", second(0));
    }

    #[test]
    fn noise_and_silence_are_left_as_they_are() {
        let mut random = fastrand::Rng::with_seed(3);
        let noise: Vec<i16> = (0..48_000 * 20).map(|_| random.i16(-60..60)).collect();
        let (out, leveler) = levelled(&noise);
        assert!(leveler.gain_db().abs() < 1.0 && !leveler.is_speaking(), "{}", leveler.gain_db());
        assert!((level_db(&out) - level_db(&noise)).abs() < 1.0);
        assert_eq!(levelled(&[0; 48_000]).1.gain_db(), 0.0);
    }

    #[test]
    fn who_is_alone_is_left_as_they_are() {
        let sound = speech(14.0);
        let (mut leveler, mut out) = (Leveler::default(), sound.clone());
        out.as_chunks_mut::<BLOCK>().0.iter_mut().for_each(|block| leveler.apply(block, None));
        assert_eq!(out, sound);
        // And anyone who was turned up comes back to it.
        let (_, mut leveler) = levelled(&sound);
        assert!(leveler.gain_db() > 1.0);
        sound.clone().as_chunks_mut::<BLOCK>().0.iter_mut().for_each(|block| leveler.apply(block, None));
        assert_eq!(leveler.gain_db(), 0.0);
    }

    #[test]
    fn who_speaks_is_known_at_once_and_a_while_after() {
        let mut leveler = Leveler::default();
        let sound = speech(6.0);
        let begin = sound.iter().position(|sample| sample.abs() > 800).expect("a word") / BLOCK;
        let mut spoke = None;
        let blocks = sound.as_chunks::<BLOCK>().0;
        for (n, block) in blocks.iter().take(begin + 60).enumerate() {
            leveler.apply(&mut block.clone(), None);
            if leveler.is_speaking() {
                spoke.get_or_insert(n);
            }
        }
        assert!(spoke.is_some_and(|at| at < begin + 15), "{spoke:?} after {begin}");
        let quiet = (0..100).position(|_| {
            leveler.apply(&mut [0; BLOCK], None);
            !leveler.is_speaking()
        });
        assert!(quiet.is_some_and(|blocks| (30..50).contains(&blocks)), "{quiet:?}");
    }
}
