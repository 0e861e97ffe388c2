//! All viewers who may speak, each through a jitter buffer, and several of them brought to about the same loudness.
//!
//! Two threads mix, and each has a [`VoiceMixer`] of its own:
//!
//! - the speaker thread: home hears the sum, and the TV frames those who speak;
//! - the Opus thread: [`crate::mix_minus`] mixes for each viewer.
//!
//! Where several viewers have spoken, each is brought slowly to the mean of their levels ([`crate::level`]). The gain
//! is 12 dB at most, up or down. It moves only in speech, so no pause is turned up. A single viewer's level is left
//! alone.
//!
//! At most 32 viewers are heard, as many as the config allows. A voice without a packet for a minute is forgotten, in
//! case the word of its leaving got lost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use intercom_base::sound::OpusPacket;

use crate::level::Leveler;
use crate::opus::OpusError;
use crate::voice::{BLOCK, Voice};

/// Viewers heard at once; as many as the config allows.
const MOST: usize = 32;

/// A voice without a packet for so long is forgotten, in case the word of its leaving got lost.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// The voices, by a name for each.
pub struct VoiceMixer<Name> {
    members: BTreeMap<Name, Member>,
}

struct Member {
    voice: Voice,
    level: Leveler,
    /// The 10 ms that were pulled last.
    block: [i16; BLOCK],
    heard: Instant,
}

impl<Name: Copy + Ord> Default for VoiceMixer<Name> {
    fn default() -> VoiceMixer<Name> {
        VoiceMixer { members: BTreeMap::new() }
    }
}

impl<Name: Copy + Ord> VoiceMixer<Name> {
    /// Takes a packet of somebody's in.
    pub fn insert(&mut self, name: Name, packet: OpusPacket) -> Result<(), OpusError> {
        let arrived = packet.arrived;
        if !self.members.contains_key(&name) {
            if self.members.len() >= MOST {
                return Ok(());
            }
            let (voice, level) = (Voice::new()?, Leveler::default());
            self.members.insert(name, Member { voice, level, block: [0; BLOCK], heard: arrived });
        }
        if let Some(member) = self.members.get_mut(&name) {
            member.heard = arrived;
            member.voice.insert(packet);
        }
        Ok(())
    }

    /// Somebody left: what they were saying fades.
    pub fn leave(&mut self, name: Name) {
        if let Some(member) = self.members.get_mut(&name) {
            member.voice.leave();
        }
    }

    /// Takes the next 10 ms of everybody, for [`VoiceMixer::blocks`].
    pub fn pull(&mut self, now: Instant) {
        self.members.retain(|_, member| !member.voice.has_left());
        let target = self.common_level();
        for member in self.members.values_mut() {
            member.voice.pull(now, &mut member.block);
            member.level.apply(&mut member.block, target);
        }
    }

    /// Between those who spoke, in dB of full scale; nobody is compared with nobody.
    fn common_level(&self) -> Option<f32> {
        let levels = self.members.values().filter_map(|member| member.level.speech_db());
        let (count, sum) = levels.fold((0, 0.0), |(count, sum), level| (count + 1, sum + level));
        (count > 1).then(|| sum / count as f32)
    }

    /// What was pulled last, of each.
    pub fn blocks(&self) -> impl Iterator<Item = (Name, &[i16; BLOCK])> {
        self.members.iter().map(|(name, member)| (*name, &member.block))
    }

    /// Who is there.
    pub fn names(&self) -> impl Iterator<Item = Name> {
        self.members.keys().copied()
    }

    /// Who speaks now.
    pub fn speaking(&self) -> impl Iterator<Item = Name> {
        let speaking = self.members.iter().filter(|(_, member)| member.level.is_speaking());
        speaking.map(|(name, _)| *name)
    }

    /// Whether nobody has anything to say until a packet comes.
    pub fn is_silent(&self) -> bool {
        self.members.values().all(|member| member.voice.is_silent())
    }

    /// Nothing is pulled for a while, for nobody has anything to say.
    pub fn rest(&mut self) {
        self.members.values_mut().for_each(|member| member.level.rest());
    }

    /// Forgets who was not heard of for long.
    pub fn forget(&mut self, now: Instant) {
        self.members.retain(|_, member| now.saturating_duration_since(member.heard) < FORGOTTEN);
    }

    /// Forgets everybody, and what they were about to say.
    pub fn clear(&mut self) {
        self.members.clear();
    }
}
