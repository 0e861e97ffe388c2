//! The camera's controls that the config may set: what to ask of a camera, and what to say where it cannot.

use v4l::v4l_sys as sys;

use super::flip::Flip;
use crate::contract::ConfigError;
use crate::options::{self, Options};

/// What a control takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Least value.
    pub low: i64,
    /// Greatest value.
    pub high: i64,
    /// Values lie this far apart, from `low` on.
    pub step: i64,
    /// Of a menu, the entries that there are.
    pub items: Option<Vec<i64>>,
}

impl Range {
    /// The value nearest to `wanted` that the control takes.
    pub fn nearest(&self, wanted: i64) -> i64 {
        let (low, step) = (self.low, self.step.max(1));
        let above = wanted.clamp(low, self.high.max(low)) - low;
        let below = low + above / step * step;
        if above % step * 2 > step && below + step <= self.high { below + step } else { below }
    }

    fn has(&self, item: i64) -> bool {
        match &self.items {
            Some(items) => items.contains(&item),
            None => (self.low..=self.high).contains(&item),
        }
    }
}

/// Something that a camera may well find by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The camera finds it.
    Auto,
    /// This, in the control's unit.
    Fixed(i64),
}

/// What the config says about controls; what it does not mention stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// In units of 100 us.
    pub exposure: Option<Level>,
    /// In the camera's own steps.
    pub focus: Option<Level>,
    /// An entry of the kernel's menu, with its word for people.
    pub power_line: Option<(i64, &'static str)>,
    /// How the picture shall be turned over.
    pub flip: Option<Flip>,
}

/// The options that are read by [`Settings::read`].
pub const OPTIONS: [(&str, &str); 4] = [
    ("exposure", "\"auto\", or a fixed time in units of 100 us, 1 to 100000; without this, as the camera has it"),
    ("focus", "\"auto\", or a fixed place in the camera's own steps, 0 to 100000; without this, as the camera has it"),
    ("power_line", "against flicker: 50 or 60 (Hz), \"off\" or \"auto\"; without this, as the camera has it"),
    ("flip", "none, horizontal, vertical or both; without this, as the camera sends it"),
];

const EXPOSURE_MODE: u32 = sys::V4L2_CID_EXPOSURE_AUTO;
const EXPOSURE_TIME: u32 = sys::V4L2_CID_EXPOSURE_ABSOLUTE;
const FOCUS_AUTO: u32 = sys::V4L2_CID_FOCUS_AUTO;
const FOCUS: u32 = sys::V4L2_CID_FOCUS_ABSOLUTE;
const POWER_LINE: u32 = sys::V4L2_CID_POWER_LINE_FREQUENCY;
const HFLIP: u32 = sys::V4L2_CID_HFLIP;
const VFLIP: u32 = sys::V4L2_CID_VFLIP;

const POWER_LINES: [(&str, i64, &str); 4] =
    [("off", 0, "off"), ("50", 1, "50 Hz"), ("60", 2, "60 Hz"), ("auto", 3, "auto")];

impl Settings {
    /// Reads the options of these names.
    pub fn read(options: &Options<'_>) -> Result<Settings, ConfigError> {
        let flip = match options.text("flip")?.as_deref() {
            None => None,
            Some("none") => Some(Flip::default()),
            Some("horizontal") => Some(Flip { horizontal: true, vertical: false }),
            Some("vertical") => Some(Flip { horizontal: false, vertical: true }),
            Some("both") => Some(Flip { horizontal: true, vertical: true }),
            Some(other) => {
                let allowed = "\"none\", \"horizontal\", \"vertical\" or \"both\"";
                return Err(options::error("flip", &format!("is unknown: {other}"), allowed));
            }
        };
        let power_line = match options.number_or_word("power_line", 50..=60, &["off", "auto"])? {
            None => None,
            Some(word) => match POWER_LINES.iter().find(|(name, ..)| *name == word) {
                Some((_, entry, words)) => Some((*entry, *words)),
                None => {
                    let problem = format!("is out of range: {word}");
                    return Err(options::error("power_line", &problem, "50, 60, \"off\" or \"auto\""));
                }
            },
        };
        let level = |key: &str, range| {
            let word = options.number_or_word(key, range, &["auto"])?;
            Ok(word.map(|word| word.parse().map_or(Level::Auto, Level::Fixed)))
        };
        Ok(Settings {
            exposure: level("exposure", 1..=100_000)?,
            focus: level("focus", 0..=100_000)?,
            power_line,
            flip,
        })
    }

