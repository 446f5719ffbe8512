//! Check: whether a data root that no daemon uses holds what it says, and repair of what does not.
//!
//! First the store: each record has its file, each file hashes to its digest. Then what records say: documents and
//! configurations are what their blobs say, names lead to content that is here. An image of which only some platforms are
//! here is no fault: what counts is what the records say is here.
//!
//! A repair takes nothing away that is sound and that a record knows. What it cannot make right is removed, so that it can
//! be pulled or loaded again.

mod blobs;
mod content;
mod finding;
mod images;
mod layers;
mod options;
mod run;

pub use finding::{Checked, Fault, Finding};
pub use options::{CheckDepth, CheckOptions, Progress};
pub use run::{check, check_stores};
