//! Settings with a mistake in them, and settings that cannot start, beside some that ran before.

use std::net::TcpListener;

use crate::home::Home;
use crate::notices::notices;

const LAST: &str = "Until that is mended, the settings that ran last are used";

fn start(home: &mut Home) {
    let last_good = home.at("last-good.toml");
    home.start(|command| {
        command.arg("--last-good").arg(&last_good);
    });
}

fn told(home: &Home, first: &str) {
    home.wait(first, || {
        let told = notices(home)?;
        (told.len() == 2 && told[0] == first && told[1] == LAST).then_some(())
    });
}

fn stop(home: &mut Home) {
    home.terminate();
    assert_eq!(home.wait_end(), 0, "{}", home.log());
}

#[test]
fn a_port_that_another_program_has_makes_way_for_the_last_good_settings_until_they_are_edited() {
    let mut home = Home::new("");
    start(&mut home);
    home.wait("nothing to tell", || notices(&home).filter(Vec::is_empty));
    stop(&mut home);

    let holder = TcpListener::bind("0.0.0.0:0").expect("a port");
    let (own, taken) = (home.port(), holder.local_addr().expect("its address").port());
    home.edit(|text| text.replace(&format!("port = {own}"), &format!("port = {taken}")));
    start(&mut home);
    assert_eq!(home.wait_end(), 1, "{}", home.log());
    start(&mut home);
    told(&home, &format!("intercom.toml: TCP port {taken}: another program has it"));
    // Commands ask the one that runs, which knows its own port, whatever is wrong with the settings.
    let before = std::fs::read(home.at("intercom.toml")).expect("the config");
    for settings in [None, Some("[home]\nstate_dir = \"state\"\n[network]\nport = 1\n[hoem]\n")] {
        if let Some(settings) = settings {
            home.edit(|_| settings.to_owned());
        }
        let said = home.ask("link");
        let links = String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success() && links.contains(&format!(":{own}/#p=")), "{links}");
        assert!(home.ask("mute").status.success());
    }
    std::fs::write(home.at("intercom.toml"), before).expect("the config");
    stop(&mut home);

    // Another text is another try, even if it is wrong for another reason.
    home.edit(|text| text + "[hoem]\n");
    let line = std::fs::read_to_string(home.at("intercom.toml")).expect("the config").lines().count();
    start(&mut home);
    told(&home, &format!("intercom.toml, line {line}: hoem: there is no such table; did you mean [home]?"));
    stop(&mut home);
    drop(holder);
    home.edit(|text| text.replace("[hoem]", "# mended"));
    start(&mut home);
    home.wait("nothing to tell", || notices(&home).filter(Vec::is_empty));
}

#[test]
fn what_an_owner_set_goes_before_the_settings_and_check_and_doctor_say_so() {
    let mut home = Home::new("");
    std::fs::create_dir_all(home.at("state")).expect("a folder");
    let set = |text: &str| std::fs::write(home.at("state/house.toml"), text).expect("house.toml");
    let said = |home: &Home, command: &str| String::from_utf8_lossy(&home.ask(command).stdout).into_owned();
    let doctor = |home: &Home| -> serde_json::Value {
        serde_json::from_str(&said(home, "doctor --json")).expect("the doctor's JSON")
    };
    let about_house = |answer: &serde_json::Value| {
        let findings = answer["findings"].as_array().cloned().expect("findings");
        findings.into_iter().find(|finding| finding["about"] == "house")
    };
    assert!(!said(&home, "check").contains("owner") && about_house(&doctor(&home)).is_none());

    set("# mine\nvolume_percent = \"loud\"\n");
    let checked = said(&home, "check");
    assert!(checked.contains("house.toml: line 2: ") && checked.contains("that does not count"), "{checked}");
    let finding = about_house(&doctor(&home)).expect("a finding");
    assert!(finding["wrong"] == true && finding["what"].to_string().contains("house.toml: line 2"), "{finding}");

    set("name = \"Oma\"\nvolume_percent = 30\n");
    let checked = said(&home, "check");
    assert!(checked.contains("goes before this file: home.name, volume.percent"), "{checked}");
    home.start(|_| ());
    let status = home.wait("an answer", || serde_json::from_str::<serde_json::Value>(&said(&home, "status")).ok());
    assert_eq!(status["volume_percent"], 30);
    let answer = doctor(&home);
    assert_eq!(answer["running"], true);
    let finding = about_house(&answer).expect("a finding");
    assert!(
        finding["wrong"] == false && finding["what"].to_string().contains("home.name, volume.percent"),
        "{finding}"
    );
}
