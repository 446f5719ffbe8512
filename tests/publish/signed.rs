//! Images that are really signed, by a key, as cosign 2 keeps signatures: under a tag, without a subject.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt;
use loadline::domain::{Descriptor, ImageName, Kind, MediaType, Reference};
use loadline::engine::{
    Clock, Credential, PruneFilter, PullEvent, PullRequest, PushEvent, PushRequest, Rules, RulesAdmission, SaveOptions,
};
use serde_json::json;

use super::*;
use crate::support::images::docker_archive;
use crate::support::registry::Registry;

/// What stands before the point of a P-256 key in DER.
const SPKI: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";

/// A signer with a key.
struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    fn pem(&self) -> String {
        let mut der = STANDARD.decode(SPKI).unwrap();
        der.extend(&self.0.public_key().as_ref()[1..]);
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    /// Puts signatures about an image beside it: one of a stranger, then our own over the same payload.
    fn sign(&self, registry: &Registry, repository: &str, image: &Descriptor) -> Descriptor {
        let payload = json!({"critical": {"identity": {"docker-reference": "registry.example/team/app"},
            "image": {"docker-manifest-digest": image.digest.to_string()},
            "type": "cosign container image signature"}, "optional": null});
        let payload = payload.to_string();
        let layer = registry.put_blob(
            repository,
            &MediaType::new("application/vnd.dev.cosign.simplesigning.v1+json"),
            payload.clone(),
        );
        let signed = |signer: &Self| {
            let signature = signer.0.sign(&SystemRandom::new(), payload.as_bytes()).unwrap();
            let mut layer = json!(layer.json());
            layer["annotations"] = json!({"dev.cosignproject.cosign/signature": STANDARD.encode(signature.as_ref())});
            layer
        };
        let config = registry.put_blob(repository, &MediaType::OCI_CONFIG, "{}");
        let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.as_str(), "config": config.json(),
            "layers": [signed(&Self::new()), signed(self)]});
        let tag = format!("sha256-{}.sig", image.digest.hex());
        registry.put_manifest(repository, Some(&tag), &MediaType::OCI_MANIFEST, &manifest)
    }

    /// An engine that lets in what is signed by this one, and everything that is called `kept`.
    async fn engine(&self) -> (Engine, Stores) {
        let text = json!({"apiVersion": "v1alpha1", "kind": "ImageVerificationConfig", "rules": [
            {"image": "docker.io/kept/*", "skip": true},
            {"image": "*", "publicKey": {"certificate": self.pem()}}]});
        let admission = RulesAdmission::offline(Rules::parse(&text.to_string()).unwrap(), Clock::default()).unwrap();
        let settings = Settings { rules: Some(Arc::new(admission)), ..Settings::new("/nowhere") };
        let stores = MemoryStore::open();
        (Engine::with_stores(settings, stores.clone()).await.unwrap(), stores)
    }
}

async fn pull(engine: &Engine, reference: &Reference) -> Result<()> {
    let request = PullRequest { reference: reference.clone(), platform: None, credential: Credential::anonymous() };
    let mut events = engine.pull(request);
    while let Some(event) = events.recv().await {
        if let PullEvent::Failed(error) = event {
            return Err(error);
        }
    }
    Ok(())
}

