//! A machine of QEMU's with the stock kernel's virtual camera, sound card and screen, told what to do over a serial line.
#![allow(dead_code, reason = "tests and bench each use their part")]

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::harness::ports::free_port;
use crate::harness::{TempDir, artefacts, wait};

/// A guest runs some twenty times slower than its host.
pub const BOOT: Duration = Duration::from_secs(240);

/// By its own clock the kernel is alone for so long, in seconds.
const KERNEL_ALONE: f64 = 10.0;

/// Builds the guest if it must be built; the folder of kernel and initramfs.
pub fn build() -> PathBuf {
    let binary = env!("CARGO_BIN_EXE_intercom");
    let folder = Path::new(binary).parent().and_then(Path::parent).expect("the target folder").join("guest");
    let status = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/build"))
        .args([folder.as_os_str(), binary.as_ref()])
        .status()
        .expect("run tests/guest/build");
    assert!(status.success(), "tests/guest/build could not build the guest");
    folder
}

/// What a machine's seconds are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The host's, on two processors.
    Host,
    /// 10⁹ instructions, one after the other.
    Instructions,
}

/// What an appliance is started with.
#[derive(Clone, Copy)]
pub struct Parts {
    pub clock: Clock,
    /// Camera, microphone and speaker are there from the start.
    pub devices: bool,
    /// The disk takes nothing.
    pub read_only: bool,
}

impl Default for Parts {
    fn default() -> Parts {
        Parts { clock: Clock::Host, devices: true, read_only: false }
    }
}

/// A running machine; switched off when dropped.
pub struct Machine {
    process: Child,
    shell: BufReader<UnixStream>,
    folder: TempDir,
    /// The guest's port 8443 as the host reaches it, TCP and UDP.
    pub port: u16,
    began: Instant,
    /// How many USB sticks were plugged in so far.
    sticks: u32,
    /// Disk and visitor of an appliance.
    appliance: Option<(PathBuf, PathBuf)>,
}

impl Machine {
    /// Starts it with a screen of this kind (`VGA` for bochs-drm, `virtio-vga`), and waits until it takes commands.
    pub fn start(image: &Path, screen: &str) -> Machine {
        Machine::ready(BOOT, || Machine::begin(image, screen))
    }

    /// Switches a machine on, and waits until it takes commands.
    ///
    /// On a busy host QEMU's emulation of two processors now and then fails in the kernel's first seconds, one start in fifteen: the kernel
    /// rewrites a branch of its own code (a static key), the other processor runs into that, and the kernel panics, or the emulation
    /// ends without a word. Nothing of ours runs by then. That is told, and the machine is switched on again, twice at most. Another
    /// panic of that kind is shut out: the emulated timer may tick too late for its check, so none is made (`no_timer_check`).
    pub fn ready(limit: Duration, switch_on: impl Fn() -> Machine) -> Machine {
        let mut tries = 1;
        loop {
            let mut machine = switch_on();
            let Err(gone) = machine.try_answer(limit, "boot") else { return machine };
            assert!(tries < 3 && machine.ended_unasked(), "{gone}");
            eprintln!("!! switched on again: {gone}");
            tries += 1;
        }
    }

