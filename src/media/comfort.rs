//! Comfort noise: the background of a viewer's room, remembered while it is heard, and gone on with where no sound
//! comes (a pause of the sender, a long loss), so that the line does not sound dead.

use crate::voice::BLOCK;

/// Order of the linear prediction that remembers the colour of the noise.
const ORDER: usize = 12;
/// The quietest block of this many (1.5 s) and of as many before is the background.
const WATCHED: u32 = 150;
/// What is louder than 45 dB under full scale is no background: 184 of 32768, squared.
const LOUDEST: f32 = 184.0 * 184.0;

/// The colour and level of a noise.
#[derive(Clone, Copy, Debug)]
struct Shape {
    coefficients: [f32; ORDER],
    gain: f32,
    power: f32,
}

/// The background of one viewer's room.
#[derive(Debug, Default)]
pub struct Comfort {
    quietest: [Option<Shape>; 2],
    blocks: u32,
    memory: [f32; ORDER],
    random: u32,
}

impl Comfort {
    /// Takes note of a block that really came from the viewer.
    pub fn observe(&mut self, block: &[i16; BLOCK]) {
        self.blocks += 1;
        if self.blocks >= WATCHED {
            self.blocks = 0;
            self.quietest = [None, self.quietest[0].or(self.quietest[1])];
        }
        let power = power(block);
        if power < LOUDEST && self.quietest[0].is_none_or(|shape| power < shape.power) {
            self.quietest[0] = Some(analyse(block, power));
        }
    }

    /// Power of the background, of full scale 32768; `None` if none was heard.
    pub fn level(&self) -> Option<f32> {
        self.shape().map(|shape| shape.power)
    }

    /// Fills a block with the background; silence if there was none.
    pub fn fill(&mut self, out: &mut [i16; BLOCK]) {
        let Some(shape) = self.shape() else { return out.fill(0) };
        for out in out.iter_mut() {
            // Uniform noise has a third of the power of its bounds.
            let excitation = self.noise() * shape.gain * 3f32.sqrt();
            let predicted: f32 = shape.coefficients.iter().zip(&self.memory).map(|(a, x)| a * x).sum();
            let sample = (excitation + predicted).clamp(-1000.0, 1000.0);
            self.memory.rotate_right(1);
            self.memory[0] = sample;
            *out = sample as i16;
        }
    }

    fn shape(&self) -> Option<Shape> {
        self.quietest.into_iter().flatten().min_by(|a, b| a.power.total_cmp(&b.power))
    }

    /// Between -1 and 1 (a linear congruential generator; an ear hears no better one).
    fn noise(&mut self) -> f32 {
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.random >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    }
}

/// Mean of the squares.
pub fn power(sound: &[i16]) -> f32 {
    sound.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / sound.len().max(1) as f32
}

/// Linear prediction by autocorrelation and the Levinson-Durbin recursion; the filter is stable by construction.
fn analyse(block: &[i16; BLOCK], power: f32) -> Shape {
    let windowed: [f32; BLOCK] = std::array::from_fn(|n| {
        let hann = 0.5 - 0.5 * (std::f32::consts::TAU * (n as f32 + 0.5) / BLOCK as f32).cos();
        f32::from(block[n]) * hann
    });
    let correlation = |lag: usize| windowed[lag..].iter().zip(&windowed).map(|(a, b)| a * b).sum::<f32>();
    // A trace of white noise (40 dB under the rest) keeps the recursion well conditioned.
    let r: [f32; ORDER + 1] = std::array::from_fn(|lag| correlation(lag) * if lag == 0 { 1.0001 } else { 1.0 });
    let mut coefficients = [0.0; ORDER];
    let mut error = r[0];
    for n in 0..ORDER {
        if error <= f32::EPSILON {
            break;
        }
        let predicted: f32 = (0..n).map(|k| coefficients[k] * r[n - k]).sum();
        let reflection = (r[n + 1] - predicted) / error;
        let before = coefficients;
        for k in 0..n {
            coefficients[k] = before[k] - reflection * before[n - 1 - k];
        }
        coefficients[n] = reflection;
        error *= 1.0 - reflection * reflection;
    }
    // The residual has this part of the power, whatever the window took.
    let gain = if r[0] > 0.0 { (power * (error / r[0]).max(0.0)).sqrt() } else { 0.0 };
    Shape { coefficients, gain, power }
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::sound::{level_db, tone, tone_share};

    use super::*;

    /// A soft hum in soft noise, as of a room.
    fn room(samples: usize) -> Vec<i16> {
        let mut random = fastrand::Rng::with_seed(1);
        tone(150.0, samples).into_iter().map(|s| s / 200 + random.i16(-20..=20)).collect()
    }

    fn heard(sound: &[i16]) -> Comfort {
        let mut comfort = Comfort::default();
        for block in sound.as_chunks::<BLOCK>().0 {
            comfort.observe(block);
        }
        comfort
    }

    fn filled(comfort: &mut Comfort) -> Vec<i16> {
        let mut all = Vec::new();
        for _ in 0..100 {
            let mut block = [0; BLOCK];
            comfort.fill(&mut block);
            all.extend_from_slice(&block);
        }
        all
    }

    #[test]
    fn it_sounds_about_as_loud_as_the_room_and_has_its_colour() {
        let room = room(96_000);
        let noise = filled(&mut heard(&room));
        assert!((level_db(&noise) - level_db(&room)).abs() < 4.0, "{} {}", level_db(&noise), level_db(&room));
        let low = |sound: &[i16]| {
            let smooth: Vec<i16> =
                sound.windows(16).map(|w| (w.iter().map(|s| i32::from(*s)).sum::<i32>() / 16) as i16).collect();
            level_db(&smooth) - level_db(sound)
        };
        assert!((low(&noise) - low(&room)).abs() < 4.0, "{} {}", low(&noise), low(&room));
        assert!(tone_share(&noise, 1000.0) < 0.1);
    }

    #[test]
    fn words_are_no_background_and_the_pauses_between_them_are() {
        assert_eq!(heard(&tone(300.0, 96_000)).level(), None);
        assert!(filled(&mut heard(&tone(300.0, 96_000))).iter().all(|s| *s == 0));
        let mut sound = room(96_000);
        for (n, sample) in sound.iter_mut().enumerate() {
            if n % 24_000 < 20_000 {
                *sample = tone(300.0, 160)[n % 160];
            }
        }
        let noise = filled(&mut heard(&sound));
        assert!((level_db(&noise) - level_db(&room(48_000))).abs() < 4.0, "{}", level_db(&noise));
    }

    #[test]
    fn silence_and_hard_sounds_are_survived() {
        assert!(filled(&mut heard(&[0; 9600])).iter().all(|s| *s == 0));
        let steps: Vec<i16> = (0..9600).map(|n| if n / 240 % 2 == 0 { 180 } else { -180 }).collect();
        assert!(level_db(&filled(&mut heard(&steps))) < -35.0);
    }
}
