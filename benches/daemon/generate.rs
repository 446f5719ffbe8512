//! Synthetic images: the same arguments always give the same bytes.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Outcome;
use crate::layout::{CONFIG, IN_TOTO, INDEX, LAYER_GZIP, Layout, MANIFEST, hex, with};
use crate::statements::{self, Subject};

/// The platforms images are made for, in this order: architecture and variant.
pub const PLATFORMS: [(&str, Option<&str>); 6] = [
    ("amd64", None),
    ("arm64", Some("v8")),
    ("arm", Some("v7")),
    ("s390x", None),
    ("ppc64le", None),
    ("riscv64", None),
];

/// Layers of a platform's image; the first is common to all images.
const LAYERS: u32 = 3;

/// The name of the image that [`layered_image`] writes.
pub const LAYERED: &str = "bench.example/large:v1";

/// Many small multi-platform images as BuildKit writes them, each platform with an attestation manifest of two statements. An image of
/// three platforms is 25 blobs of its own: an index, three manifests, three configs and six layers, and for each attestation manifest
/// itself, its config and two statements; three base layers more serve all images.
pub struct ManyImages {
    /// The number of the first image, which makes its name and content.
    pub first: u32,
    pub images: u32,
    pub platforms: usize,
}

impl ManyImages {
    /// Writes the layout and returns the number of its blobs.
    pub fn write(&self, path: &Path) -> Outcome<usize> {
        let mut layout = Layout::create(path)?;
        let images: Vec<Value> = (self.first..self.first + self.images)
            .map(|number| self.image(&mut layout, number))
            .collect::<Outcome<_>>()?;
        layout.finish(images)
    }

    fn image(&self, layout: &mut Layout, number: u32) -> Outcome<Value> {
        let (mut manifests, mut attestations) = (Vec::new(), Vec::new());
        for at in 0..self.platforms {
            let image = image_manifest(layout, number, at)?;
            attestations.push(attestation_manifest(layout, number, at, &image)?);
            manifests.push(with(image, "platform", platform(at)));
        }
        manifests.append(&mut attestations);
        let index = layout.json(INDEX, &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))?;
        let names = json!({"io.containerd.image.name": name(number), "org.opencontainers.image.ref.name": "v1"});
        Ok(with(index, "annotations", names))
    }
}

/// The name of an image that [`ManyImages`] wrote.
pub fn name(number: u32) -> String {
    format!("bench.example/app-{number:05}:v1")
}

/// Writes one image for one platform, with this much random data in equal layers that do not compress.
pub fn layered_image(path: &Path, mib: u64, layers: u64) -> Outcome<()> {
    let mut layout = Layout::create(path)?;
    let scratch = path.with_extension("layer");
    let (mut descriptors, mut diff_ids) = (Vec::new(), Vec::new());
    for layer in 0..layers {
        // The descriptor's digest stands before the data in a tar, so the layer is written aside first.
        let raw = LayerTar::new(layer, (mib << 20) / layers);
        let mut packed =
            HashingWriter::new(GzEncoder::new(HashingWriter::new(File::create(&scratch)?), Compression::none()));
        std::io::copy(&mut { raw }, &mut packed)?;
        let (encoder, diff_id) = packed.finish();
        let (file, digest) = encoder.finish()?.finish();
        let size = file.metadata()?.len();
        descriptors.push(layout.stream(LAYER_GZIP, &digest, size, File::open(&scratch)?)?);
        diff_ids.push(format!("sha256:{}", hex(&diff_id)));
    }
    std::fs::remove_file(&scratch)?;
    let config = layout.json(
        CONFIG,
        &json!({
            "created": "2026-01-01T00:00:00Z", "architecture": "amd64", "os": "linux",
            "config": {"Cmd": ["/bin/true"]}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }),
    )?;
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": descriptors});
    let image = layout.json(MANIFEST, &manifest)?;
    let names = json!({"io.containerd.image.name": LAYERED, "org.opencontainers.image.ref.name": "v1"});
    layout.finish(vec![with(image, "annotations", names)])?;
    Ok(())
}

fn platform(at: usize) -> Value {
    match PLATFORMS[at] {
        (architecture, Some(variant)) => json!({"architecture": architecture, "os": "linux", "variant": variant}),
        (architecture, None) => json!({"architecture": architecture, "os": "linux"}),
    }
}

