//! What each viewer hears, encoded: home, and the other viewers, but not themselves (mix-minus).
//!
//! - A viewer who has said something gets an encoder of their own, until they are quiet for a minute or leave.
//! - All who only listen share one encoder. So three listeners cost no more than one.
//! - A packet says whom it is for (`Recipients` in `intercom_core::call::items`).
//! - The core hands on what viewers say only while two of them are connected. With one viewer this module just encodes
//!   home.
//! - Each mix is limited by a [`Mixer`] of its own.
//!
//! The echo canceller stands before this mix. It takes the viewers' voices out of what the microphone hears of the
//! loudspeaker. The mix then puts them in as they came from the network.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

use crate::mixer::Mixer;
use crate::opus::{OpusEncoder, OpusError, PACKET};
use crate::voice::BLOCK;
use crate::voice_mixer::VoiceMixer;

/// Length of a block.
const BLOCK_TIME: Duration = Duration::from_millis(10);

/// One encoder for all who only listen, and one for each who may be heard by the others.
///
/// Anyone who is quiet for a minute is one of the listeners again ([`VoiceMixer::forget`]), so that three listeners cost no more
/// than one.
pub struct MixMinus<Name> {
    voices: VoiceMixer<Name>,
    all: Line,
    others: BTreeMap<Name, Line>,
    bitrate: Bitrate,
    /// Expected loss in percent, once it was said.
    loss_percent: Option<u8>,
}

struct Line {
    mixer: Mixer,
    encoder: OpusEncoder,
    sound: Box<[i16; PACKET]>,
}

impl Line {
    fn new(bitrate: Bitrate, loss_percent: Option<u8>) -> Result<Line, OpusError> {
        let mut encoder = OpusEncoder::new(bitrate)?;
        if let Some(loss_percent) = loss_percent {
            encoder.set_path(bitrate, loss_percent)?;
        }
        Ok(Line { mixer: Mixer::default(), encoder, sound: Box::new([0; PACKET]) })
    }

    fn mix<'a>(&mut self, n: usize, blocks: impl Iterator<Item = &'a [i16; BLOCK]>) {
        blocks.for_each(|block| self.mixer.add(block));
        self.mixer.finish(&mut self.sound.as_chunks_mut().0[n]);
    }
}

impl<Name: Copy + Ord> MixMinus<Name> {
    /// Nobody but home speaks yet, and is encoded at this bitrate.
    pub fn new(bitrate: Bitrate) -> Result<MixMinus<Name>, OpusError> {
        let (voices, others) = (VoiceMixer::default(), BTreeMap::new());
        Ok(MixMinus { voices, all: Line::new(bitrate, None)?, others, bitrate, loss_percent: None })
    }

    /// Those who may speak.
    pub fn voices(&mut self) -> &mut VoiceMixer<Name> {
        &mut self.voices
    }

    /// Goes on at another bitrate for each, and another expected loss; see [`OpusEncoder::set_path`].
    pub fn set_path(&mut self, bitrate: Bitrate, loss_percent: u8) -> Result<(), OpusError> {
        (self.bitrate, self.loss_percent) = (bitrate, Some(loss_percent));
        let encoders = self.others.values_mut().chain([&mut self.all]);
        encoders.map(|line| &mut line.encoder).try_for_each(|encoder| encoder.set_path(bitrate, loss_percent))
    }

