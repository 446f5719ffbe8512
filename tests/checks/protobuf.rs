//! The Rust code and the descriptors committed in `src/api/containerd/gen` are what `proto/` says today, so building
//! Loadline needs no protobuf compiler.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What other files import comes along by itself.
const ROOTS: [&str; 3] = [
    "containerd/services/content/v1/content.proto",
    "containerd/services/introspection/v1/introspection.proto",
    "containerd/services/version/v1/version.proto",
];

/// What reflection answers from.
const DESCRIPTORS: &str = "descriptors.bin";

type Files = BTreeMap<String, Vec<u8>>;

#[test]
fn generated_code_is_up_to_date() {
    let committed_in = in_repository("src/api/containerd/gen");
    let generated = generate();
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        rewrite(&committed_in, &generated);
    }
    let committed = read(&committed_in);
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&generated), "{ADVICE}");
    for (name, bytes) in &generated {
        assert!(committed[name] == *bytes, "{name} differs; {ADVICE}");
    }
}

const ADVICE: &str = "run UPDATE=1 cargo test --test checks protobuf";

fn generate() -> Files {
    let mut compiler = protox::Compiler::new([in_repository("proto")]).expect("proto/ is there");
    compiler.include_imports(true);
    compiler.open_files(ROOTS).expect("the .proto files compile");

    let directory = tempfile::tempdir().expect("a temporary directory");
    // Comments travel in the source information, which code generation needs and reflection does not.
    compiler.include_source_info(true);
    tonic_prost_build::configure()
        .build_transport(false)
        .bytes(".containerd.services.content.v1")
        .btree_map(".")
        .include_file("_includes.rs")
        .out_dir(directory.path())
        .compile_fds(compiler.file_descriptor_set())
        .expect("code is generated");
    let mut files = read(directory.path());

    compiler.include_source_info(false);
    files.insert(DESCRIPTORS.to_owned(), compiler.encode_file_descriptor_set());
    files
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(directory: &Path) -> Files {
    let entries = fs::read_dir(directory).expect("a readable directory");
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(&path).expect("a readable file"))
        })
        .collect()
}

fn rewrite(directory: &Path, files: &Files) {
    for name in read(directory).keys().filter(|name| !files.contains_key(*name)) {
        fs::remove_file(directory.join(name)).expect("a stale file goes");
    }
    for (name, bytes) in files {
        fs::write(directory.join(name), bytes).expect("a file is written");
    }
}
