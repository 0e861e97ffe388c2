//! The camera thread: opens the camera as often as it takes, and gives its newest frame to every encoder.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use intercom_drivers::contract::{BoxedOpener, CaptureVideo};

use crate::core::protocol::CameraState;
use crate::core::supervisor::{Change, Supervisor};
use crate::shell::clock;
use crate::shell::devices::Presence;
use crate::shell::encoders::EncoderControl;
use crate::shell::wires::{ToLoop, ToLoopHandle};
use crate::shell::worker::{Exit, Worker, spawn_worker};

/// A frame is awaited for this long at a time.
const PATIENCE: Duration = Duration::from_millis(500);

/// An open camera without a frame for this long counts as unplugged.
const SILENT: Duration = Duration::from_secs(1);

/// While nobody visits, the camera is looked at this often: it stays known to work, and costs nothing.
const GLANCE: Duration = Duration::from_millis(1000);

/// Starts the camera thread.
///
/// # Errors
/// If the system has no thread to give.
pub fn spawn_camera(
    mut opener: BoxedOpener<dyn CaptureVideo>,
    encoders: Vec<Arc<EncoderControl>>,
    presence: Arc<Presence>,
    events: ToLoopHandle,
) -> io::Result<Worker> {
    spawn_worker("camera", move || {
        let mut supervisor = Supervisor::new(clock::now());
        let mut device: Option<Box<dyn CaptureVideo>> = None;
        let mut last_frame = clock::now();
        loop {
            if presence.is_stopped() {
                return Exit::Done;
            }
            let now = clock::now();
            let glanced = device.is_some();
            let change = match &mut device {
                Some(open) => match open.capture(now + PATIENCE) {
                    Ok(Some(frame)) => {
                        for encoder in &encoders {
                            encoder.publish(&frame);
                        }
                        last_frame = clock::now();
                        supervisor.handle_works()
                    }
                    Ok(None) if clock::now().saturating_duration_since(last_frame) >= SILENT => {
                        supervisor.handle_silent()
                    }
                    Ok(None) => None,
                    Err(error) => {
                        device = None;
                        supervisor.handle_failed(error, clock::now())
                    }
                },
                None if supervisor.wants_open(now) => match opener.open() {
                    Ok(open) => {
                        log::info!("camera: {}, {}", opener.describe(), open.mode());
                        device = Some(open);
                        last_frame = clock::now();
                        supervisor.handle_opened(last_frame);
                        None
                    }
                    Err(error) => supervisor.handle_failed(error, clock::now()),
                },
                None => {
                    let pause = supervisor.poll_timeout().map_or(PATIENCE, |t| t.saturating_duration_since(now));
                    presence.wait(pause.min(PATIENCE));
                    None
                }
            };
            match change {
                Some(Change::Live) => {
                    log::info!("camera: live");
                    events.tell(ToLoop::Camera(CameraState::Live));
                }
                Some(Change::Absent(error)) => {
                    log::warn!("camera: {error}; {}", error.remedy());
                    encoders.iter().for_each(|encoder| encoder.camera_lost());
                    events.tell(ToLoop::Camera(CameraState::Unplugged));
                }
                None => {}
            }
            if glanced && !presence.is_present() {
                presence.wait(GLANCE);
            }
        }
    })
}
