//! Echo, noise and gain: what makes home's sound fit to be sent while the speaker plays.
//!
//! [`crate::processor`] is the place between microphone and encoder. This is what stands there: WebRTC's echo
//! canceller (AEC3), noise suppressor and gain control (AGC2), in the port `sonora`, at 48 kHz throughout. It never
//! mutes anybody: both sides may speak at once. Canceller and suppressor are driven by us, below `sonora`'s front.
//! That front hides their tuning and their order.
//!
//! ```text
//! speaker thread ─ mixed block ─> card's buffer ─> loudspeaker ~~ room ~~> microphone ─> card ─> microphone thread
//!       │                         buffer_ms (40)                           `captured` tells when       │ 10 ms blocks
//!       │ the same block, and when it becomes audible                                                  │ channel, ≤ 8
//!       v                                                                                              v
//! channel `played`, ≤ 16 ─> ALIGNER (keeps 2.7 s) ────── reference, 10 ms ──────> CANCELLER ─> noise ─> gain
//!                              ^                                                                            │
//!                              └── earlier or later ── WATCH (0.5 s heard, 1.4 s written) <─ both           v
//!                                             network <─ loop <─ Opus encoder (6.5) <─ packetizer (20 = 2 blocks)
//! ```
//!
//! Numbers are ms. The aligner delays no sound. The filter banks of canceller and suppressor do. `make bench-audio`
//! prints by how much.
//!
//! # Aligner (`align.rs`, `timeline.rs`, `fraction.rs`)
//!
//! - Each card tells when its blocks pass: with jitter, by a clock of its own, and with jumps. A line is drawn through
//!   the reports of each. Five reports that are off make a jump. One does not.
//! - For each block that was heard, the reference is read that was audible then, 20 ms early. It is read between the
//!   samples where the clocks differ. It is steered by at most 300 ppm, so nothing clicks.
//! - What was not played is silence.
//! - What is written too late to be read that early is read later from then on.
//!
//! # Canceller (`canceller.rs`)
//!
//! - It finds the echo within half a second behind its reference by itself. So a card's report may be wrong by that
//!   much.
//! - It is tuned for people who talk at once: a longer filter, and a suppressor that believes sooner that somebody
//!   talks at home.
//! - The filter's length is a compromise. A longer one takes away more, but learns more slowly, and echo comes through
//!   at the first words.
//!
//! # Noise
//!
//! What is noise is learnt behind the canceller. WebRTC learns it in front, where a viewer's echo counts as noise.
//! That lowers the person who talks at home at the same time.
//!
//! # Watching the delay (`delay_watch.rs`)
//!
//! - It compares what was heard with what was written, by whitened cross-correlation, ten times a second.
//! - It sees an echo that comes before its reference, because the speaker is faster than it says. No canceller finds
//!   that.
//! - It also sees an echo that jumps. Then the reference is moved, so that the echo is again where the canceller
//!   learnt it.
//! - The canceller restarts only if what it learnt cannot have been the echo's place. After a device changed, the new
//!   path is learnt over the old one.
//!
//! # What is left alone
//!
//! A microphone that hears no room (`CaptureAudio::hears_a_room`, the stand-in `tone`) is sent as it is. A tone would
//! be taken for noise.
//!
//! `make bench-audio` runs all of this, and the playout before it, in simulated rooms. It prints what is left of the
//! echo.

pub mod align;
mod canceller;
mod delay_watch;
mod fraction;
mod timeline;

use std::time::Instant;

use intercom_base::settings::{AudioSettings, NoiseSuppression};
use sonora::config::{AdaptiveDigital, GainController2, MaxProcessingRate, Pipeline};
use sonora::high_pass_filter::HighPassFilter;
use sonora::three_band_filter_bank::{NUM_BANDS, SPLIT_BAND_SIZE, ThreeBandFilterBank};
use sonora::{AudioProcessing, Config, StreamConfig};
use sonora_ns::config::{NsConfig, SuppressionLevel};
use sonora_ns::noise_suppressor::NoiseSuppressor;

use crate::echo::align::Aligner;
use crate::echo::canceller::{Bands, Canceller};
use crate::echo::delay_watch::DelayWatch;
use crate::processor::{Played, Processor};
use crate::voice::BLOCK;

/// The canceller of WebRTC (AEC3), its noise suppressor and its gain control (AGC2), in the port `sonora`, behind the
/// [`Aligner`]. The canceller finds the echo in the half second behind the reference by itself; what the speaker
/// reports only has to be roughly right.
pub struct Enhancer {
    high_pass: HighPassFilter,
    bank: ThreeBandFilterBank,
    /// `None` if echo is left in.
    echo: Option<Echo>,
    noise: Option<NoiseSuppressor>,
    gain: Option<AudioProcessing>,
    /// The block at work; the filter wants a list of channels.
    sound: [Vec<f32>; 1],
}