    fn begin(image: &Path, screen: &str) -> Machine {
        let folder = TempDir::new("guest");
        let port = free_port();
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "768"])
            .args(["-display", "none", "-nodefaults", "-no-reboot", "-device", screen])
            .arg("-kernel")
            .arg(image.join("kernel"))
            .arg("-initrd")
            .arg(image.join("initramfs"))
            .args(["-append", "console=ttyS0 quiet mitigations=off panic=1 random.trust_cpu=on no_timer_check"])
            .args(["-device", "virtio-rng-pci"]);
        Machine::launch(command, folder, port, true)
    }

    /// Starts a disk with the image on it as a UEFI firmware does, and hands over what is on the disk `visitor`, but does not
    /// wait for it. The image itself is left as it is: QEMU's firmware tables ask it to start the visitor.
    pub fn appliance(disk: &Path, visitor: &Path, port: u16, parts: Parts) -> Machine {
        const UNIT: &str = "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/usr/bin/busybox sh -c \"mkdir -p /run/visitor && \
                            busybox tar -x -C /run/visitor -f /dev/vdb && exec busybox sh /run/visitor/start\"\n";
        // Where a second is a twentieth of one, ten of them without a word from the TV's thread are no fault. Other tests
        // judge the watchdog.
        const SLOW: &str = "[Service]\nWatchdogSec=0\n";
        const TRIAL: &str = "[Service]\nEnvironment=GOOD=5 WITHIN=75\n";
        let folder = TempDir::new("guest");
        let at = |name: &str| folder.path().join(name).display().to_string();
        let firmware = Path::new("/usr/share/OVMF");
        fs::copy(firmware.join("OVMF_VARS_4M.fd"), at("variables")).expect("the firmware's variables; install ovmf");
        let firmware = firmware.join("OVMF_CODE_4M.fd");
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-machine", "q35", "-m", "1024"])
            .args(match parts.clock {
                Clock::Host => ["-cpu", "max", "-accel", "tcg,thread=multi", "-smp", "2"],
                Clock::Instructions => {
                    ["-cpu", "max,-hypervisor", "-accel", "tcg,thread=single", "-icount", "shift=0"]
                }
            })
            .args(["-display", "none", "-nodefaults", "-no-reboot", "-device", "VGA", "-device", "qemu-xhci,id=usb"])
            .args(["-drive", &format!("if=pflash,format=raw,readonly=on,file={}", firmware.display())])
            .args(["-drive", &format!("if=pflash,format=raw,file={}", at("variables"))])
            .args(["-drive", &format!("if=virtio,format=raw,readonly={},file={}", switch(parts.read_only), disk.display())])
            .args(["-drive", &format!("if=virtio,format=raw,readonly=on,file={}", visitor.display())])
            // A watchdog of the mainboard that may restart the machine.
            .args(["-global", "ICH9-LPC.noreboot=false"])
            .args(["-object", &format!("filter-dump,id=wire,netdev=net,file={}", at("wire"))])
            .arg("-smbios")
            .arg(format!(
                "type=11,value=io.systemd.stub.kernel-cmdline-extra=console=ttyS0 systemd.wants=visitor.service mitigations=off no_timer_check{}",
                if parts.devices { "" } else { " visitor.bare" }
            ))
            .arg("-smbios")
            .arg(format!("type=11,value=io.systemd.credential.binary:systemd.extra-unit.visitor.service={}", STANDARD.encode(UNIT)))
            .arg("-smbios")
            .arg(format!("type=11,value=io.systemd.credential.binary:systemd.unit-dropin.intercom.service~slow={}", STANDARD.encode(SLOW)))
            .arg("-smbios")
            .arg(format!("type=11,value=io.systemd.credential.binary:systemd.unit-dropin.appliance-keep.service~slow={}", STANDARD.encode(TRIAL)))
            .args(["-device", "virtio-rng-pci"]);
        let mut machine = Machine::launch(command, folder, port, parts.devices);
        machine.appliance = Some((disk.to_owned(), visitor.to_owned()));
        machine
    }

    /// Adds what all machines have: serial lines, a network, a monitor to watch the screen by, and often a sound card.
    fn launch(mut command: Command, folder: TempDir, port: u16, sound: bool) -> Machine {
        let at = |name: &str| folder.path().join(name).display().to_string();
        if sound {
            command.args(["-device", "intel-hda", "-device", "hda-output,audiodev=sound"]);
        }
        command
            .args(["-serial", &format!("file:{}", at("console"))])
            .args(["-serial", &format!("unix:{},server=on,wait=off", at("shell"))])
            .args(["-monitor", &format!("unix:{},server=on,wait=off", at("monitor"))])
            .args(["-audiodev", &format!("wav,id=sound,path={},out.frequency=48000", at("speaker.wav"))])
            .args([
                "-netdev",
                &format!("user,id=net,hostfwd=tcp:127.0.0.1:{port}-:8443,hostfwd=udp:127.0.0.1:{port}-:8443"),
            ])
            .args(["-device", "e1000,netdev=net,romfile="])
            .stdin(Stdio::null());
        let process = command.spawn().unwrap_or_else(|e| panic!("qemu-system-x86_64: {e}; install qemu-system-x86"));
        let shell = wait("QEMU's serial line", Duration::from_secs(30), || UnixStream::connect(at("shell")).ok());
        shell.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
        Machine {
            process,
            shell: BufReader::new(shell),
            folder,
            port,
            began: Instant::now(),
            sticks: 0,
            appliance: None,
        }
    }

    /// Waits until the guest takes commands.
    pub fn answer_within(&mut self, limit: Duration) {
        self.answer(limit, "boot");
    }

    /// Runs a command of the guest's shell; its output, if it went well.
    pub fn try_run(&mut self, command: &str) -> Result<String, String> {
        writeln!(self.shell.get_mut(), "{command}").expect("write to the guest");
        let (status, output) = self.answer(Duration::from_secs(120), command);
        if status == "0" { Ok(output) } else { Err(format!("{command}: ended with {status}\n{output}")) }
    }

    /// The same, and it must go well.
    pub fn run(&mut self, command: &str) -> String {
        match self.try_run(command) {
            Ok(output) => output,
            Err(error) => panic!("{error}\n{}", self.report()),
        }
    }

    /// Writes a file in the guest.
    pub fn put(&mut self, path: &str, text: &str) {
        self.run(&format!("echo {} | base64 -d >{path}", STANDARD.encode(text)));
    }

    /// Presses keys of the keyboard at once, such as `ctrl-alt-f1`.
    pub fn press(&mut self, keys: &str) {
        self.order(&format!("sendkey {keys} 100"));
        // Until the keys are up again, so that none is pressed together with the next.
        std::thread::sleep(Duration::from_millis(200));
    }

    /// Holds a key of the keyboard for so long.
    pub fn hold(&mut self, key: &str, time: Duration) {
        self.order(&format!("sendkey {key} {}", time.as_millis()));
    }

    /// Plugs in a USB stick, whose bytes are in a file; a switch on it keeps it from being written.
    pub fn plug_in(&mut self, stick: &Path) {
        self.plug_in_with(stick, true);
    }

    /// The same, and it can be written.
    pub fn plug_in_to_write(&mut self, stick: &Path) {
        self.plug_in_with(stick, false);
    }

    fn plug_in_with(&mut self, stick: &Path, locked: bool) {
        self.sticks += 1;
        let (n, locked) = (self.sticks, switch(locked));
        self.order(&format!("drive_add 0 if=none,id=stick{n},format=raw,readonly={locked},file={}", stick.display()));
        self.order(&format!("device_add usb-storage,id=plugged{n},drive=stick{n},bus=usb.0"));
    }

    /// Puts the network's cable in, or pulls it out.
    pub fn cable(&self, plugged_in: bool) {
        self.order(&format!("set_link net {}", switch(plugged_in)));
    }

    /// Plugs USB speakers in.
    pub fn plug_speaker_in(&self) {
        self.order("device_add usb-audio,id=speakers,audiodev=sound,bus=usb.0");
    }

    /// All that went over the network's cable, as frames.
    pub fn wire(&self) -> Vec<Vec<u8>> {
        let bytes = fs::read(self.folder.path().join("wire")).unwrap_or_default();
        let mut frames = Vec::new();
        // A file header of 24 bytes; before each frame 16 of which the third word is how many follow.
        let mut rest = bytes.get(24..).unwrap_or_default();
        while let Some((header, after)) = rest.split_at_checked(16) {
            let length = u32::from_le_bytes(header[8..12].try_into().expect("four bytes")) as usize;
            let Some((frame, after)) = after.split_at_checked(length) else { break };
            frames.push(frame.to_vec());
            rest = after;
        }
        frames
    }

    /// Pulls the USB stick out.
    pub fn pull_out(&mut self) {
        self.order(&format!("device_del plugged{}", self.sticks));
    }

    /// Waits until the machine starts once more by itself, and until it then takes commands. That it does is seen by QEMU's
    /// end: some of its versions hang in the second start of one machine. Sticks are out then.
    pub fn starts_again(mut self, limit: Duration) -> Machine {
        self.goes_down(limit);
        let (disk, visitor) = self.appliance.clone().expect("an appliance");
        Machine::ready(limit, || Machine::appliance(&disk, &visitor, self.port, Parts::default()))
    }

    /// Waits until the machine starts once more by itself, and no longer.
    pub fn goes_down(&mut self, limit: Duration) {
        wait("a restart", limit, || self.process.try_wait().expect("QEMU's state"));
    }

    /// Tells QEMU something.
    fn order(&self, order: &str) {
        let mut monitor = UnixStream::connect(self.folder.path().join("monitor")).expect("QEMU's monitor");
        monitor.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        writeln!(monitor, "{order}").expect("tell QEMU");
        // Its answer is a prompt, the second one after its greeting's.
        let mut said = String::new();
        while said.matches("(qemu) ").count() < 2 {
            let mut bytes = [0; 4096];
            let length = monitor.read(&mut bytes).expect("QEMU's monitor answers");
            assert!(length > 0, "QEMU's monitor is gone: {said}");
            said += &String::from_utf8_lossy(&bytes[..length]);
        }
        assert!(!said.contains("Error: "), "{order}: {said}");
    }

    /// What stands on the screen: width, height, and 3 bytes a pixel. Kept as `name` for people to look at.
    pub fn screen(&mut self, name: &str) -> (usize, usize, Vec<u8>) {
        self.screen_of("", name)
    }

    /// What stands on the second screen of a card with `id=gpu`.
    pub fn second_screen(&mut self, name: &str) -> (usize, usize, Vec<u8>) {
        self.screen_of(" gpu 1", name)
    }

    fn screen_of(&mut self, head: &str, name: &str) -> (usize, usize, Vec<u8>) {
        let file = self.folder.path().join("screen.ppm");
        let _ = fs::remove_file(&file);
        let mut monitor = UnixStream::connect(self.folder.path().join("monitor")).expect("QEMU's monitor");
        writeln!(monitor, "screendump {}{head}", file.display()).expect("ask for the screen");
        monitor.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        let picture = wait("the screen's picture", Duration::from_secs(20), || {
            let _ = monitor.read(&mut [0; 4096]);
            fs::read(&file).ok().and_then(|bytes| parse_ppm(&bytes))
        });
        let (width, height, rgb) = &picture;
        let out = fs::File::create(artefacts().join(format!("{name}.png"))).expect("keep the screen");
        let mut encoder = png::Encoder::new(io::BufWriter::new(out), *width as u32, *height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().and_then(|mut w| w.write_image_data(rgb)).expect("write the screen");
        picture
    }

    /// All that the sound card has played so far: 16 bit, two channels, 48 000 a second.
    pub fn played(&self) -> Vec<i16> {
        let bytes = fs::read(self.folder.path().join("speaker.wav")).unwrap_or_default();
        bytes.get(44..).unwrap_or_default().chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect()
    }

    /// The console's and the intercom's last lines, for a test that failed.
    pub fn report(&mut self) -> String {
        let console = fs::read(self.folder.path().join("console")).unwrap_or_default();
        let console = String::from_utf8_lossy(&console).into_owned();
        let tail: Vec<&str> = console.lines().rev().take(30).collect();
        let console: String = tail.into_iter().rev().map(|line| format!("  {line}\n")).collect();
        let log = self
            .try_run("test -f /run/log && tail -n 60 /run/log || journalctl -b --no-pager -o short-monotonic | tail -n 120; cat /proc/asound/cards /proc/asound/card*/pcm*p/sub0/status")
            .unwrap_or_else(|e| e);
        format!("---- the guest's console\n{console}---- the intercom in the guest\n{log}")
    }

    /// Whether nobody in the machine gave the order to end it, and nothing of ours ran in it yet: then the emulation failed.
    fn ended_unasked(&self) -> bool {
        let console = fs::read(self.folder.path().join("console")).unwrap_or_default();
        let console = String::from_utf8_lossy(&console);
        // The kernel's own seconds since it started.
        let stamp = |line: &str| line.trim_start().strip_prefix('[')?.split(']').next()?.trim().parse::<f64>().ok();
        let last = console.lines().rev().find_map(stamp);
        !console.contains("reboot: ") && last.is_none_or(|seconds| seconds < KERNEL_ALONE)
    }

    /// Reads lines until the one that tells how the command went.
    fn answer(&mut self, limit: Duration, what: &str) -> (String, String) {
        self.try_answer(limit, what).unwrap_or_else(|gone| panic!("{gone}"))
    }

    /// The same, or in words that the machine is gone.
    fn try_answer(&mut self, limit: Duration, what: &str) -> Result<(String, String), String> {
        let end = Instant::now() + limit;
        let (mut output, mut line) = (String::new(), Vec::new());
        loop {
            let read = match self.shell.read_until(b'\n', &mut line) {
                // QEMU ended with a command unread.
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => Ok(0),
                read => read,
            };
            match read {
                Ok(0) => {
                    // A machine that is gone can be asked nothing more.
                    let console = fs::read(self.folder.path().join("console")).unwrap_or_default();
                    let console = String::from_utf8_lossy(&console).into_owned();
                    let words = console.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
                    let ended = self.process.wait();
                    let unasked = if self.ended_unasked() { ", unasked" } else { "" };
                    let seconds = self.began.elapsed().as_secs();
                    return Err(format!(
                        "the guest is gone: {what}; QEMU ended with {ended:?} {seconds} s after its start{unasked}; the console's last words: {words:?}\n{output}\n{console}"
                    ));
                }
                Ok(_) if line.ends_with(b"\n") => {
                    let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                    line.clear();
                    // Behind whatever the firmware left on the line.
                    match text.rsplit_once("@@ ") {
                        Some((_, status)) => return Ok((status.to_owned(), output)),
                        None => output += &format!("{text}\n"),
                    }
                }
                Ok(_) => {}
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(e) => panic!("the guest's serial line: {e}"),
            }
            if Instant::now() > end {
                let console = fs::read_to_string(self.folder.path().join("console")).unwrap_or_default();
                panic!("the guest did not answer within {limit:?}: {what}\n{output}\n{console}");
            }
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A guest that answers no more has only its console to show.
            let report = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.report()));
            eprintln!("{}", report.unwrap_or_else(|_| "the guest tells nothing".to_owned()));
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.screen("failed-guest")));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn switch(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn parse_ppm(bytes: &[u8]) -> Option<(usize, usize, Vec<u8>)> {
    let mut at = 0;
    let mut word = || {
        let start = at + bytes[at..].iter().position(|b| !b.is_ascii_whitespace())?;
        at = start + bytes[start..].iter().position(|b| b.is_ascii_whitespace())?;
        std::str::from_utf8(&bytes[start..at]).ok().map(str::to_owned)
    };
    let (magic, width, height, _) = (word()?, word()?, word()?, word()?);
    let (width, height): (usize, usize) = (width.parse().ok()?, height.parse().ok()?);
    let pixels = bytes.get(at + 1..at + 1 + width * height * 3)?;
    (magic == "P6").then(|| (width, height, pixels.to_vec()))
}
