//! What a pull tells of its layers.
//!
//! A layer is `DOWNLOADING`, then `DOWNLOAD_COMPLETE`, or else it `ALREADY_EXISTS`. Nothing is unpacked here: `EXTRACTING`
//! means that the layer waits for the rest of its image to be stored with it, and `EXTRACT_COMPLETE` that this is done.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::proto::machine::image_service_pull_layer_progress::Status;
use super::proto::machine::image_service_pull_response::Response;
use super::proto::machine::{ImageServicePullLayerProgress, ImageServicePullProgress, ImageServicePullResponse};
use crate::domain::Digest;
use crate::engine::BlobState;

/// From one message of a layer that arrives to the next. With its other states, a layer has at most ten in a second.
const PACE: Duration = Duration::from_millis(200);
/// How many characters of a layer's digest clients are shown.
const SHORT_ID: usize = 12;

/// What has been told of each layer of a pull.
#[derive(Debug, Default)]
pub struct Progress {
    layers: HashMap<Digest, Layer>,
}

#[derive(Debug, Default)]
struct Layer {
    /// When it was last said how much of it has arrived.
    told: Option<Instant>,
    /// When all of it was here.
    here: Option<Instant>,
}

impl Progress {
    /// What to tell of a blob that is in a new state at a moment; nothing of what is no layer.
    pub fn of(&mut self, digest: &Digest, state: BlobState, now: Instant) -> Vec<ImageServicePullResponse> {
        if state == BlobState::Waiting {
            // The first that is told of any layer, and of layers only.
            self.layers.entry(digest.clone()).or_default();
            return Vec::new();
        }
        let Some(layer) = self.layers.get_mut(digest) else { return Vec::new() };
        let id: String = digest.hex().chars().take(SHORT_ID).collect();
        let message = |progress| message(&id, progress);
        match state {
            BlobState::Waiting => Vec::new(),
            BlobState::Downloading { current, total } => {
                if layer.told.is_some_and(|told| now.saturating_duration_since(told) < PACE) {
                    return Vec::new();
                }
                layer.told = Some(now);
                vec![message(downloading(current, total))]
            }
            BlobState::Exists => {
                layer.here = Some(now);
                vec![message(at(Status::AlreadyExists))]
            }
            BlobState::Downloaded => {
                layer.here = Some(now);
                vec![message(at(Status::DownloadComplete))]
            }
            BlobState::Complete => {
                let elapsed = layer.here.map_or(Duration::ZERO, |here| now.saturating_duration_since(here));
                let extracting = ImageServicePullLayerProgress {
                    // A duration that a clock of this process can measure fits.
                    elapsed: prost_types::Duration::try_from(elapsed).ok(),
                    ..at(Status::Extracting)
                };
                vec![message(extracting), message(at(Status::ExtractComplete))]
            }
        }
    }
}

fn at(status: Status) -> ImageServicePullLayerProgress {
    ImageServicePullLayerProgress {
        status: status.into(),
        elapsed: Some(prost_types::Duration::default()),
        offset: 0,
        total: 0,
    }
}

fn downloading(current: u64, total: u64) -> ImageServicePullLayerProgress {
    let bytes = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    ImageServicePullLayerProgress { offset: bytes(current), total: bytes(total), ..at(Status::Downloading) }
}

fn message(id: &str, progress: ImageServicePullLayerProgress) -> ImageServicePullResponse {
    let progress = ImageServicePullProgress { layer_id: id.to_owned(), progress: Some(progress) };
    ImageServicePullResponse { response: Some(Response::PullProgress(progress)) }
}

/// The last message of a pull.
pub fn done(name: String) -> ImageServicePullResponse {
    ImageServicePullResponse { response: Some(Response::Name(name)) }
}

#[cfg(test)]
mod tests;
