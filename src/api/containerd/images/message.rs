//! Records as messages, and messages as what the engine takes.

use std::borrow::Cow;

use super::super::filter::{Fields, label_of};
use super::super::proto::containerd::services::images::v1::Image;
use super::super::proto::containerd::types::Descriptor as DescriptorMessage;
use super::super::wire::{signed, timestamp};
use crate::api::grpc::excerpt;
use crate::domain::{Descriptor, Digest, Error, MediaType, NameKey, Result};
use crate::engine::ImageRecord;

/// A record.
pub(super) fn image(record: &ImageRecord) -> Image {
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let target = record.target();
    Image {
        name: record.name().to_string(),
        labels: record.labels().iter().map(owned).collect(),
        target: Some(DescriptorMessage {
            media_type: target.media_type.as_str().to_owned(),
            digest: target.digest.to_string(),
            size: signed(target.size),
            annotations: target.annotations.iter().map(owned).collect(),
        }),
        created_at: Some(timestamp(record.created_at())),
        updated_at: Some(timestamp(record.updated_at())),
    }
}

/// The image of a request, which must have one.
pub(super) fn required(image: Option<Image>) -> Result<Image> {
    image.ok_or_else(|| Error::invalid("Image required"))
}

/// The name of an image, which must have one.
pub(super) fn name(image: &Image) -> Result<NameKey> {
    match image.name.as_str() {
        "" => Err(Error::invalid("Image.Name required")),
        name => NameKey::new(name),
    }
}

/// What a record is to point at, which must be given in full.
pub(super) fn target(target: Option<DescriptorMessage>) -> Result<Descriptor> {
    let DescriptorMessage { media_type, digest, size, annotations } = target.unwrap_or_default();
    let digest = self::digest(&digest)?;
    let size = u64::try_from(size).ok().filter(|size| *size > 0);
    let size = size.ok_or_else(|| Error::invalid("Target.Size must be greater than zero"))?;
    if media_type.is_empty() {
        return Err(Error::invalid("Target.MediaType must be set"));
    }
    let annotations = annotations.into_iter().collect();
    Ok(Descriptor { annotations, ..Descriptor::new(MediaType::new(&media_type), digest, size) })
}

/// The digest of a target.
pub(super) fn digest(text: &str) -> Result<Digest> {
    text.parse().map_err(|cause| Error::invalid(format!("Target.Digest {:?} invalid: {cause}", excerpt(text))))
}

/// A moment that a client may have given.
pub(super) fn moment(time: Option<prost_types::Timestamp>) -> Result<Option<jiff::Timestamp>> {
    let read = |time: prost_types::Timestamp| {
        let in_order = (0..1_000_000_000).contains(&time.nanos);
        let moment = jiff::Timestamp::new(time.seconds, time.nanos).ok().filter(|_| in_order);
        moment.ok_or_else(|| {
            Error::invalid(format!("source_date_epoch is no time: {} s {} ns", time.seconds, time.nanos))
        })
    };
    time.map(read).transpose()
}

impl Fields for ImageRecord {
    fn field(&self, path: &[String]) -> Option<Cow<'_, str>> {
        let target = self.target();
        match (path[0].as_str(), &path[1..]) {
            ("name", _) => Some(Cow::Borrowed(self.name().as_str())),
            ("target", [field, ..]) => match field.as_str() {
                "digest" => Some(Cow::Owned(target.digest.to_string())),
                // Containerd knows the first spelling, and what it shows has the second.
                "mediatype" | "mediaType" => Some(Cow::Borrowed(target.media_type.as_str())),
                _ => None,
            },
            ("labels", key) => self.labels().get(&label_of(key)).map(Cow::Borrowed),
            ("annotations", key) => target.annotations.get(&label_of(key)).map(Cow::Borrowed),
            _ => None,
        }
    }
}