    /// What to set on a camera whose controls are answered by `range`.
    pub fn plan(&self, range: impl Fn(u32) -> Option<Range>) -> Plan {
        let mut plan = Plan::default();
        if let Some(exposure) = self.exposure {
            plan.exposure(exposure, range(EXPOSURE_MODE), range(EXPOSURE_TIME));
        }
        if let Some(focus) = self.focus {
            plan.focus(focus, range(FOCUS_AUTO), range(FOCUS));
        }
        match (self.power_line, self.power_line.and_then(|_| range(POWER_LINE))) {
            (Some((entry, _)), Some(range)) if range.has(entry) => plan.set(POWER_LINE, entry, "power_line"),
            (Some((_, words)), Some(_)) => plan.note(format!("power_line: the camera does not offer {words}")),
            (Some(_), None) => plan.note("power_line: the camera has no such control".into()),
            (None, _) => {}
        }
        if let Some(flip) = self.flip {
            for (id, on, left) in
                [(HFLIP, flip.horizontal, &mut plan.flip.horizontal), (VFLIP, flip.vertical, &mut plan.flip.vertical)]
            {
                match range(id) {
                    Some(_) => plan.sets.push(Set { id, value: on.into(), option: "flip" }),
                    None => *left = on,
                }
            }
        }
        plan
    }
}

/// One control to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    /// The kernel's number of the control.
    pub id: u32,
    /// A value that the control takes.
    pub value: i64,
    /// The option that wants it.
    pub option: &'static str,
}

/// What to do with a camera for the config's sake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Controls to set, in this order.
    pub sets: Vec<Set>,
    /// What of the config the camera cannot do, in words.
    pub notes: Vec<String>,
    /// What is left to do with the picture.
    pub flip: Flip,
}

impl Plan {
    /// Takes note that the camera refused a control: what can be done without it is.
    pub fn refused(&mut self, set: Set, why: &str) {
        match set.id {
            HFLIP => self.flip.horizontal = set.value != 0,
            VFLIP => self.flip.vertical = set.value != 0,
            _ => self.note(format!("{}: the camera refuses it ({why})", set.option)),
        }
    }

    fn exposure(&mut self, wanted: Level, mode: Option<Range>, time: Option<Range>) {
        // Menu entries of EXPOSURE_AUTO: all by itself, all by hand, time by hand, aperture by hand. A camera without
        // an aperture calls its own way the last.
        let entry =
            |entries: [i64; 2]| mode.as_ref().and_then(|mode| entries.into_iter().find(|entry| mode.has(*entry)));
        match (wanted, time) {
            (Level::Auto, _) => match entry([0, 3]) {
                Some(auto) => self.set(EXPOSURE_MODE, auto, "exposure"),
                None => self.note("exposure: the camera has no automatic exposure to switch on".into()),
            },
            (Level::Fixed(_), None) => self.note("exposure: the camera has no control of the exposure time".into()),
            (Level::Fixed(wanted), Some(time)) => {
                if let Some(manual) = entry([1, 2]) {
                    self.set(EXPOSURE_MODE, manual, "exposure");
                }
                self.set_nearest(EXPOSURE_TIME, wanted, &time, "exposure");
            }
        }
    }

    fn focus(&mut self, wanted: Level, auto: Option<Range>, place: Option<Range>) {
        match (wanted, auto, place) {
            (Level::Auto, Some(_), _) => self.set(FOCUS_AUTO, 1, "focus"),
            (Level::Auto, None, _) => self.note("focus: the camera has no automatic focus to switch on".into()),
            (Level::Fixed(_), _, None) => self.note("focus: the camera's focus cannot be set".into()),
            (Level::Fixed(wanted), auto, Some(place)) => {
                // While the camera focuses by itself it refuses to be told where.
                if auto.is_some() {
                    self.set(FOCUS_AUTO, 0, "focus");
                }
                self.set_nearest(FOCUS, wanted, &place, "focus");
            }
        }
    }

    fn set_nearest(&mut self, id: u32, wanted: i64, range: &Range, option: &'static str) {
        let value = range.nearest(wanted);
        if value != wanted {
            let Range { low, high, .. } = range;
            self.note(format!("{option}: {wanted} becomes {value}; the camera takes {low} to {high}"));
        }
        self.set(id, value, option);
    }

    fn set(&mut self, id: u32, value: i64, option: &'static str) {
        self.sets.push(Set { id, value, option });
    }

