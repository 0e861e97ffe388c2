//! Sound of all visits: one encode for all, protected as each path needs it, and the picture after it.

use std::time::Instant;

use intercom_base::units::Bitrate;

use crate::call::home::encoders::{HEADERS, least};
use crate::call::home::media::NOTHING;
use crate::call::home::visit::Visit;
use crate::call::home::{Home, HomeOutput};
use crate::call::items::{AudioIn, EncodedAudio};
use crate::rate::speech::{self, Path};
use crate::rate::stills::{Estimating, StillMode};

impl Home {
    /// A packet came out of an Opus encoder: to those whom it is for.
    pub fn handle_audio(&mut self, packet: &EncodedAudio, now: Instant) {
        for index in 0..self.visits.len() {
            let visit = &mut self.visits[index];
            if !visit.is_met() || visit.quiet || self.door.curtain || !packet.to.include(visit.id) {
                continue;
            }
            if let Some(peer) = &mut visit.peer {
                peer.write_audio(&packet.data, packet.captured, packet.sample, now);
                self.collect(index, now);
            }
        }
    }

    /// A viewer says something: to home's speaker, and to the others.
    pub(super) fn handle_spoken(&mut self, packet: AudioIn) {
        if self.mixing {
            self.out.push_back(HomeOutput::MixMinus(packet.clone()));
        }
        self.out.push_back(HomeOutput::Sound(packet));
    }

    /// While only one is here, what they say is for home alone.
    pub(super) fn update_conference(&mut self) {
        let several = self.visits.iter().filter(|visit| visit.is_met()).nth(1).is_some();
        // Behind the curtain the encoders that mix rest with the microphone.
        let wanted = several && self.config.hear_each_other && !self.door.curtain;
        let was = std::mem::replace(&mut self.mixing, wanted);
        if was && !self.mixing {
            let gone = self.visits.iter().map(|visit| HomeOutput::MixMinus(AudioIn::Gone(visit.id)));
            self.out.extend(gone);
        }
    }

    /// Sound first: the encoder's orders, each path's redundancy, and what is left for the picture.
    pub(super) fn update_speech(&mut self, now: Instant) {
        let max = self.config.audio;
        let paths = self.visits.iter().filter(|v| v.is_met()).map(|v| v.sound_path(now));
        let wanted = speech::choose(max, paths);
        if self.visits.iter().any(Visit::is_met)
            && let Some(speech) = self.speech.update(wanted, now)
        {
            self.out.push_back(HomeOutput::Speech(speech));
        }
        let (bitrate, curtain) = (self.speech_rate(), self.door.curtain);
        for index in 0..self.visits.len() {
            let visit = &mut self.visits[index];
            let path: Path = visit.sound_path(now);
            visit.sound = path.cost(bitrate);
            visit.redundancy = path.redundancy;
            if visit.quiet || curtain {
                // Nobody looks, and the estimator has been put to rest.
                continue;
            }
            let room = visit.path.usable_by_voice().map(|usable| usable.less(visit.sound).percent(100 - HEADERS));
            let was = visit.still_mode.is_still();
            visit.still_mode.handle_room(room, true, now);
            let still = visit.still_mode.is_still();
            if was != still {
                log::info!(
                    "visit {}: {}",
                    visit.id.0,
                    if still { "room for single pictures only" } else { "moves again" }
                );
            }
            visit.needs_keyframe |= was && !still;
            match visit.still_mode.take_news() {
                Some(Estimating::Rest) => self.rest_estimator(index, now),
                Some(Estimating::Try) => self.try_estimator(index, now),
                None => {}
            }
            let visit = &mut self.visits[index];
            if visit.connected
                && let Some(peer) = &mut visit.peer
            {
                peer.set_redundancy(path.redundancy, now);
            }
        }
    }

    /// What the voice itself takes.
    pub(super) fn speech_rate(&self) -> Bitrate {
        self.speech.ordered().map_or(self.config.audio, |speech| speech.bitrate)
    }

    /// Below what the voice takes, the estimator sends no padding, and it sends no probes for what nobody wants: on a narrow path both are
    /// what the voice would lose. To begin anew is to probe.
    pub(super) fn rest_estimator(&mut self, index: usize, now: Instant) {
        let rest = self.speech_rate().percent(60);
        let visit = &mut self.visits[index];
        visit.path.seek(rest);
        if let Some(peer) = &mut visit.peer {
            peer.set_desired(NOTHING, now);
            peer.reset_estimate(rest, now);
        }
    }

    /// Looks whether the path carries moving pictures by now. It begins with too little for them: what it only takes for granted is no
    /// room.
    fn try_estimator(&mut self, index: usize, now: Instant) {
        let (begin, goal) = (self.speech_rate().percent(150), self.config.reduced.max);
        let visit = &mut self.visits[index];
        visit.path.seek(goal);
        if let Some(peer) = &mut visit.peer {
            peer.set_desired(goal, now);
            peer.reset_estimate(begin, now);
        }
    }

    /// What the smallest moving pictures need at least.
    pub(super) fn still_mode(&self) -> StillMode {
        StillMode::new(least(&self.config.reduced))
    }
}
