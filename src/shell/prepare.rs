//! What stands before any thread runs: state directory, keys, certificates, addresses.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use intercom_core::devices::storage::Trouble;
use intercom_core::people::access::Access;
use intercom_core::people::keys::{Key, KeyId};
use intercom_core::people::register::{Person, Role};
use intercom_core::reach::links::{Links, links};
use intercom_media::qr::{Paint, half_blocks};

use crate::config::Config;
use crate::shell::addresses::{self, AddressBook};
use crate::shell::backup::restore;
use crate::shell::control::Claim;
use crate::shell::disk::Files;
use crate::shell::key_file::{KeyFile, mint_key};
use crate::shell::run::{RunError, cannot, unfit};
use crate::shell::tls::{self, Certificates, TlsError};
use crate::shell::{reset, state};

/// See the module.
pub struct Prepared {
    /// Where keys and certificates are.
    pub state_dir: PathBuf,
    /// Where sockets are.
    pub run_dir: PathBuf,
    /// Whose files a reset forgets.
    pub reset_dir: PathBuf,
    /// Why the state directory is one that ends with the process, if it is.
    pub makeshift: Option<Trouble>,
    /// No other daemon uses the state directory.
    pub claim: Claim,
    /// The machine's addresses.
    pub addresses: AddressBook,
    /// What browsers are shown.
    pub certificates: Arc<Certificates>,
    /// People, and what holds for home.
    pub files: Files,
}

impl Prepared {
    /// Makes it stand.
    ///
    /// # Errors
    /// If there is no folder that can be used, another daemon has it, or a certificate of the config's is broken.
    pub fn new(config: &Config) -> Result<Prepared, RunError> {
        let Config { home, network, tls, .. } = config;
        let run_dir =
            state::first_usable(&home.run_dirs).map_err(cannot("no folder for the control socket"))?.to_owned();
        let is_sound = |dir: &Path| sound(dir, tls.is_none());
        let (state_dir, makeshift) = usable_state(&home.state_dir, &run_dir, is_sound)?;
        let is_damaged = makeshift == Some(Trouble::Damaged);
        let reset_dir = if is_damaged { home.state_dir.clone() } else { state_dir.clone() };
        let claim = Claim::take(&state_dir).map_err(RunError::new)?;
        if let Err(error) = reset::finish(&state_dir) {
            // No earlier key counts for all that.
            log::error!("the reset is not finished: {error}");
        }
        if let Err(error) = restore::finish(&state_dir) {
            log::error!("people are not restored yet: {error}");
        }
        let public = network.public_address.as_ref();
        let addresses = AddressBook::new(addresses::read(public.and_then(|p| p.socket())));
        // Files of the config's own may be mended there; those in the state directory are another matter.
        let unusable = |error: TlsError| match tls {
            Some(_) => unfit("certificate")(error),
            None => cannot("certificate")(error),
        };
        let certificates = Certificates::open(&state_dir, tls.as_ref(), public.map(|p| p.host.as_str()));
        let certificates = Arc::new(certificates.map_err(unusable)?);
        // Where keys are damaged, whether home is muted may still be known.
        let files = Files { keys: KeyFile::in_dir(&state_dir), ..Files::in_dir(&reset_dir) };
        Ok(Prepared { state_dir, run_dir, reset_dir, makeshift, claim, addresses, certificates, files })
    }
}

/// The state directory or, where there is none, none can be made, or what is in it is not sound, one that ends with the
/// process, and why. Nothing is taken away: what somebody could mend stays as it is.
fn usable_state(
    meant: &Path,
    run_dir: &Path,
    is_sound: impl Fn(&Path) -> Result<(), String>,
) -> Result<(PathBuf, Option<Trouble>), RunError> {
    let trouble = match state::make_private_dir(meant) {
        Err(error) => (Trouble::Gone, error.to_string()),
        Ok(()) => match is_sound(meant) {
            Err(error) => (Trouble::Damaged, error),
            Ok(()) => return Ok((meant.to_owned(), None)),
        },
    };
    log::error!("keys and certificates last only until the end of this process: {}", trouble.1);
    let makeshift = run_dir.join("state");
    state::make_private_dir(&makeshift).map_err(cannot("no folder for keys"))?;
    Ok((makeshift, Some(trouble.0)))
}

/// Whether keys and, where they are our own, certificates can be read; those that are about to be forgotten need not.
fn sound(state_dir: &Path, own_certificates: bool) -> Result<(), String> {
    if reset::is_begun(state_dir) {
        return Ok(());
    }
    KeyFile::in_dir(state_dir).load().map_err(|error| error.to_string())?;
    if own_certificates { tls::check_own(state_dir).map_err(|error| error.to_string()) } else { Ok(()) }
}

/// The keys that are stored, and one that ends with the process if its links are to be printed.
pub fn open_access(keys: &KeyFile, print_links: bool) -> Result<(Access, Option<Key>), RunError> {
    let mut people = keys.load().map_err(cannot("keys"))?;
    let mut link = None;
    if print_links {
        let key = mint_key().map_err(cannot("keys"))?;
        let nobody = Person::new(0, None, Role::Owner);
        people.take_device(nobody, KeyId::TEMPORARY, key.hash());
        link = Some(key);
    }
    Ok((Access::new(people), link))
}

/// Prints how to get in.
pub fn announce(
    book: &AddressBook,
    port: u16,
    public: Option<&intercom_base::settings::PublicAddress>,
    key: Option<&Key>,
    certificates: &Certificates,
) {
    let mut out = io::stdout().lock();
    let addresses = book.current();
    // A closed standard output is no reason not to be an intercom.
    let _ = match key {
        Some(key) => {
            let mut addresses = addresses.clone();
            if addresses.local.is_empty() {
                addresses.local.push(std::net::Ipv4Addr::LOCALHOST.into());
            }
            print_links(&mut out, &links(&addresses, port, public, key))
        }
        None => writeln!(out, "ready on port {port}; `intercom link` makes a link for a viewer"),
    };
    let _ = writeln!(out, "certificate SHA-256: {}", certificates.fingerprint());
    // What a browser shows before the CA is installed; `intercom status` tells it of the other addresses.
    let best = addresses.best.or_else(|| addresses.local.first().copied());
    if let Some((best, shown)) = best.and_then(|best| Some((best, certificates.shown(None, best)?))) {
        let _ = writeln!(out, "certificate SHA-256 at {best}: {shown}");
    }
    let _ = out.flush();
}

/// Prints the links and the QR code of the best one.
///
/// # Errors
/// If standard output is closed.
pub fn print_links(out: &mut impl Write, links: &Links) -> io::Result<()> {
    for link in &links.all {
        writeln!(out, "open: {link}")?;
    }
    let paint = if io::stdout().is_terminal() { Paint::Colours } else { Paint::Plain };
    if let Some(code) = links.best.as_ref().and_then(|best| half_blocks(best, paint)) {
        write!(out, "{code}")?;
    }
    Ok(())
}
