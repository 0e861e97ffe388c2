//! How many words a speech recogniser gets wrong (pocketsphinx with its American model).
//!
//! The sentences are those of a matrix test, as audiologists use them (B. Hagerman, "Sentences for testing speech
//! intelligibility in noise", 1982): a name, a verb, a number, an adjective and a thing, ten of each to choose from. The
//! recogniser knows these fifty words and their order, so that it errs as a listener does: by what it heard, not by what
//! it expects next.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::TempDir;
use crate::harness::sound::Sound;

/// What is read out.
pub const SENTENCES: [[&str; 5]; 6] = [
    ["peter", "got", "three", "large", "toys"],
    ["rachel", "prefers", "seven", "cheap", "flowers"],
    ["thomas", "sold", "four", "old", "spoons"],
    ["nina", "wants", "twelve", "green", "tables"],
    ["kathy", "ordered", "sixty", "pretty", "rings"],
    ["steven", "gives", "nine", "heavy", "mugs"],
];

const WORDS: [(&str, [&str; 10]); 5] = [
    ("name", ["peter", "kathy", "lucy", "alan", "rachel", "barry", "steven", "thomas", "hannah", "nina"]),
    ("verb", ["got", "sees", "brought", "gives", "sold", "prefers", "has", "kept", "ordered", "wants"]),
    ("number", ["three", "nine", "seven", "eight", "four", "nineteen", "two", "fifteen", "twelve", "sixty"]),
    ("adjective", ["large", "small", "old", "dark", "heavy", "green", "cheap", "pretty", "red", "white"]),
    ("thing", ["desks", "chairs", "shoes", "toys", "spoons", "mugs", "ships", "rings", "tables", "flowers"]),
];

const MODEL: &str = "/usr/share/pocketsphinx/model/en-us";

/// Part of the words that were put wrongly, left out or put in, where all sentences were heard at least once, again and
/// again and beginning anywhere. More than 1 if more was put in than was said.
pub fn word_errors(heard: &Sound) -> f64 {
    let words = recognise(heard);
    // Whichever sentence was the first that was heard whole.
    let turns = (0..SENTENCES.len()).map(|first| {
        let mut sentences = SENTENCES;
        sentences.rotate_left(first);
        errors(&sentences.concat(), &words)
    });
    turns.min().unwrap_or(usize::MAX) as f64 / SENTENCES.as_flattened().len() as f64
}

/// The words that the recogniser takes this for.
fn recognise(heard: &Sound) -> Vec<String> {
    let dir = TempDir::new("recogniser");
    let path = |name: &str| dir.path().join(name);
    heard.write_wav(&path("raw.wav"));
    // A word that is cut off in the middle is none, and must not make the rest impossible.
    let to = ["-af", "adelay=400,apad=pad_dur=0.4", "-ar", "16000", "-ac", "1", "-c:a", "pcm_s16le"];
    run(Command::new("ffmpeg").args(["-loglevel", "error", "-i"]).arg(path("raw.wav")).args(to).arg(path("heard.wav")));
    std::fs::write(path("grammar"), grammar()).expect("write the grammar");
    std::fs::write(path("list"), "heard\n").expect("write the list");
    let model = |name: &str| Path::new(MODEL).join(name);
    let mut command = Command::new("pocketsphinx_batch");
    command.arg("-hmm").arg(model("en-us")).arg("-dict").arg(model("cmudict-en-us.dict"));
    command.arg("-jsgf").arg(path("grammar")).arg("-cepdir").arg(dir.path()).arg("-ctl").arg(path("list"));
    command.args(["-beam", "1e-80", "-wbeam", "1e-60", "-pbeam", "1e-80"]);
    command.args(["-adcin", "yes", "-adchdr", "44", "-cepext", ".wav", "-hyp"]).arg(path("words"));
    run(&mut command);
    let words = std::fs::read_to_string(path("words")).expect("the recogniser's words");
    // Behind the words stand the file's name and a score in brackets; anyone who understood nothing says "(null)".
    let words = words.rsplit_once('(').map_or("", |(words, _)| words);
    words.split_whitespace().filter(|word| *word != "(null)").map(str::to_owned).collect()
}

/// Sentences of those words; the first and the last may be cut off.
fn grammar() -> String {
    let mut text = "#JSGF V1.0;\ngrammar matrix;\n".to_owned();
    for (name, words) in WORDS {
        text += &format!("<{name}> = {};\n", words.join(" | "));
    }
    text += "<sentence> = <name> <verb> <number> <adjective> <thing>;\n";
    text += "<end> = [[[<verb>] <number>] <adjective>] <thing>;\n";
    text += "<begin> = <name> [<verb> [<number> [<adjective>]]];\n";
    text + "public <all> = [<end>] <sentence>+ [<begin>];\n"
}

/// The least number of words that must be changed, left out or put in to make a part of `heard` of `said`.
fn errors(said: &[&str], heard: &[String]) -> usize {
    // Whatever was heard before and behind it costs nothing.
    let mut costs = vec![0; heard.len() + 1];
    for (row, word) in said.iter().enumerate() {
        let mut before = std::mem::replace(&mut costs[0], row + 1);
        for column in 0..heard.len() {
            let changed = before + usize::from(heard[column] != *word);
            before = costs[column + 1];
            costs[column + 1] = changed.min(before + 1).min(costs[column] + 1);
        }
    }
    costs.into_iter().min().unwrap_or(said.len())
}

/// Runs a tool to its end.
pub fn run(command: &mut Command) {
    let out = command.stdin(Stdio::null()).output();
    let out = out.unwrap_or_else(|error| panic!("{command:?}: {error}; `.ci/prepare test` installs it"));
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
}
