//! What images and events can be chosen by, in whatever form a client asks for it.

mod label;
mod pattern;

pub use label::LabelTest;
pub use pattern::ReferencePattern;
