//! The microphone thread and the Opus encoders': home's sound on its way out, and the viewers' to each other.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use intercom_drivers::contract::{BoxedOpener, CaptureAudio};

use crate::config::Audio;
use crate::core::keeper::{Keeper, Step};
use crate::core::xruns::Xruns;
use crate::media::conference::Conference;
use crate::media::opus::OpusError;
use crate::media::packetizer::{Packet, Packetizer};
use crate::media::processor::{Played, Processor};
use crate::media::ramp::Ramp;
use crate::media::voice::BLOCK;
use crate::shell::clock;
use crate::shell::devices::{Hints, Kind, Presence, hear, tell_gaps};
use crate::shell::priority::Class;
use crate::shell::pulse;
use crate::shell::wake::Wake;
use crate::shell::wires::{EncodedAudio, Hearers, SpeechControl, Spoken, VisitId};
use crate::shell::worker::{Exit, Worker, spawn_in};

/// Bound of the channel from microphone to encoder: 80 ms. When it is full the newest block is dropped, which the
/// encoder sees as a gap.
pub const BLOCKS: usize = 8;

/// A block is awaited for this long at a time.
const PATIENCE: Duration = Duration::from_millis(200);

/// An open microphone without sound for this long counts as silent.
const SILENT: Duration = Duration::from_secs(1);

/// While nobody visits, the threads look this often whether it is time to end; a visit wakes them at once.
const REST: Duration = Duration::from_secs(10);

/// 10 ms out of the microphone.
#[derive(Clone, Debug)]
pub struct MicrophoneBlock {
    /// The sound.
    pub sound: Box<[i16; BLOCK]>,
    /// When its first sample was heard.
    pub captured: Instant,
    /// Whether it comes out of a room, or is to be sent as it is.
    pub room: bool,
}

/// Starts the thread that reads the microphone. It is opened at once, so that a broken one is known at boot, and
/// paused while nobody visits.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_microphone(
    mut opener: BoxedOpener<dyn CaptureAudio>,
    blocks: Sender<MicrophoneBlock>,
    presence: Arc<Presence>,
) -> io::Result<Worker> {
    spawn_in(Class::Live, "microphone", move || {
        let mut keeper = Keeper::new(&mut *opener, SILENT, clock::now());
        let mut hints = Hints::new(&presence);
        let mut xruns = Xruns::default();
        let mut paused = false;
        while !presence.is_stopped() {
            pulse::beat(REST);
            let now = clock::now();
            if hints.heed(&presence) {
                keeper.handle_hint(now);
            }
            let mut gaps = None;
            let change = match keeper.poll(now) {
                Step::Use(open) if !presence.is_present() => {
                    if !std::mem::replace(&mut paused, true) {
                        open.pause();
                    }
                    hints.wait(&presence, REST);
                    let checked = open.check();
                    if checked.is_err() {
                        presence.closed(Kind::Microphone);
                    }
                    keeper.handle_rest(checked, clock::now())
                }
                Step::Use(open) => {
                    paused = false;
                    let mut sound = Box::new([0; BLOCK]);
                    let result = match open.read(&mut sound[..], now + PATIENCE) {
                        Ok(Some(captured)) => {
                            gaps = xruns.handle_count(open.overruns(), clock::now());
                            // Full: the encoder is behind, and will see a gap. Closed: it is gone, and so are we.
                            let block = MicrophoneBlock { sound, captured, room: open.hears_a_room() };
                            if let Err(TrySendError::Disconnected(_)) = blocks.try_send(block) {
                                return Exit::Done;
                            }
                            Ok(true)
                        }
                        Ok(None) => Ok(false),
                        Err(error) => {
                            presence.closed(Kind::Microphone);
                            Err(error)
                        }
                    };
                    keeper.handle_use(result, clock::now())
                }
                Step::Open => {
                    let opened = keeper.open();
                    if opened.is_ok() {
                        paused = false;
                        xruns.handle_opened();
                        presence.opened(Kind::Microphone, &keeper.describe());
                    }
                    keeper.handle_open(opened, clock::now())
                }
                Step::Wait(retry) => {
                    hints.sleep(&presence, retry.saturating_duration_since(now));
                    None
                }
            };
            tell_gaps(Kind::Microphone, &keeper.describe(), "ran over", gaps);
            presence.tell_change(Kind::Microphone, &keeper.describe(), "", change.as_ref());
        }
        Exit::Done
    })
}

