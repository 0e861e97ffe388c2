//! No screen: pictures of viewers are not shown.

use intercom_base::picture::I420;

use crate::contract::{BoxedOpener, ConfigError, DeviceError, Display, Driver, Opener, Wanted};
use crate::options::Options;

/// The entry of the registry's table.
pub const DRIVER: Driver<dyn Display> = Driver {
    name: "none",
    summary: "no screen: viewers are not seen",
    options: &[],
    configure,
    detect: |_| Ok("nothing to see viewers on".into()),
    survey: None,
};

fn configure(table: &toml::Table, wanted: &Wanted) -> Result<BoxedOpener<dyn Display>, ConfigError> {
    Options::new(table, &[])?;
    Ok(Box::new(Nothing { size: wanted.display }))
}

#[derive(Clone, Copy)]
struct Nothing {
    size: (u32, u32),
}

impl Opener<dyn Display> for Nothing {
    fn open(&mut self) -> Result<Box<dyn Display>, DeviceError> {
        Ok(Box::new(*self))
    }

    fn describe(&self) -> String {
        "no screen".into()
    }
}

impl Display for Nothing {
    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn show(&mut self, _: &I420) -> Result<(), DeviceError> {
        Ok(())
    }

    fn is_seen(&self) -> bool {
        false
    }
}