fn image_manifest(layout: &mut Layout, number: u32, at: usize) -> Outcome<Value> {
    let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
    for layer in 0..LAYERS {
        let label = if layer == 0 { format!("base-{at}") } else { format!("app-{number:05}-{at}-{layer}") };
        let raw = small_layer(&label)?;
        diff_ids.push(format!("sha256:{}", hex(&Sha256::digest(&raw).into())));
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&raw)?;
        layers.push(layout.blob(LAYER_GZIP, &packed.finish()?)?);
    }
    let created = format!("2026-01-{:02}T{:02}:{:02}:00Z", 1 + number % 28, number % 24, number % 60);
    let mut config = json!({
        "created": created,
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Entrypoint": ["/bin/app"],
            "WorkingDir": "/srv",
            "Labels": {"number": number.to_string(), "parity": if number.is_multiple_of(2) { "even" } else { "odd" }},
        },
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": (0..LAYERS).map(|layer| json!({"created": created, "created_by": format!("COPY layer {layer}")})).collect::<Vec<_>>(),
    });
    if let (Some(config), Value::Object(platform)) = (config.as_object_mut(), platform(at)) {
        config.extend(platform);
    }
    let config = layout.json(CONFIG, &config)?;
    layout.json(MANIFEST, &json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}))
}

fn attestation_manifest(layout: &mut Layout, number: u32, at: usize, image: &Value) -> Outcome<Value> {
    let digest = image["digest"].as_str().unwrap_or_default().to_owned();
    let subject = Subject { number, architecture: PLATFORMS[at].0, digest: &digest };
    let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
    for (predicate, statement) in [statements::sbom(&subject), statements::provenance(&subject)] {
        let blob = layout.json(IN_TOTO, &statement)?;
        diff_ids.push(blob["digest"].clone());
        layers.push(with(blob, "annotations", json!({"in-toto.io/predicate-type": predicate})));
    }
    let config = layout.json(CONFIG, &json!({
        "architecture": "unknown", "os": "unknown", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }))?;
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    let mut attestation = layout.json(MANIFEST, &manifest)?;
    attestation["platform"] = json!({"architecture": "unknown", "os": "unknown"});
    attestation["annotations"] =
        json!({"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest});
    Ok(attestation)
}

/// A layer's tar with one small file.
fn small_layer(label: &str) -> Outcome<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_data(&mut file_header(label.len() as u64), format!("srv/{label}"), label.as_bytes())?;
    Ok(tar.into_inner()?)
}

fn file_header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(1_767_225_600);
    header
}

/// A layer's tar with one file of random data, made as it is read.
struct LayerTar {
    head: Vec<u8>,
    sent: usize,
    body: u64,
    trailer: u64,
    state: u64,
}

impl LayerTar {
    fn new(seed: u64, size: u64) -> LayerTar {
        let mut header = file_header(size);
        // A name this short always fits.
        let _ = header.set_path(format!("srv/data-{seed}"));
        header.set_cksum();
        let padding = size.next_multiple_of(512) - size;
        LayerTar { head: header.as_bytes().to_vec(), sent: 0, body: size, trailer: padding + 1024, state: seed + 1 }
    }

    /// Fills with splitmix64, which no compressor makes smaller.
    fn random(&mut self, out: &mut [u8]) {
        for word in out.chunks_mut(8) {
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..word.len()]);
        }
    }
}

impl Read for LayerTar {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.sent < self.head.len() {
            let count = out.len().min(self.head.len() - self.sent);
            out[..count].copy_from_slice(&self.head[self.sent..self.sent + count]);
            self.sent += count;
            return Ok(count);
        }
        let left = if self.body > 0 { self.body } else { self.trailer };
        let count = out.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if self.body > 0 {
            self.random(&mut out[..count]);
            self.body -= count as u64;
        } else {
            out[..count].fill(0);
            self.trailer -= count as u64;
        }
        Ok(count)
    }
}

/// Hashes what passes through.
struct HashingWriter<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> HashingWriter<W> {
    fn new(inner: W) -> Self {
        HashingWriter { inner, hash: Sha256::new() }
    }

    fn finish(self) -> (W, [u8; 32]) {
        (self.inner, self.hash.finalize().into())
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        let count = self.inner.write(data)?;
        self.hash.update(&data[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}
