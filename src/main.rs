//! Command line, exit code, wiring of threads and channels; nothing else.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use intercom::cli::{self, Command};
use intercom::config::{self, Config};
use intercom::shell::run;

fn main() -> ExitCode {
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
            Ok(config) => say(&config.summary()),
            Err(code) => code,
        },
        Command::Run { config, no_link } => match load(config.as_deref()) {
            Ok(config) => start(config, !no_link),
            Err(code) => code,
        },
        Command::Link { .. } => cli::FAILED,
    }
}

fn say(text: &str) -> u8 {
    println!("{}", text.trim_end());
    cli::DONE
}

fn load(path: Option<&Path>) -> Result<Config, u8> {
    config::load_chosen(path).map_err(|errors| {
        eprintln!("{errors}");
        cli::WRONG
    })
}

fn start(config: Config, print_links: bool) -> u8 {
    let level = config.log_level;
    let format = simplelog::ConfigBuilder::new().set_time_format_rfc3339().set_thread_level(level).build();
    let _ = simplelog::WriteLogger::init(level, format, std::io::stderr());
    match run::run(config, print_links) {
        Ok(()) => cli::DONE,
        Err(error) => {
            eprintln!("intercom: {error}");
            cli::FAILED
        }
    }
}
