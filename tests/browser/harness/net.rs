//! Networks to test in: namespaces joined by cables and routers, and UDP that is cut and joined again. Needs root.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

thread_local! {
    /// This thread's test could not run.
    static REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this process may make networks. If not, `test` is named as not run, so that nobody can overlook it.
pub fn allowed(test: &str) -> bool {
    static PROBLEM: OnceLock<Option<String>> = OnceLock::new();
    let problem = PROBLEM.get_or_init(|| {
        remove_left_overs();
        let name = format!("ic{}-may", std::process::id());
        let made = try_run("ip", &["netns", "add", &name]);
        let ruled = made.and_then(|_| try_run("ip", &["netns", "exec", &name, "nft", "add table inet may"]));
        let _ = try_run("ip", &["netns", "del", &name]);
        ruled.err()
    });
    let Some(problem) = problem else { return true };
    not_run(test, &format!("It makes a network of its own, which needs root, `ip` and `nft`: {problem}"));
    false
}

/// Says that this thread's `test` cannot run, and why.
pub fn not_run(test: &str, why: &str) {
    let line = "!".repeat(78);
    // Not by a macro: a test harness keeps what those print of a test that did not fail.
    let _ = writeln!(std::io::stderr(), "{line}\n!! NOT RUN: {test}\n!! {why}\n{line}");
    REFUSED.set(true);
}

/// Removes the namespaces of test processes that were killed.
fn remove_left_overs() {
    let Ok(list) = Command::new("ip").args(["netns", "list"]).output() else { return };
    for name in String::from_utf8_lossy(&list.stdout).lines().filter_map(|line| line.split(' ').next()) {
        let owner = name.strip_prefix("ic").and_then(|rest| rest.split_once('-')?.0.parse::<u32>().ok());
        if owner.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = try_run("ip", &["netns", "del", name]);
        }
    }
}

/// Whether [`not_run`] was said of this thread's test.
pub fn refused() -> bool {
    REFUSED.get()
}

/// A network namespace, removed with the last clone.
#[derive(Clone, Debug)]
pub struct Namespace(Arc<Owned>);

#[derive(Debug)]
struct Owned {
    name: String,
}

impl Namespace {
    /// Makes an empty one with its loopback up.
    pub fn new(role: &str) -> Namespace {
        // Two tests at once may have somebody in the same role.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ic{}-{number}{role}", std::process::id());
        ip(&format!("netns add {name}"));
        let namespace = Namespace(Arc::new(Owned { name }));
        // Each cable's own IPv6 address would be tried for a second or two, and to a browser that has just begun to
        // load a page its arrival is a changed network.
        for scope in ["all", "default"] {
            namespace.set(&format!("net/ipv6/conf/{scope}/accept_dad"), "0");
        }
        namespace.ip("link set lo up");
        namespace
    }

    /// Runs `ip` inside.
    pub fn ip(&self, words: &str) {
        ip(&format!("-n {} {words}", self.0.name));
    }

    /// Loads nftables rules inside.
    pub fn nft(&self, rules: &str) {
        run("ip", &["netns", "exec", &self.0.name, "nft", rules]);
    }

    /// Passes packets on between its cables.
    pub fn forward(&self) {
        self.set("net/ipv4/ip_forward", "1");
    }

    /// Sets one of the kernel's switches inside, such as `net/ipv4/ip_forward`.
    pub fn set(&self, switch: &str, value: &str) {
        let path = format!("/proc/sys/{switch}");
        self.enter(|| std::fs::write(&path, value).unwrap_or_else(|e| panic!("{path}: {e}")));
    }

