//! The microphone and Opus threads with made-up devices, in real time.

use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::bounded;
use intercom_base::settings::NoiseSuppression;
use intercom_base::sound::OpusPacket;
use intercom_base::testing::sound::{tone, tone_share};
use intercom_base::units::Bitrate;
use intercom_drivers::contract::{DeviceError, Opener};
use intercom_media::opus::{LONGEST_PACKET, OpusDecoder, OpusEncoder, PACKET};
use intercom_media::processor::Identity;

use super::*;

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
    context: DeviceContext,
    packets: Receiver<EncodedAudio>,
    others: Sender<AudioIn>,
    reference: Sender<Played>,
    opened: Receiver<()>,
    gone: Arc<AtomicBool>,
    workers: [Worker; 2],
}

fn room(failures: u32, blocks: u32) -> Room {
    room_with(failures, blocks, true, Box::new(Identity))
}

fn room_with(failures: u32, blocks: u32, in_a_room: bool, processor: Box<dyn Processor>) -> Room {
    let context = DeviceContext::default();
    let (block_sender, block_receiver) = bounded(BLOCKS);
    let (packet_sender, packets) = bounded(16);
    let (reference, played) = bounded(1);
    let (others, spoken) = bounded(64);
    let (opened_sender, opened) = bounded(4);
    let control = Arc::new(SpeechControl::default());
    let out = OpusOutputs { packets: packet_sender, wake: Wake::new().unwrap(), control };
    let gone = Arc::new(AtomicBool::new(false));
    let audio = AudioSettings {
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
        spawn_microphone(opener, block_sender, context.clone()).unwrap(),
        spawn_opus(audio, inputs, processor, out, context.clone()).unwrap(),
    ];
    Room { context, packets, others, reference, opened, gone, workers }
}

impl Room {
    fn hear(&self, packets: usize) -> Vec<EncodedAudio> {
        (0..packets).map(|_| self.packets.recv_timeout(LONG).expect("a packet")).collect()
    }

    fn close(self) {
        self.context.activity.stop();
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
    room.context.activity.set_visited(true);
    let first = room.hear(25);
    assert!(tone_share(&heard(&first)[9600..], 400.0) > 0.8);
    assert!(first.windows(2).all(|w| w[1].sample > w[0].sample));
    room.context.activity.set_visited(false);
    // Whatever was on its way still comes; then it stays silent until the next visit.
    while room.packets.recv_timeout(Duration::from_millis(300)).is_ok() {}
    room.context.activity.set_visited(true);
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
    room.context.activity.set_visited(true);
    let mut packets = room.hear(1);
    let mut encoders = [700.0, 1100.0].map(|hz| (OpusEncoder::new(Bitrate::from_kbps(48)).unwrap(), tone(hz, PACKET)));
    for n in 0..60 {
        for (visit, (encoder, sound)) in encoders.iter_mut().enumerate() {
            let data = encoder.encode(sound.as_slice().try_into().unwrap()).unwrap().expect("a tone");
            let (visit, arrived) = (VisitId(visit as u64), clock::now());
            room.others
                .send(AudioIn::Packet(visit, OpusPacket { sequence: n, sample: n * 960, data, arrived }))
                .unwrap();
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
    room.others.send(AudioIn::Gone(VisitId(0))).unwrap();
    let end = clock::now() + LONG;
    while room.hear(1)[0].to != Recipients::AllBut([VisitId(1)].into()) {
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
        room.context.activity.set_visited(true);
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
    room.context.activity.set_visited(true);
    room.hear(15);
    room.context.levels.set_muted(true);
    // Whatever was on its way, and the codec's own end.
    room.hear(6);
    assert!(heard(&room.hear(4))[960..].iter().all(|s| s.abs() < 10), "silence goes on");
    // A visit that begins while home is muted hears nothing of it either.
    room.context.activity.set_visited(false);
    while room.packets.recv_timeout(Duration::from_millis(300)).is_ok() {}
    room.context.activity.set_visited(true);
    assert!(heard(&room.hear(4)).iter().all(|s| s.abs() < 10));
    room.context.levels.set_muted(false);
    room.hear(12);
    assert!(tone_share(&heard(&room.hear(15))[4800..], 400.0) > 0.8);
    room.close();
}

#[test]
fn without_a_microphone_there_is_silence_and_later_sound() {
    let room = room(1, u32::MAX);
    room.context.activity.set_visited(true);
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
    room.context.activity.hint();
    room.opened.recv_timeout(LONG).expect("opened again");
    room.close();
}

#[test]
fn a_pulled_plug_is_bridged_and_the_device_opened_again() {
    let room = room(0, 10);
    room.context.activity.set_visited(true);
    room.opened.recv_timeout(LONG).unwrap();
    room.opened.recv_timeout(LONG).expect("opened again");
    let packets = room.hear(10);
    assert!(packets.windows(2).all(|w| w[1].sample > w[0].sample));
    room.close();
}
