//! From what the engine tells to messages.

use std::collections::BTreeMap;

use prost::Message as _;

use super::proto::runtime::v1;
use crate::domain::manifest::ImageConfig;
use crate::domain::{Digest, Error, Kind, Reference, Result};
use crate::engine::NodeImage;

/// The largest message in bytes, as kubelet has it.
pub const MAX_MESSAGE: usize = 16 << 20;

/// The interface's own version, which has been the same from the beginning.
pub const KUBELET_API_VERSION: &str = "0.1.0";
/// What answers.
pub const RUNTIME_NAME: &str = "loadline";
/// Its version.
pub const RUNTIME_VERSION: &str = env!("CARGO_PKG_VERSION");

/// An image as lists and statuses show it.
pub fn image(image: &NodeImage) -> v1::Image {
    let (uid, username) = user(&image.user);
    let annotations: BTreeMap<String, String> =
        image.annotations.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    v1::Image {
        id: image.id.to_string(),
        repo_tags: tags(image),
        repo_digests: image.digests.iter().map(Reference::to_string).collect(),
        size: image.size,
        uid: uid.map(|value| v1::Int64Value { value }),
        username: username.to_owned(),
        spec: (!annotations.is_empty()).then(|| v1::ImageSpec { annotations, ..v1::ImageSpec::default() }),
        pinned: image.pinned,
    }
}

/// Full names with a tag. One with a digest instead stands among the digests.
pub fn tags(image: &NodeImage) -> Vec<String> {
    image.names.iter().filter(|name| name.tag().is_some()).map(Reference::to_string).collect()
}

/// `user:group` as a number or a name, of which kubelet wants exactly one.
fn user(user: &str) -> (Option<i64>, &str) {
    let user = user.split(':').next().unwrap_or_default();
    match user.parse() {
        Ok(uid) => (Some(uid), ""),
        Err(_) => (None, user),
    }
}

/// The verbose part of a status: the chain ID of the layers, and the configuration as it is stored.
pub fn verbose_info(config: Vec<u8>) -> Result<BTreeMap<String, String>> {
    let read = ImageConfig::decode(&config)?;
    let chain = chain_id(&read.rootfs().1).map(|chain| chain.to_string()).unwrap_or_default();
    let unreadable = |cause| Error::internal("the image configuration is no text", cause);
    let spec = String::from_utf8(config).map_err(unreadable)?;
    Ok([("info".to_owned(), format!(r#"{{"chainID":"{chain}","imageSpec":{spec}}}"#))].into())
}

/// The chain ID of layers by their diff IDs, as the OCI image specification has it; `None` where one of them is no digest,
/// or there is none.
fn chain_id(diff_ids: &[&str]) -> Option<Digest> {
    let mut ids = diff_ids.iter().map(|id| id.parse::<Digest>().ok());
    let first = ids.next()??;
    ids.try_fold(first, |chain, id| Some(Digest::of(format!("{chain} {}", id?).as_bytes())))
}

/// A list that clients can take.
///
/// # Errors
/// `ResourceExhausted` where it is larger than a message may be.
pub fn sendable<M: prost::Message>(list: M, instead: &str) -> Result<M> {
    let size = list.encoded_len();
    if size <= MAX_MESSAGE {
        return Ok(list);
    }
    let text = format!("the list of images has {size} bytes, more than clients take ({MAX_MESSAGE}): {instead}");
    Err(Error::new(Kind::ResourceExhausted, text))
}

/// Splits images into messages of at most `BATCH` images and about `BATCH_BYTES` bytes.
pub fn batches(images: impl Iterator<Item = v1::Image> + Send) -> impl Iterator<Item = Vec<v1::Image>> + Send {
    const BATCH: usize = 1000;
    const BATCH_BYTES: usize = 1 << 20;
    let mut images = images.peekable();
    std::iter::from_fn(move || {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            let Some(image) = images.next() else { break };
            bytes += image.encoded_len();
            batch.push(image);
        }
        (!batch.is_empty()).then_some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_number_or_a_name() {
        for (text, uid, username) in [
            ("", None, ""),
            ("0", Some(0), ""),
            ("1000:1000", Some(1000), ""),
            ("1002:group", Some(1002), ""),
            ("app", None, "app"),
            ("app:1000", None, "app"),
            ("-1", Some(-1), ""),
            ("+7", Some(7), ""),
            ("99999999999999999999", None, "99999999999999999999"),
            (":1000", None, ""),
            (" 1", None, " 1"),
        ] {
            assert_eq!(user(text), (uid, username), "{text:?}");
        }
    }

    #[test]
    fn a_chain_id_is_that_of_all_layers() {
        let (a, b, c) = (Digest::of(b"a").to_string(), Digest::of(b"b").to_string(), Digest::of(b"c").to_string());
        let two = Digest::of(format!("{a} {b}").as_bytes());
        let three = Digest::of(format!("{two} {c}").as_bytes());
        assert_eq!(chain_id(&[]), None);
        assert_eq!(chain_id(&[&a]).unwrap().to_string(), a);
        assert_eq!(chain_id(&[&a, &b]), Some(two));
        assert_eq!(chain_id(&[&a, &b, &c]), Some(three));
        assert_eq!(chain_id(&[&a, "latest"]), None);
    }

    #[test]
    fn the_verbose_part_is_json_around_the_stored_configuration() {
        let diff_id = Digest::of(b"layer");
        let config = format!("{{\"os\":\"linux\", \"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[\"{diff_id}\"]}}}}");
        let info = verbose_info(config.clone().into_bytes()).unwrap();
        let read: serde_json::Value = serde_json::from_str(&info["info"]).unwrap();
        assert_eq!(read["chainID"], diff_id.to_string());
        assert_eq!(read["imageSpec"], serde_json::from_str::<serde_json::Value>(&config).unwrap());
        assert!(verbose_info(b"[]".to_vec()).is_err());
    }

    #[test]
    fn messages_have_at_least_one_image_and_each_image_stands_in_one() {
        let of_size = |size: usize| v1::Image { username: "u".repeat(size), ..v1::Image::default() };
        let sizes = |images: Vec<v1::Image>| batches(images.into_iter()).map(|batch| batch.len()).collect::<Vec<_>>();
        assert_eq!(sizes(vec![]), [] as [usize; 0]);
        assert_eq!(sizes(vec![of_size(1); 2500]), [1000, 1000, 500]);
        assert_eq!(sizes(vec![of_size(2 << 20); 2]), [1, 1]);
    }

    #[test]
    fn a_list_that_no_client_takes_names_what_to_do() {
        let list = v1::ListImagesResponse {
            images: vec![v1::Image { username: "u".repeat(MAX_MESSAGE), ..v1::Image::default() }],
        };
        let error = sendable(list, "use StreamImages").unwrap_err();
        assert_eq!(error.kind(), Kind::ResourceExhausted);
        assert!(error.public().ends_with(": use StreamImages"), "{error}");
    }
}
