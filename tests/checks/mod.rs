//! What holds for the source itself: `UPDATE=1` rewrites what is generated.

mod declared;
mod layers;
mod protobuf;
