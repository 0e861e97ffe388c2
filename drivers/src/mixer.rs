//! A sound card's mixer: cards come up muted or at zero, and nobody is logged in to turn them up.

use alsa::mixer::{Mixer, Selem, SelemChannelId};

/// The controls that a speaker's sound passes on its way; others (loopbacks, beeps, digital taps) are not ours.
const ON_THE_WAY: &[&str] =
    &["Master", "PCM", "Speaker", "Headphone", "Headphones", "Front", "Line Out", "Digital", "HDMI"];

/// Whoever left a control at zero did not mean silence for ever.
const FROM_ZERO: i64 = 80;

/// What is done with one control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    unmute: bool,
    /// In percent.
    level: Option<i64>,
}

/// Decides for a control that is `muted` or not, and at `level` percent if it has one; `wish` is the config's.
fn change(name: &str, muted: bool, level: Option<i64>, wish: Option<i64>) -> Change {
    if !ON_THE_WAY.contains(&name) {
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

/// Makes card number `card` audible, at `volume` percent if that is given. A card without a mixer is well as it is.
pub fn prepare_playback(card: i32, volume: Option<i64>) {
    if let Err(error) = try_prepare(card, volume) {
        log::debug!("sound card {card} has no mixer to set: {error}");
    }
}

fn try_prepare(card: i32, volume: Option<i64>) -> alsa::Result<()> {
    let mixer = Mixer::new(&format!("hw:{card}"), false)?;
    for control in mixer.iter().filter_map(Selem::new) {
        let id = control.get_id();
        let name = id.get_name().unwrap_or_default();
        let (low, high) = control.get_playback_volume_range();
        let has_level = control.has_playback_volume() && high > low;
        let level = match has_level {
            true => Some((control.get_playback_volume(SelemChannelId::mono())? - low) * 100 / (high - low)),
            false => None,
        };
        let muted = control.has_playback_switch() && control.get_playback_switch(SelemChannelId::mono())? == 0;
        let change = change(name, muted, level, volume);
        if change.unmute {
            control.set_playback_switch_all(1)?;
            log::info!("sound card {card}: {name} was muted, and is no more");
        }
        if let Some(percent) = change.level {
            control.set_playback_volume_all(low + (high - low) * percent / 100)?;
            log::info!("sound card {card}: {name} is at {percent} % now");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_muted_or_at_zero_is_opened_and_what_somebody_set_is_left() {
        assert_eq!(change("Master", true, Some(73), None), Change { unmute: true, level: None });
        assert_eq!(change("PCM", false, Some(0), None), Change { unmute: false, level: Some(FROM_ZERO) });
        assert_eq!(change("Speaker", false, Some(40), None), Change { unmute: false, level: None });
        assert_eq!(change("Master", false, None, Some(50)), Change { unmute: false, level: None }, "a mere switch");
    }

    #[test]
    fn the_configs_volume_holds_and_other_controls_are_left_alone() {
        assert_eq!(change("Master", true, Some(10), Some(60)), Change { unmute: true, level: Some(60) });
        assert_eq!(change("Master", false, Some(60), Some(60)), Change { unmute: false, level: None });
        assert_eq!(change("Mic", true, Some(0), Some(60)), Change { unmute: false, level: None });
    }

    #[test]
    fn a_card_that_is_not_there_is_no_reason_to_fail() {
        prepare_playback(31, Some(50));
    }
}
