//! What screens there are, plugged in or not: for the doctor.

use std::path::PathBuf;

use super::choose::{Connector, Wish, choose_modes};
use super::kms::Card;
use super::paths;
use crate::contract::{DeviceError, Fault, Sighting};

/// Every connector of every card, or the card itself if it cannot be asked.
pub fn survey() -> Vec<Sighting> {
    let look = |path: &PathBuf| -> Vec<Sighting> {
        let at = Sighting { nodes: vec![path.clone()], ..Sighting::default() };
        let sockets = Card::open(path).and_then(|card| {
            let name = format!("on {} ({})", path.display(), card.driver());
            Ok((name, card.sockets(true)?))
        });
        match sockets {
            Ok((name, sockets)) => {
                let at = Sighting { name, ..at };
                sockets.iter().map(|socket| sighting(&socket.seen, at.clone())).collect()
            }
            // A card that only computes is no screen.
            Err(DeviceError::Unsupported(_)) => Vec::new(),
            Err(error) => {
                let device = path.display().to_string();
                vec![Sighting { device, fault: Some(Fault::Failed(error)), ..at }]
            }
        }
    };
    paths(None).iter().flat_map(look).collect()
}

/// Modes are in the order in which they would be tried.
fn sighting(connector: &Connector, at: Sighting) -> Sighting {
    let order = choose_modes(connector, &Wish::default()).unwrap_or_default();
    let mut modes: Vec<String> = Vec::new();
    for mode in order.into_iter().map(|place| connector.modes[place]) {
        let text = format!("{}x{} at {} Hz", mode.width, mode.height, mode.refresh);
        if !modes.contains(&text) {
            modes.push(text);
        }
    }
    Sighting { device: connector.name.clone(), modes, fault: (!connector.connected).then_some(Fault::Empty), ..at }
}

#[cfg(test)]
mod tests {
    use super::super::choose::Mode;
    use super::*;

    #[test]
    fn a_screen_is_told_with_its_modes_the_best_first_and_an_empty_socket_as_such() {
        let mode = |width, height, preferred| Mode { width, height, refresh: 60, preferred, interlaced: false };
        let modes = vec![mode(640, 480, false), mode(1920, 1080, false), mode(1280, 720, true), mode(640, 480, false)];
        let tv = sighting(&Connector { name: "HDMI-A-1".into(), connected: true, modes }, Sighting::default());
        assert_eq!(tv.modes, ["1280x720 at 60 Hz", "1920x1080 at 60 Hz", "640x480 at 60 Hz"]);
        assert_eq!((tv.device.as_str(), tv.fault), ("HDMI-A-1", None));
        let none = Connector { name: "DP-1".into(), connected: false, modes: Vec::new() };
        assert_eq!(sighting(&none, Sighting::default()).fault, Some(Fault::Empty));
    }
}
