//! The thread `caller`: tells the world beyond open pages that home calls, by a command and by an address of the config.
//!
//! Each has a time limit, and the address one retry. Nothing waits for either.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use intercom_core::call::items::CallOut;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::config::Call;
use crate::shell::worker::{Exit, Worker, spawn_worker};
use crate::shell::{clock, pulse};

/// Calls that may wait; home makes no more at once.
pub const CALLS: usize = 4;

/// While nobody is called, the thread looks this often whether it is still wanted.
const REST: Duration = Duration::from_secs(10);

/// A command that runs longer is ended.
const COMMAND_WITHIN: Duration = Duration::from_secs(20);

/// An address that takes longer to answer has not answered.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Between the first try and the second.
const PAUSE: Duration = Duration::from_secs(2);

/// Starts the thread, if the config names a command or an address.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_caller(call: Call, calls: Receiver<CallOut>) -> io::Result<Option<Worker>> {
    if call.command.is_none() && call.url.is_none() {
        return Ok(None);
    }
    spawn_worker("caller", move || {
        loop {
            pulse::beat(REST);
            let out = match calls.recv_timeout(REST) {
                Ok(out) => out,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Exit::Done,
            };
            pulse::rest();
            // The command first begins, so that a slow address does not hold it up.
            let running = call.command.as_deref().map(|command| begin(command, &out));
            if let Some(url) = &call.url
                && let Err(error) = post(url, &body(&out)).or_else(|error| {
                    log::warn!("{}: {error}; once more", without_query(url));
                    clock::sleep_until(clock::now() + PAUSE);
                    post(url, &body(&out))
                })
            {
                log::error!("{}: {error}: nobody was told there that home calls", without_query(url));
            }
            match running {
                Some(Ok(child)) => finish(child),
                Some(Err(error)) => log::error!("[call] command cannot be started: {error}"),
                None => {}
            }
        }
    })
    .map(Some)
}

/// What the address is told.
fn body(out: &CallOut) -> Value {
    let time = i64::try_from(out.unix.as_secs()).ok().and_then(|unix| OffsetDateTime::from_unix_timestamp(unix).ok());
    json!({
        "event": "call",
        "home": out.home,
        "person": out.person,
        "name": out.name,
        "time": time.and_then(|time| time.format(&Rfc3339).ok()),
        // What services for messages show (ntfy, Gotify).
        "title": out.home,
        "message": "Home calls",
    })
}

fn post(url: &str, body: &Value) -> Result<(), String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ureq::tls::TlsConfig::builder().unversioned_rustls_crypto_provider(provider).build();
    let agent = ureq::Agent::config_builder().tls_config(tls).timeout_global(Some(ANSWER_WITHIN)).build().new_agent();
    let request = agent.post(url).header("content-type", "application/json");
    request.send(body.to_string()).map(drop).map_err(|error| error.to_string())
}

/// An address may have a password in its query.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

fn begin(command: &str, out: &CallOut) -> io::Result<Child> {
    Command::new("/bin/sh")
        .args(["-c", command])
        .env("INTERCOM_HOME", &out.home)
        .env("INTERCOM_PERSON", out.person.map_or_else(String::new, |person| person.to_string()))
        .env("INTERCOM_NAME", out.name.as_deref().unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Waits for a command, and ends it with all that it has started if it takes too long.
fn finish(mut child: Child) {
    let until = clock::now() + COMMAND_WITHIN;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return,
            Ok(Some(status)) => return log::warn!("[call] command ended with {status}"),
            Ok(None) if clock::now() < until => clock::sleep_until(clock::now() + Duration::from_millis(50)),
            Ok(None) => break log::warn!("[call] command runs for over {} s and is ended", COMMAND_WITHIN.as_secs()),
            Err(error) => break log::warn!("[call] command: {error}"),
        }
    }
    if let Some(group) = Pid::from_raw(child.id() as i32) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use crossbeam_channel::bounded;

    use super::*;
    use crate::shell::state::tests::TestDir;

    fn out() -> CallOut {
        let unix = Duration::from_secs(1_800_014_400);
        CallOut { home: "Grandma’s \"kitchen\"".into(), person: Some(12), name: Some("Anna".into()), unix }
    }

    /// Reads a request as far as its body goes.
    fn request(stream: &mut TcpStream) -> String {
        let mut text = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let count = stream.read(&mut chunk).unwrap();
            text.extend_from_slice(&chunk[..count]);
            let said = String::from_utf8_lossy(&text).into_owned();
            if count == 0 || said.ends_with('}') {
                return said;
            }
        }
    }

    #[test]
    fn an_address_is_told_in_json_and_once_more_if_it_fails() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/hook?token=secret", listener.local_addr().unwrap());
        let (calls, inbox) = bounded(CALLS);
        let worker = spawn_caller(Call { command: None, url: Some(url) }, inbox).unwrap().expect("a thread");
        calls.send(out()).unwrap();
        for answer in ["HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]
        {
            let (mut stream, _) = listener.accept().unwrap();
            let said = request(&mut stream);
            assert!(said.starts_with("POST /hook?token=secret HTTP/1.1\r\n"), "{said}");
            let body: Value = serde_json::from_str(said.split("\r\n\r\n").nth(1).unwrap()).unwrap();
            assert_eq!((&body["event"], &body["person"], &body["name"]), (&json!("call"), &json!(12), &json!("Anna")));
            assert_eq!(
                (&body["home"], &body["time"]),
                (&json!("Grandma’s \"kitchen\""), &json!("2027-01-15T12:00:00Z"))
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
        drop(calls);
        assert!(worker.join_within(Duration::from_secs(20)));
    }

    #[test]
    fn a_command_knows_whom_home_calls_and_cannot_be_made_to_run_a_name() {
        let dir = TestDir::new();
        let told = dir.0.join("told");
        let command = format!(
            "printf '%s|%s|%s' \"$INTERCOM_HOME\" \"$INTERCOM_PERSON\" \"$INTERCOM_NAME\" > {}",
            told.display()
        );
        let (calls, inbox) = bounded(CALLS);
        let worker = spawn_caller(Call { command: Some(command), url: None }, inbox).unwrap().expect("a thread");
        calls.send(CallOut { name: Some("$(reboot)".into()), ..out() }).unwrap();
        drop(calls);
        assert!(worker.join_within(Duration::from_secs(20)));
        assert_eq!(std::fs::read_to_string(told).unwrap(), "Grandma’s \"kitchen\"|12|$(reboot)");
    }

    #[test]
    fn without_either_there_is_no_thread() {
        assert!(spawn_caller(Call { command: None, url: None }, bounded(1).1).unwrap().is_none());
        assert_eq!(without_query("https://h/x?token=1#y"), "https://h/x");
    }
}
