//! A page and home's certificate, where the browser does not look away.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PublicKeyData};
use sha2::{Digest, Sha256};

use crate::harness::chromium::{Options, Permission};
use crate::harness::daemon::{Daemon, Setup};
use crate::lab::Lab;
use crate::watching::{PATIENCE, living};

/// Home's certificate is another one than the page was loaded with. A socket cannot show the browser's warning: the page says what to do.
/// While home only restarts, it does not.
pub fn another_certificate(lab: &mut Lab) {
    let mut home = Daemon::start(Setup::default());
    let (link, _) = home.lasting_link();
    // The first viewer's handshake makes the leaf.
    let first = lab.viewer(Permission::Undecided);
    first.open(&link);
    living(&first);
    first.close();
    let leaves = home.state_dir().join("leaves");
    let host = link.trim_start_matches("https://").rsplit_once(':').expect("a port").0;
    let leaf = leaves.join(format!("{}.pem", host.trim_matches(['[', ']'])));
    let key = KeyPair::from_pem(&std::fs::read_to_string(leaf).expect("the leaf")).expect("its key");
    let trusted = Some(STANDARD.encode(Sha256::digest(key.subject_public_key_info())));
    let options = Options { trusted, ..Options::from(Permission::Undecided) };
    let page = lab.viewer_in(None, options);
    page.open(&link);
    living(&page);

    let refused = "document.body.innerText.includes('does not let this page in')";
    home.terminate();
    page.sleep(Duration::from_secs(4));
    home.launch();
    page.wait_state("live", PATIENCE);
    assert_eq!(page.eval(refused), false);

    home.terminate();
    std::fs::remove_dir_all(&leaves).expect("the leaves");
    home.launch();
    page.wait_for("the page says what to do", Duration::from_secs(40), refused);
    assert!(page.visible("#again"), "and has a button for it: {}", page.text());
    page.keep_screenshot("another-certificate");
    page.click("#again");
    page.wait_for("the browser tells of the certificate", PATIENCE, "!document.body.dataset.state");
}

/// A CA of an early version could sign for every site: nobody is asked to install it. A new one is offered as ever.
pub fn early_authority(lab: &mut Lab) {
    let mut home = Daemon::start(Setup::default());
    let (link, _) = home.lasting_link();
    let trust = format!("{}/trust.html", link.rsplit_once("/#").expect("a fragment").0);
    let page = lab.viewer(Permission::Undecided);
    page.open(&trust);
    page.wait_for("the page", PATIENCE, "!!document.querySelector('details[open]')");
    // What it learns of the certificate it learns in a moment.
    page.sleep(Duration::from_secs(1));
    assert!(page.visible("#get a") && page.visible("#before") && !page.visible("#unlimited"), "{}", page.text());

    home.terminate();
    let key = KeyPair::generate().expect("a key");
    let mut early = CertificateParams::default();
    early.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let early = early.self_signed(&key).expect("a CA");
    std::fs::write(home.state_dir().join("ca.pem"), early.pem()).expect("the CA");
    std::fs::write(home.state_dir().join("ca.key"), key.serialize_pem()).expect("its key");
    std::fs::remove_dir_all(home.state_dir().join("leaves")).expect("the leaves");
    home.launch();
    page.open(&trust);
    page.wait_for("it warns", PATIENCE, "document.getElementById('unlimited')?.checkVisibility()");
    assert!(!page.visible("#get a") && !page.visible("#before"), "{}", page.text());
    page.keep_screenshot("early-authority");
}
