//! L4: the facades. Each decodes, calls the engine and encodes; none knows of another. What they share is the error table
//! and, for those that speak gRPC, the assembly of services.

pub mod containerd;
pub mod cri;
pub mod docker;
pub mod error_table;
pub mod grpc;
pub mod talos;
