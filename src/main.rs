//! Command line, exit code, wiring of threads and channels; nothing else.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use intercom::cli::{self, Command};
use intercom::config::{self, ChosenConfig, Config, StatePaths};
use intercom::shell::devices::ZONE;
use intercom::shell::house_file::HouseFile;
use intercom::shell::key_file::KeyFile;
use intercom::shell::run::RunOptions;
use intercom::shell::{
    backup, checkup, control, fonts, jail, journal, name_publisher, notice_board, prepare, run, settings_files, tls,
    update, wifi,
};
use intercom_core::people::edit::{Edit, Setting};
use intercom_core::people::register::Wish;
use intercom_core::tv::message::Message;

fn main() -> ExitCode {
    // Started by ourselves, to be the process that decodes strangers' pictures; nothing else of this program runs there.
    let mut arguments = std::env::args().skip(1);
    if arguments.next().is_some_and(|argument| argument == jail::ARGUMENT) {
        let codec = arguments.next().and_then(|word| jail::Codec::of_word(&word));
        return match codec.map(jail::serve) {
            Some(Ok(())) => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        };
    }
    let command = match cli::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(cli::WRONG);
        }
    };
    ExitCode::from(execute(command))
}

fn execute(command: Command) -> u8 {
    match command {
        Command::Help(text) => say(text),
        Command::Version => say(cli::VERSION),
        Command::Drivers => say(&config::drivers().listing()),
        Command::Check { config } => match load(config.as_deref()) {
            Ok(config) => say(&checked(&config)),
            Err(code) => code,
        },
        Command::Doctor { config, json } => match checkup::examine(config.as_deref()) {
            Ok(found) => {
                say(&if json { found.json().to_string() } else { found.text() });
                if found.is_well() { cli::DONE } else { cli::FAILED }
            }
            Err(errors) => {
                eprintln!("{errors}");
                cli::WRONG
            }
        },
        Command::Run { config, no_link, last_good, notices, invite_key } => {
            match choose_config(config.as_deref(), last_good.as_deref()) {
                Ok(chosen) => {
                    start(chosen, RunOptions { print_links: !no_link, notices, invite_key, ..Default::default() })
                }
                Err(code) => code,
            }
        }
        Command::Settings { from, to } => match settings_files::apply(&from, &to, Path::new(settings_files::ZONES)) {
            Ok(mistakes) => {
                mistakes.iter().for_each(|mistake| journal::complain(mistake));
                cli::DONE
            }
            Err(error) => complain(cli::FAILED, &format!("intercom: {error}")),
        },
        Command::Name { from, to } => name_publisher::follow(&from, &to),
        Command::Wifi { interface, folder } => match wifi::join(Path::new(wifi::SUPPLICANT), &interface, &folder) {
            Ok(()) => cli::DONE,
            Err(error) => complain(cli::FAILED, &format!("intercom: {error}")),
        },
        Command::Update { confirm: true, .. } => confirm_update(),
        Command::Update { source, restart, config, last_good, .. } => {
            install_update(source, restart, config.as_deref(), last_good.as_deref())
        }
        Command::People { person, edit, json, config } => told(people(person, edit, json, config.as_deref())),
        Command::SavePeople { folder, config } => told(save_people(&folder, config.as_deref())),
        Command::RestorePeople { folder, config } => told(restore_people(&folder, config.as_deref())),
        Command::Stick { folder, notice, config } => told(stick(&folder, &notice, config.as_deref())),
        Command::Mute { off, config } => {
            let words = if off { "home's microphone is open" } else { "home's microphone is muted" };
            told(switch(words, |paths| control::mute(paths, !off), config.as_deref()))
        }
        Command::Visits { erase, json, config } => told(visits(erase, json, config.as_deref())),
        Command::Call { person, config } => told(call(person, config.as_deref())),
        Command::Curtain { off, config } => {
            let words = if off { "the curtain is open" } else { "the curtain is drawn: nobody sees or hears home" };
            told(switch(words, |paths| control::curtain(paths, !off), config.as_deref()))
        }
        Command::Status { config } => match ask(config.as_deref(), &control::Request::Status {}) {
            Ok(answer) => say(&format!("{answer:#}")),
            Err((code, why)) => complain(code, &why),
        },
        Command::Reset { config } => told(reset(config.as_deref())),
        Command::Link { revoke, tv, wish, config } => match link(revoke, tv, wish, config.as_deref()) {
            Ok(()) => cli::DONE,
            Err((code, why)) => complain(code, &why),
        },
    }
}

