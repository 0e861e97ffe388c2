//! The jail with the real program inside: what it may not do, and that it may die or hang.

// A test's time begins at some time.
#![allow(clippy::disallowed_methods)]

mod camera;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use intercom::shell::devices::pictures::{Decode, Undecoded};
use intercom::shell::jail::wire::{Answer, ORDER_HEAD};
use intercom::shell::jail::{Codec, Jail, JailReport, JailReports, Program, raise};
use intercom::shell::wires::VisitId;
use intercom_base::picture::I420;
use intercom_base::settings::Rung;
use intercom_base::units::{Bitrate, FrameRate};
use intercom_media::video_encoder::VideoEncoder;
use landlock::{AccessFs, CompatLevel, Compatible, RulesetAttr};

const ONE: VisitId = VisitId(1);

fn jail_for(codec: Codec) -> (Jail, Arc<JailReports>) {
    let reports = Arc::new(JailReports::default());
    (Jail::new(codec, Program::at(env!("CARGO_BIN_EXE_intercom")), Arc::clone(&reports)), reports)
}

fn jail() -> (Jail, Arc<JailReports>) {
    jail_for(Codec::H264)
}

fn starts(reports: &JailReports, codec: Codec) -> u64 {
    reports.all().get(&codec).expect("a report").starts
}

/// A stream of grey pictures that become lighter, the first one a keyframe.
fn stream(width: usize, height: usize, frames: usize) -> Vec<Arc<[u8]>> {
    let rung = Rung {
        width: width as u32,
        height: height as u32,
        rate: FrameRate::from_fps(30.0),
        floor: Bitrate::from_kbps(100),
        max: Bitrate::from_kbps(4000),
    };
    let mut encoder = VideoEncoder::new(&rung).expect("an encoder");
    let frame = |n: usize| {
        let mut picture = I420::black(width, height);
        picture.planes_mut()[0].fill(40 + 10 * n as u8);
        let at = Duration::from_millis(33 * n as u64);
        encoder.encode(&Arc::new(picture), false, at).expect("encoded").map(|frame| frame.data)
    };
    (0..frames).filter_map(frame).collect()
}

fn luma(picture: &I420) -> u8 {
    picture.planes()[0][picture.width() * picture.height() / 2]
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().expect("kill").success());
}

/// It takes the system a moment to end it.
fn kill(pid: u32) {
    signal(pid, "KILL");
    let until = Instant::now() + Duration::from_secs(20);
    while fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
}

#[test]
fn pictures_come_out_as_they_went_in_of_several_streams_and_sizes() {
    let (mut jail, reports) = jail();
    let (small, large) = (stream(320, 240, 5), stream(642, 362, 5));
    for n in 0..5 {
        for (visit, units, size) in [(ONE, &small, (320, 240)), (VisitId(2), &large, (642, 362))] {
            let picture = jail.decode(visit, n == 0, &units[n]).expect("decoded").expect("a picture");
            assert_eq!((picture.width(), picture.height()), size);
            assert!(luma(&picture).abs_diff(40 + 10 * n as u8) < 4, "frame {n}: {}", luma(&picture));
        }
    }
    assert!(matches!(jail.decode(ONE, false, &small[0][..40]), Err(Undecoded::Broken(_)) | Ok(None)));
    assert!(jail.decode(ONE, true, &small[0]).expect("decoded").is_some());
    jail.forget(VisitId(2));
    assert!(matches!(jail.decode(VisitId(2), false, &large[1]), Err(Undecoded::Broken(_))));
    assert_eq!(starts(&reports, Codec::H264), 1);
}

#[test]
fn one_that_is_killed_at_rest_is_nobodys_fault_and_the_next_keyframe_shows() {
    let (mut jail, reports) = jail();
    let units = stream(320, 240, 3);
    assert!(jail.decode(ONE, true, &units[0]).expect("decoded").is_some());
    let first = jail.pid().expect("a process");
    kill(first);
    assert_eq!(jail.decode(ONE, false, &units[1]), Err(Undecoded::Lost { by_this: false }));
    assert!(jail.decode(ONE, true, &units[0]).expect("decoded").is_some());
    assert!(jail.pid().is_some_and(|pid| pid != first));
    assert_eq!(starts(&reports, Codec::H264), 2);
}

#[test]
fn one_that_hangs_is_replaced_and_the_picture_is_back_with_the_next_keyframe() {
    let (mut jail, reports) = jail();
    let units = stream(320, 240, 3);
    assert!(jail.decode(ONE, true, &units[0]).expect("decoded").is_some());
    let first = jail.pid().expect("a process");
    signal(first, "STOP");
    // It would never answer.
    assert_eq!(jail.decode(ONE, false, &units[1]), Err(Undecoded::Lost { by_this: true }));
    assert_eq!(reports.all()[&Codec::H264].pid, None, "nobody is told of a process that is gone");
    assert!(jail.decode(ONE, true, &units[0]).expect("decoded").is_some(), "the first keyframe shows");
    assert!(!fs::exists(format!("/proc/{first}")).expect("/proc"), "the other one is gone");
}

