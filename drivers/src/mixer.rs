//! A sound card's mixer: cards come up muted or at zero, and nobody is logged in to turn them up.

use alsa::Direction;
use alsa::mixer::{Mixer, Selem, SelemChannelId};

/// The controls that a speaker's sound passes on its way; others (loopbacks, beeps) are not ours. "IEC958" is the switch
/// of HDMI and of digital sockets.
const TO_THE_EAR: &[&str] =
    &["Master", "PCM", "Speaker", "Headphone", "Headphones", "Front", "Line Out", "Digital", "HDMI", "IEC958"];

/// The same on the way of a microphone's; line inputs and the monitor that plays a microphone back are not.
const FROM_THE_MOUTH: &[&str] =
    &["Capture", "Mic", "Internal Mic", "Front Mic", "Headset", "Headset Mic", "Digital", "ADC"];

/// Anyone who left a control at zero did not mean silence for ever.
const FROM_ZERO: i64 = 80;

/// What is done with one control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    unmute: bool,
    /// In percent.
    level: Option<i64>,
}

/// Decides for a control that is `muted` or not, and at `level` percent if it has one; `wish` is the config's.
fn change(direction: Direction, name: &str, muted: bool, level: Option<i64>, wish: Option<i64>) -> Change {
    let ours = if direction == Direction::Playback { TO_THE_EAR } else { FROM_THE_MOUTH };
    if !ours.contains(&name) {
        return Change { unmute: false, level: None };
    }
    let wanted = match (level, wish) {
        (None, _) => None,
        (Some(_), Some(wish)) => Some(wish),
        (Some(0), None) => Some(FROM_ZERO),
        (Some(_), None) => None,
    };
    Change { unmute: muted, level: wanted.filter(|wanted| Some(*wanted) != level) }
}

/// Makes card number `card` audible, or able to hear, at `volume` percent if that is given. A card without a mixer is
/// well as it is.
pub fn prepare(card: i32, direction: Direction, volume: Option<i64>) {
    if let Err(error) = try_prepare(card, direction, volume) {
        log::debug!("sound card {card} has no mixer to set: {error}");
    }
}

fn try_prepare(card: i32, direction: Direction, volume: Option<i64>) -> alsa::Result<()> {
    let mixer = Mixer::new(&format!("hw:{card}"), false)?;
    for control in mixer.iter().filter_map(Selem::new) {
        let id = control.get_id();
        let name = id.get_name().unwrap_or_default();
        let (level, muted) = state(&control, direction)?;
        let change = change(direction, name, muted, level, volume);
        if change.unmute {
            match direction {
                Direction::Playback => control.set_playback_switch_all(1)?,
                Direction::Capture => control.set_capture_switch_all(1)?,
            }
            log::info!("sound card {card}: {name} was muted, and is no more");
        }
        if let Some(percent) = change.level {
            let of = |(low, high): (i64, i64)| low + (high - low) * percent / 100;
            match direction {
                Direction::Playback => control.set_playback_volume_all(of(control.get_playback_volume_range()))?,
                Direction::Capture => control.set_capture_volume_all(of(control.get_capture_volume_range()))?,
            }
            log::info!("sound card {card}: {name} is at {percent} % now");
        }
    }
    Ok(())
}

/// The control that keeps the card silent in this direction, if there is one; for the doctor.
pub fn muted(card: i32, direction: Direction) -> Option<String> {
    silencer(&controls(card, direction).unwrap_or_default())
}

/// The controls on the way: their names, and whether each lets sound through.
fn controls(card: i32, direction: Direction) -> alsa::Result<Vec<(String, bool)>> {
    let mixer = Mixer::new(&format!("hw:{card}"), false)?;
    let mut controls = Vec::new();
    for control in mixer.iter().filter_map(Selem::new) {
        let id = control.get_id();
        let name = id.get_name().unwrap_or_default();
        // What would be opened if it were closed is on the way.
        if change(direction, name, true, None, None).unmute {
            let (level, muted) = state(&control, direction)?;
            controls.push((name.to_owned(), !muted && level != Some(0)));
        }
    }
    Ok(controls)
}

