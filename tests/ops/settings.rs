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
