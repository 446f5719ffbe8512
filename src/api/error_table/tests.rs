use super::*;

#[test]
fn a_clients_fault_is_never_a_server_error() {
    for kind in
        [Kind::InvalidArgument, Kind::NotFound, Kind::Conflict, Kind::PermissionDenied, Kind::Denied, Kind::Cancelled]
    {
        assert!(codes(kind).0.is_client_error(), "{kind:?}");
    }
    for kind in [Kind::Internal, Kind::DataLoss, Kind::Unavailable, Kind::ResourceExhausted] {
        assert!(codes(kind).0.is_server_error(), "{kind:?}");
    }
}

#[test]
fn only_what_a_registry_refuses_to_a_pull_is_hidden() {
    for kind in [Kind::PermissionDenied, Kind::Unauthenticated] {
        assert_eq!(docker_status(kind, Origin::Pull), StatusCode::NOT_FOUND);
        for origin in [Origin::Daemon, Origin::Remote] {
            assert_eq!(docker_status(kind, origin), codes(kind).0);
        }
    }
    assert_eq!(docker_status(Kind::Unavailable, Origin::Daemon), StatusCode::SERVICE_UNAVAILABLE);
    for origin in [Origin::Remote, Origin::Pull] {
        assert_eq!(docker_status(Kind::Unavailable, origin), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(docker_status(Kind::InvalidArgument, origin), StatusCode::BAD_REQUEST);
    }
}

#[test]
fn a_status_carries_the_public_text_only() {
    let error = Error::internal("reading a blob failed", std::io::Error::other("secret path"));
    let status = status(error);
    assert_eq!((status.code(), status.message()), (Code::Internal, "reading a blob failed"));
}

#[test]
fn a_denial_is_a_refusal_on_every_protocol() {
    assert_eq!(codes(Kind::Denied), (StatusCode::FORBIDDEN, Code::PermissionDenied));
    assert_eq!(docker_status(Kind::Denied, Origin::Pull), StatusCode::FORBIDDEN);
    let status = status(Error::denied("app:1", "signed", "no signature"));
    assert_eq!(status.message(), "image app:1 is denied by rule signed: no signature");
}