/// All sound passes the first kind of control; the others are ways beside each other, one of which is enough.
fn silencer(controls: &[(String, bool)]) -> Option<String> {
    let (common, ways): (Vec<_>, Vec<_>) =
        controls.iter().partition(|(name, _)| ["Master", "PCM", "Capture"].contains(&name.as_str()));
    let closed = common.into_iter().find(|(_, open)| !open);
    let shut = || ways.first().filter(|_| ways.iter().all(|(_, open)| !open)).copied();
    closed.or_else(shut).map(|(name, _)| name.clone())
}

/// The control's level in percent, if it has one, and whether it is muted.
fn state(control: &Selem, direction: Direction) -> alsa::Result<(Option<i64>, bool)> {
    let channel = SelemChannelId::mono();
    let percent = |value: i64, (low, high): (i64, i64)| (high > low).then(|| (value - low) * 100 / (high - low).max(1));
    Ok(match direction {
        Direction::Playback => (
            match control.has_playback_volume() {
                true => percent(control.get_playback_volume(channel)?, control.get_playback_volume_range()),
                false => None,
            },
            control.has_playback_switch() && control.get_playback_switch(channel)? == 0,
        ),
        Direction::Capture => (
            match control.has_capture_volume() {
                true => percent(control.get_capture_volume(channel)?, control.get_capture_volume_range()),
                false => None,
            },
            control.has_capture_switch() && control.get_capture_switch(channel)? == 0,
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAYBACK: Direction = Direction::Playback;
    const CAPTURE: Direction = Direction::Capture;

    #[test]
    fn what_is_muted_or_at_zero_is_opened_and_what_somebody_set_is_left() {
        assert_eq!(change(PLAYBACK, "Master", true, Some(73), None), Change { unmute: true, level: None });
        assert_eq!(change(PLAYBACK, "PCM", false, Some(0), None), Change { unmute: false, level: Some(FROM_ZERO) });
        assert_eq!(change(PLAYBACK, "Speaker", false, Some(40), None), Change { unmute: false, level: None });
        assert_eq!(
            change(PLAYBACK, "IEC958", true, None, Some(50)),
            Change { unmute: true, level: None },
            "a mere switch"
        );
        assert_eq!(change(CAPTURE, "Capture", true, Some(0), None), Change { unmute: true, level: Some(FROM_ZERO) });
    }

    #[test]
    fn the_configs_volume_holds_and_other_controls_are_left_alone() {
        assert_eq!(change(PLAYBACK, "Master", true, Some(10), Some(60)), Change { unmute: true, level: Some(60) });
        assert_eq!(change(PLAYBACK, "Master", false, Some(60), Some(60)), Change { unmute: false, level: None });
        let left = Change { unmute: false, level: None };
        assert_eq!(change(PLAYBACK, "Mic", true, Some(0), Some(60)), left, "nobody hears himself");
        assert_eq!(change(CAPTURE, "Line", true, Some(0), Some(60)), left);
    }

    #[test]
    fn one_closed_control_that_all_sound_passes_is_enough_and_of_two_ways_both_must_be_closed() {
        let silencer = |controls: &[(&str, bool)]| {
            let owned: Vec<_> = controls.iter().map(|(name, open)| ((*name).to_owned(), *open)).collect();
            super::silencer(&owned)
        };
        assert_eq!(silencer(&[("Speaker", true), ("Master", false)]).as_deref(), Some("Master"));
        assert_eq!(silencer(&[("Speaker", true), ("Headphone", false), ("Master", true)]), None);
        assert_eq!(silencer(&[("Speaker", false), ("Headphone", false)]).as_deref(), Some("Speaker"));
        assert_eq!(silencer(&[("Capture", false), ("Mic", true)]).as_deref(), Some("Capture"));
        assert_eq!(silencer(&[]), None);
        assert_eq!(muted(31, Direction::Playback), None);
    }

    #[test]
    fn a_card_that_is_not_there_is_no_reason_to_fail() {
        prepare(31, PLAYBACK, Some(50));
        prepare(31, CAPTURE, None);
    }
}
