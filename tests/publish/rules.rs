//! The administrator's rules, on every way in.

use loadline::domain::verification::{
    CertificateIdentity, Claim, Finding, Material, SignatureKind, Signer, VerifiedSignature,
};
use loadline::domain::{Detail, Digest, Error, ImageName, Kind, PublicKey, Reference};
use loadline::engine::{Credential, ImportEvent, ImportRequest, PullEvent, PullRequest, Rules, RulesAdmission};

use super::*;
use crate::support::images::docker_archive;
use crate::support::registry::Registry;
use crate::support::tar::Tar;

/// A rule that wants a signature by `me`.
const SIGNED: &str = "keyless: {issuer: https://i.example, subject: me}";

/// A document with these rules, each without its braces.
fn document(rules: &[&str], more: &str) -> String {
    let rules: Vec<String> = rules.iter().map(|rule| format!("  - {{{rule}}}\n")).collect();
    format!("apiVersion: v1alpha1\nkind: ImageVerificationConfig\n{more}\nrules:\n{}", rules.concat())
}

fn rules(text: &str) -> Rules {
    Rules::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

type Hook = Box<dyn FnOnce() + Send>;

/// What is signed by `me`, and what happens while the next image is verified.
#[derive(Default)]
struct Signed {
    digests: Mutex<Vec<Digest>>,
    hook: Mutex<Option<Hook>>,
}

impl Signed {
    /// In place of cryptography: all of the digests are signed.
    fn verify(&self, _: &[Material], _: &[PublicKey]) -> Vec<Finding> {
        let hook = self.hook.lock().take();
        if let Some(hook) = hook {
            // As a thread that belongs to no runtime may wait for one.
            std::thread::spawn(hook).join().unwrap();
        }
        let finding = |subject: &Digest| {
            let identity = CertificateIdentity {
                issuer: "https://i.example".to_owned(),
                subject: "me".to_owned(),
                ..CertificateIdentity::default()
            };
            let signer = Signer::Certificate(Box::new(identity));
            let signature = VerifiedSignature { signer, claim: Claim::Signature, logged: true, times: Vec::new() };
            Finding {
                subject: subject.clone(),
                source: Digest::of(b"s"),
                kind: SignatureKind::Bundle,
                result: Ok(signature),
            }
        };
        self.digests.lock().iter().map(finding).collect()
    }
}

/// An engine with rules, and what is signed in its eyes.
async fn ruled(text: &str) -> (Engine, Stores, Arc<Signed>) {
    let signed = Arc::new(Signed::default());
    let verifier = signed.clone();
    let admission =
        RulesAdmission::new(rules(text), Arc::new(move |m: &[Material], k: &[PublicKey]| verifier.verify(m, k)));
    let settings = Settings { rules: Some(Arc::new(admission)), ..Settings::new("/nowhere") };
    let stores = MemoryStore::open();
    (Engine::with_stores(settings, stores.clone()).await.unwrap(), stores, signed)
}

/// A way by which an image may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Pull,
    Load,
    Import,
    Tag,
}

const WAYS: [Way; 4] = [Way::Pull, Way::Load, Way::Import, Way::Tag];

impl Way {
    /// Brings an image in under a name. Images to tag are called `kept/app:1`.
    async fn take(self, engine: &Engine, name: &Reference) -> Result<(), Error> {
        match self {
            Self::Pull => {
                let credential = Credential::anonymous();
                let mut events = engine.pull(PullRequest { reference: name.clone(), platform: None, credential });
                while let Some(event) = events.recv().await {
                    if let PullEvent::Failed(error) = event {
                        return Err(error);
                    }
                }
            }
            Self::Load => {
                let archive = docker_archive(&[&name.familiar()], &["loaded"]);
                let mut events = engine.load(LoadOptions::default(), futures_util::stream::iter([Ok(archive.into())]));
                while let Some(event) = events.recv().await {
                    if let LoadEvent::Failed(error) = event {
                        return Err(error);
                    }
                }
            }
            Self::Import => {
                let name = Some(TagName::new(name.clone()).unwrap());
                let root = Tar::default().file("file", b"content").end();
                let request = ImportRequest { name, ..ImportRequest::default() };
                let mut events = engine.import(request, futures_util::stream::iter([Ok(root.into())]));
                while let Some(event) = events.recv().await {
                    if let ImportEvent::Failed(error) = event {
                        return Err(error);
                    }
                }
            }
            Self::Tag => {
                engine.tag(&ImageName::parse("kept/app:1").unwrap(), &TagName::new(name.clone()).unwrap()).await?;
            }
        }
        Ok(())
    }
}

