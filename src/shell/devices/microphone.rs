//! The microphone thread and the Opus encoders': home's sound on its way out, and the viewers' to each other.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use intercom_base::settings::AudioSettings;
use intercom_core::devices::doctor::Kind;
use intercom_core::devices::keeper::{Keeper, Step};
use intercom_core::devices::xruns::Xruns;
use intercom_drivers::contract::{BoxedOpener, CaptureAudio};
use intercom_media::mix_minus::MixMinus;
use intercom_media::opus::OpusError;
use intercom_media::packetizer::{Packet, Packetizer};
use intercom_media::processor::{Played, Processor};
use intercom_media::ramp::Ramp;
use intercom_media::voice::BLOCK;

use crate::shell::devices::{DeviceContext, Hints, hear, tell_gaps};
use crate::shell::priority::Class;
use crate::shell::wake::Wake;
use crate::shell::wires::{AudioIn, EncodedAudio, Recipients, SpeechControl, VisitId};
use crate::shell::worker::{Exit, Worker, spawn_in};
use crate::shell::{clock, pulse};

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
    context: DeviceContext,
) -> io::Result<Worker> {
    spawn_in(Class::Live, "microphone", move || {
        let mut keeper = Keeper::new(&mut *opener, SILENT, clock::now());
        let mut hints = Hints::new(&context.activity);
        let mut xruns = Xruns::default();
        let mut paused = false;
        while !context.activity.is_stopped() {
            pulse::beat(REST);
            let now = clock::now();
            if hints.heed(&context.activity) {
                keeper.handle_hint(now);
            }
            let mut gaps = None;
            let change = match keeper.poll(now) {
                Step::Use(open) if !context.activity.is_visited() => {
                    if !std::mem::replace(&mut paused, true) {
                        open.pause();
                    }
                    hints.wait(&context.activity, REST);
                    let checked = open.check();
                    if checked.is_err() {
                        context.health.closed(Kind::Microphone);
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
                            context.health.closed(Kind::Microphone);
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
                        context.health.opened(Kind::Microphone, &keeper.describe());
                    }
                    keeper.handle_open(opened, clock::now())
                }
                Step::Wait(retry) => {
                    hints.sleep(&context.activity, retry.saturating_duration_since(now));
                    None
                }
            };
            tell_gaps(Kind::Microphone, &keeper.describe(), "ran over", gaps);
            context.health.tell_change(Kind::Microphone, &keeper.describe(), "", change.as_ref());
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
    pub spoken: Receiver<AudioIn>,
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
    audio: AudioSettings,
    inputs: OpusInputs,
    mut processor: Box<dyn Processor>,
    out: OpusOutputs,
    context: DeviceContext,
) -> io::Result<Worker> {
    let OpusInputs { blocks, played, spoken } = inputs;
    // The time line outlives a restart of the work, so that the count of samples never goes back.
    let mut packetizer = Packetizer::default();
    spawn_in(Class::Live, "opus", move || {
        let mut mix = match MixMinus::new(audio.bitrate) {
            Ok(mix) => mix,
            Err(error) => {
                log::error!("{error}");
                return Exit::Again;
            }
        };
        let levels = &context.levels;
        let mut gate = Ramp::new(levels.microphone_gain());
        let mut listening = false;
        let mut in_a_room = true;
        while !context.activity.is_stopped() {
            pulse::beat(REST);
            if !context.activity.is_visited() {
                if std::mem::replace(&mut listening, false) {
                    packetizer.stop();
                }
                context.activity.wait(REST);
                continue;
            }
            if !std::mem::replace(&mut listening, true) {
                // What was captured before anybody listened is nobody's business.
                while blocks.try_recv().is_ok() {}
                while spoken.try_recv().is_ok() {}
                mix.voices().clear();
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
                    context.activity.sleep(due.saturating_duration_since(clock::now()));
                    packetizer.poll(clock::now())
                }
            };
            let heard = spoken.try_iter().try_for_each(|spoken| hear(mix.voices(), spoken));
            let sent = heard.and_then(|()| packet.map_or(Ok(()), |packet| send(&mut mix, &packet, &out)));
            if let Err(error) = sent {
                log::error!("{error}");
                return Exit::Again;
            }
        }
        Exit::Done
    })
}

fn send(mix: &mut MixMinus<VisitId>, packet: &Packet, out: &OpusOutputs) -> Result<(), OpusError> {
    if out.packets.is_full() {
        return Ok(());
    }
    if let Some(speech) = out.control.take() {
        mix.set_path(speech.bitrate, speech.loss_percent)?;
    }
    let mut encoded = Vec::new();
    let names = mix.encode(&packet.sound, clock::now(), |to, data| encoded.push((to, data)))?;
    // In silence nothing is sent; the count of samples goes on.
    if encoded.is_empty() {
        return Ok(());
    }
    let names: Arc<[VisitId]> = names.into();
    for (to, data) in encoded {
        let to = to.map_or_else(|| Recipients::AllBut(Arc::clone(&names)), Recipients::Only);
        let packet = EncodedAudio { to, data, captured: packet.captured, sample: packet.sample };
        // What finds no room is concealed by who hears it.
        let _dropped = out.packets.try_send(packet);
    }
    out.wake.wake();
    Ok(())
}

#[cfg(test)]
mod tests;
