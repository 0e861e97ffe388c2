//! Two sound cards, each with a clock and reports of its own, and a sound whose value is known at every instant.

use std::f64::consts::TAU;
use std::time::Duration;

use super::*;

/// What leaves the speaker at `t` seconds: no period of it fits into what may be confused.
fn truth(t: f64) -> f64 {
    3000.0 * (TAU * 311.7 * t).sin() + 2500.0 * (TAU * 1213.3 * t + 40.0 * (t * 0.9).sin()).sin()
}

struct Cards {
    aligner: Aligner,
    origin: Instant,
    /// Clock difference of speaker and microphone, each against ours, in parts.
    speaker: f64,
    microphone: f64,
    /// Reports are off by up to this, in seconds.
    jitter: f64,
    /// The speaker keeps this much ready, and says so.
    ahead: f64,
    random: fastrand::Rng,
    played: u64,
    heard: u64,
    /// Added to all that is reported of either from now on.
    speaker_jump: f64,
    microphone_jump: f64,
    /// The largest errors that were met, in samples' values; `None` where nothing should be heard.
    errors: Vec<f64>,
    last: f32,
    largest_step: f32,
}

impl Cards {
    fn new(speaker_ppm: f64, microphone_ppm: f64, jitter: f64) -> Cards {
        Cards {
            aligner: Aligner::default(),
            origin: Instant::now() + Duration::from_secs(100),
            speaker: speaker_ppm * 1e-6,
            microphone: microphone_ppm * 1e-6,
            jitter,
            ahead: 0.1,
            random: fastrand::Rng::with_seed(5),
            played: 0,
            heard: 0,
            speaker_jump: 0.0,
            microphone_jump: 0.0,
            errors: Vec::new(),
            last: 0.0,
            largest_step: 0.0,
        }
    }

    fn instant(&mut self, t: f64) -> Instant {
        let told = t + (self.random.f64() * 2.0 - 1.0) * self.jitter;
        match told < 0.0 {
            true => self.origin - Duration::from_secs_f64(-told),
            false => self.origin + Duration::from_secs_f64(told),
        }
    }

    /// When the speaker's next block is audible in truth.
    fn audible(&self) -> f64 {
        self.played as f64 * 0.01 * (1.0 + self.speaker)
    }

    fn play(&mut self) {
        let begin = self.audible() + self.speaker_jump;
        let block = std::array::from_fn(|n| truth(begin + n as f64 / 48_000.0 * (1.0 + self.speaker)).round() as i16);
        let told = self.instant(begin);
        self.aligner.render(&block, told);
        self.played += 1;
    }

    fn captured(&self) -> f64 {
        self.heard as f64 * 0.01 * (1.0 + self.microphone) + self.microphone_jump
    }

    fn listen(&mut self) -> [f32; BLOCK] {
        let begin = self.captured();
        let told = self.instant(begin);
        let early = self.aligner.early();
        let reference = self.aligner.capture(told);
        let error = |n: usize| {
            let t = begin + n as f64 / 48_000.0 * (1.0 + self.microphone) + early;
            (f64::from(reference[n]) - truth(t)).abs()
        };
        self.errors.push((0..BLOCK).map(error).fold(0.0, f64::max));
        for sample in reference {
            self.largest_step = self.largest_step.max((sample - self.last).abs());
            self.last = sample;
        }
        self.heard += 1;
        reference
    }

    /// Both run for `seconds`, the speaker `ahead` of the microphone.
    fn run(&mut self, seconds: f64) {
        let end = self.captured() + seconds;
        while self.captured() < end {
            while self.audible() + self.speaker_jump < self.captured() + 0.01 + self.ahead {
                self.play();
            }
            self.listen();
        }
    }

    /// By how much (seconds) the next reference is off, as far as half a period of the lower tone.
    fn off(&mut self) -> f64 {
        let begin = self.captured() + self.aligner.early();
        let reference = self.listen();
        let miss = |off: f64| -> f64 {
            let expected = |n: usize| truth(begin + off + n as f64 / 48_000.0);
            (0..BLOCK).map(|n| (f64::from(reference[n]) - expected(n)).powi(2)).sum()
        };
        let tried = (-160..=160).map(|step| f64::from(step) * 1e-5);
        tried.min_by(|a, b| miss(*a).total_cmp(&miss(*b))).unwrap_or(f64::NAN)
    }

    /// The worst error of the last `seconds`, in dB against the sound itself.
    fn worst_db(&self, seconds: f64) -> f64 {
        let worst =
            self.errors[self.errors.len() - (seconds * 100.0) as usize..].iter().fold(0.0, |a: f64, b| a.max(*b));
        20.0 * (worst / 5500.0).log10()
    }
}

#[test]
fn exact_reports_give_exactly_what_was_audible() {
    let mut cards = Cards::new(0.0, 0.0, 0.0);
    cards.run(5.0);
    assert!(cards.worst_db(4.9) < -70.0, "{:.0} dB", cards.worst_db(4.9));
    assert_eq!(cards.aligner.early(), EARLY);
    assert_eq!(cards.aligner.snaps(), 0);
}

