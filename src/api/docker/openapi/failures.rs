//! Which failures each operation can answer: one table of kinds, whose statuses are those of the error table.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};

use crate::api::error_table::{Origin, docker_status};
use crate::domain::Kind::{
    self, Conflict, Denied, InvalidArgument, NotFound, OutOfRange, PermissionDenied, ResourceExhausted,
    Unauthenticated, Unavailable,
};

/// Operations, whose failures they answer, and the kinds of those. Every operation can also fail with `Internal`. A stream
/// that has begun reports failures in its last line; only what is answered before it begins has a status.
const FAILURES: [(&[&str], Origin, &[Kind]); 14] = [
    (&["SystemPing", "SystemPingHead", "SystemVersion", "SystemInfo"], Origin::Daemon, &[]),
    (&["SystemEvents", "SystemDataUsage", "ImageLoad", "ImagePush"], Origin::Daemon, &[InvalidArgument]),
    (&["VolumeList", "NetworkList", "PluginList"], Origin::Daemon, &[InvalidArgument]),
    (&["ContainerPrune", "VolumePrune", "NetworkPrune", "BuildPrune"], Origin::Daemon, &[InvalidArgument]),
    (&["ContainerList", "ImageList", "ContentHead"], Origin::Daemon, &[InvalidArgument, NotFound]),
    (
        &["ImageInspect", "ImageHistory", "ImageAttestations", "ImageVerify"],
        Origin::Daemon,
        &[InvalidArgument, NotFound],
    ),
    (&["ContentRead"], Origin::Daemon, &[InvalidArgument, NotFound, OutOfRange]),
    (&["ImageGet", "ImageGetAll"], Origin::Daemon, &[InvalidArgument, NotFound, Unavailable]),
    (&["ImagePrune"], Origin::Daemon, &[InvalidArgument, ResourceExhausted, Unavailable]),
    (&["ImageTag"], Origin::Daemon, &[InvalidArgument, NotFound, Denied, ResourceExhausted, Unavailable]),
    (&["ImageDelete"], Origin::Daemon, &[InvalidArgument, NotFound, Conflict, ResourceExhausted, Unavailable]),
    (
        &["ImageCreate", "ImageSearch", "DistributionInspect"],
        Origin::Remote,
        &[InvalidArgument, NotFound, Unauthenticated, PermissionDenied, Unavailable],
    ),
    (&["SystemAuth"], Origin::Remote, &[InvalidArgument, Unauthenticated, PermissionDenied, Unavailable]),
    (&["ImageCreate"], Origin::Pull, &[NotFound, Denied, ResourceExhausted, Unauthenticated, PermissionDenied]),
];

/// The failures of an operation, one kind for each status: of several, that of the last row.
fn of(operation: &str) -> BTreeMap<StatusCode, (Origin, Kind)> {
    let rows = FAILURES.iter().filter(|(operations, ..)| operations.contains(&operation));
    let kinds = rows
        .flat_map(|(_, origin, kinds)| kinds.iter().map(move |kind| (docker_status(*kind, *origin), (*origin, *kind))));
    [(StatusCode::INTERNAL_SERVER_ERROR, (Origin::Daemon, Kind::Internal))].into_iter().chain(kinds).collect()
}

/// Documents every status with which an operation can fail. What its handler says of one stays.
pub(super) fn document(method: &str, operation: &mut Value) {
    let failures = of(operation["operationId"].as_str().unwrap_or_default());
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    for (status, (origin, kind)) in failures {
        responses.entry(status.as_str()).or_insert_with(|| {
            let (description, message) = words(status, origin, kind);
            let mut failure = json!({"description": description});
            // An answer to HEAD has no body.
            if method != "head" {
                failure["content"] = json!({"application/json": {
                    "schema": {"$ref": "#/components/schemas/ErrorResponse"},
                    "example": {"message": message},
                }});
            }
            failure
        });
    }
}

/// What a status means, and an example of its message.
fn words(status: StatusCode, origin: Origin, kind: Kind) -> (&'static str, &'static str) {
    match (status, kind) {
        (_, ResourceExhausted) if origin == Origin::Daemon => {
            ("No space is left on the disk", "writing the metadata failed: no space left on device")
        }
        (StatusCode::INTERNAL_SERVER_ERROR, _) if origin != Origin::Daemon => (
            "The daemon failed, or the registry cannot be reached or limits the rate of requests",
            "toomanyrequests: you have reached your pull rate limit",
        ),
        (StatusCode::INTERNAL_SERVER_ERROR, _) => ("The daemon failed", "the daemon failed to answer the request"),
        (_, InvalidArgument) => ("A parameter is malformed", "invalid reference format"),
        (_, NotFound) => ("No such image", "No such image: app:latest"),
        (_, Conflict) => ("The request conflicts with the current state", "the image is in use"),
        (_, Denied) => (
            "An admission rule denies the image",
            "image registry.example/team/app:1.0 is denied by rule signed: no signature",
        ),
        (_, PermissionDenied) => ("The registry denies access", "denied: requested access to the resource is denied"),
        (_, Unauthenticated) => ("The registry requires credentials", "unauthorized: authentication required"),
        (_, OutOfRange) => ("The range lies outside of the content", "the blob has no such range"),
        (_, ResourceExhausted) => (
            "No space is left on the disk, or the image exceeds a size limit",
            "writing a blob: no space left on device",
        ),
        (_, Unavailable) => (
            "Content was removed or changed while the request ran; try again",
            "content was removed during the request: try again",
        ),
        _ => ("The request failed", "the request failed"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::complete;
    use super::*;

    #[test]
    fn every_operation_documents_the_statuses_of_the_table_and_no_other() {
        let complete = complete();
        let paths = complete["paths"].as_object().unwrap();
        let operations: Vec<_> = paths.values().flat_map(|path| path.as_object().unwrap().values()).collect();
        for operation in &operations {
            let id = operation["operationId"].as_str().unwrap();
            assert!(FAILURES.iter().any(|(ids, ..)| ids.contains(&id)), "{id} is not in the table");
            let documented = operation["responses"].as_object().unwrap().keys();
            let documented: BTreeSet<_> = documented.filter(|status| status.as_str() >= "400").cloned().collect();
            let table: BTreeSet<_> = of(id).keys().map(|status| status.as_str().to_owned()).collect();
            assert_eq!(documented, table, "{id}");
        }
        let known: BTreeSet<_> = operations.iter().map(|one| one["operationId"].as_str().unwrap()).collect();
        let listed = FAILURES.iter().flat_map(|(ids, ..)| ids.iter().copied());
        assert_eq!(listed.collect::<BTreeSet<_>>(), known);
    }

    #[test]
    fn saving_and_writing_document_what_a_busy_or_full_daemon_answers() {
        let has = |id: &str, status: u16| of(id).contains_key(&StatusCode::from_u16(status).unwrap());
        assert!(has("ImageGet", 503) && has("ImageGetAll", 503) && has("ImageTag", 503));
        assert!(has("ImageCreate", 507) && has("ImageTag", 507) && has("ImageDelete", 507) && has("ImagePrune", 507));
        // A registry's failures become 500; a stream that has begun has no other status.
        assert!(!has("ImageCreate", 503) && !has("ImageLoad", 507) && !has("ImagePush", 507));
    }
}