/// The config's summary, and what is wrong with the certificates, language and names that it leads to.
fn checked(config: &Config) -> String {
    let mut text = config.summary();
    for warning in &config.warnings {
        text = format!("{}\n{warning}", text.trim_end());
    }
    if config.tls.is_none() {
        let public = config.network.public_address.as_ref().map(|public| public.host.as_str());
        for problem in tls::problems(&config.home.state_dir, public) {
            text = format!("{}\n{problem}", text.trim_end());
        }
    }
    let house = HouseFile::in_dir(&config.home.state_dir);
    let report = house.report();
    if !report.replaces.is_empty() {
        let keys = report.replaces.join(", ");
        text = format!("{}\nset by an owner on a page, which goes before this file: {keys}", text.trim_end());
    }
    if let Some(problem) = report.problem {
        text = format!("{}\n{problem}; that does not count until it is corrected", text.trim_end());
    }
    let set = house.read().unwrap_or_default();
    if let Some(problem) = fonts::missing_language(set.language.unwrap_or(config.home.language)) {
        text = format!("{}\n{problem}", text.trim_end());
    }
    let home = match &set.name {
        Some(name) => ("house.toml: name".to_owned(), name.as_str()),
        None => ("[home] name".to_owned(), config.home.name.as_str()),
    };
    // Who may not read the keys is told of the home's name only.
    let people = KeyFile::in_dir(&config.home.state_dir).load().unwrap_or_default();
    let names = people.names().map(|(number, name)| (format!("person {number}"), name));
    for (whose, name) in std::iter::once(home).chain(names) {
        if let Some(problem) = fonts::complaint(&whose, name) {
            text = format!("{}\n{problem}", text.trim_end());
        }
    }
    text
}

/// Installs an update from `source` or the config's address.
fn install_update(source: Option<String>, restart: bool, path: Option<&Path>, last_good: Option<&Path>) -> u8 {
    journal::log_to_stderr(log::LevelFilter::Info);
    let appliance = match update::Appliance::here() {
        Ok(appliance) => appliance,
        Err(error) => return complain(cli::FAILED, &format!("intercom: {error}")),
    };
    let source = match source {
        Some(source) => source,
        None => match choose_config(path, last_good) {
            Ok(ChosenConfig { config: Config { update_url: Some(url), .. }, .. }) => url,
            Ok(_) => return say("the config has no [update] url"),
            Err(code) => return code,
        },
    };
    let result = appliance.install(&source).map_err(|e| e.to_string()).and_then(|version| {
        say(&format!("version {version} is installed; the next start is its first"));
        if !restart {
            return Ok(());
        }
        // An intercom that does not run keeps nobody from anything.
        let visits = |answer: serde_json::Value| answer["visits"].as_array().map(|visits| visits.len() as u64);
        update::restart(|| ask(path, &control::Request::Status {}).ok().and_then(visits))
    });
    match result {
        Ok(()) => cli::DONE,
        Err(why) => complain(cli::FAILED, &format!("intercom: {source}: {why}")),
    }
}

/// Tells what became of the last update.
fn confirm_update() -> u8 {
    match update::Appliance::here().and_then(|appliance| appliance.confirm()) {
        Ok(outcome) => say(&outcome.map_or_else(|| "nothing was updated".to_owned(), |outcome| outcome.to_string())),
        Err(error) => complain(cli::FAILED, &format!("intercom: {error}")),
    }
}

fn complain(code: u8, why: &str) -> u8 {
    journal::complain(why);
    code
}

