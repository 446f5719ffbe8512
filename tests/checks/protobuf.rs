//! The Rust code and the descriptors that are committed are what `proto/` says today, so building Loadline needs no
//! protobuf compiler.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::updates;

/// Every facade over gRPC. All services of a folder belong to one.
const FACADES: [Facade; 3] = [
    Facade { folder: "containerd", output: "src/api/containerd/gen", content: &[".containerd.services.content.v1"] },
    Facade { folder: "cri", output: "src/api/cri/gen", content: &[] },
    Facade { folder: "machine", output: "src/api/talos/gen", content: &[".common.Data"] },
];

/// What is generated for a facade.
struct Facade {
    /// The folder of `proto/` with its services. Files that these import may be anywhere in `proto/`.
    folder: &'static str,
    /// Where its code and its descriptors are, and nothing else.
    output: &'static str,
    /// Packages that carry content, whose bytes are not copied.
    content: &'static [&'static str],
}

/// What reflection answers from.
const DESCRIPTORS: &str = "descriptors.bin";

type Files = BTreeMap<String, Vec<u8>>;

#[test]
fn generated_code_is_up_to_date() {
    for facade in FACADES {
        let output = in_repository(facade.output);
        let generated = generate(&facade);
        if updates() {
            rewrite(&output, &generated);
        }
        let committed = read(&output);
        let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&committed), names(&generated), "{ADVICE}");
        for (name, bytes) in &generated {
            assert!(committed[name] == *bytes, "{name} differs; {ADVICE}");
        }
    }
}

#[test]
fn every_file_with_a_service_belongs_to_a_facade() {
    for file in proto_files(&in_repository("proto")) {
        let folder = file.split('/').next().unwrap();
        let known = FACADES.iter().any(|facade| facade.folder == folder);
        assert!(known || !has_service(&file), "proto/{file}: no row of FACADES has its folder");
    }
}

const ADVICE: &str = "run UPDATE=1 cargo test --test main protobuf";

/// The code and the descriptors of a facade's services. What their files import comes along by itself.
fn generate(facade: &Facade) -> Files {
    let all = proto_files(&in_repository("proto"));
    let own = format!("{}/", facade.folder);
    let roots = all.iter().filter(|file| file.starts_with(&own) && has_service(file));
    let mut compiler = protox::Compiler::new([in_repository("proto")]).expect("proto/ is there");
    compiler.include_imports(true);
    compiler.open_files(roots).expect("the .proto files compile");

    let directory = tempfile::tempdir().expect("a temporary directory");
    // Comments travel in the source information, which code generation needs and reflection does not.
    compiler.include_source_info(true);
    let mut config = tonic_prost_build::configure().build_transport(false).btree_map(".").include_file("_includes.rs");
    for package in facade.content {
        config = config.bytes(*package);
    }
    config.out_dir(directory.path()).compile_fds(compiler.file_descriptor_set()).expect("code is generated");
    let mut files = read(directory.path());
    files.values_mut().for_each(limit_messages);

    compiler.include_source_info(false);
    files.insert(DESCRIPTORS.to_owned(), compiler.encode_file_descriptor_set());
    files
}

/// Makes servers with the limit that all facades share. A generated server starts with tonic's own, and the generator has
/// no setting for it.
fn limit_messages(code: &mut Vec<u8>) {
    let text = String::from_utf8(std::mem::take(code)).expect("code is text");
    let servers = text.matches("pub fn from_arc(").count();
    let mut limited = text;
    for direction in ["decoding", "encoding"] {
        let unset = format!("max_{direction}_message_size: None,");
        assert_eq!(limited.matches(&unset).count(), servers, "each generated server has one limit of {direction}");
        limited =
            limited.replace(&unset, &format!("max_{direction}_message_size: Some(crate::api::grpc::MAX_MESSAGE),"));
    }
    *code = limited.into_bytes();
}

/// Every `.proto` file below a directory, by its path from there, sorted.
fn proto_files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).expect("a readable directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                let relative = path.strip_prefix(root).expect("a path below the root");
                found.push(relative.to_str().expect("a readable name").to_owned());
            }
        }
    }
    found.sort();
    found
}

fn has_service(file: &str) -> bool {
    let text = fs::read_to_string(in_repository("proto").join(file)).expect("a readable file");
    text.lines().any(|line| line.starts_with("service "))
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files of a directory by name; none where it does not exist.
fn read(directory: &Path) -> Files {
    let Ok(entries) = fs::read_dir(directory) else { return Files::new() };
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(&path).expect("a readable file"))
        })
        .collect()
}

fn rewrite(directory: &Path, files: &Files) {
    fs::create_dir_all(directory).expect("a directory is made");
    for name in read(directory).keys().filter(|name| !files.contains_key(*name)) {
        fs::remove_file(directory.join(name)).expect("a stale file goes");
    }
    for (name, bytes) in files {
        fs::write(directory.join(name), bytes).expect("a file is written");
    }
}
