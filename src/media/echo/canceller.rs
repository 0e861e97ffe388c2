//! WebRTC's echo canceller (AEC3), driven below its usual front so that it can be tuned for people who talk at once.

use std::collections::VecDeque;

use sonora::three_band_filter_bank::{NUM_BANDS, SPLIT_BAND_SIZE, ThreeBandFilterBank};
use sonora_aec3::block::Block;
use sonora_aec3::block_processor::BlockProcessor;
use sonora_aec3::common::BLOCK_SIZE;
use sonora_aec3::config::EchoCanceller3Config;

use crate::voice::BLOCK;

/// 10 ms in three bands of 8 kHz each, the lowest first.
pub type Bands = [[f32; SPLIT_BAND_SIZE]; NUM_BANDS];

/// See the module. It finds the echo in the half second behind the reference by itself, and makes sound 2 ms later.
pub struct Canceller {
    processor: BlockProcessor,
    /// For the reference.
    bank: ThreeBandFilterBank,
    written: Queue,
    heard: Queue,
    cleaned: Queue,
    block: Block,
}

impl Default for Canceller {
    fn default() -> Canceller {
        Canceller {
            processor: processor(),
            bank: ThreeBandFilterBank::new(),
            written: Queue::default(),
            heard: Queue::default(),
            cleaned: Queue::of_silence(LATER),
            block: Block::new(NUM_BANDS, 1),
        }
    }
}

impl Canceller {
    /// Takes the echo of `reference` out of `sound`, which was heard meanwhile. `clipped` says that the microphone
    /// was driven too loud, which no model of an echo follows.
    pub fn process(&mut self, reference: &[f32; BLOCK], sound: &mut Bands, clipped: bool) {
        let mut bands = [[0.0; SPLIT_BAND_SIZE]; NUM_BANDS];
        self.bank.analysis(reference, &mut bands);
        for band in 0..NUM_BANDS {
            self.written.put(band, &bands[band]);
            self.heard.put(band, &sound[band]);
        }
        while self.written.fill(&mut self.block) {
            self.processor.buffer_render(&self.block);
        }
        while self.heard.fill(&mut self.block) {
            self.processor.process_capture(false, clipped, None, &mut self.block);
            for band in 0..NUM_BANDS {
                self.cleaned.put(band, self.block.view(band, 0));
            }
        }
        for (band, sound) in sound.iter_mut().enumerate() {
            self.cleaned.take(band, sound);
        }
    }

    /// Forgets the room.
    pub fn restart(&mut self) {
        self.processor = processor();
    }

    /// What the echo's delay is taken for, in ms behind the reference.
    pub fn delay_ms(&self) -> i32 {
        self.processor.get_metrics().delay_ms
    }
}

fn processor() -> BlockProcessor {
    BlockProcessor::new(&tuning(), 48_000, 1, 1)
}

/// What differs from WebRTC's own, which is made for telephones on the ear as well and would rather cut a talker than let an
/// echo through. `make bench-audio` tells what it gives and takes; more of each lets echo through there.
fn tuning() -> EchoCanceller3Config {
    let mut tuning = EchoCanceller3Config::default();
    let filter = &mut tuning.filter;
    // 64 ms of the room instead of 52, once the first 48 are learnt, and four seconds of speech to learn these fast. What the
    // filter takes away costs no talker anything. A longer one is slower to learn than people are to begin the next word.
    (filter.refined.length_blocks, filter.coarse.length_blocks) = (16, 16);
    filter.initial_state_seconds = 4.0;
    // The filter never stops to learn: people walk about.
    filter.refined.error_floor = 0.01;
    // Who talks at home is believed to while what is left of the echo is up to 4 dB softer (6 before), and is then left
    // alone where they are a bit less clearly louder: above 1 kHz, where consonants are.
    tuning.suppressor.dominant_nearend_detection.enr_threshold = 0.4;
    let hf = &mut tuning.suppressor.nearend_tuning.mask_hf;
    (hf.enr_transparent, hf.enr_suppress) = (0.4, 0.7);
    tuning
}

/// The canceller works in blocks of 64 samples and 10 ms are 160 of each band; so many must wait that each 10 ms
/// that go in give 10 ms that come out.
const LATER: usize = 32;

/// Sound in bands that waits until there is enough of it.
#[derive(Default)]
struct Queue([VecDeque<f32>; NUM_BANDS]);

impl Queue {
    fn of_silence(samples: usize) -> Queue {
        Queue(std::array::from_fn(|_| VecDeque::from(vec![0.0; samples])))
    }

    fn put(&mut self, band: usize, sound: &[f32]) {
        self.0[band].extend(sound);
    }

    fn take(&mut self, band: usize, sound: &mut [f32]) {
        let queued = self.0[band].drain(..sound.len());
        sound.iter_mut().zip(queued).for_each(|(sample, queued)| *sample = queued);
    }

    /// Says `false` if there is not enough for a block yet.
    fn fill(&mut self, block: &mut Block) -> bool {
        if self.0[0].len() < BLOCK_SIZE {
            return false;
        }
        for band in 0..NUM_BANDS {
            self.take(band, block.view_mut(band, 0));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_tuning_is_within_what_the_canceller_takes() {
        assert!(tuning().validate());
    }

    #[test]
    fn without_an_echo_sound_goes_through_later_and_unchanged() {
        let mut canceller = Canceller::default();
        let sample = |n: usize| (n as f32 * 0.3).sin() * 3000.0;
        let mut out = Vec::new();
        for n in 0..200 {
            let mut sound: Bands = [[0.0; SPLIT_BAND_SIZE]; NUM_BANDS];
            sound[0] = std::array::from_fn(|k| sample(n * SPLIT_BAND_SIZE + k));
            canceller.process(&[0.0; BLOCK], &mut sound, false);
            out.extend_from_slice(&sound[0]);
        }
        // The suppressor's transform makes it 64 samples later, besides.
        let later = LATER + BLOCK_SIZE;
        let off = (16_000..32_000).map(|n| (out[n] - sample(n - later)).abs()).fold(0.0, f32::max);
        assert!(off < 60.0, "off by {off}");
    }
}
