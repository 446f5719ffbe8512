//! The types that openapi-typescript generates from the document, in a program that a strict compiler accepts.

use std::path::Path;
use std::process::Command;

use super::{APP, generated, is_here, registry, start, succeed, transfers};
use crate::support::repository;

/// Prints the directory that holds the packages.
const PACKAGES: &str = "const { dirname } = require('node:path');
for (const name of ['openapi-fetch', 'openapi-typescript', 'undici']) require.resolve(name);
process.stdout.write(dirname(dirname(require.resolve('typescript/package.json'))));";

#[test]
fn a_program_with_generated_types_reads_transfers_and_follows_images() {
    if !is_here(Command::new("node").args(["-e", PACKAGES])) {
        return;
    }
    let packages = succeed(Command::new("node").args(["-e", PACKAGES])).out;
    let packages = Path::new(&packages);
    let directory = generated();
    let at = |name: &str| directory.path().join(name);
    // Compilers look for packages beside the program and above it.
    std::os::unix::fs::symlink(packages, at("node_modules")).unwrap();
    std::fs::write(at("package.json"), r#"{"type": "module"}"#).unwrap();
    for file in ["typescript_sdk.ts", "tsconfig.json"] {
        std::fs::copy(repository("tests/clients/scripts").join(file), at(file)).unwrap();
    }
    let mut generate = Command::new(packages.join(".bin/openapi-typescript"));
    succeed(generate.arg(repository("openapi/engine.json")).arg("--output").arg(at("engine.d.ts")));
    succeed(Command::new(packages.join(".bin/tsc")).arg("--project").arg(directory.path()));

    let (daemon, registry) = (start(), registry());
    let mut command = Command::new("node");
    transfers(&mut command, &registry);
    assert_eq!(succeed(command.arg(at("typescript_sdk.js")).arg(daemon.socket()).arg(APP)).out, "done\n");
}