/// Asks the running intercom, wherever it is.
fn ask(path: Option<&Path>, request: &control::Request) -> Result<serde_json::Value, (u8, String)> {
    let all_paths = all_paths(path)?;
    let answer = control::find(&all_paths).and_then(|paths| control::ask(&paths.run, request));
    answer.map_err(|error| failed(error.to_string()))
}

fn all_paths(path: Option<&Path>) -> Result<Vec<StatePaths>, (u8, String)> {
    config::state_paths(path).map_err(|errors| (cli::WRONG, errors.to_string()))
}

/// Those of the intercom that runs, and whether one does; else those whose state directory is there, else where the next one will look.
fn chosen_paths(all: &[StatePaths]) -> Result<(&StatePaths, bool), (u8, String)> {
    if let Ok(running) = control::find(all) {
        return Ok((running, true));
    }
    let there = all.iter().find(|paths| paths.state.is_dir());
    let paths = there.or(all.first()).ok_or_else(|| failed("no state directory".to_owned()))?;
    Ok((paths, false))
}

fn failed(why: String) -> (u8, String) {
    (cli::FAILED, format!("intercom: {why}"))
}

/// Makes a link and prints it, has the TV show a code, or ends a person or a key; through the running intercom if there is
/// one.
fn link(revoke: Option<u64>, tv: bool, wish: Wish, path: Option<&Path>) -> Result<(), (u8, String)> {
    let all_paths = all_paths(path)?;
    let running = control::find(&all_paths).ok();
    // The one where an intercom runs, else where the next one will look.
    let Some(paths) = running.or(all_paths.first()) else {
        return Err(failed("no state directory".into()));
    };
    if let Some(number) = revoke {
        let kept = control::revoke(paths, number).map_err(failed)?;
        println!("number {number} is revoked, and its visits are over");
        if !kept {
            println!(
                "the disk does not take that: mend it and revoke the number again, or it opens after the next start"
            );
        }
        return Ok(());
    }
    if let Some(complaint) = wish.name.as_deref().and_then(|name| fonts::complaint("--name", name)) {
        println!("{complaint}");
    }
    if tv {
        let links = control::new_code(paths, wish.name.as_deref(), wish.role).map_err(failed)?;
        println!("the TV shows this code for ten minutes; one phone can use it once");
        return prepare::print_links(&mut std::io::stdout().lock(), &links).map_err(|e| failed(e.to_string()));
    }
    // One that runs knows its own port, whatever the config says by now.
    let network = match running {
        Some(_) => None,
        None => Some(config::load_chosen(path).map_err(|errors| (cli::WRONG, errors.to_string()))?.network),
    };
    let (port, public) = network.as_ref().map_or((0, None), |network| (network.port, network.public_address.as_ref()));
    let (days, devices) = (wish.days, wish.devices);
    let new = control::new_link(paths, wish, port, public).map_err(failed)?;
    let number = new.person;
    let count = |n: u64, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    println!(
        "person {number}: open it within {}; it is good for {} within a day of that; `intercom link --revoke {number}` ends it",
        count(days, "day"),
        count(devices, "device")
    );
    if !new.running {
        println!("no intercom runs here now; the link works as soon as one does");
    }
    if !new.kept {
        println!("the disk does not take it: it works until the intercom is restarted");
    }
    prepare::print_links(&mut std::io::stdout().lock(), &new.links).map_err(|e| failed(e.to_string()))
}

/// Prints what was done, or why it was not.
fn told(done: Result<String, (u8, String)>) -> u8 {
    match done {
        Ok(said) => say(&said),
        Err((code, why)) => complain(code, &why),
    }
}

