//! L4: the facades. Each speaks one protocol over the same engine; none knows of another.

pub mod containerd;
pub mod docker;
pub mod error_table;
