//! Which of the intercom's threads go first, as the kernel has them.

use std::collections::BTreeMap;
use std::process::Command;

use crate::home::Home;

/// A thread's place in the queue: the higher, the sooner. Real time begins above all others.
fn places(process: u32) -> Option<BTreeMap<String, i64>> {
    let mut places = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten() {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        let (name, [_, real_time, nice]) = standing(&stat)?;
        places.insert(name, if real_time > 0 { 100 + real_time } else { -nice });
    }
    Some(places)
}

/// Of a thread or process: its name; policy, real-time priority and nice value (proc_pid_stat(5)).
fn standing(stat: &str) -> Option<(String, [i64; 3])> {
    // The name may have spaces in it and stands in brackets.
    let (head, tail) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let field = |number: usize| tail.split_whitespace().nth(number - 3)?.parse::<i64>().ok();
    Some((name, [field(41)?, field(40)?, field(19)?]))
}

/// Where the system lets threads stand.
fn allowed() -> [i64; 4] {
    let allowed = |command: &[&str]| Command::new(command[0]).args(&command[1..]).status().is_ok_and(|s| s.success());
    let real_time = allowed(&["chrt", "--rr", "5", "true"]);
    let before = allowed(&["sh", "-c", "test \"$(nice -n -11 nice 2>/dev/null)\" = -11"]);
    let live = if real_time { 105 } else { 11 * i64::from(before) };
    [live, 5 * i64::from(before), 0, -5]
}

/// Waits until every thread stands where it belongs, which each sees to itself when it begins.
fn wait_for_priorities(home: &Home, [live, video, rest, tv]: [i64; 4]) {
    let expected = [
        (&["loop", "microphone", "opus", "speaker"][..], live),
        (&["video-first", "video-second", "video-third", "video-frosted"], video),
        (&["camera", "gateway", "pages", "control", "addresses"], rest),
        (&["pictures", "tv"], tv),
    ];
    home.wait(&format!("{expected:?}"), || {
        let places = places(home.id())?;
        let settled = |(names, place): &(&[&str], i64)| names.iter().all(|name| places.get(*name) == Some(place));
        expected.iter().all(settled).then_some(())
    });
}

#[test]
fn sound_and_network_go_before_video_and_video_before_the_tv() {
    let mut home = Home::new("");
    home.start(|_| ());
    wait_for_priorities(&home, allowed());
}

#[test]
fn a_command_that_a_sound_thread_starts_does_not_go_before_others() {
    let script = "cat /proc/self/stat >{}/child.part; mv {}/child.part {}/child; exec cat /dev/zero";
    let command = format!("command = [\"sh\", \"-c\", \"{script}\"]");
    let mut home = Home::new(&format!("[microphone]\ndriver = \"exec\"\n[microphone.exec]\n{command}\n"));
    home.start(|_| ());
    let stat = home.wait("the command", || std::fs::read_to_string(home.at("child")).ok());
    let (_, [policy, real_time, nice]) = standing(&stat).expect("a line of /proc");
    assert_eq!([policy, real_time, nice], [0, 0, 0], "{stat}");
    // The thread that started it stands where it always does.
    wait_for_priorities(&home, allowed());
}

#[test]
fn without_rights_it_runs_all_the_same_and_says_so_only_to_who_asks() {
    let mut home = Home::new("[log]\nlevel = \"debug\"\n");
    let no_rights = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "prlimit", "--rtprio=0:0", "--nice=0:0"];
    home.start_by(&no_rights);
    wait_for_priorities(&home, [0, 0, 0, -5]);
    let told = "thread loop runs like any other: no real time";
    home.wait("the reason", || home.log().contains(told).then_some(()));
    let lines =
        home.log().lines().filter(|line| line.contains("runs like any other")).map(str::to_owned).collect::<Vec<_>>();
    assert!(lines.len() == 8 && lines.iter().all(|line| line.contains("[DEBUG]")), "{lines:?}");
}