impl Enhancer {
    /// Does what `audio` wants; `None` if that is nothing.
    pub fn new(audio: &AudioSettings) -> Option<Enhancer> {
        let echo = audio.echo_cancellation.then(Echo::default);
        let noise = noise_suppressor(audio.noise_suppression);
        let gain = audio.gain_control.then(|| gain_control(audio.max_gain_db));
        let idle = echo.is_none() && noise.is_none() && gain.is_none();
        (!idle).then(|| Enhancer {
            high_pass: HighPassFilter::new(48_000, 1),
            bank: ThreeBandFilterBank::new(),
            echo,
            noise,
            gain,
            sound: [vec![0.0; BLOCK]],
        })
    }

    /// What the canceller takes the echo's delay for, in ms behind the reference; `None` without a canceller.
    pub fn delay_ms(&self) -> Option<i32> {
        self.echo.as_ref().map(|echo| echo.canceller.delay_ms())
    }

    fn process_bands(&mut self, reference: Option<&[f32; BLOCK]>) {
        let Ok(sound) = <&mut [f32; BLOCK]>::try_from(&mut self.sound[0][..]) else { return };
        let mut bands: Bands = [[0.0; SPLIT_BAND_SIZE]; NUM_BANDS];
        self.bank.analysis(sound, &mut bands);
        if let (Some(echo), Some(reference)) = (&mut self.echo, reference) {
            let clipped = sound.iter().any(|sample| sample.abs() >= CLIPPED);
            echo.canceller.process(reference, &mut bands, clipped);
        }
        if let Some(noise) = &mut self.noise {
            // Behind the canceller: an echo that goes on would be taken for noise, and who talks meanwhile along with it.
            noise.analyze(&bands[0]);
            noise.process(&mut bands[0]);
            let gain = noise.upper_band_gain();
            for (n, band) in bands[1..].iter_mut().enumerate() {
                noise.process_upper_band(band, n, gain);
            }
        }
        self.bank.synthesis(&bands, sound);
    }
}

impl Processor for Enhancer {
    fn render(&mut self, played: &Played) {
        if let Some(echo) = &mut self.echo {
            echo.watch.render(&played.block);
            echo.aligner.render(&played.block, played.audible);
        }
    }

    fn capture(&mut self, block: &mut [i16; BLOCK], captured: Instant) {
        let reference = self.echo.as_mut().map(|echo| echo.reference(block, captured));
        self.sound[0].iter_mut().zip(&*block).for_each(|(sound, heard)| *sound = f32::from(*heard));
        self.high_pass.process_channels(&mut self.sound);
        if self.echo.is_some() || self.noise.is_some() {
            self.process_bands(reference.as_ref());
        }
        block.iter_mut().zip(&self.sound[0]).for_each(|(out, sound)| *out = sound.round() as i16);
        if let Some(gain) = &mut self.gain {
            let before = *block;
            if gain.process_capture_i16(&before, block).is_err() {
                *block = before;
            }
        }
    }
}

/// A sample this loud was cut off.
const CLIPPED: f32 = 32_700.0;

/// The canceller and what brings it its reference.
#[derive(Default)]
struct Echo {
    aligner: Aligner,
    watch: DelayWatch,
    canceller: Canceller,
}

impl Echo {
    /// What the speaker played while `heard` was.
    fn reference(&mut self, heard: &[i16; BLOCK], captured: Instant) -> [f32; BLOCK] {
        let reference = self.aligner.capture(captured);
        if self.aligner.is_interrupted() {
            self.watch.interrupt();
        }
        if self.aligner.has_given_way() {
            self.watch.give_way();
        }
        if let Some(earlier) = self.watch.capture(heard, self.aligner.read_from()) {
            log::debug!("the echo moved: its reference is read {:.1} ms earlier", earlier * 1000.0);
            let was_known = self.watch.knows_home();
            let is_back = self.aligner.shift(earlier) && was_known;
            if !is_back {
                // What the canceller learnt was never an echo's place, and would let the echo through later on.
                self.watch.give_way();
                self.canceller.restart();
            }
        }
        reference
    }
}

fn noise_suppressor(wanted: NoiseSuppression) -> Option<NoiseSuppressor> {
    let target_level = match wanted {
        NoiseSuppression::Off => return None,
        NoiseSuppression::Low => SuppressionLevel::K6dB,
        NoiseSuppression::Moderate => SuppressionLevel::K12dB,
        NoiseSuppression::High => SuppressionLevel::K18dB,
    };
    Some(NoiseSuppressor::new_with_bands(NsConfig { target_level }, NUM_BANDS))
}

fn gain_control(max_gain_db: f32) -> AudioProcessing {
    const MONO: StreamConfig = StreamConfig::new(48_000, 1);
    let gain = AdaptiveDigital {
        initial_gain_db: INITIAL_GAIN_DB.min(max_gain_db),
        max_gain_db,
        ..AdaptiveDigital::default()
    };
    let gain = GainController2 { adaptive_digital: Some(gain), ..GainController2::default() };
    let pipeline = Pipeline { maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz, ..Pipeline::default() };
    let config = Config { pipeline, gain_controller2: Some(gain), ..Config::default() };
    AudioProcessing::builder().config(config).capture_config(MONO).render_config(MONO).build()
}

/// The gain before anybody has spoken: a talker across the room is too low rather than too loud.
const INITIAL_GAIN_DB: f32 = 6.0;
