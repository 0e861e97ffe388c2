//! What an owner set of home on a page. It goes before `intercom.toml`, which stays the machine's; what is not set is as written there.

use intercom_base::language::Language;
use serde::{Deserialize, Deserializer, de};

use crate::people::entering::Hours;
use crate::people::names;
use crate::people::state_file;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct House {
    /// Home's name, 1 to 40 letters; `[home] name`.
    #[serde(deserialize_with = "name")]
    pub name: Option<String>,
    /// How loud viewers are at home when home starts, 0 to 100 percent; `[volume] percent`, within its limits.
    #[serde(deserialize_with = "percent")]
    pub volume_percent: Option<u8>,
    /// How loud the chimes are, 0 (none) to 100 percent; `[chime] volume_percent`.
    #[serde(deserialize_with = "percent")]
    pub chime_percent: Option<u8>,
    /// The language of the TV; `[home] language`.
    #[serde(deserialize_with = "language")]
    pub language: Option<Language>,
    /// When home rests.
    pub quiet_hours: Option<Hours>,
}

impl House {
    /// Reads the text of `house.toml`.
    ///
    /// # Errors
    /// The line, and what is wrong there.
    pub fn from_toml(text: &str) -> Result<House, String> {
        state_file::read(text)
    }

    /// The same for a home that starts: what is right counts, whatever else is wrong, and the first thing that is wrong is told. A later
    /// version may have written what this one does not know.
    pub fn of_what_is_right(text: &str) -> (House, Option<String>) {
        let problem = match House::from_toml(text) {
            Ok(house) => return (house, None),
            Err(problem) => problem,
        };
        let table: toml::Table = text.parse().unwrap_or_default();
        let is_right = |key: &str, value: &toml::Value| House::from_toml(&format!("{key} = {value}\n")).is_ok();
        let right: toml::Table = table.into_iter().filter(|(key, value)| is_right(key, value)).collect();
        (House::from_toml(&right.to_string()).unwrap_or_default(), Some(problem))
    }

    /// The text of `house.toml`.
    pub fn to_toml(&self) -> String {
        let mut text = "# What an owner set of home, on the page. It goes before intercom.toml.\n".to_owned();
        for (key, value) in self.values() {
            text += &format!("{key} = {value}\n");
        }
        text
    }

    /// The keys of `intercom.toml` that do not count, because an owner has set something else.
    pub fn replaces(&self) -> Vec<&'static str> {
        let keys = [
            (self.name.is_some(), "home.name"),
            (self.volume_percent.is_some(), "volume.percent"),
            (self.chime_percent.is_some(), "chime.volume_percent"),
            (self.language.is_some(), "home.language"),
        ];
        keys.into_iter().filter(|(is_set, _)| *is_set).map(|(_, key)| key).collect()
    }

    fn values(&self) -> impl Iterator<Item = (&'static str, toml::Value)> {
        let text = |text: String| toml::Value::String(text);
        let percent = |percent: u8| toml::Value::Integer(percent.into());
        let values = [
            ("name", self.name.clone().map(text)),
            ("volume_percent", self.volume_percent.map(percent)),
            ("chime_percent", self.chime_percent.map(percent)),
            ("language", self.language.map(|language| text(language.code().to_owned()))),
            ("quiet_hours", self.quiet_hours.map(|hours| text(hours.to_string()))),
        ];
        values.into_iter().filter_map(|(key, value)| Some((key, value?)))
    }
}

fn name<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    names::tidy(&String::deserialize(from)?).map(Some).map_err(de::Error::custom)
}

fn percent<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u8>, D::Error> {
    let percent = i64::deserialize(from)?;
    let wrong = || de::Error::custom(format!("{percent} is not from 0 to 100 (percent)"));
    u8::try_from(percent).ok().filter(|percent| *percent <= 100).map(Some).ok_or_else(wrong)
}

fn language<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Language>, D::Error> {
    let code = String::deserialize(from)?;
    let known = || Language::ALL.map(|(code, _)| code).join(", ");
    let wrong = || de::Error::custom(format!("{code:?} is no language of the TV; there are {}", known()));
    Language::of_code(&code).map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> House {
        House {
            name: Some("Grandma \"Ada\" \\ Zoë".to_owned()),
            volume_percent: Some(0),
            chime_percent: Some(100),
            language: Some(Language::Chinese),
            quiet_hours: Some("22:00-07:00".parse().unwrap()),
        }
    }

    #[test]
    fn what_is_written_is_read_again_whatever_is_set() {
        for set in 0..32u8 {
            let all = full();
            let house = House {
                name: all.name.filter(|_| set & 1 > 0),
                volume_percent: all.volume_percent.filter(|_| set & 2 > 0),
                chime_percent: all.chime_percent.filter(|_| set & 4 > 0),
                language: all.language.filter(|_| set & 8 > 0),
                quiet_hours: all.quiet_hours.filter(|_| set & 16 > 0),
            };
            assert_eq!(House::from_toml(&house.to_toml()), Ok(house.clone()), "{}", house.to_toml());
        }
        assert_eq!(full().replaces(), ["home.name", "volume.percent", "chime.volume_percent", "home.language"]);
        assert!(House { quiet_hours: full().quiet_hours, ..House::default() }.replaces().is_empty());
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_what_is_right() {
        for (text, told) in [
            ("quiet_hours = \"22-7\"\n", "line 1: quiet hours are like"),
            ("# mine\n\nquite_hours = 1\n", "line 3: unknown field"),
            ("=", "line 1"),
            ("# mine\nname = \" \"\n", "line 2: a name has at least one letter"),
            ("name = \"a\\nb\"\n", "line 1: a name has no line ends"),
            ("\nvolume_percent = 101\n", "line 2: 101 is not from 0 to 100"),
            ("chime_percent = -1\n", "line 1: -1 is not from 0 to 100"),
            ("chime_percent = 7.5\n", "line 1: invalid type"),
            ("language = \"german\"\n", "line 1: \"german\" is no language of the TV; there are en, de"),
        ] {
            let problem = House::from_toml(text).unwrap_err();
            assert!(problem.starts_with(told), "{text}: {problem}");
        }
        assert_eq!(House::from_toml("name = \" Ada \"").unwrap().name.as_deref(), Some("Ada"));
    }

    #[test]
    fn one_mistake_takes_nothing_else_away() {
        let text = full().to_toml() + "doorbell = \"loud\"\n";
        let (house, problem) = House::of_what_is_right(&text);
        assert_eq!((house, problem.is_some_and(|problem| problem.contains("doorbell"))), (full(), true));
        let (house, problem) = House::of_what_is_right(&full().to_toml().replace("= 100", "= 101"));
        assert_eq!(house, House { chime_percent: None, ..full() });
        assert!(problem.unwrap().contains("101 is not from 0 to 100"));
        assert_eq!(House::of_what_is_right("=").0, House::default());
        assert_eq!(House::of_what_is_right(&full().to_toml()), (full(), None));
    }
}
