//! Makes sound shorter or longer without a change of pitch: whole waves of a voice are left out or repeated, where the
//! sound after them looks most like the sound before (waveform-similarity overlap-add).

/// At most so much is left out or put in at once: 15 ms, two waves of a deep voice.
pub const LONGEST: usize = 720;
/// The joint: 5 ms in which one turns into the other.
pub const FADE: usize = 240;
/// The shortest wave: 2.5 ms.
const SHORTEST: usize = 120;
/// How alike two stretches of sound must be for a joint that nobody hears, and for one that is better than a gap.
const GOOD: f64 = 0.8;
const FAIR: f64 = 0.4;

/// How well a joint must fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Not to be heard.
    Good,
    /// There is need.
    Fair,
    /// Nobody speaks: a noise fits itself anywhere, and any length will do.
    Any,
}

/// Leaves out about `by` samples at the start, so that at least `keep` are left. Returns how many were left out.
pub fn shorten(sound: &mut Vec<i16>, by: usize, keep: usize, fit: Fit) -> usize {
    let room = sound.len().saturating_sub(keep.max(FADE));
    let Some(cut) = joint(sound, by, room, fit) else { return 0 };
    let (head, tail) = sound.split_at_mut(cut);
    let fade = FADE.min(cut);
    cross_fade(&head[..fade], &mut tail[..fade]);
    sound.drain(..cut);
    cut
}

/// Puts about `by` samples in, by playing the first of them twice. Returns how many were put in.
pub fn lengthen(sound: &mut Vec<i16>, by: usize, fit: Fit) -> usize {
    let room = sound.len().saturating_sub(FADE);
    let Some(repeat) = joint(sound, by, room, fit) else { return 0 };
    let mut longer = Vec::with_capacity(sound.len() + repeat);
    longer.extend_from_slice(&sound[..repeat]);
    // What would have come next turns into what came first.
    let mut seam = [0; FADE];
    seam.copy_from_slice(&sound[..FADE]);
    cross_fade(&sound[repeat..repeat + FADE], &mut seam);
    longer.extend_from_slice(&seam);
    longer.extend_from_slice(&sound[FADE..]);
    *sound = longer;
    repeat
}

/// Turns `from` into `to` over their length; the result is in `to`.
pub fn cross_fade(from: &[i16], to: &mut [i16]) {
    let len = to.len().min(from.len()) as i32;
    for (n, (to, from)) in to.iter_mut().zip(from).enumerate() {
        let n = n as i32;
        *to = ((i32::from(*from) * (len - n) + i32::from(*to) * n) / len) as i16;
    }
}

/// Where the sound looks most like it does at its start, about `by` samples later at most: after a whole number of a
/// voice's waves, so that none is torn. `None` if nothing fits well enough into the `room` there is.
fn joint(sound: &[i16], by: usize, room: usize, fit: Fit) -> Option<usize> {
    if fit == Fit::Any {
        return (by.min(room) > 0).then_some(by.min(room));
    }
    // A little more than asked for is better than nothing.
    let longest = by.clamp(SHORTEST, LONGEST).min(room);
    let likeness = |lag: usize| -> f64 {
        let (a, b) = (&sound[..FADE], &sound[lag..lag + FADE]);
        let dot =
            |x: &[i16], y: &[i16]| x.iter().zip(y).map(|(x, y)| i64::from(*x) * i64::from(*y)).sum::<i64>() as f64;
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1.0)
    };
    let candidates = (SHORTEST..=longest).step_by(4).map(|lag| (lag, likeness(lag)));
    let (lag, alike) = candidates.max_by(|a, b| a.1.total_cmp(&b.1))?;
    (alike >= if fit == Fit::Good { GOOD } else { FAIR }).then_some(lag)
}

#[cfg(test)]
mod tests {
    use intercom_base::testing::sound::{largest_step, level_db, speech_like, tone, tone_share};

    use super::*;

    /// Plays `sound` through the stretch, as a voice does: a stretch of 40 ms in ten blocks of 10 ms.
    fn through(sound: &[i16], stretch: fn(&mut Vec<i16>) -> usize) -> (Vec<i16>, usize) {
        let (mut heard, mut changed) = (Vec::new(), 0);
        let mut rest = sound;
        while rest.len() > 4800 {
            let mut part = rest[..1920].to_vec();
            changed += stretch(&mut part);
            heard.extend_from_slice(&part);
            heard.extend_from_slice(&rest[1920..4800]);
            rest = &rest[4800..];
        }
        (heard, changed)
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_has_no_click_either_way() {
        let sound = tone(220.0, 96_000);
        for stretch in
            [|s: &mut Vec<i16>| shorten(s, 480, 480, Fit::Good), |s: &mut Vec<i16>| lengthen(s, 480, Fit::Good)]
        {
            let (heard, changed) = through(&sound, stretch);
            assert!(changed > 10 * 218, "{changed}");
            assert!(largest_step(&heard) < 260, "{}", largest_step(&heard));
            assert!(tone_share(&heard, 220.0) > 0.97, "{}", tone_share(&heard, 220.0));
        }
    }

    #[test]
    fn speech_keeps_its_level_and_has_no_click_of_its_own() {
        let sound = speech_like(96_000);
        let own = largest_step(&sound);
        for stretch in
            [|s: &mut Vec<i16>| shorten(s, 480, 480, Fit::Fair), |s: &mut Vec<i16>| lengthen(s, 480, Fit::Fair)]
        {
            let (heard, changed) = through(&sound, stretch);
            assert!(changed > 2400, "{changed}");
            assert!(largest_step(&heard) <= own + own / 4, "{} of {own}", largest_step(&heard));
            assert!((level_db(&heard) - level_db(&sound)).abs() < 0.7);
        }
    }

    #[test]
    fn what_does_not_fit_is_left_alone_unless_nobody_speaks() {
        let mut random = fastrand::Rng::with_seed(3);
        let noise: Vec<i16> = (0..1920).map(|_| random.i16(-8000..8000)).collect();
        let mut sound = noise.clone();
        assert_eq!(shorten(&mut sound, 480, 480, Fit::Good), 0);
        assert_eq!(lengthen(&mut sound, 480, Fit::Good), 0);
        assert_eq!(sound, noise);
        assert_eq!(lengthen(&mut sound, 300, Fit::Any), 300);
        assert_eq!(shorten(&mut sound, 300, 480, Fit::Any), 300);
        assert_eq!(sound.len(), noise.len());
    }

    #[test]
    fn too_little_sound_is_left_alone() {
        for len in [0, 1, 239, 240, 300, 359] {
            for fit in [Fit::Good, Fit::Fair] {
                let mut sound = vec![100; len];
                assert_eq!((shorten(&mut sound, 480, 480, fit), lengthen(&mut sound, 480, fit)), (0, 0), "{len}");
            }
            let mut sound = vec![100; len];
            assert_eq!(shorten(&mut sound, 480, 480, Fit::Any), 0);
            lengthen(&mut sound, 480, Fit::Any);
            assert!(sound.iter().all(|s| *s == 100));
        }
    }
}
