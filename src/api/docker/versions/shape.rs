//! The switches that tell the forms of answers apart.

use super::system_shape::SystemShape;

/// The form of a version's answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    pub list: ListShape,
    /// The numbers of the list's forms, by what is shown of each image.
    pub list_forms: [u32; Detail::ALL.len()],
    pub detail: DetailShape,
    pub load: LoadShape,
    pub events: EventShape,
    pub system: SystemShape,
    /// Whether a list takes a name to match in the parameter `filter`, which later became the filter `reference`.
    pub name_filter: bool,
}

/// What a list shows of each image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The row alone.
    Row,
    /// Its manifests too.
    Manifests,
    /// Its manifests, and where it comes from.
    Identity,
}

impl Detail {
    /// Every value, in the order of the numbers they stand for.
    pub const ALL: [Self; 3] = [Self::Row, Self::Manifests, Self::Identity];
}

/// The form of a row of the list of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListShape {
    /// Whether attestation manifests show their statements.
    pub statements: bool,
    /// Whether the containers of an image are counted; -1 stands for a number that is not known.
    pub containers: bool,
    /// Whether the descriptor of the image's target is shown.
    pub descriptor: bool,
    /// Whether the size is repeated as `VirtualSize`.
    pub virtual_size: bool,
    /// Whether an image without names is shown under the name `<none>:<none>`.
    pub none_names: bool,
}

impl ListShape {
    /// The same form with switches off that make no difference.
    pub(super) fn seen_with(&self, detail: Detail) -> Self {
        Self { statements: self.statements && detail != Detail::Row, ..self.clone() }
    }
}

/// The form of one image in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetailShape {
    /// Whether attestation manifests show their statements.
    pub statements: bool,
    /// Whether it is shown where the image comes from.
    pub identity: bool,
    /// Whether the descriptor is shown.
    pub descriptor: bool,
    /// Whether the size is repeated as `VirtualSize`, and a time of creation that is not known is that of the year 1.
    pub virtual_size: bool,
    /// Whether the container that an image was committed from is named, though there is none.
    pub container: bool,
    /// Whether texts are shown although they are empty, and the storage driver is named.
    pub empty_texts: bool,
    pub config: ConfigForm,
}

/// Which members of an image's `Config` are shown although they say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigForm {
    /// None.
    Set,
    /// Those of an image's configuration that are as old as Docker.
    Image,
    /// Those of a container's configuration too.
    Container,
}

/// Members of an image's `Config` that older versions show even where nothing is set.
pub const ALWAYS: [&str; 8] = ["Cmd", "Entrypoint", "Env", "Labels", "OnBuild", "User", "Volumes", "WorkingDir"];

/// Flags of a container's configuration that images once showed, never set.
pub const CONTAINER_FLAGS: [&str; 6] = ["AttachStderr", "AttachStdin", "AttachStdout", "OpenStdin", "StdinOnce", "Tty"];
/// Texts of a container's configuration, likewise.
pub const CONTAINER_TEXTS: [&str; 3] = ["Domainname", "Hostname", "Image"];

/// What a load takes, and a save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadShape {
    /// Whether more than one platform may be asked for.
    pub platforms: bool,
}

/// The form of the stream of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventShape {
    /// Whether the client chooses among the names and framings of a stream of JSON.
    pub negotiated: bool,
    /// Whether what happened and to what is told twice.
    pub repeated: bool,
}

impl Shape {
    /// The form of the newest version.
    pub(super) fn newest() -> Self {
        Self {
            list: ListShape {
                statements: true,
                containers: true,
                descriptor: true,
                virtual_size: false,
                none_names: false,
            },
            list_forms: [0; Detail::ALL.len()],
            detail: DetailShape {
                statements: true,
                identity: true,
                descriptor: true,
                virtual_size: false,
                container: false,
                empty_texts: false,
                config: ConfigForm::Set,
            },
            load: LoadShape { platforms: true },
            events: EventShape { negotiated: true, repeated: false },
            system: SystemShape::NEWEST,
            name_filter: false,
        }
    }
}