/// What the Opus thread hears.
pub struct OpusInputs {
    /// The microphone.
    pub blocks: Receiver<MicrophoneBlock>,
    /// What the speaker plays, for the canceller.
    pub played: Receiver<Played>,
    /// What viewers say to each other.
    pub spoken: Receiver<Spoken>,
}

/// What the Opus thread needs besides.
pub struct OpusOutputs {
    /// Where packets go; when it is full, the packet is dropped and the far end conceals.
    pub packets: Sender<EncodedAudio>,
    /// Wakes the event loop.
    pub wake: Wake,
    /// What the core orders of the encoder.
    pub control: Arc<SpeechControl>,
}

/// Starts the thread `opus`: blocks of 10 ms in, packets of 20 ms out, with silence where the microphone gives
/// nothing, and nothing at all while nobody visits. What viewers say to each other is mixed in.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_opus(
    audio: Audio,
    inputs: OpusInputs,
    mut processor: Box<dyn Processor>,
    out: OpusOutputs,
    presence: Arc<Presence>,
) -> io::Result<Worker> {
    let OpusInputs { blocks, played, spoken } = inputs;
    // The time line outlives a restart of the work, so that the count of samples never goes back.
    let mut packetizer = Packetizer::default();
    spawn_in(Class::Live, "opus", move || {
        let mut conference = match Conference::new(audio.bitrate) {
            Ok(conference) => conference,
            Err(error) => {
                log::error!("{error}");
                return Exit::Again;
            }
        };
        let levels = presence.levels();
        let mut gate = Ramp::new(levels.microphone_gain());
        let mut listening = false;
        let mut in_a_room = true;
        while !presence.is_stopped() {
            pulse::beat(REST);
            if !presence.is_present() {
                if std::mem::replace(&mut listening, false) {
                    packetizer.stop();
                }
                presence.wait(REST);
                continue;
            }
            if !std::mem::replace(&mut listening, true) {
                // What was captured before anybody listened is nobody's business.
                while blocks.try_recv().is_ok() {}
                while spoken.try_recv().is_ok() {}
                conference.party().clear();
                packetizer.start(clock::now());
                gate = Ramp::new(levels.microphone_gain());
            }
            let due = packetizer.poll_timeout().unwrap_or_else(|| clock::now() + PATIENCE);
            let block = blocks.recv_deadline(due);
            if let Ok(block) = &block {
                in_a_room = block.room;
            }
            // After the waiting, so that what was played meanwhile is known before what may hear it.
            while let Ok(reference) = played.try_recv() {
                if in_a_room {
                    processor.render(&reference);
                }
            }
            let packet = match block {
                Ok(mut block) => {
                    if block.room {
                        processor.capture(&mut block.sound, block.captured);
                    }
                    // Behind the canceller, which goes on learning the room; nothing that is muted goes further.
                    gate.turn_samples(levels.microphone_gain(), &mut block.sound[..]);
                    packetizer.handle_block(&block.sound, block.captured)
                }
                Err(RecvTimeoutError::Timeout) => packetizer.poll(clock::now()),
                Err(RecvTimeoutError::Disconnected) => {
                    presence.sleep(due.saturating_duration_since(clock::now()));
                    packetizer.poll(clock::now())
                }
            };
            let heard = spoken.try_iter().try_for_each(|spoken| hear(conference.party(), spoken));
            let sent = heard.and_then(|()| packet.map_or(Ok(()), |packet| send(&mut conference, &packet, &out)));
            if let Err(error) = sent {
                log::error!("{error}");
                return Exit::Again;
            }
        }
        Exit::Done
    })
}

