//! The speaker thread: what the viewers say, each through a jitter buffer, mixed and played.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use intercom_core::devices::doctor::Kind;
use intercom_core::devices::keeper::{Keeper, Step};
use intercom_core::devices::xruns::{NewXruns, Xruns};
use intercom_drivers::contract::{BoxedOpener, DeviceError, PlayAudio};
use intercom_media::chime;
use intercom_media::mixer::Mixer;
use intercom_media::processor::Played;
use intercom_media::ramp::Ramp;
use intercom_media::voice::BLOCK;
use intercom_media::voice_mixer::VoiceMixer;

use crate::shell::devices::pictures::Board;
use crate::shell::devices::{DeviceContext, Hints, hear, tell_gaps};
use crate::shell::priority::Class;
use crate::shell::wires::{ToSpeaker, VisitId};
use crate::shell::worker::{Exit, Worker, spawn_in};
use crate::shell::{clock, pulse};

/// Bound of the channel of what was played, for the echo canceller: 160 ms. When it is full the block is dropped.
pub const PLAYED: usize = 16;

/// While nobody speaks, the thread looks this often whether it is time to end; a packet wakes it at once.
const REST: Duration = Duration::from_millis(500);

/// Chimes that wait for their turn, the one that sounds included; further ones are dropped.
const CHIMES: usize = 2;

/// Length of a block.
const BLOCK_TIME: Duration = Duration::from_millis(10);

/// Starts the thread. `played` gets what is played, if an echo canceller wants it; the board is told who speaks.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_speaker(
    mut opener: BoxedOpener<dyn PlayAudio>,
    inbox: Receiver<ToSpeaker>,
    played: Option<Sender<Played>>,
    context: DeviceContext,
    board: Arc<Board>,
) -> io::Result<Worker> {
    spawn_in(Class::Live, "speaker", move || {
        let mut keeper = Keeper::new(&mut *opener, Duration::MAX, clock::now());
        let mut hints = Hints::new(&context.activity);
        let mut player = Player::new(&inbox, played.as_ref(), &context, &board);
        while !context.activity.is_stopped() {
            pulse::beat(REST);
            let now = clock::now();
            if hints.heed(&context.activity) {
                keeper.handle_hint(now);
            }
            let step = match keeper.poll(now) {
                Step::Open => {
                    let opened = keeper.open();
                    if opened.is_ok() {
                        player.xruns.handle_opened();
                        context.health.opened(Kind::Speaker, &keeper.describe());
                    }
                    Ok(keeper.handle_open(opened, clock::now()))
                }
                Step::Wait(retry) => player.do_without(retry.saturating_duration_since(now).min(REST)).map(|()| None),
                Step::Use(open) if player.mix.is_silent() => player
                    .rest(open)
                    .map(|checked| checked.and_then(|checked| keeper.handle_rest(checked, clock::now()))),
                Step::Use(open) => {
                    let played = player.play(open);
                    played.map(|result| keeper.handle_use(result.map(|()| true), clock::now()))
                }
            };
            let Ok(change) = step else { return Exit::Done };
            tell_gaps(Kind::Speaker, &keeper.describe(), "ran dry", player.gaps.take());
            context.health.tell_change(Kind::Speaker, &keeper.describe(), "", change.as_ref());
        }
        Exit::Done
    })
}

/// Nobody can send anything any more.
struct Left;

/// What the thread does with the device that its keeper has.
struct Player<'a> {
    inbox: &'a Receiver<ToSpeaker>,
    played: Option<&'a Sender<Played>>,
    context: &'a DeviceContext,
    board: &'a Board,
    mix: Mix,
    xruns: Xruns,
    /// Xruns that are to be logged.
    gaps: Option<NewXruns>,
    /// Who speaks, as the board knows it.
    speaking: Vec<VisitId>,
}

