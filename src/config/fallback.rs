//! A home that nobody looks after: a config with a mistake in it, or one that cannot start, makes way for the one that
//! ran last, and is reported.

use std::path::{Path, PathBuf};

use intercom_base::letters::{NOTICE_LETTERS, clipped};

use super::trials::{ConfigTrial, Trials};
use super::{BUILT_IN, Config, ConfigErrors, chosen, parse};

/// The config that runs, and what is to be said and kept.
pub struct ChosenConfig {
    /// What runs.
    pub config: Config,
    /// For people: what is wrong with the config that was meant, and what runs instead. Empty if nothing is.
    pub mistakes: Vec<String>,
    /// Text to be kept as the last good config once it runs; `None` if that is there already.
    pub keep: Option<(PathBuf, String)>,
    /// What is to be remembered of this start; `None` if there is nothing else that could run.
    pub trial: Option<ConfigTrial>,
}

/// Reads the config that a command line means or, if it is wrong or failed to start since the machine was switched on,
/// the one that ran last, or else the system's own ([`super::SYSTEM_CONFIG`]) or the built-in one.
///
/// # Errors
/// If none of them can run here; they tell of the config that was meant.
pub fn load_or_last_good(given: Option<&Path>, last_good: &Path) -> Result<ChosenConfig, ConfigErrors> {
    // Its relative paths still begin at the folder of the config that was meant.
    let file = given.map_or_else(|| super::SYSTEM_CONFIG.to_owned(), |path| path.display().to_string());
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let record = last_good.with_extension("trials");
    let trials = Trials::parse(&std::fs::read_to_string(&record).unwrap_or_default(), boot.trim());
    let texts = Texts {
        file: file.clone(),
        wanted: chosen(given).map(|(text, _)| text),
        kept: std::fs::read_to_string(last_good).ok(),
        first: chosen(None).map_or_else(|_| BUILT_IN.to_owned(), |(text, _)| text),
    };
    let Choice { config, mistakes, keep, tried } = texts.choose(&trials, &|text| parse(text, &file))?;
    let trial = tried.map(|(text, is_new)| ConfigTrial::new(record, trials, &text, is_new));
    Ok(ChosenConfig { config, mistakes, keep: keep.map(|text| (last_good.to_owned(), text)), trial })
}

/// What may run, best first.
struct Texts {
    /// Of the one that is meant.
    file: String,
    wanted: Result<String, ConfigErrors>,
    kept: Option<String>,
    first: String,
}

/// What does run, and what comes of it.
#[derive(Debug, PartialEq, Eq)]
struct Choice<C> {
    config: C,
    mistakes: Vec<String>,
    keep: Option<String>,
    /// The text whose start is to be remembered, and whether it is new.
    tried: Option<(String, bool)>,
}

impl Texts {
    fn choose<C>(
        self,
        trials: &Trials,
        parse: &dyn Fn(&str) -> Result<C, ConfigErrors>,
    ) -> Result<Choice<C>, ConfigErrors> {
        let Texts { file, wanted, kept, first } = self;
        let may_run = |text: &str, ran: bool| match trials.against(text, ran) {
            // There is nothing behind the first day's, so it has every chance.
            Some(why) if text != first => Err(why),
            _ => Ok(()),
        };
        let (errors, mistake) = match wanted.and_then(|text| Ok((parse(&text)?, text))) {
            Ok((config, text)) => {
                let is_new = kept.as_deref() != Some(&*text);
                match may_run(&text, !is_new) {
                    Ok(()) => {
                        let tried = (text != first).then(|| (text.clone(), is_new));
                        return Ok(Choice { config, mistakes: Vec::new(), keep: is_new.then_some(text), tried });
                    }
                    Err(why) => {
                        let told = ConfigErrors::whole(&file, why, None, String::new());
                        (told.clone(), clipped(&told.brief(), NOTICE_LETTERS))
                    }
                }
            }
            Err(errors) => {
                let mistake = errors.brief();
                (errors, mistake)
            }
        };
        let kept = kept.filter(|text| may_run(text, true).is_ok()).and_then(|text| Some((parse(&text).ok()?, text)));
        let (config, tried, instead) = match kept {
            Some((config, text)) => {
                let tried = (text != first).then_some((text, false));
                (config, tried, "Until that is mended, the settings that ran last are used")
            }
            None => match parse(&first) {
                Ok(config) => (config, None, "Until that is mended, the settings of the first day are used"),
                Err(_) => return Err(errors),
            },
        };
        Ok(Choice { config, mistakes: vec![mistake, instead.to_owned()], keep: None, tried })
    }
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

