//! The control socket with a loop that the test plays.

use std::os::unix::fs::PermissionsExt;
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use intercom_base::settings::PublicAddress;
use intercom_core::people::edit::Setting;
use intercom_core::people::entering::Entering;
use intercom_core::people::items::Change;
use intercom_core::people::register::{Person, Wish};
use intercom_core::reach::Addresses;

use super::*;
use crate::config::StatePaths;
use crate::shell::addresses::AddressBook;
use crate::shell::disk::Files;
use crate::shell::disk::spawn_disk;
use crate::shell::house_file::HouseFile;
use crate::shell::key_file::KeyFile;
use crate::shell::notice_board::NoticeBoard;
use crate::shell::state::tests::TestDir;
use crate::shell::switch_file::SwitchFile;
use crate::shell::tls::Certificates;
use crate::shell::worker::Worker;

struct Daemon {
    dir: TestDir,
    handle: ControlHandle,
    mute: SwitchFile,
    jobs: Sender<Job>,
    _disk: Worker,
    events: Receiver<ToLoop>,
}

impl Daemon {
    fn start() -> Daemon {
        let dir = TestDir::new();
        let (events, all) = bounded(8);
        let wake = Wake::new().unwrap();
        let handle = ToLoopHandle { events, wake: wake.clone() };
        let (disk, jobs) = bounded(16);
        // What the loop hands on, in order; the rest is for the test.
        let (others, receiver) = bounded(8);
        let to_disk: Sender<Job> = disk.clone();
        let of_disk = ToLoopHandle { events: others.clone(), wake };
        thread::spawn(move || {
            for event in all {
                match event {
                    ToLoop::Disk(job) => to_disk.send(job).unwrap(),
                    other => drop(others.send(other)),
                }
            }
        });
        let files = Files::in_dir(&dir.0);
        let mute = files.mute.clone();
        let thread = spawn_disk(jobs, files, of_disk).unwrap();
        assert!(matches!(receiver.recv(), Ok(ToLoop::Zone(_))));
        let best = "192.0.2.7".parse().unwrap();
        let addresses = AddressBook::new(Addresses { local: vec![best], best: Some(best), public: None });
        let known = Arc::new(Known {
            devices: Vec::new(),
            health: Arc::default(),
            addresses,
            port: 8443,
            public: None,
            certificates: Arc::new(Certificates::open(&dir.0, None, None).unwrap()),
            house: HouseFile::in_dir(&dir.0),
            board: Arc::default(),
            notices: Arc::new(NoticeBoard::new(vec!["mend me".into()])),
        });
        let handle = start(ControlConfig {
            claim: Claim::take(&dir.0).unwrap(),
            run_dir: dir.0.clone(),
            state_dir: dir.0.clone(),
            reset_dir: dir.0.clone(),
            disk: disk.clone(),
            to_loop: handle,
            known,
            jails: Arc::default(),
            reset: bounded(1).0,
        })
        .unwrap();
        Daemon { dir, handle, mute, jobs: disk, _disk: thread, events: receiver }
    }
}

fn paths(dir: &TestDir) -> StatePaths {
    StatePaths::at(&dir.0)
}