fn send(conference: &mut Conference<VisitId>, packet: &Packet, out: &OpusOutputs) -> Result<(), OpusError> {
    if out.packets.is_full() {
        return Ok(());
    }
    if let Some(speech) = out.control.take() {
        conference.set_path(speech.bitrate, speech.loss_percent)?;
    }
    let mut encoded = Vec::new();
    let names = conference.encode(&packet.sound, clock::now(), |to, data| encoded.push((to, data)))?;
    // In silence nothing is sent; the count of samples goes on.
    if encoded.is_empty() {
        return Ok(());
    }
    let names: Arc<[VisitId]> = names.into();
    for (to, data) in encoded {
        let to = to.map_or_else(|| Hearers::AllBut(Arc::clone(&names)), Hearers::Only);
        let packet = EncodedAudio { to, data, captured: packet.captured, sample: packet.sample };
        // What finds no room is concealed by who hears it.
        let _dropped = out.packets.try_send(packet);
    }
    out.wake.wake();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use crossbeam_channel::bounded;
    use intercom_drivers::contract::{DeviceError, Opener};

    use super::*;
    use crate::config::NoiseSuppression;
    use crate::media::opus::{LONGEST_PACKET, OpusDecoder, OpusEncoder, PACKET};
    use crate::media::processor::Identity;
    use crate::media::test_sound::{tone, tone_share};
    use crate::units::Bitrate;

    /// Long enough for a busy machine; only a failing test waits for it.
    const LONG: Duration = Duration::from_secs(20);

    /// A microphone that hears 400 Hz, in the machine's own time; it fails to open twice and breaks once.
    struct Whistle {
        gone: Arc<AtomicBool>,
        in_a_room: bool,
        /// When the next block begins; `None` while paused.
        next: Option<Instant>,
        left: u32,
    }

    impl CaptureAudio for Whistle {
        fn read(&mut self, block: &mut [i16], deadline: Instant) -> Result<Option<Instant>, DeviceError> {
            let begin = *self.next.get_or_insert_with(clock::now);
            let ready = begin + Duration::from_millis(10);
            clock::sleep_until(ready.min(deadline));
            if deadline < ready {
                return Ok(None);
            }
            self.left = self.left.checked_sub(1).ok_or(DeviceError::Io("the plug was pulled".into()))?;
            block.copy_from_slice(&tone(400.0, BLOCK));
            self.next = Some(ready);
            Ok(Some(begin))
        }

        fn pause(&mut self) {
            self.next = None;
        }

        fn hears_a_room(&self) -> bool {
            self.in_a_room
        }

        fn check(&mut self) -> Result<(), DeviceError> {
            if self.gone.swap(false, Ordering::Relaxed) { Err(DeviceError::Absent("gone".into())) } else { Ok(()) }
        }
    }

    struct Opens {
        failures: u32,
        blocks: u32,
        opened: Sender<()>,
        gone: Arc<AtomicBool>,
        in_a_room: bool,
    }

    impl Opener<dyn CaptureAudio> for Opens {
        fn open(&mut self) -> Result<Box<dyn CaptureAudio>, DeviceError> {
            if self.failures > 0 {
                self.failures -= 1;
                return Err(DeviceError::Absent("no microphone yet".into()));
            }
            let _ = self.opened.try_send(());
            let (gone, in_a_room) = (self.gone.clone(), self.in_a_room);
            Ok(Box::new(Whistle { gone, in_a_room, next: None, left: self.blocks }))
        }

        fn describe(&self) -> String {
            "a whistle".into()
        }
    }

    struct Room {
        presence: Arc<Presence>,
        packets: Receiver<EncodedAudio>,
        others: Sender<Spoken>,
        reference: Sender<Played>,
        opened: Receiver<()>,
        gone: Arc<AtomicBool>,
        workers: [Worker; 2],
    }

    fn room(failures: u32, blocks: u32) -> Room {
        room_with(failures, blocks, true, Box::new(Identity))
    }

    fn room_with(failures: u32, blocks: u32, in_a_room: bool, processor: Box<dyn Processor>) -> Room {
        let presence = Arc::new(Presence::new());
        let (block_sender, block_receiver) = bounded(BLOCKS);
        let (packet_sender, packets) = bounded(16);
        let (reference, played) = bounded(1);
        let (others, spoken) = bounded(64);
        let (opened_sender, opened) = bounded(4);
        let control = Arc::new(SpeechControl::default());
        let out = OpusOutputs { packets: packet_sender, wake: Wake::new().unwrap(), control };
        let gone = Arc::new(AtomicBool::new(false));
        let audio = Audio {
            bitrate: Bitrate::from_kbps(32),
            echo_cancellation: false,
            noise_suppression: NoiseSuppression::Off,
            gain_control: false,
            max_gain_db: 0.0,
            hear_each_other: true,
        };
        let inputs = OpusInputs { blocks: block_receiver, played, spoken };
        let opener = Box::new(Opens { failures, blocks, opened: opened_sender, gone: gone.clone(), in_a_room });
        let workers = [
            spawn_microphone(opener, block_sender, presence.clone()).unwrap(),
            spawn_opus(audio, inputs, processor, out, presence.clone()).unwrap(),
        ];
        Room { presence, packets, others, reference, opened, gone, workers }
    }

    impl Room {
        fn hear(&self, packets: usize) -> Vec<EncodedAudio> {
            (0..packets).map(|_| self.packets.recv_timeout(LONG).expect("a packet")).collect()
        }

        fn close(self) {
            self.presence.stop();
            for worker in self.workers {
                worker.dismiss();
                assert!(worker.join_within(LONG));
            }
        }
    }

    fn heard(packets: &[EncodedAudio]) -> Vec<i16> {
        let mut decoder = OpusDecoder::new().unwrap();
        let mut out = [0; LONGEST_PACKET];
        packets.iter().flat_map(|p| decoder.decode(&p.data, &mut out).unwrap().to_vec()).collect()
    }

    #[test]
    fn a_visit_hears_the_room_and_nobody_hears_nothing() {
        let room = room(0, u32::MAX);
        room.opened.recv_timeout(LONG).expect("opened before anybody visits");
        assert!(room.packets.is_empty());
        room.presence.set(true);
        let first = room.hear(25);
        assert!(tone_share(&heard(&first)[9600..], 400.0) > 0.8);
        assert!(first.windows(2).all(|w| w[1].sample > w[0].sample));
        room.presence.set(false);
        // Whatever was on its way still comes; then it stays silent until the next visit.
        while room.packets.recv_timeout(Duration::from_millis(300)).is_ok() {}
        room.presence.set(true);
        let second = room.hear(5);
        let pause = second[0].captured - first[24].captured;
        let counted = (second[0].sample - first[24].sample) as f64 / 48_000.0;
        assert!((pause.as_secs_f64() - counted).abs() < 0.05, "{pause:?} against {counted} s");
        room.close();
    }

    /// What `visit` hears of these packets.
    fn heard_by(visit: u64, packets: &[EncodedAudio]) -> Vec<i16> {
        let theirs: Vec<_> = packets.iter().filter(|p| p.to.include(VisitId(visit))).cloned().collect();
        heard(&theirs)
    }

    #[test]
    fn viewers_hear_home_and_each_other_and_nobody_their_own_voice() {
        let room = room(0, u32::MAX);
        room.presence.set(true);
        let mut packets = room.hear(1);
        let mut encoders =
            [700.0, 1100.0].map(|hz| (OpusEncoder::new(Bitrate::from_kbps(48)).unwrap(), tone(hz, PACKET)));
        for n in 0..60 {
            for (visit, (encoder, sound)) in encoders.iter_mut().enumerate() {
                let data = encoder.encode(sound.as_slice().try_into().unwrap()).unwrap().expect("a tone");
                let (visit, arrived) = (VisitId(visit as u64), clock::now());
                room.others.send(Spoken::Packet { visit, sequence: n, sample: n * 960, data, arrived }).unwrap();
            }
            let time = packets[packets.len() - 1].sample;
            while packets[packets.len() - 1].sample == time {
                packets.extend(room.hear(1));
            }
        }
        for (visit, hears, not) in
            [(0, vec![1100.0], vec![700.0]), (1, vec![700.0], vec![1100.0]), (2, vec![700.0, 1100.0], vec![])]
        {
            let sound = heard_by(visit, &packets);
            let sound = &sound[sound.len() / 2..];
            assert!(tone_share(sound, 400.0) > 0.1, "{visit} hears home");
            hears.iter().for_each(|hz| assert!(tone_share(sound, *hz) > 0.1, "{visit} hears {hz} Hz"));
            not.iter().for_each(|hz| assert!(tone_share(sound, *hz) < 0.01, "{visit} hears itself"));
        }
        room.others.send(Spoken::Gone(VisitId(0))).unwrap();
        let end = clock::now() + LONG;
        while room.hear(1)[0].to != Hearers::AllBut([VisitId(1)].into()) {
            assert!(clock::now() < end, "who left is one of the listeners");
        }
        room.close();
    }

    /// Takes everything away.
    #[derive(Default)]
    struct Mute {
        rendered: Arc<AtomicBool>,
    }

    impl Processor for Mute {
        fn render(&mut self, _played: &Played) {
            self.rendered.store(true, Ordering::Relaxed);
        }

        fn capture(&mut self, block: &mut [i16; BLOCK], _captured: Instant) {
            block.fill(0);
        }
    }

    #[test]
    fn a_room_is_processed_and_what_hears_none_is_sent_as_it_is() {
        for in_a_room in [true, false] {
            let mute = Mute::default();
            let rendered = mute.rendered.clone();
            let room = room_with(0, u32::MAX, in_a_room, Box::new(mute));
            room.presence.set(true);
            let sound = heard(&room.hear(25));
            let is_heard = tone_share(&sound[9600..], 400.0) > 0.8;
            assert_eq!(is_heard, !in_a_room);
            // Nor is what the speaker plays of any use to it.
            room.reference.send(Played { block: Box::new([0; BLOCK]), audible: clock::now() }).unwrap();
            while !room.reference.is_empty() {
                room.hear(1);
            }
            room.hear(2);
            assert_eq!(rendered.load(Ordering::Relaxed), in_a_room);
            room.close();
        }
    }

    #[test]
    fn a_muted_home_sends_silence_and_is_heard_again_afterwards() {
        let room = room(0, u32::MAX);
        room.presence.set(true);
        room.hear(15);
        room.presence.levels().set_muted(true);
        // Whatever was on its way, and the codec's own end.
        room.hear(6);
        assert!(heard(&room.hear(4))[960..].iter().all(|s| s.abs() < 10), "silence goes on");
        // A visit that begins while home is muted hears nothing of it either.
        room.presence.set(false);
        while room.packets.recv_timeout(Duration::from_millis(300)).is_ok() {}
        room.presence.set(true);
        assert!(heard(&room.hear(4)).iter().all(|s| s.abs() < 10));
        room.presence.levels().set_muted(false);
        room.hear(12);
        assert!(tone_share(&heard(&room.hear(15))[4800..], 400.0) > 0.8);
        room.close();
    }

    #[test]
    fn without_a_microphone_there_is_silence_and_later_sound() {
        let room = room(1, u32::MAX);
        room.presence.set(true);
        let silence = room.hear(5);
        assert!(heard(&silence).iter().all(|s| s.abs() < 10));
        room.opened.recv_timeout(LONG).expect("tried again");
        let mut sound = Vec::new();
        while sound.len() < 20 {
            sound.extend(room.hear(1));
        }
        assert!(tone_share(&heard(&sound)[9600..], 400.0) > 0.5);
        room.close();
    }

    #[test]
    fn a_plug_pulled_while_nobody_visits_is_noticed_before_the_next_visit() {
        let room = room(0, u32::MAX);
        room.opened.recv_timeout(LONG).expect("opened before anybody visits");
        room.gone.store(true, Ordering::Relaxed);
        room.presence.hint();
        room.opened.recv_timeout(LONG).expect("opened again");
        room.close();
    }

    #[test]
    fn a_pulled_plug_is_bridged_and_the_device_opened_again() {
        let room = room(0, 10);
        room.presence.set(true);
        room.opened.recv_timeout(LONG).unwrap();
        room.opened.recv_timeout(LONG).expect("opened again");
        let packets = room.hear(10);
        assert!(packets.windows(2).all(|w| w[1].sample > w[0].sample));
        room.close();
    }
}
