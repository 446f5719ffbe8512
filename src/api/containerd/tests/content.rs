use std::time::Duration;

use prost::Message as _;
use tonic::{Code, Request, Status};

use super::*;
use crate::api::containerd::proto::containerd::services::content::v1::content_client::ContentClient;
use crate::api::containerd::proto::containerd::services::content::v1::{
    Info, InfoRequest, ListContentRequest, ListStatusesRequest, ReadContentRequest, StatusRequest, WriteAction,
    WriteContentRequest,
};

const MIB: usize = 1 << 20;

fn labels(entries: &[(&str, &str)]) -> StringMap {
    entries.iter().copied().collect()
}

fn text(text: &'static str) -> (Bytes, StringMap) {
    (Bytes::from_static(text.as_bytes()), StringMap::default())
}

/// Bytes in which every offset can be told from its neighbours.
fn big(len: usize) -> Bytes {
    (0..len).map(|i| (i % 251) as u8).collect()
}

async fn client(fake: &Fake) -> ContentClient<Channel> {
    ContentClient::new(fake.serve().await)
}

async fn read(client: &mut ContentClient<Channel>, digest: &Digest, offset: i64, size: i64) -> Result<Vec<u8>, Status> {
    let request = ReadContentRequest { digest: digest.to_string(), offset, size };
    let mut stream = client.read(request).await?.into_inner();
    let mut data = Vec::new();
    while let Some(message) = stream.message().await? {
        assert_eq!(message.offset, data.len() as i64, "offsets count from the start of the read");
        assert!(!message.data.is_empty() && message.data.len() <= MIB);
        data.extend_from_slice(&message.data);
    }
    Ok(data)
}

async fn list(client: &mut ContentClient<Channel>, filters: &[&str]) -> Result<Vec<Vec<Info>>, Status> {
    let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
    let mut stream = client.list(ListContentRequest { filters }).await?.into_inner();
    let mut batches = Vec::new();
    while let Some(message) = stream.message().await? {
        batches.push(message.info);
    }
    Ok(batches)
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within five seconds: {what}");
}

#[tokio::test]
async fn info_tells_size_times_and_labels() {
    let fake = Fake::with([(Bytes::from_static(b"x"), labels(&[("a", "1"), ("b.c/d", "2")]))]);
    let digest = Digest::of(b"x").to_string();
    let info = client(&fake).await.info(InfoRequest { digest: digest.clone() }).await.unwrap();
    let info = info.into_inner().info.unwrap();
    assert_eq!((info.digest, info.size), (digest, 1));
    assert_eq!(info.created_at, Some(prost_types::Timestamp { seconds: 1_785_585_600, nanos: 250_000_000 }));
    assert_eq!(info.updated_at, info.created_at);
    assert_eq!(info.labels, BTreeMap::from([("a".into(), "1".into()), ("b.c/d".into(), "2".into())]));
}

#[tokio::test]
async fn what_is_not_here_is_not_found_in_containerds_words() {
    let fake = Fake::default();
    let mut client = client(&fake).await;
    let digest = Digest::of(b"absent");
    let words = format!("content digest {digest}: not found");
    let error = client.info(InfoRequest { digest: digest.to_string() }).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::NotFound, &*words));
    let error = read(&mut client, &digest, 0, 0).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::NotFound, &*words));
}

#[tokio::test]
async fn what_is_no_digest_is_refused() {
    let fake = Fake::default();
    let mut client = client(&fake).await;
    for digest in ["", "sha256:", "sha256:../../etc/passwd", "latest", &"é".repeat(MIB)] {
        let error = client.info(InfoRequest { digest: digest.to_owned() }).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{digest:.40}");
        assert!(error.message().contains("failed validation") && error.message().len() < 1024);
        let request = ReadContentRequest { digest: digest.to_owned(), ..Default::default() };
        assert_eq!(client.read(request).await.unwrap_err().code(), Code::InvalidArgument, "{digest:.40}");
    }
}

