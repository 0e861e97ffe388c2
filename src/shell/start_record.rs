//! Remembers how a start with a config goes, so that one that cannot start makes way for the last good one.

use std::path::PathBuf;

use crate::config::ConfigTrial;
use crate::shell::state;

/// One start. What the disk does not take is not remembered: then the same config is tried again and again.
#[derive(Debug, Default)]
pub struct StartRecord {
    trial: Option<ConfigTrial>,
    keep: Option<(PathBuf, String)>,
}

impl StartRecord {
    /// It begins. `keep` is a file and its text, for when it went well.
    pub fn begin(mut trial: Option<ConfigTrial>, keep: Option<(PathBuf, String)>) -> StartRecord {
        if let Some(trial) = &mut trial
            && let Some(text) = trial.begin()
        {
            remember(trial, &text);
        }
        StartRecord { trial, keep }
    }

    /// The intercom runs.
    pub fn succeeded(&mut self) {
        if let Some((file, text)) = self.keep.take()
            && let Err(error) = state::write(&file, text.as_bytes(), 0o600)
        {
            log::warn!("these settings are not kept as the last good ones: {error}");
        }
        self.clear();
    }

    /// It could not start, and the config is why.
    pub fn failed(&mut self, why: &str) {
        if let Some(mut trial) = self.trial.take() {
            let text = trial.failed(why);
            remember(&trial, &text);
        }
    }

    /// It could not start for another reason, or runs.
    pub fn clear(&mut self) {
        if let Some(mut trial) = self.trial.take()
            && let Some(text) = trial.cleared()
        {
            remember(&trial, &text);
        }
    }
}

fn remember(trial: &ConfigTrial, text: &str) {
    if let Err(error) = state::write(&trial.file, text.as_bytes(), 0o600) {
        log::warn!("how this start goes is not remembered: {error}");
    }
}
