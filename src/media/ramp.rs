//! A gain that moves without a click: the volume when it is turned, the microphone when it is muted.

/// A step of one sample at 48 kHz: from nothing to everything in 50 ms.
const STEP: f32 = 1.0 / 2400.0;

/// The range of a volume in dB; below it is silence. Equal steps on the scale are equal steps to the ear.
const RANGE_DB: f32 = 40.0;

/// The factor of a volume in percent: 100 leaves the sound as it is, each percent less takes 0.4 dB off, 0 is silence.
pub fn gain(percent: u8) -> f32 {
    match percent.min(100) {
        0 => 0.0,
        percent => 10f32.powf((f32::from(percent) - 100.0) / 100.0 * RANGE_DB / 20.0),
    }
}

/// Follows a wanted gain at a bounded pace.
#[derive(Clone, Copy, Debug)]
pub struct Ramp {
    now: f32,
}

impl Ramp {
    /// Stands at `gain`.
    pub fn new(gain: f32) -> Ramp {
        Ramp { now: gain }
    }

    /// Applies the gain to `sound` while it moves towards `wanted`. What stands at 1.0 leaves the sound untouched.
    pub fn turn<'s>(&mut self, wanted: f32, sound: impl IntoIterator<Item = &'s mut f32>) {
        for sample in sound {
            *sample *= self.step(wanted);
        }
    }

    /// The same for samples of 16 bit.
    pub fn turn_samples(&mut self, wanted: f32, sound: &mut [i16]) {
        if self.now == 1.0 && wanted == 1.0 {
            return;
        }
        for sample in sound {
            *sample = (f32::from(*sample) * self.step(wanted)) as i16;
        }
    }

    fn step(&mut self, wanted: f32) -> f32 {
        // The last step lands exactly, so that nothing is nothing.
        self.now += (wanted - self.now).clamp(-STEP, STEP);
        if (wanted - self.now).abs() < STEP / 2.0 {
            self.now = wanted;
        }
        self.now
    }
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::sound::{largest_step, level_db, tone};

    use super::*;

    #[test]
    fn the_scale_is_even_to_the_ear_and_ends_in_silence() {
        assert_eq!((gain(100), gain(200), gain(0)), (1.0, 1.0, 0.0));
        let db = |percent| 20.0 * gain(percent).log10();
        assert!((db(50) + 20.0).abs() < 0.01 && (db(25) + 30.0).abs() < 0.01);
        assert!((1..100).all(|percent| gain(percent) < gain(percent + 1)));
    }

    #[test]
    fn turning_it_makes_no_click_and_arrives() {
        let untouched = tone(300.0, 48_000);
        let mut sound = untouched.clone();
        let mut ramp = Ramp::new(1.0);
        for (n, block) in sound.chunks_mut(480).enumerate() {
            // Up and down all the time, as somebody does who plays with the slider.
            ramp.turn_samples(if n % 7 < 4 { 0.1 } else { 1.0 }, block);
        }
        assert!(largest_step(&sound) <= largest_step(&untouched) + 8, "{}", largest_step(&sound));
        let mut sound = untouched.clone();
        let mut ramp = Ramp::new(1.0);
        ramp.turn_samples(gain(50), &mut sound);
        assert!((level_db(&untouched[24_000..]) - level_db(&sound[24_000..]) - 20.0).abs() < 0.1);
    }

    #[test]
    fn all_of_it_is_itself_and_nothing_is_nothing_within_a_twentieth_of_a_second() {
        let untouched = tone(440.0, 9600);
        let mut sound = untouched.clone();
        Ramp::new(1.0).turn_samples(1.0, &mut sound);
        assert_eq!(sound, untouched);
        let mut ramp = Ramp::new(1.0);
        ramp.turn_samples(0.0, &mut sound);
        assert!(sound[2400..].iter().all(|sample| *sample == 0));
        let mut back: Vec<f32> = untouched.iter().map(|sample| f32::from(*sample)).collect();
        ramp.turn(1.0, &mut back);
        assert!(back[2400..].iter().zip(&untouched[2400..]).all(|(a, b)| *a == f32::from(*b)));
    }
}