#[tokio::test]
async fn a_request_of_absurd_size_is_refused() {
    let error = client(&Fake::default()).await.info(InfoRequest { digest: "x".repeat(17 * MIB) }).await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn reads_take_any_range() {
    let data = big(3 * MIB + 17);
    let fake = Fake::with([(data.clone(), StringMap::default()), text("")]);
    let mut client = client(&fake).await;
    let digest = Digest::of(&data);
    let end = data.len() as i64;
    for (offset, size, expected) in [
        (0, 0, 0..data.len()),
        (0, end, 0..data.len()),
        (0, 1, 0..1),
        (1, 1, 1..2),
        (-5, 3, 0..3),
        (i64::MIN, i64::MIN, 0..data.len()),
        (7, -1, 7..data.len()),
        (MIB as i64 - 1, MIB as i64 + 2, MIB - 1..2 * MIB + 1),
        (end - 1, 0, data.len() - 1..data.len()),
        (end - 1, i64::MAX, data.len() - 1..data.len()),
        (end, 0, data.len()..data.len()),
        (end, 9, data.len()..data.len()),
    ] {
        let got = read(&mut client, &digest, offset, size).await.unwrap();
        assert!(got == data[expected.clone()], "{offset} {size}: {} bytes, expected {expected:?}", got.len());
    }
    for offset in [end + 1, i64::MAX] {
        let error = read(&mut client, &digest, offset, 0).await.unwrap_err();
        let words = format!("read past object length {end} bytes");
        assert_eq!((error.code(), error.message()), (Code::OutOfRange, &*words));
    }
    assert_eq!(read(&mut client, &Digest::of(b""), 0, 0).await.unwrap(), b"");
    until("every blob is closed", || fake.open.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn many_read_at_once() {
    let data = big(MIB);
    let fake = Fake::with([(data.clone(), StringMap::default())]);
    let client = client(&fake).await;
    let digest = Digest::of(&data);
    let reads: Vec<_> = (0..600)
        .map(|offset| {
            let (mut client, digest) = (client.clone(), digest.clone());
            tokio::spawn(async move { read(&mut client, &digest, offset, 300_000).await })
        })
        .collect();
    for (offset, read) in reads.into_iter().enumerate() {
        assert!(read.await.unwrap().unwrap() == data[offset..offset + 300_000], "read at {offset}");
    }
    until("every blob is closed", || fake.open.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn a_reader_who_does_not_read_costs_little_and_may_leave() {
    let data = big(64 * MIB);
    let fake = Fake::with([(data.clone(), StringMap::default())]);
    let mut client = client(&fake).await;
    let request = ReadContentRequest { digest: Digest::of(&data).to_string(), ..Default::default() };
    let mut stream = client.read(request).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(fake.chunks.load(Ordering::SeqCst) < 32, "{:?} chunks were read ahead", fake.chunks);
    assert_eq!(fake.open.load(Ordering::SeqCst), 1);
    drop(stream);
    until("the blob is closed", || fake.open.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn a_failure_in_the_middle_of_a_read_reaches_the_client() {
    let data = big(2 * MIB);
    let fake = Fake { fail_after: Some(2), ..Fake::with([(data.clone(), StringMap::default())]) };
    let error = read(&mut client(&fake).await, &Digest::of(&data), 0, 0).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::Internal, "reading a blob failed"));
    until("the blob is closed", || fake.open.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn lists_come_in_sorted_batches() {
    let fake = Fake::with((0..250).map(|i| (Bytes::from(format!("blob {i}")), StringMap::default())));
    let batches = list(&mut client(&fake).await, &[]).await.unwrap();
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 50]);
    let digests: Vec<_> = batches.into_iter().flatten().map(|info| info.digest).collect();
    assert!(digests.is_sorted());
    assert_eq!(list(&mut client(&Fake::default()).await, &[]).await.unwrap(), Vec::<Vec<Info>>::new());
}

#[tokio::test]
async fn a_batch_of_long_labels_fits_a_message() {
    let long = labels(&[("long", &"x".repeat(MIB / 4))]);
    let fake = Fake::with((0..40).map(|i| (Bytes::from(format!("blob {i}")), long.clone())));
    let batches = list(&mut client(&fake).await, &[]).await.unwrap();
    assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), 40);
    assert!(batches.iter().all(|batch| batch.len() <= 4));
}

#[tokio::test]
async fn lists_are_filtered() {
    let source = ("containerd.io/distribution.source.docker.io", "library/app");
    let fake = Fake::with([
        (Bytes::from_static(b"one"), labels(&[source])),
        (Bytes::from_static(b"three"), labels(&[("kind", "layer"), ("dotted.name", "x")])),
        text("fives"),
    ]);
    let mut client = client(&fake).await;
    let one = format!("digest=={}", Digest::of(b"one"));
    let not_one = format!("digest!={}", Digest::of(b"one"));
    let pattern = format!("digest~=^sha256:{}", &Digest::of(b"one").hex()[..12]);
    for (filters, expected) in [
        (&[one.as_str()][..], &["one"][..]),
        (&[&not_one], &["fives", "three"]),
        (&[&pattern], &["one"]),
        (&["size==5"], &["fives", "three"]),
        (&["size==5,labels.kind"], &["three"]),
        (&[&one, "labels.kind==layer"], &["one", "three"]),
        (&["labels.\"containerd.io/distribution.source.docker.io\"~=app"], &["one"]),
        (&["labels.dotted.name==x"], &["three"]),
        (&["labels"], &[]),
        (&["nothing"], &[]),
        (&["labels.kind==layer", ""], &["fives", "one", "three"]),
    ] {
        let mut found: Vec<_> = list(&mut client, filters).await.unwrap().into_iter().flatten().collect();
        found.sort_by_key(|info| {
            expected.iter().position(|text| Digest::of(text.as_bytes()).to_string() == info.digest)
        });
        let found: Vec<_> = found.into_iter().map(|info| info.digest).collect();
        let expected: Vec<_> = expected.iter().map(|text| Digest::of(text.as_bytes()).to_string()).collect();
        assert_eq!(found, expected, "{filters:?}");
    }
    let error = list(&mut client, &["size=5"]).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().contains("[size >|=|< 5]"), "{error}");
}

#[tokio::test]
async fn ingests_tell_how_far_they_are() {
    let started_at: jiff::Timestamp = "1969-12-31T23:59:59.5Z".parse().unwrap();
    let ingest = |reference: &str, expected: Option<Digest>| IngestStatus {
        reference: reference.to_owned(),
        offset: 5,
        total: 9,
        expected,
        started_at,
        updated_at: jiff::Timestamp::UNIX_EPOCH,
    };
    let expected = Digest::of(b"layer");
    let ingests = Arc::new(vec![ingest("layer-1", Some(expected.clone())), ingest("manifest-2", None)]);
    let mut client = client(&Fake { ingests, ..Fake::default() }).await;

    let status = client.status(StatusRequest { r#ref: "layer-1".into() }).await.unwrap().into_inner().status.unwrap();
    assert_eq!((&*status.r#ref, status.offset, status.total), ("layer-1", 5, 9));
    assert_eq!(status.expected, expected.to_string());
    assert_eq!(status.started_at, Some(prost_types::Timestamp { seconds: -1, nanos: 500_000_000 }));
    assert_eq!(status.updated_at, Some(prost_types::Timestamp::default()));
    let error = client.status(StatusRequest { r#ref: "other".into() }).await.unwrap_err();
    let words = "could not get status for ref \"other\": not found";
    assert_eq!((error.code(), error.message()), (Code::NotFound, words));

    for (filters, references) in
        [(vec![], vec!["layer-1", "manifest-2"]), (vec!["ref~=/^man/"], vec!["manifest-2"]), (vec!["ref==x"], vec![])]
    {
        let filters = filters.into_iter().map(str::to_owned).collect();
        let found = client.list_statuses(ListStatusesRequest { filters }).await.unwrap().into_inner().statuses;
        assert_eq!(found.iter().map(|status| &*status.r#ref).collect::<Vec<_>>(), references);
    }
    let filters = vec!["ref==".to_owned()];
    assert_eq!(client.list_statuses(ListStatusesRequest { filters }).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn every_namespace_sees_the_one_store() {
    let mut client = client(&Fake::with([text("x")])).await;
    for namespace in ["", "default", "moby", "k8s.io", "no/such namespace"] {
        let mut request = Request::new(InfoRequest { digest: Digest::of(b"x").to_string() });
        request.metadata_mut().insert("containerd-namespace", namespace.parse().unwrap());
        assert_eq!(client.info(request).await.unwrap().into_inner().info.unwrap().size, 1, "{namespace}");
    }
}

#[tokio::test]
async fn whatever_is_not_known_to_read_is_refused() {
    const READING: [&str; 5] = ["Info", "List", "Read", "Status", "ListStatuses"];
    let descriptors = prost_types::FileDescriptorSet::decode(crate::api::containerd::DESCRIPTORS).unwrap();
    let file = descriptors.file.iter().find(|file| file.package() == "containerd.services.content.v1").unwrap();
    let methods: Vec<_> = file.service[0].method.iter().map(|method| method.name().to_owned()).collect();
    let mutating: Vec<_> = methods.iter().filter(|method| !READING.contains(&method.as_str())).collect();
    assert_eq!(mutating, ["Update", "Delete", "Write", "Abort"]);

    let fake = Fake::with([text("x")]);
    let mut grpc = tonic::client::Grpc::new(fake.serve().await);
    for method in mutating {
        let path = format!("/containerd.services.content.v1.Content/{method}").parse().unwrap();
        // An empty message decodes as any.
        let codec = tonic_prost::ProstCodec::<(), ()>::default();
        grpc.ready().await.unwrap();
        let answer = grpc.unary(Request::new(()), path, codec);
        let error = tokio::time::timeout(Duration::from_secs(5), answer).await.expect(method).unwrap_err();
        assert_eq!(error.code(), Code::PermissionDenied, "{method}");
        assert!(error.message().contains("read-only"), "{method}: {error}");
    }
    assert_eq!(fake.blobs.len(), 1);
}

#[tokio::test]
async fn a_write_is_refused_whether_or_not_the_client_sends() {
    let mut client = client(&Fake::default()).await;
    let message = WriteContentRequest {
        action: WriteAction::Write.into(),
        r#ref: "x".into(),
        data: big(MIB),
        ..Default::default()
    };
    let flood = stream::iter(std::iter::repeat_n(message, 64));
    let refused = [
        client.write(stream::pending()).await.unwrap_err(),
        client.write(stream::empty()).await.unwrap_err(),
        client.write(flood).await.unwrap_err(),
    ];
    assert!(refused.iter().all(|error| error.code() == Code::PermissionDenied), "{refused:?}");
    // The connection survives it.
    let request = InfoRequest { digest: Digest::of(b"").to_string() };
    assert_eq!(client.info(request).await.unwrap_err().code(), Code::NotFound);
}
