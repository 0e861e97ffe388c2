//! The real program under attack from one address, and a viewer from another.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::Duration;

use rustls::ClientConfig;
use serde_json::{Value, json};
use socket2::SockRef;
use tungstenite::Message;

use crate::client::{LONG, loopback};
use crate::ports::free_port;
use crate::signal::{Socket, any_certificate, open_over};

/// An attack that is to be the only one has this for itself.
pub static ALONE: RwLock<()> = RwLock::new(());

fn beside_others() -> RwLockReadGuard<'static, ()> {
    ALONE.read().unwrap_or_else(PoisonError::into_inner)
}

/// The program with a state of its own.
pub struct Program {
    process: Child,
    dir: PathBuf,
    pub port: u16,
    pub key: String,
}

impl Program {
    pub fn start(name: &str) -> Program {
        let dir = std::env::temp_dir().join(format!("intercom-attacked-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let port = free_port();
        let config = dir.join("intercom.toml");
        let text = format!(
            "[home]\nstate_dir = {:?}\n[network]\nport = {port}\n[video]\nwidth = 320\nheight = 240\n\
             [camera]\ndriver = \"test-card\"\n[microphone]\ndriver = \"tone\"\n[speaker]\ndriver = \"none\"\n\
             [display]\ndriver = \"none\"\n",
            dir.join("state")
        );
        std::fs::write(&config, text).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_intercom"))
            .args(["run", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(dir.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut out = process.stdout.take().unwrap();
        let mut said = String::new();
        while !said.contains("certificate SHA-256") {
            let mut chunk = [0; 4096];
            let count = out.read(&mut chunk).unwrap();
            assert!(count > 0, "it ended: {}", std::fs::read_to_string(dir.join("log")).unwrap());
            said += &String::from_utf8_lossy(&chunk[..count]);
        }
        let key = said.split("#k=").nth(1).unwrap().lines().next().unwrap().to_owned();
        Program { process, dir, port, key }
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub fn status(&self) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_intercom"))
            .args(["status", "--config"])
            .arg(self.dir.join("intercom.toml"))
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }

    pub fn kilobytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// A signaling socket from this address, as a page opens it; `None` if home does not let it be.
    fn socket(&self, from: IpAddr) -> Option<Socket> {
        self.socket_over(from, &any_certificate())
    }

    fn socket_over(&self, from: IpAddr, config: &Arc<ClientConfig>) -> Option<Socket> {
        open_over(dial(from, self.address())?, self.address(), config).ok()
    }

    /// Waits until as many descriptors are open as before, or two more, and home knows of no socket.
    pub fn returns_to(&self, before: usize) {
        let until = intercom::shell::clock::now() + LONG;
        loop {
            let (status, now) = (self.status(), self.descriptors());
            if status["sockets"] == 0 && now <= before + 2 {
                return;
            }
            assert!(intercom::shell::clock::now() < until, "{now} descriptors, {before} before; {status}");
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Ports of one address run out in a flood; that is the attacker's trouble.
pub fn dial(from: IpAddr, to: SocketAddr) -> Option<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None).ok()?;
    socket.bind(&SocketAddr::new(from, 0).into()).ok()?;
    socket.connect_timeout(&to.into(), Duration::from_secs(5)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    socket.set_write_timeout(Some(Duration::from_secs(10))).ok()?;
    Some(socket.into())
}

/// A connection that comes to nothing, by turns: bare, half a handshake, half a head, garbage.
pub fn connect_for_nothing(from: IpAddr, to: SocketAddr, n: u64) {
    let Some(mut stream) = dial(from, to) else { return };
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    let _ = match n % 4 {
        0 => Ok(0),
        1 => stream.write(&[0x16, 3, 1, 2, 0, 1, 0]),
        2 => stream.write(b"GET / HTTP/1.1\r\nHost:"),
        _ => stream.write(&[n as u8; 300]),
    };
}

/// Whether a viewer from there is let in whose `hello` takes 300 ms.
fn comes_in(program: &Program, from: IpAddr) -> bool {
    program.socket(from).is_some_and(|socket| is_welcome(socket, &program.key))
}

/// The same of a socket that is open.
pub fn is_welcome(mut socket: Socket, key: &str) -> bool {
    thread::sleep(Duration::from_millis(300));
    let hello = json!({ "type": "hello", "v": 1, "key": key });
    let said = socket.send(Message::text(hello.to_string()));
    let welcome = said.is_ok() && matches!(socket.read(), Ok(Message::Text(text)) if text.contains("welcome"));
    let _ = socket.send(Message::text(json!({ "type": "leave" }).to_string()));
    welcome
}

/// Threads that go on until they are told.
pub struct Attack {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
    done: Arc<AtomicU64>,
}

impl Attack {
    pub fn new() -> Attack {
        Attack { stop: Arc::default(), threads: Vec::new(), done: Arc::default() }
    }

    pub fn with(&mut self, threads: usize, work: impl Fn(u64) + Send + Clone + 'static) {
        for _ in 0..threads {
            let (stop, done) = (Arc::clone(&self.stop), Arc::clone(&self.done));
            let work = work.clone();
            self.threads.push(thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    work(done.fetch_add(1, Ordering::Relaxed));
                }
            }));
        }
    }

    pub fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.done.load(Ordering::Relaxed)
    }
}

#[test]
fn a_crowd_at_one_address_keeps_no_viewer_out_and_takes_little() {
    let _turn = beside_others();
    let program = Program::start("crowd");
    let (address, attacker) = (program.address(), loopback(1));
    assert!(comes_in(&program, loopback(2)));
    let (descriptors, memory) = (program.descriptors(), program.kilobytes());
    let mut attack = Attack::new();
    // Some thousand connections a second.
    attack.with(2, move |n| {
        connect_for_nothing(attacker, address, n);
    });
    // Datagrams: noise, and what looks like STUN.
    let udp = Arc::new(UdpSocket::bind((attacker, 0)).unwrap());
    attack.with(1, move |n| {
        let mut bytes = [n as u8; 200];
        bytes[..8].copy_from_slice(&[0, 1, 0, 180, 0x21, 0x12, 0xa4, 0x42]);
        let _ = udp.send_to(&bytes[..if n % 2 == 0 { 200 } else { 60 }], address);
        if n % 64 == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    });
    let got_in = (0..20).filter(|_| comes_in(&program, loopback(2))).count();
    let (most_descriptors, most_memory) = (program.descriptors(), program.kilobytes());
    let tries = attack.end();
    assert_eq!(got_in, 20, "of 20, beside {tries} connections and datagrams");
    assert!(tries > 1000, "it was an attack: {tries}");
    assert!(most_descriptors < descriptors + 120, "{most_descriptors} descriptors, {descriptors} before");
    assert!(most_memory < memory + 40_000, "{most_memory} kB, {memory} before");
    assert_eq!(program.status()["failed_peers"], 0);
}

#[test]
fn a_flood_of_websockets_from_one_address_keeps_no_viewer_out() {
    let _turn = beside_others();
    let program = Arc::new(Program::start("websockets"));
    assert!(comes_in(&program, loopback(2)));
    let mut attack = Attack::new();
    // As many as can be, each of which says nothing and stays.
    let (own, config, held) = (Arc::clone(&program), any_certificate(), Arc::new(Mutex::new(VecDeque::new())));
    let kept = Arc::clone(&held);
    attack.with(3, move |_| {
        if let Some(socket) = own.socket_over(loopback(1), &config) {
            let mut held = held.lock().unwrap();
            held.push_back(socket);
            if held.len() > 200 {
                held.pop_front();
            }
        }
    });
    let got_in = (0..20).filter(|_| comes_in(&program, loopback(2))).count();
    let tries = attack.end();
    assert_eq!(got_in, 20, "of 20, beside {tries} tries");
    assert!(tries > 300 && !kept.lock().unwrap().is_empty(), "it was an attack: {tries}");
}

#[test]
fn sockets_that_flood_and_do_not_read_are_gone_soon_although_their_far_end_holds_them() {
    let _turn = beside_others();
    let program = Arc::new(Program::start("pinned"));
    assert!(comes_in(&program, loopback(2)));
    let descriptors = program.descriptors();
    // Each sends pings, reads nothing, and is held to the end. Some fill what the kernel has for the answers and stop there: more would
    // end them by itself.
    let mut held = Vec::new();
    for n in 0..60 {
        let Some(mut socket) = program.socket(loopback(1 + 16 * (n % 4))) else { continue };
        let stream = &socket.get_ref().sock;
        let _ = SockRef::from(stream).set_recv_buffer_size(1);
        stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let _ = (0..(n + 1) * 500).try_for_each(|_| socket.send(Message::Ping(vec![0; 125].into())));
        held.push(socket);
    }
    assert!(held.len() > 30, "it was an attack: {}", held.len());
    assert!(comes_in(&program, loopback(2)));
    program.returns_to(descriptors);
    drop(held);
}

#[test]
fn sockets_that_say_wrong_things_flood_or_do_not_read_keep_no_viewer_out() {
    let _turn = beside_others();
    let program = Arc::new(Program::start("sockets"));
    let attacker = loopback(1);
    assert!(comes_in(&program, loopback(2)));
    let descriptors = program.descriptors();
    let mut attack = Attack::new();
    let own = Arc::clone(&program);
    attack.with(8, move |n| {
        let Some(mut socket) = own.socket(attacker) else { return };
        let _ = match n % 4 {
            // Says nothing and stays for as long as it may.
            0 => {
                thread::sleep(Duration::from_millis(700));
                Ok(())
            }
            1 => socket.send(Message::text(json!({ "type": "hello", "v": 1, "key": "a guess" }).to_string())),
            // Pings without end, whose answers it does not read: its own buffer is as small as can be.
            2 => {
                let _ = SockRef::from(&socket.get_ref().sock).set_recv_buffer_size(1);
                (0..100_000).try_for_each(|_| socket.send(Message::Ping(vec![0; 125].into())))
            }
            _ => (0..100).try_for_each(|_| socket.send(Message::Binary(vec![0; 1000].into()))),
        };
    });
    let got_in = (0..20).filter(|_| comes_in(&program, loopback(2))).count();
    let most = program.descriptors();
    let tries = attack.end();
    assert_eq!(got_in, 20, "of 20, beside {tries} sockets");
    assert!(tries > 20, "it was an attack: {tries}");
    assert!(most < descriptors + 120, "{most} descriptors, {descriptors} before");
    // All of them are gone soon, and are not only said to be.
    program.returns_to(descriptors);
    // Anyone who attacked may come in as well, once they behave.
    assert!(comes_in(&program, attacker) || comes_in(&program, attacker));
}
