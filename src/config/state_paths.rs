//! Where a home keeps its state and has its sockets: for the intercom, and for commands that look for it.

use std::path::{Path, PathBuf};

use super::reader::Reader;
use super::{ConfigErrors, Environment, chosen, read_home};

/// Where the systemd unit keeps the state, for commands that are typed at a shell beside it.
const SYSTEM_STATE: &str = "/var/lib/intercom";

/// Where the systemd unit has its sockets.
const SYSTEM_RUN: &str = "/run/intercom";

/// Where an intercom may be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatePaths {
    /// Its keys and certificates.
    pub state: PathBuf,
    /// The folder of its control socket.
    pub run: PathBuf,
    /// An intercom of another state may have its socket there.
    pub shared: bool,
}

impl StatePaths {
    /// State and sockets in one folder.
    pub fn at(folder: &Path) -> StatePaths {
        StatePaths { state: folder.to_owned(), run: folder.to_owned(), shared: false }
    }
}

/// Where a running intercom may be, best guess first, for commands that look for it. Reads only `[home]`, touches no
/// device, and is content with a config that is wrong elsewhere, or no TOML at all: the intercom may run with the last
/// good one.
///
/// # Errors
/// If the config cannot be read, or `[home]` is wrong.
pub fn state_paths(given: Option<&Path>) -> Result<Vec<StatePaths>, ConfigErrors> {
    let (text, file) = chosen(given)?;
    state_paths_with(&text, &file, &|name| std::env::var_os(name))
}

pub(super) fn state_paths_with(text: &str, file: &str, env: Environment<'_>) -> Result<Vec<StatePaths>, ConfigErrors> {
    let mut reader = Reader::new(text, file).or_else(|_| Reader::new("", file))?;
    let home = read_home(&mut reader, file, env);
    let is_auto = reader.text("home.state_dir", "", |text| Ok(text == "auto"));
    reader.verdict(file)?;
    let own = |run: &PathBuf| StatePaths {
        state: home.state_dir.clone(),
        run: run.clone(),
        shared: *run != home.state_dir && from_systemd("RUNTIME_DIRECTORY", env).as_ref() != Some(run),
    };
    let mut paths: Vec<StatePaths> = home.run_dirs.iter().map(own).collect();
    let system = Path::new(SYSTEM_STATE);
    let state = if is_auto { system } else { &home.state_dir };
    paths.push(StatePaths { state: state.to_owned(), run: PathBuf::from(SYSTEM_RUN), shared: !is_auto });
    if is_auto && home.state_dir != system {
        paths.push(StatePaths::at(system));
    }
    Ok(paths)
}

/// Folders for sockets, best first: the service manager's, the state's own, and the desktop's.
pub(super) fn run_dirs(state_dir: &Path, env: Environment<'_>) -> Vec<PathBuf> {
    let desktop = env("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let managers = from_systemd("RUNTIME_DIRECTORY", env);
    managers.into_iter().chain([state_dir.to_owned()]).chain(desktop.map(|dir| dir.join("intercom"))).collect()
}

/// systemd gives `$STATE_DIRECTORY` (several, divided by colons, if the unit asks for several); the rest is the
/// XDG Base Directory Specification, which wants relative paths ignored.
pub(super) fn auto_state_dir(env: Environment<'_>) -> Option<PathBuf> {
    let path = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    from_systemd("STATE_DIRECTORY", env)
        .or_else(|| path("XDG_STATE_HOME").map(|dir| dir.join("intercom")))
        .or_else(|| path("HOME").map(|dir| dir.join(".local/state/intercom")))
}

fn from_systemd(name: &str, env: Environment<'_>) -> Option<PathBuf> {
    let dirs = env(name)?;
    let first = dirs.to_string_lossy().split(':').next().map(PathBuf::from);
    first.filter(|dir| dir.is_absolute())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn found(text: &str, pairs: &[(&str, &str)]) -> Vec<(String, String, bool)> {
        let env = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        let paths = state_paths_with(text, "/etc/x.toml", &env).unwrap();
        let text = |path: PathBuf| path.display().to_string();
        paths.into_iter().map(|paths| (text(paths.state), text(paths.run), paths.shared)).collect()
    }

    fn paths(state: &str, run: &str, shared: bool) -> (String, String, bool) {
        (state.to_owned(), run.to_owned(), shared)
    }

    const HOME: (&str, &str) = ("HOME", "/home/ann");

    #[test]
    fn commands_find_the_state_even_if_the_config_is_wrong_elsewhere() {
        let own = "/home/ann/.local/state/intercom";
        for text in ["[video]\nfps = 1000\n[nonsense]\n", "no TOML at all"] {
            let system = [
                paths("/var/lib/intercom", "/run/intercom", false),
                paths("/var/lib/intercom", "/var/lib/intercom", false),
            ];
            assert_eq!(found(text, &[HOME]), [&[paths(own, own, false)][..], &system].concat());
        }
        let wrong = state_paths_with("[home]\nstate_dir = 3", "/etc/x.toml", &|_| Some("/x".into()));
        assert!(wrong.is_err());
    }

    #[test]
    fn sockets_are_where_the_service_manager_wants_them_then_with_the_state_then_where_the_desktop_does() {
        let all = [HOME, ("RUNTIME_DIRECTORY", "/run/a:/run/b"), ("XDG_RUNTIME_DIR", "/run/user/1000")];
        assert_eq!(
            found("[home]\nstate_dir = \"/srv/x\"", &all),
            [
                paths("/srv/x", "/run/a", false),
                paths("/srv/x", "/srv/x", false),
                paths("/srv/x", "/run/user/1000/intercom", true),
                // The service's, if its config says the same.
                paths("/srv/x", "/run/intercom", true),
            ]
        );
    }
}
