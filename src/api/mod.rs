//! L4: the facades. Each decodes, calls the engine and encodes.

pub mod containerd;
