//! Stops a build without nasm: OpenH264 would silently compile without its assembler and take three times the CPU.

use std::process::{Command, Stdio};

fn main() {
    println!("cargo:rerun-if-env-changed=PATH");
    println!("cargo:rerun-if-changed=build.rs");
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if arch != "x86_64" && arch != "x86" {
        return;
    }
    let found = Command::new("nasm").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        eprintln!("error: nasm is missing; without it the H.264 encoder takes three times the CPU.");
        eprintln!(
            "       Install it (Debian, Ubuntu: apt install nasm), then: cargo clean -p openh264-sys2, and build again."
        );
        std::process::exit(1);
    }
}
