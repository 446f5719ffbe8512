//! What holds for the source itself: `UPDATE=1` rewrites what is generated.

mod coverage;
mod declared;
mod docker_facts;
mod layers;
mod openapi;
mod protobuf;
mod publishing;