/// What every way in is tried with: a registry with `team/app:1`, and what the ways bring.
struct Scene {
    registry: Registry,
    name: Reference,
    /// What pull, load and tag bring: what imports make is not known in advance.
    digests: Vec<Digest>,
}

impl Scene {
    async fn new() -> Self {
        let registry = Registry::start();
        let image = registry.put_image("team/app", Some("1"), &[b"layer".to_vec()]);
        let (engine, _) = engine(Arc::new(loadline::engine::AdmitAll)).await;
        load(&engine, docker_archive(&["loaded"], &["loaded"])).await;
        load(&engine, docker_archive(&["kept"], &["kept"])).await;
        let mut digests = vec![image.digest];
        for name in ["loaded", "kept"] {
            digests.push(target(&engine, name).await.unwrap().parse().unwrap());
        }
        let name = registry.name("team/app:1");
        Self { registry, name, digests }
    }

    /// A rule about the name.
    fn rule(&self, rest: &str) -> String {
        format!("image: \"{}/*\", {rest}", self.name.domain())
    }

    /// An engine with rules about the name, and an image to tag.
    async fn engine(&self, rest: &[&str], more: &str) -> (Engine, Stores, Arc<Signed>) {
        let mut all = vec!["image: docker.io/kept/*, skip: true".to_owned()];
        all.extend(rest.iter().map(|rest| self.rule(rest)));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let (engine, stores, signed) = ruled(&document(&all, more)).await;
        load(&engine, docker_archive(&["kept/app:1"], &["kept"])).await;
        (engine, stores, signed)
    }
}

