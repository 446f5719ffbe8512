//! What a check finds, in words that stay the same.

/// A kind of thing that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// Pages of the database are not what was written.
    DamagedDatabase,
    /// A record that cannot be decoded.
    UnreadableRecord,
    /// A blob's file does not hash to its digest, cannot be read, or is no file.
    CorruptBlob,
    /// A record without a file.
    MissingBlob,
    /// A file is right and its record is not.
    WrongRecord,
    /// A file among the blobs that no record knows.
    StrayFile,
    /// A blob that was being written when a process ended.
    AbandonedIngest,
    /// A parsed form, or where an image came from, of a blob that no record knows.
    OrphanRecord,
    /// What a document or configuration was parsed to is not what its blob says, or is not there.
    WrongDocument,
    /// A name whose target is not here.
    NameWithoutContent,
    /// A name that is none, or that misdescribes its target.
    WrongName,
    /// A layer does not unpack to what its image's configuration says.
    WrongDiffId,
    /// A blob that no name leads to.
    UnreferencedBlob,
    /// The last process did not end in order.
    Unclean,
}

impl Fault {
    /// The word that scripts know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::DamagedDatabase => "damaged-database",
            Self::UnreadableRecord => "unreadable-record",
            Self::CorruptBlob => "corrupt-blob",
            Self::MissingBlob => "missing-blob",
            Self::WrongRecord => "wrong-record",
            Self::StrayFile => "stray-file",
            Self::AbandonedIngest => "abandoned-ingest",
            Self::OrphanRecord => "orphan-record",
            Self::WrongDocument => "wrong-document",
            Self::NameWithoutContent => "name-without-content",
            Self::WrongName => "wrong-name",
            Self::WrongDiffId => "wrong-diff-id",
            Self::UnreferencedBlob => "unreferenced-blob",
            Self::Unclean => "unclean",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub fault: Fault,
    /// Whether this is what a process that was ended leaves behind, and harms nobody: the daemon sees to it by itself.
    pub is_leftover: bool,
    /// A digest, a name, or a path from the data root on.
    pub subject: String,
    /// What is the matter with it.
    pub detail: String,
    /// The images that lack something by it: names, or digests of images without one. Sorted.
    pub names: Vec<String>,
    /// What a repair does about it; absent where it can do nothing.
    pub remedy: Option<&'static str>,
    /// Whether it was done.
    pub repaired: bool,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// By kind, then by subject.
    pub findings: Vec<Finding>,
    /// How many blobs there are records of.
    pub blobs: usize,
    /// Bytes of content that were read.
    pub bytes: u64,
    /// How many names there are.
    pub names: usize,
}

impl Checked {
    /// How many faults are there still. Leftovers are none.
    pub fn faults_left(&self) -> usize {
        self.findings.iter().filter(|finding| !finding.is_leftover && !finding.repaired).count()
    }
}
