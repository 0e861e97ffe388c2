//! Which of the intercom's threads go first, as the kernel has them.

use std::collections::BTreeMap;
use std::process::Command;

use crate::home::Home;

/// A thread's place in the queue: the higher, the sooner. Real time begins above all others.
fn places(process: u32) -> Option<BTreeMap<String, i64>> {
    let mut places = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten() {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        // The name may have spaces in it and stands in brackets (proc_pid_stat(5)).
        let (head, tail) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let field = |number: usize| tail.split_whitespace().nth(number - 3)?.parse::<i64>().ok();
        let (nice, real_time) = (field(19)?, field(40)?);
        places.insert(name, if real_time > 0 { 100 + real_time } else { -nice });
    }
    Some(places)
}

/// Waits until every thread stands where it belongs, which each sees to itself when it begins.
fn settle(home: &Home, [live, video, rest, tv]: [i64; 4]) {
    let expected = [
        (&["loop", "microphone", "opus", "speaker"][..], live),
        (&["video-full", "video-reduced"], video),
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
    let allowed = |command: &[&str]| Command::new(command[0]).args(&command[1..]).status().is_ok_and(|s| s.success());
    let real_time = allowed(&["chrt", "--rr", "5", "true"]);
    let before = allowed(&["sh", "-c", "test \"$(nice -n -11 nice 2>/dev/null)\" = -11"]);
    let mut home = Home::new("");
    home.start(|_| ());
    let live = if real_time { 105 } else { 11 * i64::from(before) };
    settle(&home, [live, 5 * i64::from(before), 0, -5]);
}

#[test]
fn without_rights_it_runs_all_the_same_and_says_so_only_to_who_asks() {
    let mut home = Home::new("[log]\nlevel = \"debug\"\n");
    let no_rights = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "prlimit", "--rtprio=0:0", "--nice=0:0"];
    home.start_by(&no_rights);
    settle(&home, [0, 0, 0, -5]);
    let told = "thread loop runs like any other: no real time";
    home.wait("the reason", || home.log().contains(told).then_some(()));
    let lines =
        home.log().lines().filter(|line| line.contains("runs like any other")).map(str::to_owned).collect::<Vec<_>>();
    assert!(lines.len() == 6 && lines.iter().all(|line| line.contains("[DEBUG]")), "{lines:?}");
}
