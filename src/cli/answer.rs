//! How a command answers a question.

/// What a command answers; a failure is that it could not tell, with exit status 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
}

impl Answer {
    /// The exit status.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
        }
    }
}
