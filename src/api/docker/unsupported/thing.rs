//! Things that Loadline does not have.

use crate::domain::Error;

/// A thing that requests name, and how Docker says that it is not there.
#[derive(Clone, Copy)]
pub(super) enum Thing {
    Container,
    Exec,
    Volume,
    Network,
    Plugin,
}

impl Thing {
    /// That there is no such thing, in Docker's words.
    pub(super) fn missing(self, name: &str) -> Error {
        Error::not_found(match self {
            Self::Container => format!("No such container: {name}"),
            Self::Exec => format!("No such exec instance: {name}"),
            Self::Volume => format!("get {name}: no such volume"),
            Self::Network => format!("network {name} not found"),
            Self::Plugin => format!("plugin {name:?} not found"),
        })
    }
}