/// What computes for ever is told from what waits for a processor: it is noticed sooner.
#[test]
fn one_that_computes_for_ever_is_replaced_sooner_than_one_that_gets_no_processor() {
    let folder = std::env::temp_dir().join(format!("intercom-endless-jail-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let unit = &stream(320, 240, 1)[0];
    let (script, ready, picture) = (folder.join("program"), folder.join("ready"), folder.join("picture"));
    fs::write(&ready, Answer::Ready { files: true, calls: true }.to_bytes()).expect("an answer");
    fs::write(&picture, Answer::Picture { width: 32, height: 32 }.to_bytes()).expect("an answer");
    // One picture comes, and nothing after it.
    let [ready, picture] = [ready, picture].map(|file| file.display().to_string());
    let (length, least) = (ORDER_HEAD + unit.len(), "/dev/null");
    let words = format!(
        "#!/bin/sh\n/bin/cat {ready} >&0\n/bin/dd bs=1 count={length} of={least} 2>{least}\n/bin/cat {picture} >&0\nwhile :; do :; done\n"
    );
    fs::write(&script, words).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("a program");
    let mut jail = Jail::new(Codec::H264, Program::at(&script), Arc::new(JailReports::default()));
    let until = Instant::now() + Duration::from_secs(20);
    while jail.decode(ONE, true, unit) == Err(Undecoded::Lost { by_this: false }) {
        assert!(Instant::now() < until, "it begins");
    }
    let noticed_after = |jail: &mut Jail| {
        let asked = Instant::now();
        assert_eq!(jail.decode(ONE, false, unit), Err(Undecoded::Lost { by_this: true }));
        asked.elapsed()
    };
    let endless = noticed_after(&mut jail);
    let (mut jail, _) = self::jail();
    assert!(jail.decode(ONE, true, unit).expect("decoded").is_some());
    signal(jail.pid().expect("a process"), "STOP");
    let stopped = noticed_after(&mut jail);
    assert!(2 * endless < stopped, "{endless:?}, and without a processor {stopped:?}");
    fs::remove_dir_all(folder).expect("the folder");
}

/// A service manager asks every process of a service, and a terminal every process in its foreground.
#[test]
fn one_that_is_asked_to_end_ends_with_its_keeper_only() {
    let (mut jail, reports) = jail();
    let units = stream(320, 240, 4);
    assert!(jail.decode(ONE, true, &units[0]).expect("decoded").is_some());
    for (name, unit) in ["TERM", "INT", "HUP"].into_iter().zip(&units[1..]) {
        signal(jail.pid().expect("a process"), name);
        assert!(jail.decode(ONE, false, unit).expect("decoded").is_some(), "{name}");
    }
    assert_eq!(starts(&reports, Codec::H264), 1);
}

/// As on a machine that works at something else: it begins late, and answers late.
#[test]
fn one_that_is_slow_is_waited_for_and_not_replaced() {
    let folder = std::env::temp_dir().join(format!("intercom-slow-jail-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let script = folder.join("program");
    fs::write(&script, format!("#!/bin/sh\n/bin/sleep 4\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_intercom")))
        .expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("a program");
    let reports = Arc::new(JailReports::default());
    let mut jail = Jail::new(Codec::H264, Program::at(&script), Arc::clone(&reports));
    let units = stream(320, 240, 3);
    let first = Instant::now();
    let mut tries = 0;
    // What comes meanwhile is not waited for, beyond the first one.
    while jail.decode(ONE, true, &units[0]) == Err(Undecoded::Lost { by_this: false }) {
        tries += 1;
        assert!(first.elapsed() < Duration::from_secs(25), "it is shut out for being slow");
        std::thread::sleep(Duration::from_millis(33));
    }
    // Waited for as long as the first one, there would be seven.
    assert!(tries > 12, "pictures wait for it: {tries} tries");
    let pid = jail.pid().expect("a process");
    assert_eq!((starts(&reports, Codec::H264), reports.all()[&Codec::H264].pid), (1, Some(pid)));
    signal(pid, "STOP");
    let wakes = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(2));
        signal(pid, "CONT");
    });
    assert!(jail.decode(ONE, false, &units[1]).expect("decoded").is_some());
    wakes.join().expect("woken");
    assert_eq!(jail.pid(), Some(pid));
    fs::remove_dir_all(folder).expect("the folder");
}

