//! L2: policy. What the administrator's rules say of an image, as pure functions of text and names.

pub mod rules;
