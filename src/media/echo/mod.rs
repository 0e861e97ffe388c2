//! Echo, noise and gain: what makes home's sound fit to be sent while the speaker plays.

pub mod align;
mod fraction;
mod timeline;
mod watch;

use std::time::Instant;

use sonora::config::{
    AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, NoiseSuppressionLevel, Pipeline,
};
use sonora::{AudioProcessing, Config, StreamConfig};

use crate::config::{Audio, NoiseSuppression};
use crate::media::echo::align::Aligner;
use crate::media::echo::watch::Watch;
use crate::media::processor::{Played, Processor};
use crate::media::voice::BLOCK;

const MONO: StreamConfig = StreamConfig::new(48_000, 1);

/// The canceller of WebRTC (AEC3), its noise suppressor and its gain control (AGC2), in the port `sonora`, behind the
/// [`Aligner`]. The canceller finds the echo in the half second behind the reference by itself; what the speaker
/// reports only has to be roughly right.
pub struct Enhancer {
    /// `None` if echo is left in.
    aligner: Option<(Aligner, Watch)>,
    apm: AudioProcessing,
    /// What the library gives back of the reference; nobody needs it.
    unused: [f32; BLOCK],
}

impl Enhancer {
    /// Does what `audio` wants; `None` if that is nothing.
    pub fn new(audio: &Audio) -> Option<Enhancer> {
        let config = config(audio);
        let idle =
            config.echo_canceller.is_none() && config.noise_suppression.is_none() && config.gain_controller2.is_none();
        let build = || AudioProcessing::builder().config(config).capture_config(MONO).render_config(MONO).build();
        (!idle).then(|| Enhancer {
            aligner: audio.echo_cancellation.then(Default::default),
            apm: build(),
            unused: [0.0; BLOCK],
        })
    }

    /// What the canceller takes the echo's delay for, in ms behind the reference; `None` as long as it has no idea.
    pub fn delay_ms(&self) -> Option<i32> {
        self.apm.statistics().delay_ms
    }
}

impl Processor for Enhancer {
    fn render(&mut self, played: &Played) {
        if let Some((aligner, watch)) = &mut self.aligner {
            watch.render(&played.block);
            aligner.render(&played.block, played.audible);
        }
    }

    fn capture(&mut self, block: &mut [i16; BLOCK], captured: Instant) {
        let heard = *block;
        if let Some((aligner, watch)) = &mut self.aligner {
            let reference = aligner.capture(captured).map(|sample| sample / 32_768.0);
            // Neither call fails with the formats that were given at the beginning.
            let _ = self.apm.process_render_f32(&[&reference], &mut [&mut self.unused]);
            if aligner.is_interrupted() {
                watch.interrupt();
            }
            if aligner.has_given_way() {
                watch.give_way();
            }
            if let Some(earlier) = watch.capture(&heard, aligner.read_from()) {
                log::debug!("the echo moved: its reference is read {:.1} ms earlier", earlier * 1000.0);
                let was_known = watch.knows_home();
                let is_back = aligner.shift(earlier) && was_known;
                if !is_back {
                    // What the canceller learnt was never an echo's place, and would let the echo through later on.
                    watch.give_way();
                    self.apm.initialize(MONO, MONO, MONO, MONO);
                }
            }
        }
        if self.apm.process_capture_i16(&heard, block).is_err() {
            *block = heard;
        }
    }
}

fn config(audio: &Audio) -> Config {
    let level = match audio.noise_suppression {
        NoiseSuppression::Off => None,
        NoiseSuppression::Low => Some(NoiseSuppressionLevel::Low),
        NoiseSuppression::Moderate => Some(NoiseSuppressionLevel::Moderate),
        NoiseSuppression::High => Some(NoiseSuppressionLevel::High),
    };
    let gain = AdaptiveDigital {
        initial_gain_db: INITIAL_GAIN_DB.min(audio.max_gain_db),
        max_gain_db: audio.max_gain_db,
        ..AdaptiveDigital::default()
    };
    Config {
        pipeline: Pipeline {
            maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
            multi_channel_render: false,
            multi_channel_capture: false,
            ..Pipeline::default()
        },
        high_pass_filter: Some(HighPassFilter::default()),
        echo_canceller: audio.echo_cancellation.then(EchoCanceller::default),
        noise_suppression: level
            .map(|level| sonora::config::NoiseSuppression { level, analyze_linear_aec_output_when_available: false }),
        gain_controller2: audio
            .gain_control
            .then(|| GainController2 { adaptive_digital: Some(gain), ..GainController2::default() }),
        ..Config::default()
    }
}

/// The gain before anybody has spoken: a talker across the room is too low rather than too loud.
const INITIAL_GAIN_DB: f32 = 6.0;
