//! L4: the facades. Each decodes, calls the engine and encodes; none knows of another.

pub mod containerd;
pub mod docker;
pub mod error_table;
