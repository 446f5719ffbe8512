//! In-toto statements of the size and shape that image builds attach: a bill of materials and a build provenance.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::layout::hex;

/// What a statement speaks about: one platform's image of one generated name.
pub struct Subject<'a> {
    pub number: u32,
    pub architecture: &'a str,
    /// Digest of the image manifest, with its algorithm.
    pub digest: &'a str,
}

/// The predicate type and an SPDX document that lists a dozen packages.
pub fn sbom(subject: &Subject) -> (&'static str, Value) {
    let packages: Vec<Value> = ["musl", "busybox", "zlib", "openssl", "ca-certificates", "tzdata", "libstdc++", "app"]
        .into_iter()
        .enumerate()
        .map(|(at, name)| {
            let version = format!("{}.{at}.{}", 1 + at % 3, subject.number % 40);
            json!({
                "SPDXID": format!("SPDXRef-Package-{name}"), "name": name, "versionInfo": version,
                "downloadLocation": "NOASSERTION", "filesAnalyzed": false, "licenseConcluded": "NOASSERTION",
                "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                    "referenceLocator": format!("pkg:apk/{name}@{version}?arch={}", subject.architecture)}],
            })
        })
        .collect();
    let predicate = "https://spdx.dev/Document";
    let document = json!({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "sbom",
        "documentNamespace": format!("https://bench.example/sbom/{}/{}", subject.number, subject.architecture),
        "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: bench"]},
        "packages": packages,
    });
    (predicate, statement(subject, predicate, &document))
}

/// The predicate type and a SLSA provenance with its dependencies and build steps.
pub fn provenance(subject: &Subject) -> (&'static str, Value) {
    let dependencies: Vec<Value> = (0..4)
        .map(|at| {
            let uri = format!("pkg:docker/bench.example/base-{at}@1.0?platform=linux%2F{}", subject.architecture);
            json!({"digest": {"sha256": fingerprint(&uri)}, "uri": uri})
        })
        .collect();
    let steps: Vec<Value> = (0..6)
        .map(|at| {
            let command = format!("make stage-{at} TARGET=app-{:05} ARCH={}", subject.number, subject.architecture);
            json!({"id": format!("step{at}"), "digest": fingerprint(&command), "command": ["/bin/sh", "-c", command],
                "environment": ["PATH=/usr/local/bin:/usr/bin:/bin", "SOURCE_DATE_EPOCH=1767225600"]})
        })
        .collect();
    let predicate = "https://slsa.dev/provenance/v1";
    let document = json!({
        "buildDefinition": {
            "buildType": "https://bench.example/build/v1",
            "externalParameters": {
                "configSource": {"uri": "https://git.bench.example/app.git", "path": "Dockerfile",
                    "digest": {"sha1": &fingerprint(&subject.number.to_string())[..40]}},
                "request": {"frontend": "dockerfile.v0", "args": {"build-arg:SOURCE_DATE_EPOCH": "1767225600"}},
            },
            "internalParameters": {"buildConfig": {"steps": steps}, "platform": format!("linux/{}", subject.architecture)},
            "resolvedDependencies": dependencies,
        },
        "runDetails": {
            "builder": {"id": "https://ci.bench.example/runner/7"},
            "metadata": {"invocationId": &fingerprint(subject.digest)[..24],
                "startedOn": "2026-01-01T00:00:00Z", "finishedOn": "2026-01-01T00:01:30Z"},
        },
    });
    (predicate, statement(subject, predicate, &document))
}

fn statement(subject: &Subject, predicate: &str, document: &Value) -> Value {
    let name =
        format!("pkg:docker/bench.example/app-{:05}@v1?platform=linux%2F{}", subject.number, subject.architecture);
    json!({
        "_type": "https://in-toto.io/Statement/v1", "predicateType": predicate,
        "subject": [{"name": name, "digest": {"sha256": subject.digest.trim_start_matches("sha256:")}}],
        "predicate": document,
    })
}

fn fingerprint(text: &str) -> String {
    hex(&Sha256::digest(text).into())
}
