//! The log as systemd's journal takes it: with a priority in front of each line, so that `journalctl -p warning` finds warnings.

use std::os::unix::fs::MetadataExt as _;

use crate::home::Home;

/// What a home logs that is told that the journal is the file `stream` of its own folder.
fn logged(stream: &str) -> String {
    // An old name of a setting is a warning.
    let mut home = Home::new("[volume]\nleast_percent = 20\n");
    let file = home.at(stream);
    home.start(|command| {
        let file = file.metadata().expect("a file of the home");
        command.env("JOURNAL_STREAM", format!("{}:{}", file.dev(), file.ino()));
    });
    home.wait("both levels", || {
        let log = home.log();
        (log.contains("[WARN]") && log.contains("[INFO]") && log.ends_with('\n')).then_some(log)
    })
}

#[test]
fn why_it_does_not_start_is_an_error_for_the_journal() {
    let mut home = Home::new("[vidoe]\nwidth = 3\n");
    let file = home.at("log");
    home.start(|command| {
        let file = file.metadata().expect("a file of the home");
        command.env("JOURNAL_STREAM", format!("{}:{}", file.dev(), file.ino()));
    });
    assert_eq!(home.wait_end(), 2);
    assert!(home.log().lines().all(|line| line.starts_with("<3>")) && home.log().contains("vidoe"), "{}", home.log());
}

#[test]
fn each_line_for_the_journal_begins_with_its_priority_and_no_other_does() {
    let log = logged("log");
    for line in log.lines() {
        let priority = match line {
            _ if line.contains("[ERROR]") => "<3>",
            _ if line.contains("[WARN]") => "<4>",
            _ => "<6>",
        };
        assert!(line.starts_with(priority), "{line}");
    }
    assert!(logged("intercom.toml").lines().all(|line| !line.starts_with('<')));
}