/// One sample of 48 kHz is 21 µs; the canceller follows what moves slowly, so that neither clicks nor jumps may be.
#[test]
fn clocks_that_differ_are_absorbed_without_a_click() {
    for (speaker, microphone) in [(100.0, 0.0), (0.0, 100.0), (-50.0, 50.0)] {
        let mut cards = Cards::new(speaker, microphone, 0.0);
        cards.run(60.0);
        let steps = cards.largest_step;
        cards.run(60.0);
        assert!(cards.worst_db(60.0) < -40.0, "{:.0} dB at {speaker}, {microphone} ppm", cards.worst_db(60.0));
        assert_eq!(cards.aligner.snaps(), 0);
        assert!(cards.largest_step <= steps.max(550.0), "a click of {}", cards.largest_step);
    }
}

#[test]
fn reports_that_jitter_move_the_reference_slowly_and_little() {
    let mut cards = Cards::new(60.0, -40.0, 0.003);
    cards.run(20.0);
    let snaps = cards.aligner.snaps();
    cards.largest_step = 0.0;
    cards.run(60.0);
    assert_eq!(cards.aligner.snaps(), snaps);
    // The sound's own largest step is 524.
    assert!(cards.largest_step < 560.0, "a click of {}", cards.largest_step);
    let off = cards.off();
    assert!(off.abs() < 0.0007, "off by {off} s");
}

#[test]
fn a_jump_of_either_report_is_followed_within_a_tenth_of_a_second() {
    for (speaker, microphone) in [(0.06, 0.0), (-0.06, 0.0), (0.0, 0.06), (0.0, 0.5), (0.3, 0.0)] {
        let mut cards = Cards::new(0.0, 0.0, 0.0005);
        cards.ahead = 0.12;
        cards.run(20.0);
        let off = cards.off();
        assert!(off.abs() < 0.0003, "off by {off} s");
        cards.speaker_jump = speaker;
        cards.microphone_jump = microphone;
        // What had been written before the jump is heard first, then the gap that it tore.
        cards.run(0.12 + f64::max(speaker, 0.0) + 0.1);
        let off = cards.off();
        assert!(off.abs() < 0.001, "{speaker}, {microphone}: off by {off} s");
        cards.run(1.0);
        let off = cards.off();
        assert!(off.abs() < 0.0003, "{speaker}, {microphone}: off by {off} s");
    }
}

#[test]
fn where_nothing_is_played_there_is_silence_and_afterwards_sound_again() {
    let mut cards = Cards::new(0.0, 0.0, 0.0);
    assert_eq!(cards.listen(), [0.0; BLOCK]);
    cards.run(2.0);
    // The speaker rests for three seconds.
    for _ in 0..300 {
        cards.listen();
    }
    let silence = cards.listen();
    assert_eq!(silence, [0.0; BLOCK]);
    cards.played = cards.heard + 5;
    cards.run(1.0);
    assert!(cards.worst_db(0.8) < -40.0, "{:.0} dB", cards.worst_db(0.8));
}

/// A stretch that begins or ends within a block is there to the sample.
#[test]
fn a_gap_within_a_block_is_silent_to_the_sample() {
    let mut aligner = Aligner::default();
    let origin = Instant::now() + Duration::from_secs(9);
    let at = |ms: f64| origin + Duration::from_secs_f64(ms / 1000.0);
    aligner.render(&[1000; BLOCK], at(100.0));
    aligner.render(&[1000; BLOCK], at(110.0));
    // 250 ms later the speaker goes on, 5 ms off the grid.
    aligner.render(&[-1000; BLOCK], at(375.0));
    let mut at_ms = |ms: f64| aligner.capture(at(ms - 1000.0 * EARLY));
    let last = at_ms(110.0);
    assert!(last[10..470].iter().all(|s| (s - 1000.0).abs() < 1.0));
    assert!(at_ms(120.0).iter().all(|s| s.abs() < 1e-3));
    let begin = at_ms(370.0);
    assert!(begin[..230].iter().all(|s| s.abs() < 1.0), "{:?}", &begin[..240]);
    assert!(begin[250..].iter().all(|s| (s + 1000.0).abs() < 2.0));
}

/// A speaker that keeps little ready: its sound is written when it is all but audible.
#[test]
fn a_reference_that_comes_late_is_read_later_and_then_whole() {
    let mut cards = Cards::new(0.0, 0.0, 0.0);
    cards.ahead = 0.005;
    cards.run(3.0);
    assert!(cards.aligner.early() < 0.01, "{}", cards.aligner.early());
    assert!(cards.worst_db(2.0) < -60.0, "{:.0} dB", cards.worst_db(2.0));
}

#[test]
fn any_report_is_survived_in_bounded_memory() {
    let mut aligner = Aligner::default();
    let mut random = fastrand::Rng::with_seed(8);
    let origin = Instant::now() + Duration::from_secs(1000);
    for _ in 0..20_000 {
        let shift = |random: &mut fastrand::Rng| {
            let most = [3_000_000_000, 3_000_000, 3000][random.usize(0..3)];
            Duration::from_micros(random.u64(0..most))
        };
        let (a, b) = (shift(&mut random), shift(&mut random));
        let at = if random.bool() { origin + a } else { origin - a.min(Duration::from_secs(900)) };
        aligner.render(&[i16::MIN; BLOCK], at);
        let reference = aligner.capture(origin + b);
        assert!(reference.iter().all(|sample| sample.abs() < 70_000.0));
        assert!(aligner.stretches.len() <= MOST_STRETCHES);
        assert!((LATEST..=EARLIEST).contains(&aligner.early()));
    }
}