    fn texts(wanted: &str, kept: Option<&str>) -> Texts {
        Texts {
            file: "/settings/intercom.toml".into(),
            wanted: Ok(wanted.into()),
            kept: kept.map(str::to_owned),
            first: "first".into(),
        }
    }

    fn try_out(wanted: &str, kept: Option<&str>) -> Choice<String> {
        texts(wanted, kept).choose(&Trials::default(), &parse).unwrap()
    }

    /// The trials after this text failed so often.
    fn failed(text: &str, is_new: bool, times: usize) -> Trials {
        (0..times).fold(Trials::default(), |trials, _| {
            Trials::parse(&ConfigTrial::new(PathBuf::new(), trials, text, is_new).failed("TCP port 443: in use"), "")
        })
    }

    const LAST: &str = "Until that is mended, the settings that ran last are used";
    const FIRST: &str = "Until that is mended, the settings of the first day are used";

    #[test]
    fn a_good_config_runs_and_is_kept_once() {
        for kept in [None, Some("old")] {
            let tried = Some(("new".into(), true));
            let choice = Choice { config: "new".into(), mistakes: vec![], keep: Some("new".into()), tried };
            assert_eq!(try_out("new", kept), choice);
        }
        let tried = Some(("new".into(), false));
        let choice = Choice { config: "new".into(), mistakes: vec![], keep: None, tried };
        assert_eq!(try_out("new", Some("new")), choice);
        assert_eq!(try_out("first", None).tried, None, "there is nothing else");
    }

    #[test]
    fn a_mistake_is_told_by_file_and_line_while_the_last_good_one_runs_and_stays() {
        let choice = try_out("bad", Some("old"));
        assert_eq!((&*choice.config, choice.keep), ("old", None));
        assert_eq!(choice.mistakes, ["intercom.toml, line 7: is bad", LAST]);
    }

    #[test]
    fn without_a_last_good_one_or_with_a_broken_one_that_of_the_first_day_runs() {
        for kept in [None, Some("bad as well")] {
            let choice = try_out("bad", kept);
            assert_eq!((&*choice.config, choice.keep), ("first", None));
            assert_eq!(choice.mistakes[1], FIRST);
        }
        let nothing = Texts { first: "bad too".into(), ..texts("bad", None) };
        assert!(nothing.choose(&Trials::default(), &parse).is_err(), "then there is nothing to run");
    }

    #[test]
    fn a_config_that_cannot_be_read_is_a_mistake_like_any_other() {
        let gone = ConfigErrors::whole("/settings/intercom.toml", "cannot be read".to_owned(), None, String::new());
        let texts = Texts { wanted: Err(gone), ..texts("", Some("old")) };
        let choice = texts.choose(&Trials::default(), &parse).unwrap();
        assert_eq!((&*choice.config, &*choice.mistakes[0]), ("old", "intercom.toml: cannot be read"));
    }

    #[test]
    fn one_that_could_not_start_makes_way_and_is_told_until_it_is_edited() {
        let trials = failed("new", true, 1);
        let choice = texts("new", Some("old")).choose(&trials, &parse).unwrap();
        assert_eq!((&*choice.config, choice.keep), ("old", None));
        assert_eq!(choice.mistakes, ["intercom.toml: TCP port 443: in use", LAST]);
        let edited = texts("new, edited", Some("old")).choose(&trials, &parse).unwrap();
        assert_eq!((&*edited.config, edited.mistakes.len()), ("new, edited", 0));
        let never_any = texts("new", None).choose(&trials, &parse).unwrap();
        assert_eq!((&*never_any.config, &*never_any.mistakes[1]), ("first", FIRST));
    }

    #[test]
    fn one_that_ran_before_is_given_up_late_and_that_of_the_first_day_never() {
        let config = |wanted: &str, trials: &Trials| texts(wanted, Some(wanted)).choose(trials, &parse).unwrap().config;
        assert_eq!(config("old", &failed("old", false, 2)), "old");
        assert_eq!(config("old", &failed("old", false, 3)), "first");
        assert_eq!(config("first", &failed("first", false, 9)), "first");
    }
}
