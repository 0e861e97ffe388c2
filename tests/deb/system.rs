//! A small system of this machine's own release, made of the distribution's packages, to install ours into.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One in a folder, which goes with it.
pub struct System {
    root: PathBuf,
}

/// Why there can be none here.
pub fn possible() -> Result<(), String> {
    for (tool, purpose) in
        [("dpkg-deb", "packages"), ("mmdebstrap", "making the system; `.ci/prepare test` installs it")]
    {
        let found = Command::new(tool).arg("--version").stdout(Stdio::null()).status();
        found.map_err(|e| format!("`{tool}` is needed for {purpose}: {e}"))?;
    }
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if codename(&release).is_none() {
        return Err("this is a release without a name, from which no system can be made".into());
    }
    let out = inside().arg("true").output().map_err(|e| format!("unshare: {e}"))?;
    let error = String::from_utf8_lossy(&out.stderr).trim().to_owned();
    if out.status.success() { Ok(()) } else { Err(format!("it needs root or user namespaces: {error}")) }
}

impl System {
    /// A new one that has what a package needs, as its field `Depends` says.
    pub fn new(folder: &Path, needs: &str) -> System {
        let archive = archive(folder, needs);
        let root = folder.join("root");
        let made = System { root };
        made.erase();
        fs::create_dir_all(&made.root).expect("make the system's folder");
        output(inside().args(["tar", "-x", "--numeric-owner", "-f"]).arg(archive).arg("-C").arg(&made.root));
        made
    }

    /// Runs a line of the shell inside and gives its output; it must go well, and nobody answers its questions.
    pub fn run(&self, line: &str) -> String {
        const ENTER: &str = "mount --rbind /dev \"$0/dev\" && mount -t proc proc \"$0/proc\" && exec chroot \"$0\" \
            /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 sh -c \"$1\"";
        output(inside().args(["sh", "-c", ENTER]).arg(&self.root).arg(line))
    }

    /// Installs a package's file.
    pub fn install(&self, package: &Path) {
        const COPY: &str = "cp \"$0\" \"$1/tmp/package.deb\"";
        output(inside().args(["sh", "-c", COPY]).arg(package).arg(&self.root));
        self.run("dpkg --install /tmp/package.deb && rm /tmp/package.deb");
    }

    /// All files with this in their names, and links to such.
    pub fn named(&self, what: &str) -> String {
        self.run(&format!("find / -xdev \\( -iname '*{what}*' -o -lname '*{what}*' \\) | sort"))
    }

    fn erase(&self) {
        output(inside().args(["rm", "-rf"]).arg(&self.root));
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.erase();
    }
}

/// Runs a command to its end and gives its output; it must go well.
pub fn output(command: &mut Command) -> String {
    let out = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let [said, errors] = [&out.stdout, &out.stderr].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    assert!(out.status.success(), "{command:?}: {}\n{said}\n{errors}", out.status);
    said
}

/// Whatever is run by this sees mounts and processes of its own, and is root there.
fn inside() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child"]);
    if !rustix::process::getuid().is_root() {
        command.args(["--map-root-user", "--map-auto"]);
    }
    command
}

/// The system as an archive; it is made when there is none yet for these needs.
fn archive(folder: &Path, needs: &str) -> PathBuf {
    let release = codename(&fs::read_to_string("/etc/os-release").unwrap_or_default()).unwrap_or_default();
    // Of `libc6 (>= 2.35) | other` the first name.
    let names = needs.split(',').filter_map(|need| need.split_whitespace().next());
    let names = names.collect::<Vec<_>>().join(",");
    let archive = folder.join(format!("{release}.tar"));
    let label = folder.join(format!("{release}.needs"));
    if archive.exists() && fs::read_to_string(&label).is_ok_and(|made| made == names) {
        return archive;
    }
    println!("making a system of {release} with {names}");
    let mut command = Command::new("mmdebstrap");
    command.args(["--quiet", "--variant=essential", "--format=tar", &format!("--include={names}"), &release]);
    let mut made = command.arg(&archive).arg("-").stdin(Stdio::piped()).spawn().expect("start mmdebstrap");
    made.stdin.take().expect("stdin is piped").write_all(sources().as_bytes()).expect("hand over the sources");
    let status = made.wait().expect("wait for mmdebstrap");
    assert!(status.success(), "{command:?}: {status}");
    fs::write(label, names).expect("note what the system has");
    archive
}

/// Where this machine's own packages come from, as lines of apt's.
fn sources() -> String {
    const FORMAT: &str = "$(ORIGIN) deb [signed-by=KEYRING] $(REPO_URI) $(RELEASE) $(COMPONENT)";
    let all = output(Command::new("apt-get").args(["indextargets", "--format", FORMAT, "Created-By: Packages"]));
    let lines = all.lines().filter_map(|line| {
        let (origin, source) = line.split_once(' ')?;
        let keyring = match origin {
            "Debian" => "/usr/share/keyrings/debian-archive-keyring.gpg",
            "Ubuntu" => "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
            _ => return None,
        };
        Some(format!("{}\n", source.replace("KEYRING", keyring)))
    });
    lines.collect()
}

/// `trixie`, of the lines of `/etc/os-release`.
fn codename(release: &str) -> Option<String> {
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(name.trim_matches('"').to_owned()).filter(|name| !name.is_empty())
}
