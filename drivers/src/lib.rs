//! Hardware drivers of the intercom behind one small contract.
#![deny(missing_docs)]

pub mod contract;
pub mod registry;
