use super::*;

/// Lists kinds, and does not compile where one is left out.
macro_rules! all_kinds {
    ($($kind:ident),* $(,)?) => {{
        let _every_kind_is_named = |kind| match kind {
            $(Kind::$kind => (),)*
        };
        [$(Kind::$kind),*]
    }};
}

fn all() -> impl Iterator<Item = Kind> {
    let kinds = all_kinds![
        InvalidArgument,
        NotFound,
        Conflict,
        AlreadyExists,
        PermissionDenied,
        Denied,
        Unauthenticated,
        OutOfRange,
        NotImplemented,
        ResourceExhausted,
        TooManyRequests,
        Unavailable,
        Cancelled,
        DataLoss,
        Internal,
    ];
    kinds.into_iter()
}

/// Whether the client can do something about it: send another request, or none.
fn is_the_clients(kind: Kind) -> bool {
    match kind {
        Kind::InvalidArgument
        | Kind::NotFound
        | Kind::Conflict
        | Kind::AlreadyExists
        | Kind::PermissionDenied
        | Kind::Denied
        | Kind::Unauthenticated
        | Kind::OutOfRange
        | Kind::TooManyRequests
        | Kind::Cancelled => true,
        Kind::NotImplemented | Kind::ResourceExhausted | Kind::Unavailable | Kind::DataLoss | Kind::Internal => false,
    }
}

#[test]
fn a_clients_fault_is_never_a_server_error_and_ours_always_is() {
    for kind in all() {
        let (status, code) = codes(kind);
        assert_eq!(status.is_client_error(), is_the_clients(kind), "{kind:?}: {status}");
        assert_eq!(status.is_server_error(), !is_the_clients(kind), "{kind:?}: {status}");
        assert!(!matches!(code, Code::Ok | Code::Unknown), "{kind:?}: {code:?}");
    }
}

#[test]
fn each_failure_of_the_daemon_has_a_code_of_its_own() {
    // Denied by a rule or by a registry, no room here or at a registry: a client can do the same about both.
    let shared = [Kind::Denied, Kind::TooManyRequests];
    let several: Vec<Kind> = all().filter(|kind| !shared.contains(kind)).collect();
    let of = |kind: &Kind| several.iter().filter(|other| codes(**other).1 == codes(*kind).1).count();
    assert!(several.iter().all(|kind| of(kind) == 1), "{several:?}");
}

#[test]
fn only_what_a_registry_refuses_to_a_pull_is_hidden() {
    for kind in all() {
        assert_eq!(docker_status(kind, Origin::Daemon), codes(kind).0, "{kind:?}");
        let remote = match kind {
            Kind::Unavailable | Kind::TooManyRequests | Kind::ResourceExhausted => StatusCode::INTERNAL_SERVER_ERROR,
            _ => codes(kind).0,
        };
        assert_eq!(docker_status(kind, Origin::Remote), remote, "{kind:?}");
        let hidden = matches!(kind, Kind::PermissionDenied | Kind::Unauthenticated);
        let pull = match kind {
            _ if hidden => StatusCode::NOT_FOUND,
            // The disk may be full.
            Kind::ResourceExhausted => codes(kind).0,
            _ => remote,
        };
        assert_eq!(docker_status(kind, Origin::Pull), pull, "{kind:?}");
    }
}

#[test]
fn a_status_carries_the_public_text_and_the_code_of_its_kind_only() {
    for kind in all() {
        let error = Error::new(kind, "reading a blob failed").with_cause(std::io::Error::other("secret path"));
        let status = status(error);
        assert_eq!((status.code(), status.message()), (codes(kind).1, "reading a blob failed"));
    }
}

#[test]
fn kubelet_reads_its_words_at_the_beginning_of_an_unknown_failure() {
    for kind in all() {
        let failed = node_pull_status(Error::new(kind, "why").with_cause(std::io::Error::other("secret path")));
        match kind {
            Kind::Denied => {
                assert_eq!((failed.code(), failed.message()), (Code::Unknown, "SignatureValidationFailed: why"));
            }
            Kind::Unavailable => {
                assert_eq!((failed.code(), failed.message()), (Code::Unknown, "RegistryUnavailable: why"));
            }
            _ => assert_eq!((failed.code(), failed.message()), (codes(kind).1, "why")),
        }
    }
}

#[test]
fn a_denial_is_a_refusal_on_every_protocol() {
    assert_eq!(codes(Kind::Denied), (StatusCode::FORBIDDEN, Code::PermissionDenied));
    assert_eq!(docker_status(Kind::Denied, Origin::Pull), StatusCode::FORBIDDEN);
    let status = status(Error::denied("app:1", "signed", "no signature"));
    assert_eq!(status.message(), "image app:1 is denied by rule signed: no signature");
}
