//! What the TV has to tell, as `intercom status` tells it.

use serde_json::Value;

use crate::home::Home;

/// The running intercom's notices; `None` while it does not answer.
pub fn notices(home: &Home) -> Option<Vec<String>> {
    let output = home.ask("status");
    let status: Value = serde_json::from_slice(&output.stdout).ok()?;
    Some(status["notices"].as_array()?.iter().filter_map(|notice| notice.as_str().map(str::to_owned)).collect())
}

#[test]
fn a_notice_comes_and_goes_while_the_intercom_runs() {
    let mut home = Home::new("");
    let folder = home.at("notices");
    home.start(|command| {
        command.arg("--notices").arg(&folder);
    });
    home.wait("no notice, and no folder", || notices(&home).filter(Vec::is_empty));
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("update"), "Version 2 runs now\nand more\n").expect("a notice");
    home.wait("the notice", || notices(&home).filter(|told| *told == ["Version 2 runs now"]));
    std::fs::remove_file(folder.join("update")).expect("gone");
    home.wait("none any more", || notices(&home).filter(Vec::is_empty));
}