impl<'a> Player<'a> {
    fn new(
        inbox: &'a Receiver<ToSpeaker>,
        played: Option<&'a Sender<Played>>,
        context: &'a DeviceContext,
        board: &'a Board,
    ) -> Player<'a> {
        let mix = Mix::new(context.levels.speaker_gain());
        Player { inbox, played, context, board, mix, xruns: Xruns::default(), gaps: None, speaking: Vec::new() }
    }

    /// Nobody can be heard for up to `time`: what is said meanwhile is over when the device comes back.
    fn do_without(&mut self, time: Duration) -> Result<(), Left> {
        let news = self.inbox.recv_timeout(time);
        if let Err(RecvTimeoutError::Disconnected) = news {
            return Err(Left);
        }
        self.mix.clear();
        self.tell();
        Ok(())
    }

    /// Nobody speaks: waits for somebody. If nobody comes, whether the device is still there.
    fn rest(&mut self, open: &mut dyn PlayAudio) -> Result<Option<Result<(), DeviceError>>, Left> {
        self.mix.voices.forget(clock::now());
        self.mix.voices.rest();
        self.tell();
        match self.inbox.recv_timeout(REST) {
            Ok(news) => {
                self.mix.handle(news, self.context.levels.chime_gain());
                Ok(None)
            }
            Err(RecvTimeoutError::Timeout) => {
                let checked = open.check();
                if checked.is_err() {
                    self.context.health.closed(Kind::Speaker);
                }
                Ok(Some(checked))
            }
            Err(RecvTimeoutError::Disconnected) => Err(Left),
        }
    }

    /// Plays one block of what all say.
    fn play(&mut self, open: &mut dyn PlayAudio) -> Result<Result<(), DeviceError>, Left> {
        loop {
            match self.inbox.try_recv() {
                Ok(news) => self.mix.handle(news, self.context.levels.chime_gain()),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Err(Left),
            }
        }
        let mut block = Box::new([0; BLOCK]);
        self.mix.pull(clock::now(), self.context.levels.speaker_gain(), &mut block);
        self.tell();
        let delay = match open.write(&block[..]) {
            Ok(delay) => delay,
            Err(error) => {
                self.context.health.closed(Kind::Speaker);
                return Ok(Err(error));
            }
        };
        if let Some(played) = self.played {
            let audible = clock::now() + delay.saturating_sub(BLOCK_TIME);
            let _dropped_if_full = played.try_send(Played { block, audible });
        }
        self.gaps = self.xruns.handle_count(open.underruns(), clock::now());
        if self.mix.is_silent() {
            open.pause();
        }
        Ok(Ok(()))
    }

    /// Tells the board when others speak than before.
    fn tell(&mut self) {
        let voices = &self.mix.voices;
        if !voices.speaking().eq(self.speaking.iter().copied()) {
            self.speaking.clear();
            self.speaking.extend(voices.speaking());
            self.board.set_speaking(&self.speaking);
        }
    }
}

/// What home hears: all who may speak, and the chime.
struct Mix {
    voices: VoiceMixer<VisitId>,
    mixer: Mixer,
    volume: Ramp,
    /// Chimes with their loudness, one after the other, and how much of the first was played.
    chimes: VecDeque<(Arc<[i16]>, f32)>,
    played: usize,
}

impl Mix {
    fn new(gain: f32) -> Mix {
        let (voices, chimes) = (VoiceMixer::default(), VecDeque::new());
        Mix { voices, mixer: Mixer::default(), volume: Ramp::new(gain), chimes, played: 0 }
    }

    /// `chime` is the loudness of a chime that begins now.
    fn handle(&mut self, news: ToSpeaker, chime: f32) {
        match news {
            ToSpeaker::AudioIn(spoken) => {
                if let Err(error) = hear(&mut self.voices, spoken) {
                    log::error!("{error}");
                }
            }
            ToSpeaker::Chime(sound) if chime > 0.0 && self.chimes.len() < CHIMES => {
                self.chimes.push_back((sound, chime))
            }
            ToSpeaker::Chime(_) => {}
        }
    }

    /// `gain` is for what viewers say; the chime has its own loudness.
    fn pull(&mut self, now: Instant, gain: f32, out: &mut [i16; BLOCK]) {
        self.voices.pull(now);
        self.voices.blocks().for_each(|(_, block)| self.mixer.add(block));
        self.mixer.turn(&mut self.volume, gain);
        if let Some((sound, loudness)) = self.chimes.front() {
            let rest = &sound[self.played..];
            let length = rest.len().min(BLOCK);
            let mut block = [0; BLOCK];
            block[..length].copy_from_slice(&chime::at(*loudness, &rest[..length]));
            self.mixer.add(&block);
            self.played += length;
            if self.played == sound.len() {
                self.chimes.pop_front();
                self.played = 0;
            }
        }
        self.mixer.finish(out);
    }