fn denial(error: &Error) -> (String, String) {
    assert_eq!(error.kind(), Kind::Denied, "{error:?}");
    let Detail::Denied { rule, reason, .. } = error.detail() else { panic!("{error:?}") };
    (rule.clone(), reason.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_in_meets_the_rules() {
    let scene = Scene::new().await;
    let host = scene.name.domain().to_owned();
    let by_rule = format!("0001 ({host}/*)");
    let audited = format!("{SIGNED}, audit: true");
    let each = format!("{SIGNED}, platforms: each");
    // What the rule says, what the rest of the document says, whether the image is signed, and who denies it, if anybody.
    let table: [(&[&str], &str, bool, Option<&str>); 12] = [
        (&["skip: true"], "", false, None),
        (&["skip: true"], "default: deny", false, None),
        (&["deny: true"], "", true, Some(&by_rule)),
        (&["deny: true, audit: true"], "", false, None),
        (&[SIGNED], "", true, None),
        (&[SIGNED], "", false, Some(&by_rule)),
        (&[&audited], "", false, None),
        (&[&each], "", true, None),
        (&[&each], "", false, Some(&by_rule)),
        (&["skip: true", "deny: true"], "", false, None),
        (&[], "", false, None),
        (&[], "default: deny", true, Some("default")),
    ];
    for (rest, more, is_signed, expected) in table {
        for way in WAYS {
            let (engine, stores, signed) = scene.engine(rest, more).await;
            if is_signed {
                signed.digests.lock().extend(scene.digests.iter().cloned());
            }
            // Nobody signs what an import has just made.
            let expected = match (way, rest) {
                (Way::Import, [rule]) if rule.starts_with(SIGNED) && !rule.contains("audit") => Some(by_rule.as_str()),
                _ => expected,
            };
            let before = engine.blobs().len();
            let taken = way.take(&engine, &scene.name).await;
            let case = format!("{way:?} {rest:?} {more} {is_signed}");
            let familiar = scene.name.familiar();
            match expected {
                None => {
                    taken.unwrap_or_else(|error| panic!("{case}: {error}"));
                    assert!(target(&engine, &familiar).await.is_some(), "{case}");
                    assert_eq!(engine.denials(), 0, "{case}");
                }
                Some(rule) => {
                    let error = taken.expect_err(&case);
                    assert_eq!(denial(&error).0, rule, "{case}: {error}");
                    assert_eq!(target(&engine, &familiar).await, None, "{case}");
                    comes_to_hold(&engine, &stores, before).await;
                    let denials = told(&engine).await.iter().filter(|event| event.action == Action::Deny).count();
                    assert_eq!((denials, engine.denials()), (1, 1), "{case}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_evidence_denies_where_a_signature_is_wanted_and_is_remembered() {
    let scene = Scene::new().await;
    scene.registry.faults().closed_referrers = true;
    let (engine, _, signed) = scene.engine(&[SIGNED], "").await;
    signed.digests.lock().extend(scene.digests.iter().cloned());
    let (rule, reason) = denial(&Way::Pull.take(&engine, &scene.name).await.unwrap_err());
    assert!(rule.starts_with("0001 ") && reason.contains("its signatures are not all known"), "{rule}: {reason}");
    // Where nothing asks, it comes in, and a later tag knows what is not known.
    let open = document(&["image: docker.io/kept/*, skip: true"], "");
    engine.replace_rules(rules(&open)).await.unwrap();
    Way::Pull.take(&engine, &scene.name).await.unwrap();
    let closed = document(&[&format!("image: docker.io/copy/*, {SIGNED}")], "");
    engine.replace_rules(rules(&closed)).await.unwrap();
    let pulled = ImageName::parse(&scene.name.familiar()).unwrap();
    let (_, reason) = denial(&engine.tag(&pulled, &new_name("copy/app:1")).await.unwrap_err());
    assert!(reason.contains("could not be fetched"), "{reason}");
    // Once all is known, it may have the name.
    scene.registry.faults().closed_referrers = false;
    Way::Pull.take(&engine, &scene.name).await.unwrap();
    engine.tag(&pulled, &new_name("copy/app:1")).await.unwrap();
    // A rule that only notes lets it in all the same.
    scene.registry.faults().closed_referrers = true;
    let (engine, ..) = scene.engine(&[&format!("{SIGNED}, audit: true")], "").await;
    Way::Pull.take(&engine, &scene.name).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_change_while_an_image_is_decided_on_count() {
    let scene = Scene::new().await;
    let (kept, deny, skip) =
        ("image: docker.io/kept/*, skip: true", scene.rule("deny: true"), scene.rule("skip: true"));
    for way in WAYS {
        for (is_signed, to, is_denied) in [(true, &deny, true), (false, &skip, false)] {
            let (engine, _, signed) = scene.engine(&[SIGNED], "").await;
            if is_signed {
                signed.digests.lock().extend(scene.digests.iter().cloned());
            }
            let (changed, new) = (engine.clone(), rules(&document(&[kept, to], "")));
            let runtime = tokio::runtime::Handle::current();
            let hook = move || runtime.block_on(changed.replace_rules(new)).unwrap();
            *signed.hook.lock() = Some(Box::new(hook));
            let taken = way.take(&engine, &scene.name).await;
            let case = format!("{way:?} {to}");
            match (is_denied, way) {
                (true, _) => assert_eq!(target(&engine, &scene.name.familiar()).await, None, "{case}: {taken:?}"),
                // It was denied by rules that were in force when it was asked for.
                (false, _) => {
                    assert_eq!(denial(&taken.expect_err(&case)).0, format!("0001 ({}/*)", scene.name.domain()))
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_of_what_moves_meanwhile_is_decided_on_anew() {
    let scene = Scene::new().await;
    let (engine, _, signed) = scene.engine(&[SIGNED], "").await;
    load(&engine, docker_archive(&["kept/other:1"], &["another"])).await;
    // Only what it pointed at first is signed.
    let first = target(&engine, "kept/app:1").await.unwrap().parse().unwrap();
    signed.digests.lock().push(first);
    let (moving, runtime) = (engine.clone(), tokio::runtime::Handle::current());
    let hook = move || {
        let other = ImageName::parse("kept/other:1").unwrap();
        runtime.block_on(moving.tag(&other, &new_name("kept/app:1"))).unwrap();
    };
    *signed.hook.lock() = Some(Box::new(hook));
    denial(&Way::Tag.take(&engine, &scene.name).await.unwrap_err());
    assert_eq!(target(&engine, &scene.name.familiar()).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lets_a_name_stay_is_noted_anew() {
    let scene = Scene::new().await;
    for way in [Way::Pull, Way::Tag] {
        let (engine, stores, signed) = scene.engine(&["skip: true"], "").await;
        signed.digests.lock().extend(scene.digests.iter().cloned());
        way.take(&engine, &scene.name).await.unwrap();
        assert_eq!(verdict(&stores, &scene.name).await.unwrap().1, "let in without verification");
        let signed_now = document(&["image: docker.io/kept/*, skip: true", &scene.rule(SIGNED)], "");
        engine.replace_rules(rules(&signed_now)).await.unwrap();
        way.take(&engine, &scene.name).await.unwrap();
        assert_eq!(verdict(&stores, &scene.name).await.unwrap().1, "signed by me (issuer https://i.example)");
        engine.replace_rules(rules(&document(&["image: a.example/*, skip: true"], ""))).await.unwrap();
        way.take(&engine, &scene.name).await.unwrap();
        assert_eq!(verdict(&stores, &scene.name).await, None);
    }
}

/// What is recorded of what let an image have its name: the rule and the reason.
async fn verdict(stores: &Stores, name: &Reference) -> Option<(String, String)> {
    let mut records = stores.metadata.read(None).await.unwrap();
    let mut found = None;
    while let Some(batch) = futures_util::TryStreamExt::try_next(&mut records.batches).await.unwrap() {
        for entry in batch {
            if let loadline::store::Entry::Name(key, Some(record)) = entry
                && key == name.to_string()
            {
                found = record.verdict.map(|verdict| (verdict.rule, verdict.reason));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn each_platform_has_to_be_signed_where_the_rule_says_so() {
    let registry = Registry::start();
    let one = registry.put_image("team/app", None, &[b"one".to_vec()]);
    let other = registry.put_image("team/app", None, &[b"other".to_vec()]);
    let host = loadline::domain::Platform::host();
    let entry = |image: &loadline::domain::Descriptor, architecture: &str| {
        serde_json::json!({"mediaType": image.media_type.as_str(), "digest": image.digest.to_string(), "size": image.size,
            "platform": {"os": "linux", "architecture": architecture}})
    };
    let index = serde_json::json!({"schemaVersion": 2, "mediaType": loadline::domain::MediaType::OCI_INDEX.as_str(),
        "manifests": [entry(&one, &host.architecture), entry(&other, "s390x")]});
    let index = registry.put_manifest("team/app", Some("1"), &loadline::domain::MediaType::OCI_INDEX, &index);
    let name = registry.name("team/app:1");
    for (signed_digests, each, whole) in [
        (vec![&index.digest], false, true),
        (vec![&one.digest], false, false),
        (vec![&one.digest, &other.digest], true, false),
        (vec![], false, false),
    ] {
        for (platforms, expected) in [("each", each), ("index", whole)] {
            let rule = format!("image: \"{}/*\", {SIGNED}, platforms: {platforms}", name.domain());
            let (engine, _, signed) = ruled(&document(&[&rule], "")).await;
            signed.digests.lock().extend(signed_digests.iter().copied().cloned());
            let taken = Way::Pull.take(&engine, &name).await;
            assert_eq!(taken.is_ok(), expected, "{platforms} {signed_digests:?}: {taken:?}");
        }
    }
}
