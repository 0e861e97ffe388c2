//! A home that nobody looks after: a config with a mistake in it makes way for the one that ran last, and is told of.

use std::path::{Path, PathBuf};

use super::{BUILT_IN, Config, ConfigErrors, chosen, parse};

/// The config that runs, and what is to be said and kept.
pub struct Settled {
    /// What runs.
    pub config: Config,
    /// For people: what is wrong with the config that was meant, and what runs instead. Empty if nothing is.
    pub mistakes: Vec<String>,
    /// Text to be kept as the last good config once it runs; `None` if that is there already.
    pub keep: Option<(PathBuf, String)>,
}

/// Reads the config that a command line means or, if it is wrong, the one that ran last, or else the system's own
/// ([`super::SYSTEM_CONFIG`]) or the built-in one.
///
/// # Errors
/// If none of them can run here; they tell of the config that was meant.
pub fn load_or_last_good(given: Option<&Path>, last_good: &Path) -> Result<Settled, ConfigErrors> {
    // Its relative paths still begin at the folder of the config that was meant.
    let file = given.map_or_else(|| super::SYSTEM_CONFIG.to_owned(), |path| path.display().to_string());
    let kept = std::fs::read_to_string(last_good).ok();
    let first = chosen(None).map_or_else(|_| BUILT_IN.to_owned(), |(text, _)| text);
    let wanted = chosen(given).map(|(text, _)| text);
    let (config, mistakes, keep) = settle(wanted, kept, &first, &|text| parse(text, &file))?;
    Ok(Settled { config, mistakes, keep: keep.map(|text| (last_good.to_owned(), text)) })
}

/// The config, its mistakes, and the text to be kept.
type Outcome<C> = (C, Vec<String>, Option<String>);

fn settle<C>(
    wanted: Result<String, ConfigErrors>,
    kept: Option<String>,
    first: &str,
    parse: &dyn Fn(&str) -> Result<C, ConfigErrors>,
) -> Result<Outcome<C>, ConfigErrors> {
    let errors = match wanted.and_then(|text| Ok((parse(&text)?, text))) {
        Ok((config, text)) => return Ok((config, Vec::new(), (kept.as_deref() != Some(&*text)).then_some(text))),
        Err(errors) => errors,
    };
    let (config, instead) = match kept.and_then(|text| parse(&text).ok()) {
        Some(config) => (config, "Until that is mended, the settings that ran last are used"),
        None => match parse(first) {
            Ok(config) => (config, "Until that is mended, the settings of the first day are used"),
            Err(_) => return Err(errors),
        },
    };
    Ok((config, vec![errors.brief(), instead.to_owned()], None))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A config is good unless it says "bad", and then it is so in line 7.
    fn parse(text: &str) -> Result<String, ConfigErrors> {
        if !text.contains("bad") {
            return Ok(text.to_owned());
        }
        let mut errors = ConfigErrors::whole("/settings/intercom.toml", "is bad".to_owned(), None, String::new());
        errors.problems[0].line = Some(7);
        Err(errors)
    }

    fn try_out(wanted: &str, kept: Option<&str>) -> Outcome<String> {
        settle(Ok(wanted.to_owned()), kept.map(str::to_owned), "first", &parse).unwrap()
    }

    #[test]
    fn a_good_config_runs_and_is_kept_once() {
        assert_eq!(try_out("new", None), ("new".into(), vec![], Some("new".into())));
        assert_eq!(try_out("new", Some("old")), ("new".into(), vec![], Some("new".into())));
        assert_eq!(try_out("new", Some("new")), ("new".into(), vec![], None));
    }

    #[test]
    fn a_mistake_is_told_by_file_and_line_while_the_last_good_one_runs_and_stays() {
        let (config, notices, keep) = try_out("bad", Some("old"));
        assert_eq!((&*config, keep), ("old", None));
        assert_eq!(
            notices,
            ["intercom.toml, line 7: is bad", "Until that is mended, the settings that ran last are used"]
        );
    }

    #[test]
    fn without_a_last_good_one_or_with_a_broken_one_that_of_the_first_day_runs() {
        for kept in [None, Some("bad as well")] {
            let (config, notices, keep) = try_out("bad", kept);
            assert_eq!((&*config, keep), ("first", None));
            assert_eq!(notices[1], "Until that is mended, the settings of the first day are used");
        }
        assert!(settle(Ok("bad".into()), None, "bad too", &parse).is_err(), "then there is nothing to run");
    }

    #[test]
    fn a_config_that_cannot_be_read_is_a_mistake_like_any_other() {
        let gone = ConfigErrors::whole("/settings/intercom.toml", "cannot be read".to_owned(), None, String::new());
        let (config, notices, _) = settle(Err(gone), Some("old".into()), "first", &parse).unwrap();
        assert_eq!((&*config, &*notices[0]), ("old", "intercom.toml: cannot be read"));
    }
}
