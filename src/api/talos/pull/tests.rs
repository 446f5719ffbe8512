use super::*;

/// The states that are told of a layer, with their bytes, given what happens to it at which millisecond.
fn told(happens: &[(u64, BlobState)]) -> Vec<(Status, i64, i64)> {
    let (mut progress, digest, start) = (Progress::default(), Digest::of(b"layer"), Instant::now());
    let messages = happens
        .iter()
        .flat_map(|(at, state)| progress.of(&digest, *state, start + Duration::from_millis(*at)))
        .map(|message| match message.response {
            Some(Response::PullProgress(progress)) => {
                assert_eq!(digest.hex().get(..12), Some(progress.layer_id.as_str()));
                progress.progress.unwrap()
            }
            other => panic!("{other:?}"),
        });
    messages.map(|layer| (layer.status(), layer.offset, layer.total)).collect()
}

const fn arrived(current: u64) -> BlobState {
    BlobState::Downloading { current, total: 9 }
}

#[test]
fn a_layer_goes_through_its_states() {
    let states = told(&[
        (0, BlobState::Waiting),
        (1, arrived(3)),
        (500, arrived(6)),
        (700, BlobState::Downloaded),
        (900, BlobState::Complete),
    ]);
    assert_eq!(
        states,
        [
            (Status::Downloading, 3, 9),
            (Status::Downloading, 6, 9),
            (Status::DownloadComplete, 0, 0),
            (Status::Extracting, 0, 0),
            (Status::ExtractComplete, 0, 0),
        ]
    );
}

#[test]
fn a_layer_that_was_here_is_not_downloaded() {
    let states = told(&[(0, BlobState::Waiting), (1, BlobState::Exists), (2, BlobState::Complete)]);
    let states: Vec<Status> = states.into_iter().map(|(status, ..)| status).collect();
    assert_eq!(states, [Status::AlreadyExists, Status::Extracting, Status::ExtractComplete]);
}

#[test]
fn a_layer_has_at_most_ten_messages_in_a_second() {
    let mut happens: Vec<_> = (0..1000).map(|at| (at, arrived(at))).collect();
    happens.insert(0, (0, BlobState::Waiting));
    happens.extend([(1000, BlobState::Downloaded), (1000, BlobState::Complete)]);
    let states = told(&happens);
    assert!((5..=10).contains(&states.len()), "{}", states.len());
}

#[test]
fn extracting_tells_since_when() {
    let (mut progress, digest, start) = (Progress::default(), Digest::of(b"layer"), Instant::now());
    progress.of(&digest, BlobState::Waiting, start);
    progress.of(&digest, BlobState::Downloaded, start);
    let messages = progress.of(&digest, BlobState::Complete, start + Duration::from_millis(1500));
    let Some(Response::PullProgress(first)) = &messages[0].response else { panic!("{messages:?}") };
    let elapsed = first.progress.as_ref().unwrap().elapsed.as_ref().unwrap();
    assert_eq!((elapsed.seconds, elapsed.nanos), (1, 500_000_000));
}

#[test]
fn what_is_no_layer_is_not_told() {
    assert!(told(&[(0, arrived(1)), (1, BlobState::Downloaded), (2, BlobState::Exists)]).is_empty());
}