/// Sets the mute or the curtain, and says how it is then, in these words.
fn switch(
    words: &str,
    set: impl FnOnce(&StatePaths) -> Result<control::SwitchDone, String>,
    path: Option<&Path>,
) -> Result<String, (u8, String)> {
    let all_paths = all_paths(path)?;
    let (paths, _) = chosen_paths(&all_paths)?;
    let done = set(paths).map_err(failed)?;
    let (not_kept, later) =
        ("the disk does not keep that: a restart may undo it", "no intercom runs here now; the next one starts so");
    Ok(match (done.running, done.kept) {
        (true, true) => words.to_owned(),
        (true, false) => format!("{words}\n{not_kept}"),
        (false, _) => format!("{words}\n{later}"),
    })
}

/// Changes a person, if that is wanted, and tells of them, or of everybody.
fn people(person: Option<u64>, edit: Edit, json: bool, path: Option<&Path>) -> Result<String, (u8, String)> {
    let all_paths = all_paths(path)?;
    let (paths, running) = chosen_paths(&all_paths)?;
    let mut notes = Vec::new();
    if let Some(number) = person.filter(|_| !edit.is_empty()) {
        if let Some(Setting::To(name)) = &edit.name {
            notes.extend(fonts::complaint("--name", name));
        }
        let done = control::edit(paths, number, edit).map_err(failed)?;
        if done.ownerless {
            notes.push(
                "Home has no owner any more: nobody can change people on a page. \
                 `intercom people N --role owner` makes one, and so does the key for a new phone, held for five seconds."
                    .to_owned(),
            );
        }
        if !done.kept {
            notes.push("The disk does not keep that: it holds until the intercom is restarted.".to_owned());
        }
    }
    let mut list = control::people(paths).map_err(failed)?;
    if let Some(number) = person {
        let numbers: Vec<u64> = list.people.iter().map(|one| one.number).collect();
        list.people.retain(|one| one.number == number);
        if list.people.is_empty() {
            return Err(failed(control::no_such_person(number, &numbers)));
        }
    }
    if json {
        return Ok(cli::people::json(&list));
    }
    if !running {
        notes.push("No intercom runs here now.".to_owned());
    }
    let zone = std::fs::read(ZONE).unwrap_or_default();
    let table = cli::people::table(&list, |unix| cli::people::local_time(&zone, unix));
    Ok(notes.into_iter().fold(table, |text, note| text + &note + "\n"))
}

/// Where an intercom runs, or has its state.
fn state_paths(path: Option<&Path>) -> Result<StatePaths, (u8, String)> {
    let all_paths = all_paths(path)?;
    let there = || all_paths.iter().find(|paths| paths.state.is_dir());
    let found = control::find(&all_paths).ok().or_else(there).or(all_paths.first());
    found.cloned().ok_or_else(|| failed("no state directory".to_owned()))
}

/// Saves people, and says where.
fn save_people(folder: &Path, path: Option<&Path>) -> Result<String, (u8, String)> {
    let (saved, people) = backup::command::save(&state_paths(path)?, folder).map_err(failed)?;
    Ok(format!("saved in {}: {}", saved.display(), cli::people::count(people)))
}

/// Restores people, and says what that did.
fn restore_people(folder: &Path, path: Option<&Path>) -> Result<String, (u8, String)> {
    journal::log_to_stderr(log::LevelFilter::Warn);
    let done = backup::command::restore(&state_paths(path)?, folder).map_err(failed)?;
    let when = if done.now { "" } else { ", with the next start of the intercom" };
    let then = match done.ran {
        control::Ran::No => "No intercom runs here now.",
        control::Ran::AsService => "The service starts the intercom again.",
        control::Ran::ByHand => "The intercom has ended for it; start it again with `intercom run`.",
    };
    let people = cli::people::count(done.people);
    Ok(format!("restored from {}: {people}{when}\n{then}", done.from.display()))
}

