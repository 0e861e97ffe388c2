//! The update: a tar of parts, a manifest, and its signature. A builder whose key is public signs what the engine made up, so that
//! it comes as far as a real one.

use std::io::Read;
use std::sync::LazyLock;

use intercom::shell::update::UpdateError;
use intercom::shell::update::bundle::{Taker, read_bundle};
use intercom::shell::update::decision::{LONGEST_MANIFEST, Manifest, PRODUCT, read_manifest};
use minisign_verify::PublicKey;

/// A key for this test alone, so that an input means the same in each run.
const SECRET: &str = "untrusted comment: no secret\n\
    RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAATApvCczZU6oaue3t6Tam4AD3tz+9\
    WwhojAV/f8e15BCcC9BZOcFQo6RXGNcn45XIHluvCtsx6UKKmGboxY2f8qP5lh0yYBohr7L0Pf7JAbTl0Mb5fOG6GC1P/4L+Gi28QSswys4QO04=";

struct Builder {
    secret: minisign::SecretKey,
    public: PublicKey,
}

static BUILDER: LazyLock<Builder> = LazyLock::new(|| {
    let text = minisign::SecretKeyBox::from_string(SECRET).expect("a box");
    let secret = text.into_unencrypted_secret_key().expect("a key without password");
    let public = minisign::PublicKey::from_secret_key(&secret).expect("its other half");
    Builder { public: PublicKey::decode(&public.to_box().expect("a box").to_string()).expect("a key"), secret }
});

fn sign(text: &[u8]) -> Vec<u8> {
    minisign::sign(None, &BUILDER.secret, text, Some("t"), Some("u")).expect("a signature").to_string().into_bytes()
}

/// A manifest that is not signed is never read; one that is has what a slot's name and size need.
pub fn fuzz_manifest(data: &[u8]) {
    // As it came: the text, an empty line, the signature.
    let cut = data.windows(2).position(|two| two == b"\n\n").map_or(data.len(), |at| at + 1);
    let (text, signature) = data.split_at(cut);
    if read_manifest(text, signature.get(1..).unwrap_or_default(), &BUILDER.public).is_ok() {
        assert_eq!(text, seed_manifest(4, 6).as_bytes(), "signed by nobody");
    }
    // As its builder signed it.
    if let Ok(manifest) = read_manifest(data, &sign(data), &BUILDER.public) {
        let version = manifest.version.to_string();
        assert!(manifest.version.build.is_empty() && !version.contains(['/', '+']), "{version}");
    }
}

/// Takes parts of exactly the size that the manifest says.
#[derive(Default)]
struct Slot {
    parts: usize,
}

impl Slot {
    fn take(&mut self, size: u64, part: &mut dyn Read) -> Result<(), UpdateError> {
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).map_err(UpdateError::Source)?;
        assert!(bytes.len() as u64 <= size, "{} of {size} bytes", bytes.len());
        self.parts += 1;
        Ok(())
    }
}

impl Taker for Slot {
    fn manifest(&mut self, _manifest: &Manifest) -> Result<bool, UpdateError> {
        Ok(true)
    }
    fn root(&mut self, manifest: &Manifest, part: &mut dyn Read) -> Result<(), UpdateError> {
        self.take(manifest.root.size, part)
    }
    fn kernel(&mut self, manifest: &Manifest, part: &mut dyn Read) -> Result<(), UpdateError> {
        self.take(manifest.kernel.size, part)
    }
}

/// What is taken is what was signed, and both parts of it.
pub fn fuzz_bundle(data: &[u8]) {
    let mut slot = Slot::default();
    if let Ok(manifest) = read_bundle(data, &BUILDER.public, &mut slot) {
        assert_eq!(slot.parts, 2);
        assert!(SIZES.iter().any(|(root, kernel)| (manifest.root.size, manifest.kernel.size) == (*root, *kernel)));
    }
    assert!(data.len() as u64 > LONGEST_MANIFEST / 4 || slot.parts == 0);
}

// ---- Seeds. ----

/// Sizes of root and kernel in the manifests that are signed.
const SIZES: [(u64, u64); 2] = [(4, 6), (1 << 40, 0)];

fn seed_manifest(root: u64, kernel: u64) -> String {
    let part = |name: &str, size: u64| format!("[{name}]\nsize = {size}\nsha256 = \"{}\"\n", "0".repeat(64));
    let head = format!("product = \"{PRODUCT}\"\narchitecture = \"{}\"\nversion = \"0.2.0\"\n", std::env::consts::ARCH);
    head + &part("root", root) + &part("kernel", kernel)
}

pub fn manifests() -> Vec<Vec<u8>> {
    let text = seed_manifest(4, 6);
    vec![[text.as_bytes(), b"\n", &sign(text.as_bytes())].concat(), text.into_bytes()]
}

pub fn bundles() -> Vec<Vec<u8>> {
    let bundle = |(root, kernel): (u64, u64)| {
        let text = seed_manifest(root, kernel);
        let mut builder = tar::Builder::new(Vec::new());
        let signature = sign(text.as_bytes());
        let parts: [(&str, &[u8]); 4] = [
            ("manifest.toml", text.as_bytes()),
            ("manifest.toml.minisig", &signature),
            ("root.erofs", b"root"),
            ("intercom.efi", b"kernel"),
        ];
        for (name, bytes) in parts {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, bytes).expect("memory");
        }
        builder.into_inner().expect("memory")
    };
    SIZES.map(bundle).to_vec()
}
