//! Takes an offer apart for the WebRTC library.

use super::output::OfferError;

/// An offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// For the library: without candidates.
    pub text: String,
    /// The candidates, without `a=`: they are fed one by one, so that one that cannot be used (an mDNS name) does not spoil
    /// the rest.
    pub candidates: Vec<String>,
}

/// Takes the candidates out of an offer.
pub(super) fn check(offer: &str) -> Result<Offer, OfferError> {
    let mut text = String::with_capacity(offer.len());
    let mut candidates = Vec::new();
    for line in offer.lines() {
        match line.strip_prefix("a=") {
            Some(candidate) if candidate.starts_with("candidate:") => candidates.push(candidate.to_string()),
            Some("end-of-candidates") => {}
            _ => {
                text.push_str(line);
                text.push_str("\r\n");
            }
        }
    }
    candidates.truncate(64);
    Ok(Offer { text, candidates })
}
