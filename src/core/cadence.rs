//! Fixed-rate ticks with a phase locked to the camera.