    fn is_silent(&self) -> bool {
        self.chimes.is_empty() && self.voices.is_silent()
    }

    fn clear(&mut self) {
        self.voices.clear();
        self.chimes.clear();
        self.played = 0;
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{bounded, unbounded};
    use intercom_base::sound::OpusPacket;
    use intercom_base::testing::sound::{largest_step, level_db, tone, tone_share};
    use intercom_base::units::Bitrate;
    use intercom_drivers::contract::Opener;
    use intercom_media::opus::{OpusEncoder, PACKET};

    use super::*;
    use crate::shell::wires::AudioIn;

    /// Long enough for a busy machine; only a failing test waits for it.
    const LONG: Duration = Duration::from_secs(20);

    /// A loudspeaker that a test listens to, at the pace of a real one.
    struct Ear {
        heard: Sender<Option<Vec<i16>>>,
        room: Instant,
    }

    impl PlayAudio for Ear {
        fn write(&mut self, block: &[i16]) -> Result<Duration, DeviceError> {
            let now = clock::now();
            self.room = self.room.max(now) + BLOCK_TIME;
            clock::sleep_until(self.room - BLOCK_TIME * 2);
            let _ = self.heard.send(Some(block.to_vec()));
            Ok(self.room.saturating_duration_since(clock::now()))
        }

        fn pause(&mut self) {
            let _ = self.heard.send(None);
        }
    }

    struct Opens {
        failures: u32,
        heard: Sender<Option<Vec<i16>>>,
    }

    impl Opener<dyn PlayAudio> for Opens {
        fn open(&mut self) -> Result<Box<dyn PlayAudio>, DeviceError> {
            match self.failures.checked_sub(1) {
                Some(left) => {
                    self.failures = left;
                    Err(DeviceError::Busy("somebody else plays".into()))
                }
                None => Ok(Box::new(Ear { heard: self.heard.clone(), room: clock::now() })),
            }
        }

        fn describe(&self) -> String {
            "an ear".into()
        }
    }

    struct Room {
        inbox: Sender<ToSpeaker>,
        heard: Receiver<Option<Vec<i16>>>,
        played: Receiver<Played>,
        context: DeviceContext,
        board: Arc<Board>,
        worker: Worker,
    }

    fn room(failures: u32) -> Room {
        let (inbox, receiver) = bounded(64);
        let (sender, heard) = unbounded();
        let (reference, played) = bounded(PLAYED);
        let (context, board) = (DeviceContext::default(), Arc::new(Board::new(false)));
        let opener = Box::new(Opens { failures, heard: sender });
        let worker = spawn_speaker(opener, receiver, Some(reference), context.clone(), board.clone()).unwrap();
        Room { inbox, heard, played, context, board, worker }
    }

    impl Room {
        /// Viewers speak at once: tones, 20 ms a packet, in the machine's own time.
        fn speak(&self, tones: &[f32], packets: usize) {
            let mut encoders: Vec<_> =
                tones.iter().map(|_| OpusEncoder::new(Bitrate::from_kbps(48)).unwrap()).collect();
            let sounds: Vec<_> = tones.iter().map(|hz| tone(*hz, packets * PACKET)).collect();
            let begin = clock::now();
            for n in 0..packets {
                for (viewer, encoder) in encoders.iter_mut().enumerate() {
                    let sound = sounds[viewer][n * PACKET..][..PACKET].try_into().unwrap();
                    self.inbox
                        .send(ToSpeaker::AudioIn(AudioIn::Packet(
                            VisitId(viewer as u64),
                            OpusPacket {
                                sequence: n as u64,
                                sample: (n * PACKET) as u64,
                                data: encoder.encode(sound).unwrap().expect("a tone is no silence"),
                                arrived: clock::now(),
                            },
                        )))
                        .unwrap();
                }
                clock::sleep_until(begin + Duration::from_millis(20 * (n as u64 + 1)));
            }
        }

        /// All that was heard until the loudspeaker rested.
        fn until_rest(&self) -> Vec<i16> {
            let mut all = Vec::new();
            while let Some(block) = self.heard.recv_timeout(LONG).expect("sound or rest") {
                all.extend(block);
            }
            all
        }

        fn close(self) {
            self.context.activity.stop();
            self.worker.dismiss();
            assert!(self.worker.join_within(LONG));
        }
    }

    #[test]
    fn two_viewers_are_heard_together_and_then_it_rests() {
        let room = room(0);
        room.speak(&[300.0, 700.0], 40);
        let heard = room.until_rest();
        let middle = &heard[heard.len() / 4..heard.len() * 3 / 4];
        assert!(tone_share(middle, 300.0) > 0.3 && tone_share(middle, 700.0) > 0.3);
        assert!(room.heard.try_recv().is_err(), "nothing is written while nobody speaks");
        assert!(!room.played.is_empty(), "the echo canceller's reference");
        room.close();
    }

    #[test]
    fn the_board_is_told_who_speaks_and_when_they_end() {
        let room = room(0);
        let far = clock::now() + LONG;
        let speaking = |version: u64| {
            let shown = room.board.wait(version, far);
            (shown.version, shown.speaking)
        };
        std::thread::scope(|threads| {
            threads.spawn(|| room.speak(&[300.0, 700.0], 40));
            let (mut version, mut seen) = speaking(0);
            while seen.len() < 2 {
                (version, seen) = speaking(version);
            }
            assert_eq!(seen, [VisitId(0), VisitId(1)]);
            while !seen.is_empty() {
                (version, seen) = speaking(version);
            }
        });
        room.close();
    }

    #[test]
    fn who_leaves_is_faded_out() {
        let room = room(0);
        room.speak(&[300.0], 20);
        room.inbox.send(ToSpeaker::AudioIn(AudioIn::Gone(VisitId(0)))).unwrap();
        let heard = room.until_rest();
        assert!(largest_step(&heard[heard.len().saturating_sub(4 * BLOCK)..]) < 600);
        room.close();
    }

    #[test]
    fn a_busy_speaker_is_tried_again_and_nothing_old_is_played() {
        let room = room(1);
        room.speak(&[300.0], 60);
        let heard = room.until_rest();
        // The first half second fell into the pause before the second try.
        assert!(heard.len() < 60 * PACKET, "{}", heard.len());
        assert!(tone_share(&heard, 300.0) > 0.5);
        room.close();
    }

    #[test]
    fn a_chime_sounds_whole_and_alone_as_loud_as_it_is_and_then_it_rests() {
        let room = room(0);
        room.context.levels.set_volume(0);
        let chime: Arc<[i16]> = tone(500.0, 10 * BLOCK + 100).into();
        room.inbox.send(ToSpeaker::Chime(Arc::clone(&chime))).unwrap();
        let heard = room.until_rest();
        assert_eq!(heard[..chime.len()], chime[..]);
        assert!(heard[chime.len()..].iter().all(|sample| *sample == 0));
        assert!(room.played.len() >= 10, "the echo canceller knows of it");
        room.close();
    }

    #[test]
    fn chimes_are_as_loud_as_they_are_set_and_at_zero_there_is_none() {
        let mut mix = Mix::new(1.0);
        let chime: Arc<[i16]> = tone(500.0, BLOCK).into();
        mix.handle(ToSpeaker::Chime(Arc::clone(&chime)), 0.0);
        assert!(mix.is_silent(), "nothing is played, and the device may rest");
        mix.handle(ToSpeaker::Chime(Arc::clone(&chime)), 0.1);
        let mut heard = [0; BLOCK];
        mix.pull(clock::now(), 1.0, &mut heard);
        let lower = level_db(&chime) - level_db(&heard);
        assert!((lower - 20.0).abs() < 1.0, "{lower} dB");
    }

    #[test]
    fn viewers_are_as_loud_as_they_are_set_and_turning_it_does_not_click() {
        let room = room(0);
        std::thread::scope(|threads| {
            threads.spawn(|| room.speak(&[300.0], 80));
            clock::sleep_until(clock::now() + Duration::from_millis(800));
            room.context.levels.set_volume(50);
        });
        let heard = room.until_rest();
        let (before, after) = (&heard[9600..24_000], &heard[48_000..67_200]);
        let lower = level_db(before) - level_db(after);
        assert!((lower - 20.0).abs() < 1.0, "{lower} dB");
        assert!(largest_step(&heard[4800..67_200]) < 700, "{}", largest_step(&heard[4800..67_200]));
        room.close();
    }

    #[test]
    fn it_ends_when_nobody_can_send_any_more() {
        let room = room(0);
        drop(room.inbox);
        assert!(room.worker.join_within(LONG));
    }
}