    /// Does something in a thread that lives in this namespace: processes and sockets made there stay in it.
    pub fn enter<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.0.name);
        let namespace = File::open(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        std::thread::scope(|scope| {
            let inside = scope.spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("enter the namespace");
                action()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Lays a cable to another namespace, with an address such as `10.0.0.1/24` at each end.
    pub fn cable(&self, address: &str, other: &Namespace, other_address: &str) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (a, b) = (format!("ic{number}a"), format!("ic{number}b"));
        ip(&format!("-n {} link add {a} type veth peer name {b} netns {}", self.0.name, other.0.name));
        for (namespace, device, address) in [(self, &a, address), (other, &b, other_address)] {
            // An IPv6 address would first be tried for a second whether somebody else has it.
            let at_once = if address.contains(':') { " nodad" } else { "" };
            namespace.ip(&format!("addr add {address} dev {device}{at_once}"));
            namespace.ip(&format!("link set {device} up"));
        }
        self.await_link(&a);
        other.await_link(&b);
    }

    /// Waits until the kernel has reported that a link is up. It may put that off for a second, and until then programs see a
    /// cable without a carrier. The link-local address comes with the report. A Chromium that starts too early gives no
    /// names to its addresses (mDNS), nor finds any, until the page is loaded again.
    pub fn await_link(&self, device: &str) {
        super::wait(&format!("{device} is up"), Duration::from_secs(10), || {
            let all = try_run("ip", &["-n", &self.0.name, "-6", "addr", "show", "dev", device, "scope", "link"]);
            all.expect("ask for addresses").contains("inet6").then_some(())
        });
    }

    /// Sends all that is not local to a router.
    pub fn default_route(&self, router: &str) {
        self.ip(&format!("route add default via {router}"));
    }

    /// Drops every packet of a protocol (`udp` or `tcp`) from or to a port until the result is dropped.
    pub fn cut(&self, protocol: &str, port: u16) -> Cut {
        self.nft(&format!(
            "add table inet cut; add chain inet cut in {{ type filter hook input priority -200; }}; \
             add chain inet cut out {{ type filter hook output priority -200; }}; \
             add rule inet cut in {protocol} dport {port} drop; \
             add rule inet cut out {protocol} sport {port} drop"
        ));
        Cut(self.clone())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

/// The protocol is cut while this lives.
pub struct Cut(Namespace);

impl Drop for Cut {
    fn drop(&mut self) {
        let name = &self.0.0.name;
        let _ = Command::new("ip").args(["netns", "exec", name, "nft", "delete table inet cut"]).output();
    }
}

/// Home and a viewer on one network of their own: `10.77.0.1` and `10.77.0.2`, each the other's default route.
pub fn home_and_viewer() -> (Namespace, Namespace) {
    let (home, viewer) = (Namespace::new("home"), Namespace::new("viewer"));
    home.cable("10.77.0.1/24", &viewer, "10.77.0.2/24");
    home.default_route("10.77.0.2");
    viewer.default_route("10.77.0.1");
    (home, viewer)
}

/// Home and a viewer, each behind a masquerading router that lets nothing in from outside, but for one TCP and UDP
/// port that home's router passes on: `203.0.113.1:outside` to home's `inside`.
pub struct Routed {
    /// `192.168.11.2`
    pub home: Namespace,
    /// `192.168.22.2`
    pub viewer: Namespace,
    _routers: [Namespace; 2],
}

impl Routed {
    /// Builds it.
    pub fn new(outside: u16, inside: u16) -> Routed {
        let [home, home_router, viewer_router, viewer] = ["h", "hr", "vr", "v"].map(Namespace::new);
        home.cable("192.168.11.2/24", &home_router, "192.168.11.1/24");
        viewer.cable("192.168.22.2/24", &viewer_router, "192.168.22.1/24");
        home_router.cable("203.0.113.1/24", &viewer_router, "203.0.113.2/24");
        home.default_route("192.168.11.1");
        viewer.default_route("192.168.22.1");
        for (router, lan) in [(&home_router, "192.168.11.0/24"), (&viewer_router, "192.168.22.0/24")] {
            router.forward();
            // Random outside ports: the viewer's router maps as unkindly as routers do.
            router.nft(&format!(
                "add table ip nat; \
                 add chain ip nat pre {{ type nat hook prerouting priority -100; }}; \
                 add chain ip nat post {{ type nat hook postrouting priority 100; }}; \
                 add rule ip nat post ip saddr {lan} ip daddr != {lan} masquerade random; \
                 add table ip keep; \
                 add chain ip keep pass {{ type filter hook forward priority 0; policy drop; }}; \
                 add rule ip keep pass ct state established,related accept; \
                 add rule ip keep pass ip saddr {lan} accept; \
                 add rule ip keep pass ct status dnat accept"
            ));
        }
        home_router.nft(&format!(
            "add rule ip nat pre ip daddr 203.0.113.1 tcp dport {outside} dnat to 192.168.11.2:{inside}; \
             add rule ip nat pre ip daddr 203.0.113.1 udp dport {outside} dnat to 192.168.11.2:{inside}"
        ));
        Routed { home, viewer, _routers: [home_router, viewer_router] }
    }
}

fn ip(words: &str) {
    run("ip", &words.split(' ').collect::<Vec<_>>());
}

fn run(program: &str, words: &[&str]) {
    try_run(program, words).unwrap_or_else(|problem| panic!("{problem}"));
}

/// What the program printed, or what went wrong.
fn try_run(program: &str, words: &[&str]) -> Result<String, String> {
    let out = Command::new(program).args(words).output().map_err(|e| format!("{program}: {e}"))?;
    let [printed, errors] = [&out.stdout, &out.stderr].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    if out.status.success() { Ok(printed) } else { Err(format!("{program} {}: {errors}", words.join(" "))) }
}