fn say(dir: &TestDir, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(dir.0.join("control.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_link_is_made_told_to_the_loop_and_revoked() {
    let daemon = Daemon::start();
    let wish = Wish { name: Some(" Anna".into()), ..Wish::default() };
    let link = new_link(&paths(&daemon.dir), wish, 1, None).unwrap();
    assert!(link.running);
    let best = link.links.best.unwrap();
    let token = best.strip_prefix("https://192.0.2.7:8443/#p=").unwrap();
    let ToLoop::Invited(new) = daemon.events.recv().unwrap() else { panic!("not a link") };
    assert_eq!((new.person.number, new.hash, new.devices), (link.person, Key::parse(token).unwrap().hash(), 3));
    assert_eq!(new.person.name.as_deref(), Some("Anna"));
    let invited = |dir: &TestDir| KeyFile::in_dir(&dir.0).load().unwrap().invited(token, clock::unix_time());
    assert_eq!(invited(&daemon.dir).unwrap().person, link.person);

    let events = daemon.events.clone();
    let loop_thread = thread::spawn(move || {
        for known in [Err(vec![1]), Ok(())] {
            let ToLoop::Revoked(_, answer) = events.recv().unwrap() else { panic!("not a revocation") };
            answer.send(known).unwrap();
        }
    });
    assert!(revoke(&paths(&daemon.dir), 99).unwrap_err().contains("no key 99; there are the persons 1"));
    assert!(revoke(&paths(&daemon.dir), link.person).unwrap());
    loop_thread.join().unwrap();
    assert_eq!(invited(&daemon.dir), None);
}

#[test]
fn the_status_is_the_loops_own_and_the_notices() {
    let daemon = Daemon::start();
    let events = daemon.events.clone();
    let loop_thread = thread::spawn(move || {
        let ToLoop::Status(answer) = events.recv().unwrap() else { panic!("not a status") };
        answer.send(r#"{"visits":2}"#.into()).unwrap();
    });
    let status = ask(&daemon.dir.0, &Request::Status {}).unwrap();
    assert_eq!((&status["visits"], &status["notices"]), (&json!(2), &json!(["mend me"])));
    loop_thread.join().unwrap();
}

#[test]
fn an_intercom_of_another_state_is_not_the_one_that_is_looked_for() {
    let (daemon, other) = (Daemon::start(), TestDir::new());
    let events = daemon.events.clone();
    let loop_thread = thread::spawn(move || {
        while let Ok(ToLoop::Status(answer)) = events.recv() {
            answer.send("{}".into()).unwrap();
        }
    });
    let here = |state: &TestDir, shared| StatePaths { state: state.0.clone(), run: daemon.dir.0.clone(), shared };
    let all_paths = [paths(&other), here(&other, true), here(&daemon.dir, true)];
    assert_eq!(find(&all_paths), Ok(&all_paths[2]));
    assert_eq!(find(&all_paths[..2]), Err(AskError::NotRunning(other.0.clone())));
    daemon.handle.stop();
    drop(daemon);
    loop_thread.join().unwrap();
}

#[test]
fn the_microphone_is_muted_by_the_loop_which_says_how_it_is_then() {
    let daemon = Daemon::start();
    let events = daemon.events.clone();
    let loop_thread = thread::spawn(move || {
        for expected in [Mute::On, Mute::Off] {
            let ToLoop::Mute(wish, Some(answer)) = events.recv().unwrap() else { panic!("not a mute") };
            assert_eq!(wish, expected);
            answer.send(wish == Mute::On).unwrap();
        }
    });
    for on in [true, false] {
        assert_eq!(ask(&daemon.dir.0, &Request::Mute { on }).unwrap()["muted"], on);
    }
    loop_thread.join().unwrap();
}

#[test]
fn the_curtain_is_drawn_by_the_loop_which_says_how_it_is_then() {
    let daemon = Daemon::start();
    let (events, curtain) = (daemon.events.clone(), SwitchFile::curtain(&daemon.dir.0));
    let loop_thread = thread::spawn(move || {
        for expected in [Curtain::Draw, Curtain::Open] {
            let ToLoop::Curtain(wish, Some(answer)) = events.recv().unwrap() else { panic!("not a curtain") };
            assert_eq!(wish, expected);
            curtain.store(wish == Curtain::Draw);
            answer.send(wish == Curtain::Draw).unwrap();
        }
    });
    for on in [true, false] {
        let done = super::curtain(&paths(&daemon.dir), on).unwrap();
        assert_eq!(done, SwitchDone { on, kept: true, running: true });
    }
    loop_thread.join().unwrap();
    assert!(say(&daemon.dir, b"{\"command\":\"curtain\"}\n").contains("missing field `on`"));
}

#[test]
fn without_a_daemon_mute_and_curtain_wait_in_their_files_for_the_next_one() {
    let dir = TestDir::new();
    let here = paths(&dir);
    for on in [true, false, true] {
        let done = Ok(SwitchDone { on, kept: true, running: false });
        assert_eq!(
            (super::curtain(&here, on), mute(&here, !on)),
            (done.clone(), done.map(|done| SwitchDone { on: !on, ..done }))
        );
        assert_eq!((SwitchFile::curtain(&dir.0).load(), SwitchFile::mute(&dir.0).load()), (on, !on));
    }
    let nowhere = StatePaths::at(&dir.0.join("not/there"));
    assert!(super::curtain(&nowhere, true).unwrap_err().contains("intercom is not running"));
}

#[test]
fn neither_a_lock_nor_a_slow_client_delays_mute_and_revocation() {
    let daemon = Daemon::start();
    let file = std::fs::File::create(daemon.dir.0.join("keys.lock")).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    // Each waits two seconds for the lock: long enough for all that is asked below, on a busy machine too.
    let (made, links) = bounded(4);
    (0..4).for_each(|_| daemon.jobs.send(Job::Link(Wish::default(), made.clone())).unwrap());
    let _silent: Vec<_> = (0..3).map(|_| UnixStream::connect(daemon.dir.0.join("control.sock")).unwrap()).collect();
    let (events, mute) = (daemon.events.clone(), daemon.mute.clone());
    let loop_thread = thread::spawn(move || {
        for _ in 0..2 {
            match events.recv().unwrap() {
                ToLoop::Mute(wish, Some(answer)) => {
                    mute.store(wish == Mute::On);
                    answer.send(wish == Mute::On).unwrap();
                }
                ToLoop::Revoked(_, answer) => {
                    answer.send(Ok(())).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
    });
    for request in [Request::Mute { on: true }, Request::Revoke { id: 7 }] {
        // The lock is held to the end: what waited for it would not be answered in the client's patience.
        let answer = ask(&daemon.dir.0, &request).unwrap();
        assert_eq!(answer["kept"], false, "{request:?}: nobody can say that yet");
    }
    let (_, _, lost) = links.recv().unwrap().unwrap();
    assert!(lost.is_some(), "the link is good for as long as the process runs");
    loop_thread.join().unwrap();
    drop(file);
    assert!(SwitchFile::mute(&daemon.dir.0).load(), "and the mute is kept");
}

#[test]
fn a_code_on_the_tv_is_the_loops_and_a_name_is_looked_at_first() {
    let daemon = Daemon::start();
    let events = daemon.events.clone();
    let loop_thread = thread::spawn(move || {
        let ToLoop::CodeWanted { name, role, links } = events.recv().unwrap() else { panic!("not a code") };
        assert_eq!((name.as_deref(), role), (Some("Anna"), Role::Guest));
        let link = "https://192.0.2.7:8443/#p=x".to_owned();
        links.send(links::Links { all: vec![link.clone()], best: Some(link) }).unwrap();
    });
    assert_eq!(
        new_code(&paths(&daemon.dir), Some("Anna"), Role::Guest).unwrap().best.unwrap(),
        "https://192.0.2.7:8443/#p=x"
    );
    loop_thread.join().unwrap();
    assert!(say(&daemon.dir, b"{\"command\":\"code\",\"name\":\"a\\nb\"}\n").contains("line ends"));
}

#[test]
fn rubbish_is_answered_and_the_next_one_served() {
    let daemon = Daemon::start();
    assert!(say(&daemon.dir, b"make me a link\n").contains("not a request"));
    assert!(say(&daemon.dir, b"{\"command\":\"dance\"}\n").contains("unknown variant"));
    assert!(say(&daemon.dir, b"{\"command\":\"revoke\",\"id\":-1}\n").contains("error"));
    assert!(say(&daemon.dir, &[b'x'; LONGEST_REQUEST]).contains("one line of at most"));
    let _silent = UnixStream::connect(daemon.dir.0.join("control.sock")).unwrap();
    assert!(new_link(&paths(&daemon.dir), Wish::default(), 1, None).is_ok(), "behind a client that says nothing");
}

#[test]
fn the_socket_is_private_and_gone_in_the_end_and_a_second_daemon_is_refused() {
    let daemon = Daemon::start();
    let path = daemon.dir.0.join("control.sock");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(Claim::take(&daemon.dir.0).unwrap_err().contains("already running"));
    daemon.handle.stop();
    assert!(!path.exists() && daemon.handle.worker.has_ended());
}

#[test]
fn a_socket_left_by_a_killed_daemon_is_replaced() {
    let dir = TestDir::new();
    let path = dir.0.join("control.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(matches!(ask(&dir.0, &Request::Status {}), Err(AskError::NotRunning(_))));
    assert!(listen(&path).is_ok());
}

#[test]
fn without_a_daemon_links_are_made_and_ended_in_the_file() {
    let dir = TestDir::new();
    let nowhere = StatePaths::at(&dir.0.join("not/there/yet"));
    let public = PublicAddress { host: "home.example.org".into(), port: 443 };
    let link = new_link(&nowhere, Wish::default(), 8443, Some(&public)).unwrap();
    assert!(!link.running && link.links.best.unwrap().starts_with("https://home.example.org/#p="));
    revoke(&nowhere, link.person).unwrap();
    assert!(revoke(&nowhere, link.person).unwrap_err().contains("there is nobody"));
    assert!(revoke(&nowhere, KeyId::TEMPORARY.0).unwrap_err().contains("not running"));
}

fn people_of(dir: &TestDir) -> KeyFile {
    let file = KeyFile::in_dir(&dir.0);
    file.invite(&Wish { name: Some("Anna".into()), role: Role::Guest, ..Wish::default() }).unwrap();
    file
}

fn knock() -> Edit {
    Edit { entering: Some(Setting::To(Entering::Knock)), ..Edit::default() }
}

#[test]
fn people_are_as_the_loop_has_them_whatever_the_disk_has() {
    let daemon = Daemon::start();
    people_of(&daemon.dir);
    let events = daemon.events.clone();
    let loop_thread = thread::spawn(move || {
        let ToLoop::People(answer) = events.recv().unwrap() else { panic!("not a list") };
        answer.send(r#"{"people":[],"quiet_hours":"22:00-07:00"}"#.into()).unwrap();
        let ToLoop::Edit(7, edit, answer) = events.recv().unwrap() else { panic!("not a change") };
        answer.send(Err(vec![1, 2])).unwrap();
        edit
    });
    let list = people(&paths(&daemon.dir)).unwrap();
    assert!(list.people.is_empty() && list.quiet_hours.as_deref() == Some("22:00-07:00"));
    let problem = edit(&paths(&daemon.dir), 7, knock()).unwrap_err();
    assert_eq!(problem, "there is no person 7; there are the persons 1, 2");
    assert_eq!(loop_thread.join().unwrap(), knock());
    let nameless = say(&daemon.dir, b"{\"command\":\"edit\",\"person\":1,\"edit\":{\"name\":{\"to\":\" \"}}}\n");
    assert!(nameless.contains("at least one letter"), "{nameless}");
}

#[test]
fn a_change_of_a_person_is_kept_if_the_disk_has_it() {
    let daemon = Daemon::start();
    let person = people_of(&daemon.dir).load().unwrap().numbers()[0];
    for broken in [false, true] {
        let (events, disk) = (daemon.events.clone(), daemon.jobs.clone());
        let loop_thread = thread::spawn(move || {
            let ToLoop::Edit(number, edit, answer) = events.recv().unwrap() else { panic!("not a change") };
            let changed = edit.apply(&Person::new(number, None, Role::Guest));
            disk.send(Job::Change(Change::Person(changed))).unwrap();
            answer.send(Ok(true)).unwrap();
        });
        if broken {
            std::fs::write(daemon.dir.0.join("keys.toml"), "next = ?").unwrap();
        }
        let done = edit(&paths(&daemon.dir), person, knock());
        assert_eq!(done, Ok(Edited { ownerless: true, kept: !broken }));
        loop_thread.join().unwrap();
    }
}

#[test]
fn without_a_daemon_people_are_listed_and_changed_in_the_file() {
    let dir = TestDir::new();
    let file = people_of(&dir);
    let list = people(&paths(&dir)).unwrap();
    let [anna] = list.people.as_slice() else { panic!("{list:?}") };
    assert_eq!((anna.name.as_deref(), anna.role, anna.entering, anna.links_left), (Some("Anna"), Role::Guest, None, 3));
    assert_eq!(edit(&paths(&dir), anna.number, knock()), Ok(Edited { ownerless: false, kept: true }));
    assert_eq!(file.load().unwrap().person(anna.number).unwrap().entering, Some(Entering::Knock));
    let problem = edit(&paths(&dir), 9, knock()).unwrap_err();
    assert_eq!(problem, format!("there is no person 9; there are the persons {}", anna.number));
    std::fs::write(dir.0.join("house.toml"), "quiet_hours = \"22-7\"").unwrap();
    let problem = people(&paths(&dir)).unwrap_err();
    assert!(problem.contains("house.toml: line 1") && problem.contains("22:00-07:00"), "{problem}");
    let nowhere = StatePaths::at(&dir.0.join("not/there"));
    assert!(people(&nowhere).unwrap_err().contains("is not running"));
    assert!(edit(&nowhere, 1, knock()).unwrap_err().contains("is not running"));
}
