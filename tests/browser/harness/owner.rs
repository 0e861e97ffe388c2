//! What an owner does on the page about people.

use std::time::Duration;

use crate::harness::page::Page;

/// The longest that anything in a browser may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Clicks what may lie below the fold.
pub fn click(page: &Page, selector: &str) {
    page.run(&format!("document.querySelector({selector:?}).scrollIntoView({{ block: 'center' }})"));
    page.click(selector);
}

/// Writes into a field, or chooses in a list.
pub fn fill(page: &Page, selector: &str, text: &str) {
    page.run(&format!(
        "const field = document.querySelector({selector:?}); field.value = {text:?};
         for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, {{ bubbles: true }}));"
    ));
}

/// A link for somebody of this role, made on the owner's page, which is on its list again then.
pub fn invite(page: &Page, name: &str, role: &str) -> String {
    // What lies over the picture hides after a while, until a hand moves.
    page.run("document.querySelector('#people-open').click()");
    page.wait_for("the page about people", PATIENCE, "document.querySelector('#people').open");
    page.click("#people-invite");
    fill(page, "#invite-name", name);
    page.run(&format!("document.querySelector('#invite-form [value={role}]').click()"));
    page.keep_screenshot(&format!("people-invite-{role}"));
    // What stands there is the link before.
    page.run("document.querySelector('#link-field').value = ''");
    click(page, "#invite-link");
    let link = page.wait_for("a link", PATIENCE, "document.querySelector('#link-field').value");
    page.keep_screenshot(&format!("people-link-{role}"));
    let dark = page.eval("document.querySelector('#link-path').getAttribute('d').length");
    assert!(dark.as_u64() > Some(500), "the link is a QR code, too: {dark}");
    page.click("#people-close");
    link.as_str().expect("text").to_owned()
}