/// Saves people on a stick or restores them, and leaves word for the TV.
fn stick(folder: &Path, notice: &Path, path: Option<&Path>) -> Result<String, (u8, String)> {
    journal::log_to_stderr(log::LevelFilter::Info);
    // A config that is wrong has the intercom run with other settings; then it is where the image has it.
    let paths = state_paths(path).or_else(|_| state_paths(None))?;
    let (Some(notices), Some(name)) = (notice.parent(), notice.file_name().and_then(|name| name.to_str())) else {
        return Err(failed(format!("{}: no file can have that name", notice.display())));
    };
    let tell = |message: &Message| {
        notice_board::leave(notices, name, Some(message)).map_err(|e| failed(format!("{}: {e}", notice.display())))
    };
    // This is so if nothing follows.
    tell(&Message::PeoplePulled)?;
    let done = backup::stick::handle(&paths, folder, &backup::command::stamp());
    tell(&done)?;
    if done == Message::PeopleRestored {
        backup::command::take_effect(&paths.state, &paths.run).map_err(failed)?;
    }
    Ok(done.english())
}

/// Tells who visited, or forgets it.
fn visits(erase: bool, json: bool, path: Option<&Path>) -> Result<String, (u8, String)> {
    let all_paths = all_paths(path)?;
    let (paths, _) = chosen_paths(&all_paths)?;
    if erase {
        return control::erase_visits(paths).map(|()| "the visit log is erased".to_owned()).map_err(failed);
    }
    let visits = control::visits(paths).map_err(failed)?;
    if json {
        return serde_json::to_string_pretty(&visits).map_err(|e| failed(e.to_string()));
    }
    let zone = std::fs::read(ZONE).unwrap_or_default();
    Ok(cli::visits::table(&visits, |unix| cli::people::local_time(&zone, unix)))
}

/// Calls somebody.
fn call(person: Option<u64>, path: Option<&Path>) -> Result<String, (u8, String)> {
    let all_paths = all_paths(path)?;
    let paths = control::find(&all_paths).map_err(|e| failed(e.to_string()))?;
    let ringing = control::call(paths, person).map_err(failed)?;
    Ok(match ringing {
        0 => "home calls; no page is open that could ring".to_owned(),
        1 => "home calls; 1 page rings".to_owned(),
        pages => format!("home calls; {pages} pages ring"),
    })
}

/// Makes the home as on its first day, and says what that did.
fn reset(path: Option<&Path>) -> Result<String, (u8, String)> {
    let all_paths = all_paths(path)?;
    let (paths, _) = chosen_paths(&all_paths)?;
    let done = control::reset(paths).map_err(failed)?;
    let people = if done.people == 1 { "1 person".to_owned() } else { format!("{} people", done.people) };
    let then = match done.ran {
        control::Ran::No => "No intercom runs here now.",
        control::Ran::AsService => "All visits are over; the service starts the intercom again.",
        control::Ran::ByHand => "All visits are over, and the intercom has ended; start it again with `intercom run`.",
    };
    Ok(format!(
        "This home is as on its first day: {people}, their devices and links and the certificate are gone. The settings stay.\n{then}"
    ))
}

fn say(text: &str) -> u8 {
    // Anyone who reads only the beginning, as `head` does, has what they wanted.
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
    cli::DONE
}

fn load(path: Option<&Path>) -> Result<Config, u8> {
    config::load_chosen(path).map_err(|errors| {
        journal::complain(&errors.to_string());
        cli::WRONG
    })
}

/// What runs, and what is to be told of its config.
fn choose_config(path: Option<&Path>, last_good: Option<&Path>) -> Result<ChosenConfig, u8> {
    match last_good {
        None => Ok(ChosenConfig { config: load(path)?, mistakes: Vec::new(), keep: None, trial: None }),
        Some(last_good) => config::load_or_last_good(path, last_good).map_err(|errors| {
            journal::complain(&errors.to_string());
            cli::WRONG
        }),
    }
}

fn start(chosen: ChosenConfig, options: RunOptions) -> u8 {
    let ChosenConfig { config, mistakes, keep, trial } = chosen;
    let level = config.log_level;
    journal::log_to_stderr(level);
    match run::run(config, RunOptions { mistakes, keep, trial, ..options }) {
        Ok(()) => cli::DONE,
        Err(error) => {
            journal::complain(&format!("intercom: {error}"));
            cli::FAILED
        }
    }
}
