//! Push: images into a registry.
//!
//! What is to be sent is known before anything is sent: the whole image where all of it is here or in the registry, or
//! else one platform of it, and then the client is told which. Blobs go first, side by side, then the documents, each
//! after all that it names; the name goes last, so that nobody can pull half an image.

mod contents;
mod evidence;
mod origins;
mod progress;
mod run;
mod selection;
mod upload;

pub use progress::{PushEvent, PushRequest, UploadState};
