//! What a page is told of the picture that it gets.

use serde::{Deserialize, Serialize};

/// Which picture a viewer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RungName {
    /// Of the configured size.
    Full,
    /// A smaller one, since the viewer's path does not carry the full one.
    Reduced,
    /// In the preview: nothing but light and movement.
    Frosted,
}

/// For `skip_serializing_if`.
pub(super) fn is_false(value: &bool) -> bool {
    !value
}