fn called(name: &Reference) -> ImageName {
    ImageName::parse(&name.familiar()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_under_a_tag_comes_along_and_stays() {
    let (registry, signer) = (Registry::start(), Signer::new());
    let image = registry.put_image("team/app", Some("1"), &[b"layer".to_vec()]);
    let signatures = signer.sign(&registry, "team/app", &image);
    let name = registry.name("team/app:1");
    let (engine, stores) = signer.engine().await;
    pull(&engine, &name).await.unwrap();
    assert!(engine.blobs().iter().any(|blob| blob.digest == signatures.digest));
    assert_eq!(engine.image_count(), 1, "a signature is no image");
    // Without a network, and after others were pruned.
    load(&engine, docker_archive(&["kept/app:1"], &["kept"])).await;
    engine.remove(&ImageName::parse("kept/app:1").unwrap(), Default::default()).await.unwrap();
    engine.prune(&PruneFilter::default()).await.unwrap();
    engine.tag(&called(&name), &new_name("copy/app:1")).await.unwrap();
    let (facts, evidence) = engine.evidence(&image.digest).await.unwrap();
    assert_eq!(facts.materials().len(), 2, "two signatures of one payload: {facts:?}");
    assert_eq!(evidence, loadline::engine::Evidence::Complete(vec![signatures.digest.clone()]));
    // Another pull finds nothing new.
    let blobs = engine.blobs().len();
    pull(&engine, &name).await.unwrap();
    assert_eq!(engine.blobs().len(), blobs);
    // An archive carries it.
    let options = SaveOptions { names: vec![name.familiar()], platforms: vec![] };
    let pieces: Vec<bytes::Bytes> = engine.save(options).await.unwrap().stream().try_collect().await.unwrap();
    let (other, _) = signer.engine().await;
    load(&other, pieces.concat()).await;
    assert_eq!((target(&other, &name.familiar()).await, other.image_count()), (Some(image.digest.to_string()), 1));
    // It goes with the image.
    for name in [&name.familiar(), "copy/app:1"] {
        engine.remove(&ImageName::parse(name).unwrap(), Default::default()).await.unwrap();
    }
    comes_to_hold(&engine, &stores, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_or_somebody_else_signed_is_denied() {
    let (registry, signer, stranger) = (Registry::start(), Signer::new(), Signer::new());
    registry.put_image("team/plain", Some("1"), &[b"plain".to_vec()]);
    let image = registry.put_image("team/strange", Some("1"), &[b"strange".to_vec()]);
    stranger.sign(&registry, "team/strange", &image);
    // A signature of another image proves nothing.
    let (good, bad) = (
        registry.put_image("team/moved", Some("1"), &[b"good".to_vec()]),
        registry.put_image("team/moved", Some("2"), &[b"bad".to_vec()]),
    );
    let signatures = signer.sign(&registry, "team/moved", &good);
    let (_, bytes) = registry.manifest("team/moved", &signatures.digest.to_string()).unwrap();
    let tag = format!("sha256-{}.sig", bad.digest.hex());
    registry.put_raw_manifest("team/moved", Some(&tag), &MediaType::OCI_MANIFEST, bytes);
    for name in ["team/plain:1", "team/strange:1", "team/moved:2"] {
        let (engine, stores) = signer.engine().await;
        let error = pull(&engine, &registry.name(name)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Denied, "{name}: {error}");
        comes_to_hold(&engine, &stores, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_takes_the_signature_along_and_replaces_none() {
    let (registry, signer) = (Registry::start(), Signer::new());
    let image = registry.put_image("team/app", Some("1"), &[b"layer".to_vec()]);
    let signatures = signer.sign(&registry, "team/app", &image);
    let (engine, _) = signer.engine().await;
    pull(&engine, &registry.name("team/app:1")).await.unwrap();
    let tag = format!("sha256-{}.sig", image.digest.hex());
    for is_signed_there in [false, true] {
        let other = Registry::start();
        let name = other.name("team/app:1");
        if is_signed_there {
            Signer::new().sign(&other, "team/app", &image);
        }
        let before = other.manifest("team/app", &tag);
        engine.tag(&called(&registry.name("team/app:1")), &TagName::new(name.clone()).unwrap()).await.unwrap();
        let request =
            PushRequest { reference: name, platform: None, referrers: true, credential: Credential::anonymous() };
        let mut events = engine.push(request);
        while let Some(event) = events.recv().await {
            if let PushEvent::Failed(error) = event {
                panic!("{error}");
            }
        }
        let after = other.manifest("team/app", &tag);
        match is_signed_there {
            true => assert_eq!(after, before),
            false => assert_eq!(loadline::domain::Digest::of(&after.unwrap().1), signatures.digest),
        }
    }
}