#[test]
fn it_ends_with_its_keeper_and_one_that_cannot_start_is_no_picture() {
    let (mut jail, _) = jail();
    let unit = &stream(320, 240, 1)[0];
    assert!(jail.decode(ONE, true, unit).expect("decoded").is_some());
    let pid = jail.pid().expect("a process");
    drop(jail);
    assert!(!fs::exists(format!("/proc/{pid}")).expect("/proc"));
    let folder = std::env::temp_dir().join(format!("intercom-jail-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let (script, starts) = (folder.join("program"), folder.join("starts"));
    fs::write(&script, format!("#!/bin/sh\necho start >>'{}'\n", starts.display())).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("a program");
    for program in ["/no/such/program".as_ref(), script.as_path()] {
        let mut jail = Jail::new(Codec::H264, Program::at(program), Arc::new(JailReports::default()));
        for _ in 0..200 {
            assert_eq!(jail.decode(ONE, true, unit), Err(Undecoded::Lost { by_this: false }), "{program:?}");
        }
    }
    let starts = fs::read_to_string(starts).expect("it was started").lines().count();
    assert!(starts < 20, "it is not tried with each frame: {starts} times");
    fs::remove_dir_all(folder).expect("the folder");
}

#[test]
fn the_process_inside_has_three_descriptors_no_rights_and_its_walls() {
    // As a library would leave it that forgets to close what it opens on exec.
    let leaked = fs::File::open("/etc/passwd").expect("a file");
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).expect("a flag");
    let (mut jail, reports) = jail();
    assert!(jail.decode(ONE, true, &stream(320, 240, 1)[0]).expect("decoded").is_some());
    has_nothing_but_its_walls(jail.pid().expect("a process"), reports.all()[&Codec::H264]);
    let (mut jail, reports) = jail_for(Codec::Jpeg);
    assert!(jail.decode_jpeg(&camera::jpeg(320, 240, 90)).expect("decoded").is_some());
    has_nothing_but_its_walls(jail.pid().expect("a process"), reports.all()[&Codec::Jpeg]);
}

fn has_nothing_but_its_walls(pid: u32, report: JailReport) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.trim_start_matches(':').trim().to_owned()
    };
    assert_eq!((field("NoNewPrivs"), field("Seccomp"), field("Threads")), ("1".into(), "2".into(), "1".into()));
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(u64::from_str_radix(&field(set), 16), Ok(0), "{set}");
    }
    match fs::read(format!("/proc/{pid}/environ")) {
        Ok(environment) => assert!(environment.is_empty(), "{}", String::from_utf8_lossy(&environment)),
        // It is read by nobody but root.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
    }
    assert!(report.seccomp, "this kernel has seccomp");
    let has_landlock = landlock::Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Execute)
        .and_then(|ruleset| ruleset.create())
        .is_ok();
    assert_eq!(report.landlock, has_landlock);
}

/// Not a test: what the next one starts, to be behind the walls and try what is forbidden there.
#[test]
#[ignore = "started by another test"]
fn inside() {
    let kept = fs::File::open("/etc/passwd").expect("a file that is open already");
    raise();
    // The first descriptor to write to belongs to pictures.
    let denied = |what: &str, allowed: bool| eprintln!("{what}: {}", if allowed { "ALLOWED" } else { "denied" });
    denied("open", fs::File::open("/etc/passwd").is_ok());
    denied("create", fs::File::create("/tmp/jail-was-here").is_ok());
    denied("list", fs::read_dir("/").is_ok());
    denied("udp", std::net::UdpSocket::bind("127.0.0.1:0").is_ok());
    denied("tcp", std::net::TcpStream::connect("127.0.0.1:1").is_err_and(|e| e.raw_os_error() == Some(111)));
    denied("unix", std::os::unix::net::UnixDatagram::unbound().is_ok());
    denied("start", Command::new("/bin/true").status().is_ok());
    denied("thread", std::thread::Builder::new().spawn(|| ()).is_ok());
    denied("read a descriptor that was handed down", {
        let mut byte = [0; 1];
        rustix::io::read(&kept, &mut byte[..]).is_ok()
    });
    denied("signal", rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::CONT).is_ok());
    eprintln!("memory: {}", vec![1u8; 8 << 20].iter().map(|b| u64::from(*b)).sum::<u64>());
}

#[test]
fn whoever_has_taken_it_over_can_open_send_start_and_signal_nothing() {
    let own = std::env::current_exe().expect("this program");
    let output = Command::new(own)
        .args(["--exact", "inside", "--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .expect("run this program");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let tried: Vec<&str> = said.lines().filter(|line| line.ends_with(": denied") || line.contains("ALLOWED")).collect();
    assert_eq!(tried.len(), 10, "{said}");
    assert!(!said.contains("ALLOWED"), "{said}");
    assert!(said.contains("memory: 8388608"), "and it can still work: {said}");
}