    fn note(&mut self, words: String) {
        self.notes.push(words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[(&str, &str)] = &OPTIONS;

    fn settings(text: &str) -> Result<Settings, ConfigError> {
        let table: toml::Table = text.parse().expect("test TOML");
        Settings::read(&Options::new(&table, KNOWN)?)
    }

    fn range(low: i64, high: i64, step: i64) -> Range {
        Range { low, high, step, items: None }
    }

    fn menu(items: &[i64]) -> Range {
        Range { low: 0, high: 3, step: 1, items: Some(items.to_vec()) }
    }

    /// What a common USB webcam has: exposure by itself or by hand, power line without auto, no flips.
    fn webcam(id: u32) -> Option<Range> {
        match id {
            EXPOSURE_MODE => Some(menu(&[1, 3])),
            EXPOSURE_TIME => Some(range(3, 2047, 1)),
            FOCUS_AUTO => Some(range(0, 1, 1)),
            FOCUS => Some(range(0, 250, 5)),
            POWER_LINE => Some(menu(&[0, 1, 2])),
            _ => None,
        }
    }

    fn sets(plan: &Plan) -> Vec<(u32, i64)> {
        plan.sets.iter().map(|set| (set.id, set.value)).collect()
    }

    #[test]
    fn the_nearest_value_that_a_control_takes_is_found() {
        for (range, wanted, nearest) in [
            (range(3, 2047, 1), 0, 3),
            (range(3, 2047, 1), 5000, 2047),
            (range(0, 250, 5), 7, 5),
            (range(0, 250, 5), 8, 10),
            (range(0, 252, 5), 300, 250),
            (range(10, 3, 0), 7, 10),
            (range(i32::MIN.into(), i32::MAX.into(), 1), 100_000, 100_000),
        ] {
            assert_eq!(range.nearest(wanted), nearest, "{wanted} in {range:?}");
        }
    }

    #[test]
    fn by_hand_is_switched_on_before_the_value_is_set() {
        let plan = settings("exposure = 9000\nfocus = 12").unwrap().plan(webcam);
        assert_eq!(sets(&plan), [(EXPOSURE_MODE, 1), (EXPOSURE_TIME, 2047), (FOCUS_AUTO, 0), (FOCUS, 10)]);
        assert_eq!(
            plan.notes,
            [
                "exposure: 9000 becomes 2047; the camera takes 3 to 2047",
                "focus: 12 becomes 10; the camera takes 0 to 250"
            ]
        );
    }

    #[test]
    fn by_itself_is_the_entry_that_the_camera_has() {
        let plan = settings("exposure = 'auto'\nfocus = 'auto'\npower_line = 50").unwrap().plan(webcam);
        assert_eq!(sets(&plan), [(EXPOSURE_MODE, 3), (FOCUS_AUTO, 1), (POWER_LINE, 1)]);
        assert!(plan.notes.is_empty());
        let other = |id| if id == EXPOSURE_MODE { Some(menu(&[0, 1])) } else { None };
        assert_eq!(sets(&settings("exposure = 'auto'").unwrap().plan(other)), [(EXPOSURE_MODE, 0)]);
    }

    #[test]
    fn what_a_camera_lacks_is_said_in_words_and_flips_are_done_here() {
        let all = settings("exposure = 10\nfocus = 'auto'\npower_line = 'auto'\nflip = 'both'").unwrap();
        let plan = all.plan(|_| None);
        assert!(plan.sets.is_empty());
        let heads: Vec<&str> = plan.notes.iter().filter_map(|note| note.split(':').next()).collect();
        assert_eq!(heads, ["exposure", "focus", "power_line"]);
        assert_eq!(plan.flip, Flip { horizontal: true, vertical: true });
        let plan = all.plan(webcam);
        assert_eq!(plan.notes, ["power_line: the camera does not offer auto"]);

        let can = |id| matches!(id, HFLIP | VFLIP).then(|| range(0, 1, 1));
        let mut plan = settings("flip = 'vertical'").unwrap().plan(can);
        assert_eq!((sets(&plan), plan.flip), (vec![(HFLIP, 0), (VFLIP, 1)], Flip::default()));
        plan.refused(plan.sets[1], "it is busy");
        assert_eq!(plan.flip, Flip { horizontal: false, vertical: true });
        let mut plan = settings("exposure = 'auto'").unwrap().plan(webcam);
        plan.refused(plan.sets[0], "it is busy");
        assert_eq!(plan.notes, ["exposure: the camera refuses it (it is busy)"]);
    }

    #[test]
    fn nothing_is_touched_that_the_config_does_not_mention_and_nonsense_is_refused() {
        assert_eq!(settings("").unwrap().plan(webcam), Plan::default());
        for bad in [
            "exposure = 0",
            "exposure = 'long'",
            "focus = -1",
            "focus = true",
            "power_line = 55",
            "power_line = 'on'",
            "flip = 'left'",
            "flip = 3",
        ] {
            let error = settings(bad).expect_err(bad);
            assert!(bad.starts_with(&error.key) && !error.allowed.is_empty(), "{bad}: {error:?}");
        }
    }
}
