//! What a service manager hears from the intercom over a real notification socket.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::home::Home;

/// Asked for by the manager, so that a test sees several pings a second.
const WATCHDOG: &str = "600000";

struct Manager(UnixDatagram);

impl Manager {
    /// Starts the intercom as systemd would.
    fn start(home: &mut Home) -> Manager {
        let path = home.at("notify.sock");
        let socket = UnixDatagram::bind(&path).expect("a notification socket");
        socket.set_nonblocking(true).expect("no waiting");
        home.start(|command| {
            command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", WATCHDOG);
        });
        Manager(socket)
    }

    /// All that was said since the last call, by line.
    fn heard(&self) -> Vec<String> {
        let mut buffer = [0; 4096];
        let mut lines = Vec::new();
        while let Ok(length) = self.0.recv(&mut buffer) {
            lines.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
        }
        lines
    }
}

#[test]
fn it_says_that_it_is_ready_how_it_is_that_it_lives_and_that_it_ends() {
    let mut home = Home::new("[camera]\ndriver = \"v4l2\"\n[camera.v4l2]\ndevice = \"/dev/no-such-video\"\n");
    let manager = Manager::start(&mut home);
    let mut heard = Vec::new();
    home.wait("ready, its state and five pings", || {
        heard.extend(manager.heard());
        let pings = heard.iter().filter(|line| *line == "WATCHDOG=1").count();
        let status =
            heard.iter().any(|line| line.starts_with("STATUS=Ready on port") && line.contains("/dev/no-such-video"));
        (pings >= 5 && status).then_some(())
    });
    assert_eq!(heard.first().map(String::as_str), Some("READY=1"), "{heard:?}");
    let port = home.port();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(), "ready, and nobody listens");
    let statuses: Vec<_> = heard.iter().filter(|line| line.starts_with("STATUS=")).collect();
    assert!(statuses.windows(2).all(|two| two[0] != two[1]), "only what changed is told: {statuses:?}");
    home.terminate();
    home.wait("the goodbye", || manager.heard().contains(&"STOPPING=1".to_owned()).then_some(()));
}

#[test]
fn a_stuck_thread_is_named_once_and_the_pings_stop() {
    // A named pipe that nobody reads: the speaker's thread hangs in opening it, and nothing else does.
    let mut home = Home::new("[speaker]\ndriver = \"wav\"\n[speaker.wav]\npath = \"{}/pipe\"\n");
    let made = std::process::Command::new("mkfifo").arg(home.at("pipe")).status().expect("mkfifo");
    assert!(made.success());
    let manager = Manager::start(&mut home);
    let mut heard = Vec::new();
    home.wait("the first pings", || {
        heard.extend(manager.heard());
        (heard.iter().filter(|line| *line == "WATCHDOG=1").count() >= 3).then_some(())
    });
    home.wait("the word of the stuck thread", || {
        heard.extend(manager.heard());
        heard.iter().any(|line| line.contains("thread speaker is stuck")).then_some(())
    });
    let told = heard.iter().position(|line| line.contains("is stuck")).expect("it is there");
    assert!(!heard[told..].contains(&"WATCHDOG=1".to_owned()), "{heard:?}");
    // systemd would have ended it long before.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(manager.heard(), Vec::<String>::new());
    assert_eq!(home.log().matches("thread speaker is stuck").count(), 1, "{}", home.log());

    // Somebody reads at last: it goes on, and lives again.
    let reader = std::process::Command::new("cat").arg(home.at("pipe")).stdout(std::process::Stdio::null()).spawn();
    home.wait("the pings again", || manager.heard().contains(&"WATCHDOG=1".to_owned()).then_some(()));
    assert!(home.log().contains("thread speaker goes on"), "{}", home.log());
    let _ = reader.map(|mut reader| (reader.kill(), reader.wait()));
}

#[test]
fn the_unit_is_one_that_systemd_takes_and_that_restarts_it() {
    let home = Home::new("");
    let unit = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/etc/intercom.service")).expect("the unit");
    for line in ["Type=notify", "Restart=always", "StateDirectory=intercom", "NoNewPrivileges=yes"] {
        assert!(unit.lines().any(|other| other == line), "{line}");
    }
    let limit: u64 = unit.lines().find_map(|line| line.strip_prefix("WatchdogSec=")?.parse().ok()).expect("a watchdog");
    assert!((15..=60).contains(&limit), "a ping may come 5 s late, and nobody waits for a minute");
    // The program is not installed here.
    let here = unit.replace("/usr/bin/intercom", env!("CARGO_BIN_EXE_intercom"));
    std::fs::write(home.at("intercom.service"), here).expect("a unit");
    let with_tv = concat!(env!("CARGO_MANIFEST_DIR"), "/etc/intercom-tv.conf");
    std::fs::create_dir(home.at("intercom.service.d")).expect("a folder");
    std::fs::copy(with_tv, home.at("intercom.service.d/tv.conf")).expect("the unit's part for a TV");
    match std::process::Command::new("systemd-analyze").arg("verify").arg(home.at("intercom.service")).output() {
        Ok(verdict) => {
            let said = String::from_utf8_lossy(&verdict.stderr).into_owned();
            let ours: Vec<_> = said.lines().filter(|line| line.contains("intercom.service")).collect();
            assert!(ours.is_empty(), "{said}");
        }
        Err(error) => println!("not verified by systemd itself: systemd-analyze: {error}"),
    }
}

#[test]
fn without_a_service_manager_nothing_is_missed() {
    let mut home = Home::new("");
    home.start(|_| ());
    home.wait("the control socket", || home.at("state/control.sock").exists().then_some(()));
    assert_eq!(home.ask("doctor").status.code(), Some(0));
}
