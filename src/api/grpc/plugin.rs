//! The parts of containerd that a service stands in for.

/// containerd's type of plugins that serve gRPC.
pub const GRPC_PLUGIN: &str = "io.containerd.grpc.v1";

/// A plugin of containerd, as its introspection service lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// The type, such as [`GRPC_PLUGIN`].
    pub kind: &'static str,
    /// The name among the plugins of a type.
    pub id: &'static str,
    /// Types of plugins that it needs.
    pub requires: &'static [&'static str],
}
