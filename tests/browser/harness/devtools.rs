//! Chromium's DevTools protocol over a pipe: commands and their answers, and events of pages.
//! <https://chromedevtools.github.io/devtools-protocol/>

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// The longest that an answer may take; a page listens for up to a third of a minute before it gives one.
const LIMIT: Duration = Duration::from_secs(90);

/// A connection to one Chromium. It ends when Chromium does, and Chromium ends when it does.
pub struct DevTools {
    to: Mutex<Box<dyn Write + Send>>,
    number: AtomicU64,
    waiting: Arc<Waiting>,
    listeners: Arc<Listeners>,
}

type Waiting = Mutex<HashMap<u64, Sender<Result<Value, String>>>>;
type Listeners = Mutex<HashMap<String, Listener>>;
type Listener = Box<dyn Fn(&str, &Value) + Send>;

impl DevTools {
    /// Over both ends of a pipe, on which a NUL ends each message.
    pub fn over(to: impl Write + Send + 'static, from: impl Read + Send + 'static) -> DevTools {
        let (waiting, listeners) = (Arc::<Waiting>::default(), Arc::<Listeners>::default());
        let (asked, heard) = (Arc::clone(&waiting), Arc::clone(&listeners));
        std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut message = Vec::new();
            while matches!(from.read_until(0, &mut message), Ok(1..)) {
                message.pop_if(|last| *last == 0);
                if let Ok(message) = serde_json::from_slice(&message) {
                    take(&message, &asked, &heard);
                }
                message.clear();
            }
            // Who still waits is told that nothing will come.
            lock(&asked).clear();
        });
        DevTools { to: Mutex::new(Box::new(to)), number: AtomicU64::new(1), waiting, listeners }
    }

    /// Has a command carried out, by the browser or in one page's session; gives the result, or what went wrong.
    pub fn ask(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value, String> {
        let id = self.number.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let (answer, answered) = mpsc::channel();
        lock(&self.waiting).insert(id, answer);
        let written = lock(&self.to).write_all(format!("{message}\0").as_bytes());
        written.map_err(|e| format!("{method}: Chromium is gone: {e}"))?;
        let result = answered.recv_timeout(LIMIT);
        lock(&self.waiting).remove(&id);
        match result {
            Ok(result) => result.map_err(|e| format!("{method}: {e}")),
            Err(RecvTimeoutError::Timeout) => Err(format!("{method}: Chromium did not answer within {LIMIT:?}")),
            Err(RecvTimeoutError::Disconnected) => Err(format!("{method}: Chromium is gone")),
        }
    }

    /// Hands the method and parameters of each event of a session to `listener`, which must not ask anything itself.
    pub fn listen(&self, session: &str, listener: impl Fn(&str, &Value) + Send + 'static) {
        lock(&self.listeners).insert(session.to_owned(), Box::new(listener));
    }
}

/// Gives a message from Chromium to whom it is for.
fn take(message: &Value, waiting: &Waiting, listeners: &Listeners) {
    if let Some(id) = message["id"].as_u64() {
        let result = match &message["error"]["message"] {
            Value::String(error) => Err(error.clone()),
            _ => Ok(message["result"].clone()),
        };
        // Anyone who has given up does not read it any more.
        let _ = lock(waiting).remove(&id).map(|answer| answer.send(result));
    } else if let (Some(method), Some(session)) = (message["method"].as_str(), message["sessionId"].as_str()) {
        if method == "Inspector.detached" {
            lock(listeners).remove(session);
        } else if let Some(listener) = lock(listeners).get(session) {
            listener(method, &message["params"]);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
