//! What somebody at the machine's shell changes of a person. What is not named stays as it is.

use serde::{Deserialize, Serialize};

use super::entering::{Entering, Hours, InQuietHours};
use super::names;
use super::register::{Person, Role};

/// One thing of a person that may be left to a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting<T> {
    /// As the role has it, or home; for a name, none.
    Default,
    /// This.
    To(T),
}

impl<T: Clone> Setting<T> {
    fn or_known(setting: &Option<Setting<T>>, known: &Option<T>) -> Option<T> {
        match setting {
            None => known.clone(),
            Some(Setting::Default) => None,
            Some(Setting::To(value)) => Some(value.clone()),
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Edit {
    /// What home calls them.
    pub name: Option<Setting<String>>,
    /// What they may do.
    pub role: Option<Role>,
    /// How they enter.
    pub entering: Option<Setting<Entering>>,
    /// What quiet hours mean for them.
    pub in_quiet_hours: Option<Setting<InQuietHours>>,
    /// Quiet hours of their own, in place of home's.
    pub quiet_hours: Option<Setting<Hours>>,
}

impl Edit {
    /// Whether it changes nothing, whoever it is.
    pub fn is_empty(&self) -> bool {
        *self == Edit::default()
    }

    /// The same with its name in order.
    ///
    /// # Errors
    /// If that is no name.
    pub fn tidy(mut self) -> Result<Edit, String> {
        if let Some(Setting::To(name)) = &mut self.name {
            *name = names::tidy(name)?;
        }
        Ok(self)
    }

    /// The person with these changes.
    pub fn apply(&self, person: &Person) -> Person {
        Person {
            number: person.number,
            name: Setting::or_known(&self.name, &person.name),
            role: self.role.unwrap_or(person.role),
            entering: Setting::or_known(&self.entering, &person.entering),
            in_quiet_hours: Setting::or_known(&self.in_quiet_hours, &person.in_quiet_hours),
            hours: Setting::or_known(&self.quiet_hours, &person.hours),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(json: &str) -> Edit {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_is_not_named_stays_and_a_default_takes_back() {
        let anna = Person {
            entering: Some(Entering::Preview),
            in_quiet_hours: Some(InQuietHours::Enter),
            hours: Some("22:00-07:00".parse().unwrap()),
            ..Person::new(3, Some("Anna".to_owned()), Role::Family)
        };
        assert!(edit("{}").is_empty() && edit("{}").apply(&anna) == anna);
        let guest = edit(r#"{"role":"guest","entering":{"to":"knock"}}"#).apply(&anna);
        assert_eq!(guest, Person { role: Role::Guest, entering: Some(Entering::Knock), ..anna.clone() });
        let plain = r#"{"name":"default","entering":"default","in_quiet_hours":"default","quiet_hours":"default"}"#;
        assert_eq!(edit(plain).apply(&anna), Person::new(3, None, Role::Family));
        let own = edit(r#"{"name":{"to":" Berta "},"quiet_hours":{"to":"13:00-15:00"}}"#).tidy().unwrap().apply(&anna);
        assert_eq!((own.name.as_deref(), own.hours.unwrap().to_string()), (Some("Berta"), "13:00-15:00".to_owned()));
        assert_eq!(own.entering, anna.entering);
    }

    #[test]
    fn it_goes_through_json_and_back_and_nonsense_is_told() {
        let all = r#"{"name":{"to":"Anna"},"role":"owner","entering":"default","in_quiet_hours":{"to":"refuse"},"quiet_hours":{"to":"22:00-07:00"}}"#;
        assert_eq!(serde_json::to_string(&edit(all)).unwrap(), all);
        assert!(edit(r#"{"name":{"to":"a\nb"}}"#).tidy().unwrap_err().contains("line ends"));
        for (json, problem) in [
            (r#"{"rolle":"guest"}"#, "unknown field"),
            (r#"{"role":"boss"}"#, "unknown variant"),
            (r#"{"quiet_hours":{"to":"22-7"}}"#, "quiet hours are like"),
        ] {
            let error = serde_json::from_str::<Edit>(json).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
