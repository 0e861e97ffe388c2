//! `intercom reset`, with an intercom that runs and without one.

use crate::home::Home;
use crate::notices::notices;

const NOTICE: &str = "Reset: phones that knew this home must scan the code again";

fn say(home: &Home, command: &str) -> String {
    let output = home.ask(command);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn is_running(home: &Home) {
    home.wait("an answer", || notices(home));
}

/// Keys and certificates from before.
fn remains(home: &Home) -> Vec<&'static str> {
    let names = ["keys.toml", "leaves", "ca.pem", "ca.key"];
    names.into_iter().filter(|name| home.at("state").join(name).exists()).collect()
}

#[test]
fn a_running_home_is_reset_ends_in_order_and_tells_of_it_until_a_phone_is_paired() {
    let mut home = Home::new("");
    home.start(|_| ());
    is_running(&home);
    say(&home, "link --name Anna");
    say(&home, "link --name Ben");
    let authority = std::fs::read(home.at("state/ca.pem")).expect("a certificate");
    let said = say(&home, "reset");
    assert!(said.contains("2 people") && said.contains("`intercom run`"), "{said}");
    assert_eq!(home.wait_end(), 0, "{}", home.log());
    assert_eq!(remains(&home), [""; 0]);

    home.start(|_| ());
    home.wait("the notice", || notices(&home).filter(|told| *told == [NOTICE]));
    assert_ne!(std::fs::read(home.at("state/ca.pem")).expect("a new one"), authority);
    let said = say(&home, "link --name Anna");
    assert!(said.starts_with("person 1:"), "as on the first day: {said}");
    home.wait("nothing to tell", || notices(&home).filter(Vec::is_empty));
}

#[test]
fn a_home_that_does_not_run_is_reset_in_its_folder() {
    let mut home = Home::new("");
    let refused = home.ask("reset");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("nothing to reset"));
    home.start(|_| ());
    is_running(&home);
    say(&home, "link");
    home.terminate();
    assert_eq!(home.wait_end(), 0, "{}", home.log());
    // As the first viewer leaves it.
    std::fs::create_dir_all(home.at("state/leaves")).expect("a folder");
    std::fs::write(home.at("state/leaves/192.0.2.1.pem"), "x").expect("a leaf");
    assert_eq!(remains(&home).len(), 4);
    let said = say(&home, "reset");
    assert!(said.contains("1 person") && said.contains("No intercom runs"), "{said}");
    assert_eq!(remains(&home), [""; 0]);
    home.start(|_| ());
    home.wait("the notice", || notices(&home).filter(|told| *told == [NOTICE]));
}

#[test]
fn a_power_cut_in_the_middle_is_finished_by_the_next_start() {
    let mut home = Home::new("");
    home.start(|_| ());
    is_running(&home);
    say(&home, "link");
    home.kill();
    // What the first of all writes leaves.
    std::fs::write(home.at("state/reset"), "begun\n").expect("the mark");
    home.start(|_| ());
    home.wait("the notice", || notices(&home).filter(|told| *told == [NOTICE]));
    assert!(!home.at("state/keys.toml").exists());
}