    /// 20 ms of home's sound, which ended at `now`, become a packet for each who speaks, and one with `None` for all
    /// others; in silence there is none ([`OpusEncoder::encode`]). The names are those of the former.
    pub fn encode(
        &mut self,
        home: &[i16; PACKET],
        now: Instant,
        mut send: impl FnMut(Option<Name>, Arc<[u8]>),
    ) -> Result<Vec<Name>, OpusError> {
        self.voices.forget(now);
        let names: Vec<Name> = self.voices.names().collect();
        self.others.retain(|name, _| names.contains(name));
        for name in &names {
            if !self.others.contains_key(name) {
                self.others.insert(*name, Line::new(self.bitrate, self.loss_percent)?);
            }
        }
        if names.is_empty() {
            // Nothing is between home and who listens.
            *self.all.sound = *home;
            self.all.mixer = Mixer::default();
        } else {
            for (n, part) in home.as_chunks::<BLOCK>().0.iter().enumerate() {
                self.voices.pull(now + BLOCK_TIME * n as u32);
                let blocks = || self.voices.blocks();
                self.all.mix(n, blocks().map(|(_, block)| block).chain([part]));
                for (name, line) in &mut self.others {
                    line.mix(n, blocks().filter(|(who, _)| who != name).map(|(_, block)| block).chain([part]));
                }
            }
        }
        let lines = self.others.iter_mut().map(|(name, line)| (Some(*name), line));
        for (name, line) in lines.chain([(None, &mut self.all)]) {
            if let Some(data) = line.encoder.encode(&line.sound)? {
                send(name, data);
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use intercom_base::sound::OpusPacket;
    use intercom_base::testing::sound::{level_db, tone, tone_share};

    use super::*;
    use crate::opus::{LONGEST_PACKET, OpusDecoder};

    const RATE: Bitrate = Bitrate::from_kbps(48);
    const SECONDS: usize = 3;

    fn packet(n: u64, data: Arc<[u8]>, arrived: Instant) -> OpusPacket {
        OpusPacket { sequence: n, sample: n * 960, data, arrived }
    }

    /// Viewers who hum these tones, and home, which hums 300 Hz; who hears what, after a second.
    fn listen(tones: &[f32]) -> BTreeMap<Option<u32>, Vec<i16>> {
        let mut encoders: Vec<_> = tones.iter().map(|_| OpusEncoder::new(RATE).unwrap()).collect();
        let sounds: Vec<_> = tones.iter().map(|hz| tone(*hz, 48_000 * SECONDS)).collect();
        let home = tone(300.0, 48_000 * SECONDS);
        let mut mix = MixMinus::new(RATE).unwrap();
        let origin = Instant::now();
        let mut heard: BTreeMap<Option<u32>, (OpusDecoder, Vec<i16>)> = BTreeMap::new();
        for n in 0..50 * SECONDS as u64 {
            let now = origin + Duration::from_millis(20 * n);
            for (name, (encoder, sound)) in encoders.iter_mut().zip(&sounds).enumerate() {
                let data = encoder.encode(&sound.as_chunks().0[n as usize]).unwrap().expect("a tone is no silence");
                mix.voices().insert(name as u32, packet(n, data, now)).unwrap();
            }
            let names = mix.encode(&home.as_chunks().0[n as usize], now, |to, data| {
                let (decoder, sound) = heard.entry(to).or_insert_with(|| (OpusDecoder::new().unwrap(), Vec::new()));
                sound.extend(decoder.decode(&data, &mut [0; LONGEST_PACKET]).unwrap());
            });
            assert_eq!(names.unwrap().len(), tones.len());
        }
        heard.into_iter().map(|(to, (_, sound))| (to, sound[48_000..].to_vec())).collect()
    }

    /// Whether a tone is part of a sound.
    fn has(sound: &[i16], hz: f32) -> bool {
        let share = tone_share(sound, hz);
        assert!(!(0.005..0.05).contains(&share), "neither there nor not: {hz} Hz has {share}");
        share >= 0.05
    }

    #[test]
    fn alone_a_viewer_hears_home_as_it_is() {
        let heard = listen(&[]);
        assert_eq!(heard.keys().collect::<Vec<_>>(), [&None]);
        assert!(tone_share(&heard[&None], 300.0) > 0.99);
        assert!((level_db(&heard[&None]) - level_db(&tone(300.0, 48_000))).abs() < 0.5);
    }

    #[test]
    fn everybody_hears_home_and_the_others_but_never_themselves() {
        let tones = [500.0, 800.0, 1250.0];
        let heard = listen(&tones);
        for (who, sound) in &heard {
            assert!(has(sound, 300.0), "{who:?} hears home");
            for (name, hz) in tones.iter().enumerate() {
                assert_eq!(has(sound, *hz), *who != Some(name as u32), "{who:?} and the voice of {name}");
            }
        }
        assert_eq!(heard.len(), 4);
    }

    #[test]
    fn many_at_once_do_not_clip() {
        let tones: Vec<f32> = (0..8).map(|n| 400.0 + 130.0 * n as f32).collect();
        for (who, sound) in listen(&tones) {
            let clipped = sound.iter().filter(|sample| sample.unsigned_abs() > 32_700).count();
            assert!(clipped * 1000 < sound.len(), "{who:?}: {clipped} of {}", sound.len());
            assert!(level_db(&sound) > -20.0);
        }
    }

    #[test]
    fn who_leaves_or_is_quiet_for_long_has_no_packets_of_their_own_any_more() {
        let mut mix = MixMinus::new(RATE).unwrap();
        let mut speaker = OpusEncoder::new(RATE).unwrap();
        let now = Instant::now();
        let mut say = |mix: &mut MixMinus<u32>| {
            let data = speaker.encode(&[0; PACKET]).unwrap().expect("sound");
            mix.voices().insert(7, packet(0, data, now)).unwrap();
        };
        let encode = |mix: &mut MixMinus<u32>, now| mix.encode(&[0; PACKET], now, |_, _| {}).unwrap();
        say(&mut mix);
        assert_eq!(encode(&mut mix, now), [7]);
        mix.voices().leave(7);
        encode(&mut mix, now);
        assert!(encode(&mut mix, now).is_empty());
        say(&mut mix);
        assert_eq!(encode(&mut mix, now + Duration::from_secs(59)), [7]);
        assert!(encode(&mut mix, now + Duration::from_secs(60)).is_empty());
    }

    #[test]
    fn all_encoders_follow_the_order_also_those_that_come_later() {
        let sizes = |kbps: Option<u64>, before: bool| {
            let mut mix = MixMinus::new(Bitrate::from_kbps(96)).unwrap();
            let mut speaker = OpusEncoder::new(RATE).unwrap();
            let origin = Instant::now();
            let mut sizes: BTreeMap<Option<u32>, usize> = BTreeMap::new();
            let order = |mix: &mut MixMinus<u32>| {
                if let Some(kbps) = kbps {
                    mix.set_path(Bitrate::from_kbps(kbps), 8).unwrap();
                }
            };
            if before {
                order(&mut mix);
            }
            let sound = intercom_base::testing::sound::speech_like(48_000);
            for (n, sound) in sound.as_chunks().0.iter().enumerate() {
                let now = origin + Duration::from_millis(20 * n as u64);
                if let Some(data) = speaker.encode(sound).unwrap() {
                    mix.voices().insert(1, packet(n as u64, data, now)).unwrap();
                }
                mix.encode(sound, now, |to, data| *sizes.entry(to).or_default() += data.len()).unwrap();
                if n == 0 && !before {
                    order(&mut mix);
                }
            }
            [sizes[&None], sizes[&Some(1)]]
        };
        for before in [false, true] {
            let (wide, narrow) = (sizes(None, before), sizes(Some(16), before));
            assert!((0..2).all(|n| narrow[n] * 3 < wide[n]), "{narrow:?} bytes, and {wide:?} without an order");
        }
    }
}
