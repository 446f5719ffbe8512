//! What happens to images, as clients are told of it.

use super::StringMap;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Delete,
    /// An image was not let in. Loadline's own.
    Deny,
    Import,
    Load,
    Prune,
    Pull,
    Push,
    Save,
    Tag,
    Untag,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 10] = [
        Self::Delete,
        Self::Deny,
        Self::Import,
        Self::Load,
        Self::Prune,
        Self::Pull,
        Self::Push,
        Self::Save,
        Self::Tag,
        Self::Untag,
    ];

    /// The word that clients know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Deny => "deny",
            Self::Import => "import",
            Self::Load => "load",
            Self::Prune => "prune",
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Save => "save",
            Self::Tag => "tag",
            Self::Untag => "untag",
        }
    }

    /// Whether the image's labels are told along. They are not where a name or the image is gone.
    pub fn tells_labels(self) -> bool {
        !matches!(self, Self::Delete | Self::Deny | Self::Prune | Self::Untag)
    }
}

/// What became of the record of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordChange {
    Created,
    Updated,
    Deleted,
}

/// One thing that happened to one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub action: Action,
    /// The image as the action names it, a digest as a rule; empty where it was no single image.
    pub id: String,
    /// The name that is concerned under `name`, and labels of the image.
    pub attributes: StringMap,
    pub at: jiff::Timestamp,
}
